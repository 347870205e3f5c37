"""Small worlds of values for the engine: a person, what they should hold, what they were seen to hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from onboard.engine.diff import Difference, Owned, Sight, Subject, diff
from onboard.engine.plan import Change, Part, split
from onboard.lasting import Limit
from onboard.model import (
    Account,
    Grant,
    Holding,
    HoldingState,
    Observation,
    Phase,
    Reading,
    Resource,
    Source,
    Warrant,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MARTA = "p-" + "1" * 32
REPO = Resource("github", "repo", "acme/payments-api")
DOCS = Resource("github", "repo", "acme/docs")
ORG = Resource("github", "org", "acme")
PROJECT = Resource("jira", "project", "PAY")
GROUP = Resource("vault", "group", "payments-dev")
ACCOUNTS = {
    system: Account(f"a-{system}", system, f"{system}-id", "marta", person=MARTA)
    for system in ("github", "jira", "vault")
}


def subject(**changed: object) -> Subject:
    return Subject(MARTA, **{"accounts": ACCOUNTS, **changed})  # type: ignore[arg-type]


def warrant(engagement: str = "payments", until: date = date(2027, 1, 15)) -> Warrant:
    source = Source("roles/backend-engineer.yaml", 14)
    return Warrant(engagement, "backend-engineer", Phase.RAMP_UP, source, (), None, Limit(until, "contract"))


def grant(resource: Resource, level: str, *warrants: Warrant) -> Grant:
    return Grant(MARTA, resource, level, warrants or (warrant(),))


def holding(
    resource: Resource, level: str, state: HoldingState = HoldingState.ACTIVE, *, account: str = "", via: str = "direct"
) -> Holding:
    return Holding(account or f"{resource.system}-id", "marta", resource, level, state, via)


def seen(
    *holdings: Holding, empty: Iterable[Resource] = (), unknown: Mapping[Resource, str] | None = None
) -> dict[str, Observation]:
    """Observations of github, jira and vault in which these holdings, and nothing else, were read."""
    readings = {resource: Reading(resource) for resource in (ORG, REPO, DOCS, PROJECT, GROUP, *empty)}
    for one in holdings:
        before = readings.get(one.resource, Reading(one.resource)).holdings
        readings[one.resource] = Reading(one.resource, (*before, one))
    readings |= {resource: Reading(resource, unknown=why) for resource, why in (unknown or {}).items()}
    return {
        system: Observation(system, NOW, {r: reading for r, reading in readings.items() if r.system == system})
        for system in ACCOUNTS
    }


def owning(*levels: tuple[Resource, str]) -> Owned:
    """What the ledger says is ours."""
    owned: dict[tuple[str, str, Resource], frozenset[str]] = {}
    for resource, level in levels:
        key = (MARTA, f"a-{resource.system}", resource)
        owned[key] = owned.get(key, frozenset()) | {level}
    return owned


def compared(
    wanted: Iterable[Grant],
    observed: Mapping[str, Observation],
    owned: Owned | None = None,
    who: Subject | None = None,
    exclusive: Iterable[Resource] = (),
) -> Difference:
    only = frozenset(exclusive)
    return diff(who or subject(), wanted, Sight(observed), owned=owned or {}, exclusive=only.__contains__)


def actions(difference: Difference) -> list[str]:
    return [str(change) for change in sorted(difference.changes, key=lambda change: change.order)]


def part(*changes: Change, policy: str = "4be1d07") -> Part:
    """The single part that these changes make."""
    (made,) = split(MARTA, changes, policy)
    return made
