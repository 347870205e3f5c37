"""Who pushed to a repository, by its list of activities (GET /repos/{owner}/{repo}/activity, needs Contents: read)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from onboard.connectors.github.client import GitHubClient
from onboard.errors import SystemRefused
from onboard.model import Resource

#: What counts as writing: merging a pull request needs write access too.
_WRITES = frozenset({"push", "force_push", "branch_creation", "branch_deletion", "pr_merge", "merge_queue_merge"})
#: Periods that GitHub knows, and how many days each surely covers.
_PERIODS = (("day", 1), ("week", 7), ("month", 28), ("quarter", 89), ("year", 365))


def last_writes(client: GitHubClient, resource: Resource, since: datetime) -> Mapping[str, datetime]:
    """As UsageReader says; one call for each hundred activities. SystemRefused for more than a year."""
    back = client.clock() - since
    period = next((name for name, days in _PERIODS if back <= timedelta(days=days)), None)
    if period is None:
        raise SystemRefused(client.system, "GitHub lists activities of at most a year.")
    path = f"{client.path_of(resource)}/activity"
    found: dict[str, datetime] = {}
    for one in client.pages(f"list the activities in {resource.name}", path, {"time_period": period}):
        at, actor = datetime.fromisoformat(one["timestamp"]), one.get("actor")
        if one["activity_type"] in _WRITES and actor and at >= since:
            found[str(actor["id"])] = max(at, found.get(str(actor["id"]), at))
    return found
