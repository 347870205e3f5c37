"""What a request costs of GitHub's limits, and what its answer says of them (see limits.py).

A request is one of an hour's points, and of a minute's 1 for reading and 5 for anything else; what creates something
counts as content too, and what invites somebody as an invitation. A removal creates nothing and invites nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests

from onboard.connectors.pacing import Cost, Pace

READ, WRITE = 1, 5
GRAPHQL, POINTS = Cost("graphql"), Cost("points")
#: Stands for all requests of a credential: a secondary limit doesn't say which of them were too many.
REQUESTS = Cost("requests")
CONTENT = Cost("content")

_CREATES = frozenset({"POST", "PUT", "PATCH"})
_TO_ORG = re.compile(r"/orgs/[^/]+/(?:memberships/[^/]+|invitations)$")
_TO_REPO = re.compile(r"/repos/([^/]+/[^/]+)/collaborators/[^/]+$")


def costs(verb: str, path: str) -> list[Cost]:
    """What a request takes of each limit."""
    if is_graphql(path):
        return [REQUESTS, GRAPHQL, Cost("graphql_a_minute", READ)]
    taken = [REQUESTS, POINTS, Cost("points_a_minute", READ if verb == "GET" else WRITE)]
    if verb in _CREATES:
        taken += [CONTENT, Cost("content_an_hour"), *_invitation(path)]
    return taken


def not_spent(verb: str, path: str, status: int, body: object) -> list[Cost]:
    """The invitation that wasn't one after all: whoever is in already is only given another role."""
    offered = status == requests.codes.created or (isinstance(body, Mapping) and body.get("state") == "pending")
    return [] if offered or verb not in _CREATES else _invitation(path)


def heed(pace: Pace, path: str, headers: Mapping[str, str], now: float) -> None:
    """Pass on what an answer's headers say of the hour's points (`now` as Unix time, like GitHub's own)."""
    remaining, limit, reset = (headers.get(f"x-ratelimit-{name}", "") for name in ("remaining", "limit", "reset"))
    if remaining.isdecimal() and limit.isdecimal() and reset.isdecimal():
        pace.left(_hourly(path), int(remaining), int(limit), int(reset) - now)


def refused(pace: Pace, path: str, headers: Mapping[str, str], text: str, wait: float | None) -> None:
    """Pass on that an answer said "too many". A secondary limit stops all requests, or just content if it says so."""
    if headers.get("x-ratelimit-remaining") == "0":
        pace.limited(_hourly(path), wait)
    else:
        pace.limited(CONTENT if "content creation" in text.lower() else REQUESTS, wait)


def is_graphql(path: str) -> bool:
    """Whether a request goes to the GraphQL API."""
    return path.endswith("/graphql")


def _hourly(path: str) -> Cost:
    return GRAPHQL if is_graphql(path) else POINTS


def _invitation(path: str) -> list[Cost]:
    if found := _TO_REPO.search(path):
        return [Cost("repository_invitations", of=found[1].lower())]
    return [Cost("invitations")] if _TO_ORG.search(path) else []
