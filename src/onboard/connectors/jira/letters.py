"""Letters as tickets in a Jira project: one for a plan, which says how it is answered, and what became of it.

Each carries its key as a label, by which it is looked for before it is written again. Jira's search may lag behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from onboard.connectors.http import documented
from onboard.connectors.jira.client import JiraClient
from onboard.connectors.letters import Letter

#: Characters of a summary that Jira takes.
_SUMMARY = 250
LABEL = "onboard"


class JiraLetters:
    """Into one project. `moves` names, by how a plan ended, the status that its ticket is moved to."""

    shows_within = timedelta(seconds=60)

    def __init__(self, jira: JiraClient, project: str, issue_type: str, moves: dict[str, str]) -> None:
        self._jira = jira
        self._project = project
        self._type = issue_type
        self._moves = moves

    @property
    def system(self) -> str:
        """The configured system's name."""
        return self._jira.system

    def place(self, external_id: str) -> str:
        """The project, whoever it is about."""
        return self._project

    def find(self, place: str, key: str, since: datetime) -> str | None:
        """The ticket's key, by its label (GET search/jql on Cloud, search on Data Center)."""
        query = {"jql": f'project = "{place}" AND labels = "{_label(key)}"', "fields": "summary"}
        path = "search/jql" if self._jira.cloud else "search"
        with documented(self.system, "look for a ticket of ours"):
            found = self._jira.read("look for a ticket of ours", path, query).body["issues"]
            return str(found[0]["key"]) if found else None

    def send(self, place: str, letter: Letter) -> str:
        """Write the ticket (POST issue); its key."""
        fields = {
            "project": {"key": place},
            "issuetype": {"name": self._type},
            "summary": letter.heading[:_SUMMARY],
            "labels": [LABEL, _label(letter.key)],
            "description": self._body("\n".join([*letter.lines, "", *letter.notes, "", *_answers(letter)])),
        }
        answer = self._jira.call("write a ticket", "POST", "issue", body={"fields": fields})
        with documented(self.system, "write a ticket"):
            return str(answer.body["key"])

    def change(self, place: str, mark: str, letter: Letter) -> None:
        """Comment what it says now, unless that was said, and move the ticket once the plan has ended."""
        self.comment(mark, "\n".join([letter.heading, *letter.notes]))
        status = self._moves.get(letter.outcome)
        if status:
            self._move(mark, status)

    def comment(self, mark: str, text: str) -> None:
        """Say this on a ticket, unless one of its comments says just this."""
        path, body = f"issue/{mark}/comment", self._body(text)
        said = self._jira.read("read a ticket's comments", path, {"maxResults": 100, "orderBy": "-created"}).body
        if all(comment["body"] != body for comment in said["comments"]):
            self._jira.call("comment on a ticket", "POST", path, body={"body": body})

    def _move(self, mark: str, status: str) -> None:
        """Move a ticket to a status, where its workflow leads there from where it is."""
        path = f"issue/{mark}/transitions"
        for way in self._jira.read("read where a ticket can go", path).body["transitions"]:
            if way["to"]["name"].casefold() == status.casefold():
                self._jira.call("move a ticket", "POST", path, body={"transition": {"id": way["id"]}})
                return

    def _body(self, text: str) -> Any:
        """Text as Jira takes them: a document on Cloud, text that isn't read as markup on Data Center."""
        if not self._jira.cloud:
            return "{noformat}\n" + text.replace("{noformat}", "") + "\n{noformat}"
        code = {"type": "codeBlock", "content": [{"type": "text", "text": text}]}
        return {"type": "doc", "version": 1, "content": [code]}


def _label(key: str) -> str:
    return f"{LABEL}-{key}"


def _answers(letter: Letter) -> Iterator[str]:
    """The comments by which it is answered, whole, to be copied."""
    if letter.asks:
        accepts = "".join(f" accept {name}" for name in letter.accepts)
        yield "To answer, comment one of these lines:"
        yield f"approve {letter.digest}{accepts}"
        yield f"refuse {letter.digest}"
