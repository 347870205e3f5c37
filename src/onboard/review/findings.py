"""What is, compared with what should be, over every resource of every system. Pure; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from onboard.engine.diff import Owned
from onboard.levels import FOUNDATIONS, scale_of
from onboard.model import Account, Classification, Grant, Holding, HoldingState, Observation, Resource

#: How `via` begins where access comes with a team, a group or the organisation, all of which are read themselves.
DERIVED = ("team ", "group ", "org base permission", "org owner", "block")


class Severity(StrEnum):
    """How urgently somebody should look. An alarm is told at once."""

    ALARM = "alarm"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class FindingKind(StrEnum):
    """What is wrong.

    left-behind: somebody who left still holds it · drift: an engineer holds what policy doesn't give, or more than it
    gives · forbidden: a role carries it, a guardrail that came later, or of which something else has changed, forbids
    it · stranger: an account bound to nobody holds it · missing: what was granted and is still wanted is gone · lapsed:
    an invitation that expired unaccepted still stands · dormant: unused for long, where a system tells · far-reaching:
    a Vault policy that an engineer holds gives more than the catalogue says; the level is the path
    · decoy: somebody is on a resource that nobody has any business with · exception: one to a guardrail is over, or
    nothing rests on it; the level is the rule.
    """

    LEFT_BEHIND = "left-behind"
    DRIFT = "drift"
    FORBIDDEN = "forbidden"
    STRANGER = "stranger"
    MISSING = "missing"
    LAPSED = "lapsed"
    FAR_REACHING = "far-reaching"
    DORMANT = "dormant"
    DECOY = "decoy"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that isn't as it should be. `handle` is for people to read; the journal gets the opaque ids."""

    kind: FindingKind
    severity: Severity
    resource: Resource
    level: str
    person: str | None
    account: str | None
    handle: str
    message: str

    @property
    def key(self) -> str:
        """What makes it the same finding tomorrow, in opaque ids."""
        return f"{self.kind} {self.resource} {self.level} {self.account or 'stranger'}"


@dataclass(frozen=True)
class Bound:
    """An account that is bound to a person: whether they have left, and whether they are a vendor's."""

    account: str
    person: str
    left: bool
    outsourced: bool


@dataclass(frozen=True)
class Books:
    """What the house knows, to hold observations against. `bound` is by system and external id.

    `forbidden` says what guardrails say against what is wanted, by person, resource and level.
    """

    wanted: Mapping[tuple[str, Resource], tuple[Grant, ...]]
    bound: Mapping[tuple[str, str], Bound]
    owned: Owned
    exclusive: Callable[[Resource], bool]
    classification: Callable[[Resource], Classification]
    protected: Callable[[Account], bool]
    forbidden: Mapping[tuple[str, Resource, str], tuple[str, ...]] = field(default_factory=dict)
    decoys: frozenset[Resource] = frozenset()


def find(observed: Iterable[Observation], books: Books) -> tuple[Finding, ...]:
    """Every finding in what could be read, the gravest first; what couldn't be read yields none."""
    readings = [reading for observation in observed for reading in observation.readings.values()]
    known = [reading for reading in readings if reading.unknown is None]
    holdings = (holding for reading in known for holding in reading.holdings if not _derived(holding, books))
    found = [finding for holding in holdings for finding in _judge(holding, books)]
    found += _missing({reading.resource: reading.holdings for reading in known}, books)
    return gravest_first(found)


def gravest_first(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order in which they are shown."""
    return tuple(sorted(found, key=lambda f: (list(Severity).index(f.severity), f.kind, f.resource, f.handle, f.level)))


def _derived(holding: Holding, books: Books) -> bool:
    """Whether it follows from another membership, which is judged where it stands, once; a decoy's wherever it is."""
    on_decoy = holding.resource in books.decoys and holding.via.startswith(("team ", "group "))
    return holding.via.startswith(DERIVED) and not on_decoy


def _judge(holding: Holding, books: Books) -> Iterator[Finding]:
    system = holding.resource.system
    if books.protected(Account("", system, holding.account, holding.handle)):
        return
    who = books.bound.get((system, holding.account))
    if holding.resource in books.decoys:
        way = "direct" if holding.via == "direct" else f"by {holding.via}"
        message = f"on a decoy, which nobody is granted ({way}); find out who gave it, and take it away"
        yield _finding(FindingKind.DECOY, Severity.ALARM, holding, who, message)
    elif who is None:
        yield _stranger(holding, books)
    elif who.left and holding.state is HoldingState.EXPIRED:
        message = "an invitation to somebody who left still stands, though it expired; delete it"
        yield _finding(FindingKind.LAPSED, Severity.LOW, holding, who, message)
    elif who.left:
        yield _finding(FindingKind.LEFT_BEHIND, Severity.HIGH, holding, who, "held by somebody who left; take it away")
    elif who.outsourced or books.exclusive(holding.resource):
        yield from _drift(holding, who, books)


def _stranger(holding: Holding, books: Books) -> Finding:
    if books.exclusive(holding.resource):
        message = "an account bound to nobody, on a resource that admits nobody but those policy names"
        return _finding(FindingKind.STRANGER, Severity.HIGH, holding, None, message)
    grave = books.classification(holding.resource).rank >= Classification.CONFIDENTIAL.rank
    severity = Severity.MEDIUM if grave else Severity.LOW
    return _finding(FindingKind.STRANGER, severity, holding, None, "an account bound to nobody; say whose it is")


def _drift(holding: Holding, who: Bound, books: Books) -> Iterator[Finding]:
    grants = books.wanted.get((who.person, holding.resource), ())
    levels, scale = [grant.level for grant in grants], scale_of(holding.resource)
    enough = [level for level in levels if scale.includes(level, holding.level)]
    if enough and holding.state is HoldingState.EXPIRED:
        yield _finding(FindingKind.LAPSED, Severity.LOW, holding, who, "its invitation expired; invite again")
    elif not enough:
        ours = holding.level in books.owned.get((who.person, who.account, holding.resource), frozenset())
        origin = "no longer carried by policy" if ours else "granted outside onboard"
        gives = f"policy gives {', '.join(levels)}" if levels else "policy gives nothing here"
        yield _finding(FindingKind.DRIFT, Severity.HIGH, holding, who, f"{origin}; {gives}")
    for level in enough:
        for message in books.forbidden.get((who.person, holding.resource, level), ()):
            yield _finding(FindingKind.FORBIDDEN, Severity.HIGH, holding, who, message)


def _missing(holdings: Mapping[Resource, tuple[Holding, ...]], books: Books) -> Iterator[Finding]:
    """What we granted, policy still wants, and nobody took away through us, but isn't there."""
    for (person, account, resource), levels in books.owned.items():
        external = next((e for (s, e), b in books.bound.items() if b.account == account and s == resource.system), None)
        grants = books.wanted.get((person, resource), ())
        if resource not in holdings or external is None or not grants:
            continue
        held = [h.level for h in holdings[resource] if h.account == external]
        for grant in grants:
            scale = scale_of(resource)
            there = any(scale.includes(level, grant.level) for level in held)
            if not there and grant.level in levels:
                severity = Severity.MEDIUM if resource.type in FOUNDATIONS else Severity.LOW
                message = "granted, still wanted, and taken away outside onboard"
                yield Finding(FindingKind.MISSING, severity, resource, grant.level, person, account, external, message)


def _finding(kind: FindingKind, severity: Severity, holding: Holding, who: Bound | None, message: str) -> Finding:
    return Finding(
        kind,
        severity,
        holding.resource,
        holding.level,
        who.person if who else None,
        who.account if who else None,
        holding.handle,
        message,
    )
