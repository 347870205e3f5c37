"""What the simulated Jira sends by itself: a comment was made, an issue moved; signed with the webhook's secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from onboard.errors import BadInput
from onboard.sandbox.jira.state import STATUSES, Issue, JiraState, User


def commented(state: JiraState, user: User, key: str, text: str, now: datetime) -> dict[str, Any]:
    """A new comment by that user, and what is sent about it. Raises BadInput for an issue that isn't there."""
    issue = _issue(state, key)
    comment = state.add_comment(issue, user.key, text, now)
    told = {"id": str(comment.id), "author": _user(user), "updateAuthor": _user(user), "body": text}
    return {"timestamp": _millis(now), "webhookEvent": "comment_created", "comment": told, "issue": _told(issue)}


def moved(state: JiraState, user: User, key: str, status: str, now: datetime) -> dict[str, Any]:
    """The issue is in that status now, and what is sent about it. Raises BadInput for one that isn't there."""
    issue = _issue(state, key)
    if status not in STATUSES:
        raise BadInput.one(f"There is no status {status!r}; an issue is {', '.join(STATUSES)}.")
    change = {"field": "status", "fieldtype": "jira", "fromString": issue.status, "toString": status}
    issue.status, issue.moves = status, issue.moves + 1
    return {
        "timestamp": _millis(now),
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_generic",
        "user": _user(user),
        "issue": _told(issue),
        "changelog": {"id": str(issue.id * 1000 + issue.moves), "items": [change]},
    }


def signed(payload: dict[str, Any], secret: str) -> tuple[bytes, dict[str, str]]:
    """The request as Jira sends it (`X-Hub-Signature`, HMAC-SHA256 over the body)."""
    body = json.dumps(payload).encode()
    made = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "X-Hub-Signature": f"sha256={made}"}


def _issue(state: JiraState, key: str) -> Issue:
    for project in state.projects:
        for issue in project.issues:
            if issue.key == key:
                return issue
    raise BadInput.one(f"There is no issue {key!r}.")


def _user(user: User) -> dict[str, Any]:
    return {"accountId": user.account_id, "accountType": "atlassian", "displayName": user.name, "active": user.active}


def _told(issue: Issue) -> dict[str, Any]:
    fields = {"summary": issue.summary, "labels": issue.labels, "status": {"name": issue.status}}
    return {"id": str(issue.id), "key": issue.key, "fields": fields}


def _millis(now: datetime) -> int:
    return int(now.timestamp() * 1000)
