"""The simulated GitHub: who pushed to a repository, and when."""

from __future__ import annotations

from datetime import timedelta

from onboard.sandbox.github import views
from onboard.sandbox.github.http import Call, GitHubError, Reply, listed
from onboard.sandbox.github.state import Push

#: How far back each `time_period` goes, in days.
_PERIODS = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
_KINDS = ("push", "force_push", "branch_creation", "branch_deletion", "pr_merge")
_NOTHING = "0" * 40


def list_activity(call: Call) -> Reply:
    """GET activity: the newest first, of a `time_period` if one is named; here everything is a push to main."""
    period = _chosen(call, "time_period", "", ("", *_PERIODS))
    kind = _chosen(call, "activity_type", "push", _KINDS)
    since = call.now - timedelta(days=_PERIODS[period]) if period else None
    pushes = call.repo().pushes if kind == "push" else []
    found = [push for push in pushes if since is None or push.at >= since]
    return listed(call, sorted(found, key=lambda push: push.at, reverse=True), _shown)


def _chosen(call: Call, name: str, default: str, allowed: tuple[str, ...]) -> str:
    """A query parameter out of a fixed choice. Raises 422 for any other, whose errors are plain texts here."""
    value = call.request.query_params.get(name, default)
    if value not in allowed:
        raise GitHubError(422, "Validation Failed", [f"{value} is not a valid {name}"])
    return value


def _shown(call: Call, push: Push) -> views.Json:
    return {
        "id": push.id,
        "node_id": f"PSH_{push.id}",
        "before": _NOTHING,
        "after": f"{push.id:040x}",
        "ref": "refs/heads/main",
        "timestamp": views.time(push.at),
        "activity_type": "push",
        "actor": views.user(call, call.org.users[push.by]),
    }


ROUTES = (("GET", "/repos/{owner}/{repo}/activity", list_activity),)
