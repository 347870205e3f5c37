"""Slack channels and Jira issues that are told a line of text: what is there, nobody with our database can take back.

They know nothing of what they are told.
"""

from __future__ import annotations

import re
from typing import Any

from onboard.connectors.jira.client import JiraClient
from onboard.connectors.slack.api import Slack
from onboard.errors import SystemRefused

_ISSUE = re.compile(r"[A-Z][A-Z0-9_]+-[1-9][0-9]*")


class SlackWitness:
    """A channel, by its name or id, that the bot is in (chat.postMessage, scope chat:write)."""

    def __init__(self, slack: Slack, channel: str, heading: str) -> None:
        self._slack = slack
        self._channel = channel
        self._heading = heading

    @property
    def name(self) -> str:
        """`SYSTEM:CHANNEL`."""
        return f"{self._slack.system}:{self._channel}"

    def publish(self, line: str) -> None:
        """Post the line, as code. Raises SystemFailed."""
        text = f"{self._heading}\n```{line}```"
        self._slack.send(
            f"tell {self._channel} a line",
            lambda c: c.chat_postMessage(channel=self._channel, text=text, unfurl_links=False, unfurl_media=False),
        )


class JiraWitness:
    """An issue that the token's user may comment on (POST issue/KEY/comment)."""

    def __init__(self, jira: JiraClient, issue: str) -> None:
        self._jira = jira
        self._issue = issue

    @property
    def name(self) -> str:
        """`SYSTEM:ISSUE`."""
        return f"{self._jira.system}:{self._issue}"

    def publish(self, line: str) -> None:
        """Comment with the line, as code. Raises SystemFailed."""
        if not _ISSUE.fullmatch(self._issue):
            raise SystemRefused(self._jira.system, f"{self._issue} is no issue's key. Write it like SEC-1.")
        body = {"body": _document(line) if self._jira.cloud else f"{{noformat}}{line}{{noformat}}"}
        self._jira.call(f"tell {self._issue} a checkpoint", "POST", f"issue/{self._issue}/comment", body=body)


def _document(line: str) -> dict[str, Any]:
    """The line in Atlassian's document format, which API version 3 wants."""
    code = {"type": "codeBlock", "content": [{"type": "text", "text": line}]}
    return {"type": "doc", "version": 1, "content": [code]}
