"""What Jira sends when somebody comments on a ticket of ours, or moves it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from onboard.ledger import Ledger
from onboard.ledger.privacy.answers import Decision, key_of
from onboard.ledger.privacy.notices import Notices
from onboard.lifecycle.answers import Said
from onboard.sections import Notices as Asking

#: Jira sends again for some minutes what wasn't taken; what is older is a replay. It is shorter than answers are kept.
NEW = timedelta(hours=2)
#: How the place to reply at begins, where it is a ticket.
TICKET = "ticket:"
_WORD = re.compile(r"\s*(approve|refuse)\s+([0-9a-f]{64})((?:\s+accept\s+\S+)*)\s*", re.IGNORECASE)


class _Who(BaseModel):
    id: str = Field(min_length=1, validation_alias=AliasChoices("accountId", "key"))


class _Comment(BaseModel):
    id: str
    author: _Who
    body: str


class _Item(BaseModel):
    field: str
    to: str = Field(default="", validation_alias="toString")


class _Changelog(BaseModel):
    id: str
    items: list[_Item]


class _Issue(BaseModel):
    key: str


class _Event(BaseModel):
    """https://developer.atlassian.com/server/jira/platform/webhooks, as far as it is needed."""

    webhookEvent: Literal["comment_created", "jira:issue_updated"]  # noqa: N815 - Jira's name
    timestamp: int
    issue: _Issue
    comment: _Comment | None = None
    user: _Who | None = None
    changelog: _Changelog | None = None


def read(asking: Asking, ledger: Ledger, body: bytes, at: datetime) -> Said | None:
    """What was answered on which plan; None for what is no answer on a ticket of ours, or too old to be new."""
    try:
        event = _Event.model_validate_json(body)
        told = datetime.fromtimestamp(event.timestamp / 1000, UTC)
    except (ValidationError, ValueError, OverflowError, OSError):
        return None
    if abs(at - told) > NEW:
        return None
    if event.webhookEvent == "comment_created":
        return _commented(asking, ledger, event, at)
    return _moved(asking, ledger, event, at)


def _commented(asking: Asking, ledger: Ledger, event: _Event, at: datetime) -> Said | None:
    """A comment counts that is nothing but a decision and the whole digest of the ticket's own plan."""
    word = _WORD.fullmatch(event.comment.body) if event.comment else None
    if event.comment is None or word is None:
        return None
    decision: Decision = "approve" if word[1].lower() == "approve" else "refuse"
    digest, accepts = word[2].lower(), tuple(word[3].split()[1::2])
    if digest != _plan_of(asking, ledger, event.issue.key):
        return None
    key = key_of(asking.jira, "comment", event.comment.id)
    return Said(key, asking.jira, event.comment.author.id, digest, decision, accepts, at, TICKET + event.issue.key)


def _moved(asking: Asking, ledger: Ledger, event: _Event, at: datetime) -> Said | None:
    """A move to one of the two statuses that mean something: about the plan that we wrote this ticket for."""
    meaning: dict[str, Decision] = {
        asking.jira_approved.casefold(): "approve",
        asking.jira_refused.casefold(): "refuse",
    }
    if event.changelog is None or event.user is None:
        return None
    statuses = [item.to.casefold() for item in event.changelog.items if item.field == "status" and item.to]
    decision = next((meaning[status] for status in statuses if status in meaning), None)
    digest = _plan_of(asking, ledger, event.issue.key) if decision else None
    if decision is None or digest is None:
        return None
    return Said(
        key_of(asking.jira, "move", event.changelog.id),
        asking.jira,
        event.user.id,
        digest,
        decision,
        (),
        at,
        TICKET + event.issue.key,
    )


def _plan_of(asking: Asking, ledger: Ledger, issue: str) -> str | None:
    """The digest of the plan that a ticket was written for, by our own record: its labels and text others may edit."""
    ours = (n for n in Notices(ledger).all() if (n.system, n.mark) == (asking.jira, issue))
    return next((notice.digest for notice in ours), None)
