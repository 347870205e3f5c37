"""What cutting off a whole vendor takes at the vendors' published limits, beside the least that these allow.

Nothing is waited for. Some people are cut off for real in the sandbox, each with as much as in `cutoff.py`, then some
more; what each more of them added is taken times all the others. Each request counts against the limits that our pacing
knows (connectors/limits.py names the sources). A limit lets its amount go at once, and the next call once its
window has passed, so that N calls last as many windows as are full before the last one; calls under different limits go
side by side, so a system takes as long as its slowest limit. The least that the limits allow is the same sum over the
writes that took effect alone: nothing read, nothing looked up, nothing tried in vain.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from onboard.connectors.github import pace as github_pace
from onboard.connectors.limits import LIMITS
from onboard.connectors.pacing import Cost
from onboard.connectors.slack import pace as slack_pace
from onboard.model import Kind

Entry = Mapping[str, Any]
Taken = Counter[tuple[str, str]]

#: GitHub's points an hour depend on the plan; this is the least.
_POINTS = 5_000


def costs(entry: Entry) -> list[Cost]:
    """What one logged request takes of its vendor's limits."""
    method, path = str(entry["method"]), str(entry["path"])
    if entry["system"] == "github":
        return github_pace.costs(method, path)
    if entry["system"] == "slack":
        if path.startswith("/scim/"):
            return [*(slack_pace.SCIM_READ if method == "GET" else slack_pace.SCIM_USER)]
        return [slack_pace.cost(path.rpartition("/")[2])]
    if entry["system"] == "jira":
        limits = {"GET": "reads", "POST": "posts", "PUT": "puts", "DELETE": "deletes"}
        return [Cost(limits[method], of=path.split("/")[4])]
    return []


def taken(entries: Iterable[Entry], *, writes: bool) -> Taken:
    """What requests took, by limit and by what has it by itself; only of `writes` that took effect, if asked."""
    counted: Taken = Counter()
    for entry in entries:
        if not writes or (entry["write"] and (entry["status"] or 500) < 300):
            for cost in costs(entry):
                counted[cost.limit, cost.of] += cost.amount
    return counted


def for_all(few: Taken, more: Taken, sample: tuple[int, int], people: int) -> dict[tuple[str, str], float]:
    """What so many people take: what the first few took, and for each other one what each of some more added."""
    less, greater = sample
    return {name: few[name] + (more[name] - few[name]) / (greater - less) * (people - less) for name in more}


def minutes(kind: Kind, amounts: Mapping[tuple[str, str], float]) -> tuple[float, str]:
    """How long it takes at the published limits, and which of them decides."""
    times = {" ".join(filter(None, name)): _minutes(kind, name[0], amount) for name, amount in amounts.items()}
    slowest = max(times, key=lambda name: times[name], default="")
    return times.get(slowest, 0.0), slowest


def _minutes(kind: Kind, name: str, amount: float) -> float:
    limit = LIMITS[kind][name]
    at_once = _POINTS if name in ("points", "graphql") else limit.amount
    if not at_once or amount <= 0:
        return 0.0
    if limit.burst:
        return max(0.0, amount - limit.burst) / at_once * limit.seconds / 60
    return math.floor((amount - 1) / at_once) * limit.seconds / 60
