"""The difference between what is and what should be, as inert values that judge themselves and can do nothing.

A plan has parts: one per person and authority. What follows from a fact (removals) and what waits for an approval
(grants) are separate parts with digests of their own, so that a waiting grant never delays a removal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from onboard.ledger.records import ChangeRecord
from onboard.levels import FOUNDATIONS, scale_of
from onboard.model import Account, Grant, Observation, Resource, Warrant


class Authority(StrEnum):
    """What a part needs before it may be applied. What is held beside a role never waits for what the role gives."""

    FACT = "fact"
    APPROVAL = "approval"
    REQUEST = "request"  # an approval of what was asked for beside the role
    BREAK_GLASS = "break-glass"  # a rule's word for what was taken at once


@dataclass(frozen=True, slots=True)
class Change:
    """One account should go from one level on one resource to another; None is no access. What it is, is derived.

    `because` says why something is taken away; `warrants` why something is given.
    """

    person: str
    account: Account
    resource: Resource
    before: str | None
    after: str | None
    because: str = ""
    warrants: tuple[Warrant, ...] = ()

    @property
    def removes(self) -> bool:
        """Whether this takes access away, wholly or by lowering its level."""
        return removes(self.resource, self.before, self.after)

    @property
    def order(self) -> tuple[bool, bool, Resource, str]:
        """Removals before grants, and on each system what the rest hangs on (organisation, login) first."""
        return (not self.removes, self.resource.type not in FOUNDATIONS, self.resource, self.after or self.before or "")

    @property
    def authority(self) -> Authority:
        """What it needs before it may be made: a removal a fact, a grant what its first warrant says."""
        if self.removes:
            return Authority.FACT
        extra = self.warrants[0].extra if self.warrants else ""
        return Authority(extra) if extra else Authority.APPROVAL

    def record(self) -> ChangeRecord:
        """The change in opaque ids, as the journal keeps it."""
        system, account = self.resource.system, self.account.id
        return ChangeRecord(self.person, system, account, self.resource, self.before, self.after)

    def terms(self) -> dict[str, Any]:
        """What an approval binds: the change and its warrants, without times."""
        return {**self.record().json(), "because": self.because, "warrants": [warrant_terms(w) for w in self.warrants]}

    def __str__(self) -> str:
        """`revoke github:repo:acme/x push`, `grant … triage → push`: for logs and tests."""
        verb = "revoke" if self.removes else "grant"
        held = f"{self.before} → {self.after}" if self.before and self.after else self.before or self.after
        return f"{verb} {self.resource} {held}"


def removes(resource: Resource, before: str | None, after: str | None) -> bool:
    """Whether going from one level to another takes access away; on an open scale no level is lower than another."""
    scale = scale_of(resource)
    return after is None or (not scale.open and scale.rank(after) < scale.rank(before))


def warrant_terms(warrant: Warrant) -> dict[str, Any]:
    """A warrant as JSON."""
    return {
        "engagement": warrant.engagement,
        "role": warrant.role,
        "phase": warrant.phase.value,
        "source": str(warrant.source),
        "needs": list(warrant.needs),
        "after": warrant.after,
        "until": warrant.limit.stated,
        "until_because": warrant.limit.what,
        **({"extra": warrant.extra} if warrant.extra else {}),
    }


@dataclass(frozen=True, slots=True, order=True)
class Hazard:
    """Something about a part that must be seen first. A blocking one refuses it; another can be accepted by name.

    With a `system` it stands only in the way of what is taken away there.
    """

    name: str
    message: str
    blocking: bool = False
    system: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """An approval that a part needs: in what capacity, and who holds it."""

    role: str
    people: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """What would be done for one person under one authority, under the policy with this hash.

    `under` is the digest of a proposal on record that covers this part, where the two aren't the same: what is still to
    do of it, or what of it can be read now.
    """

    person: str
    authority: Authority
    changes: tuple[Change, ...]
    policy: str
    hazards: tuple[Hazard, ...] = ()
    needs: tuple[Need, ...] = ()
    under: str | None = None

    @cached_property
    def digest(self) -> str:
        """The digest of the proposal that it stands under, else of its own terms."""
        return self.under or digest_of(self.terms())

    def terms(self) -> dict[str, Any]:
        """What the digest is taken over, and what the journal keeps of a proposal: no times, no names of people."""
        return {
            "person": self.person,
            "authority": self.authority.value,
            "policy": self.policy,
            "changes": [change.terms() for change in self.changes],
            "hazards": [hazard.name for hazard in self.hazards],
            "needs": [{"role": need.role, "people": list(need.people)} for need in self.needs],
        }

    @property
    def blocked(self) -> tuple[Hazard, ...]:
        """The hazards that nobody can accept."""
        return tuple(hazard for hazard in self.hazards if hazard.blocking)

    def free(self, *, accepted: bool) -> tuple[Change, ...]:
        """The changes that no hazard stands in the way of; `accepted` where each that can be accepted has been."""
        stuck = {hazard.system for hazard in self.hazards if hazard.blocking or not accepted}
        return tuple(c for c in self.changes if not stuck & {None, c.resource.system})


def digest_of(terms: Mapping[str, Any]) -> str:
    """sha256 (hex) of a part's terms in sorted-key, compact UTF-8 JSON."""
    canonical = json.dumps(terms, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=dict)
    return hashlib.sha256(canonical.encode()).hexdigest()


def thawed(terms: Mapping[str, Any]) -> dict[str, Any]:
    """Terms as they came out of the journal, where they are read-only, as the lists and objects they were made of."""
    return dict(json.loads(json.dumps(terms, default=dict)))


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something of a person's that could not be read, so that nothing is changed there.

    `owed` says that we granted something there which has to go: until it has, nothing new is granted to them.
    """

    person: str
    resource: Resource
    reason: str
    owed: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """A person has no account on a system where policy wants to grant; `reason` says what to do."""

    person: str
    system: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would have to change for these people; empty parts mean that all is as it should be."""

    people: tuple[str, ...]
    parts: tuple[Part, ...]
    unknown: tuple[Unknown, ...]
    missing: tuple[Missing, ...]
    wanted: tuple[Grant, ...]
    observed: Mapping[str, Observation]
    policy: str
    at: datetime

    @property
    def removals(self) -> tuple[Part, ...]:
        """The parts that facts authorise."""
        return tuple(part for part in self.parts if part.authority is Authority.FACT)

    @property
    def grants(self) -> tuple[Part, ...]:
        """The parts that wait for an approval."""
        return tuple(part for part in self.parts if part.authority is not Authority.FACT)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change of every part, removals first."""
        return tuple(sorted((c for part in self.parts for c in part.changes), key=lambda c: (c.order, c.person)))

    def actions(self) -> list[str]:
        """The changes as sentences."""
        return [str(change) for change in self.changes]

    def part(self, person: str, authority: Authority) -> Part | None:
        """A person's part under one authority, if there is anything to do."""
        return next((p for p in self.parts if p.person == person and p.authority is authority), None)


def split(person: str, changes: Iterable[Change], policy: str) -> tuple[Part, ...]:
    """A person's changes as parts, one for each authority."""
    ordered = sorted(changes, key=lambda change: change.order)
    parts = (Part(person, each, tuple(c for c in ordered if c.authority is each), policy) for each in Authority)
    return tuple(part for part in parts if part.changes)
