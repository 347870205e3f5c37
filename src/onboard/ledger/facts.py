"""Facts indexed: by person, the manifests as they were loaded one after another, and whose each account is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from onboard.ledger.entries import Entry
from onboard.ledger.indexing import extended
from onboard.ledger.spelling import engagement_of, vendor_of
from onboard.model import Actor, Engagement, Fact, Vendor


@dataclass(frozen=True, slots=True)
class FactRecord:
    """A fact about a person as recorded: its entry's number, who recorded it, and the rest of its body."""

    entry: int
    at: datetime
    name: str
    person: str
    engagement: str | None
    until: date | None
    actor: Actor
    detail: Mapping[str, Any]

    @property
    def fact(self) -> Fact:
        """The same, as policy sees it."""
        return Fact(self.name, self.at, self.entry, self.until)


@dataclass(frozen=True, slots=True)
class Load:
    """An engagement's manifest, and the entry by which it was loaded."""

    entry: int
    engagement: Engagement


@dataclass(frozen=True, slots=True)
class Binding:
    """Whose an account is on a system, by which entry, and how that was shown: `proven` is when, if it was.

    `proof` is one of `model.Proof`.
    """

    account: str
    person: str
    system: str
    proof: str
    entry: int = 0
    proven: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the entries of kind "fact" say, indexed. `engagements_of`: in whose manifests a person stands or stood."""

    people: frozenset[str] = frozenset()
    erased: frozenset[str] = frozenset()
    by_person: Mapping[str, tuple[FactRecord, ...]] = field(default_factory=dict)
    vendors: Mapping[str, Vendor] = field(default_factory=dict)
    loads: Mapping[str, tuple[Load, ...]] = field(default_factory=dict)
    engagements_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    bindings: Mapping[str, Binding] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def advance(self, entries: Iterable[Entry]) -> Facts:
        """These facts and the ones that follow."""
        people: set[str] = set()
        erased: set[str] = set()
        by_person: dict[str, list[FactRecord]] = {}
        loads: dict[str, list[Load]] = {}
        vendors: dict[str, Vendor] = {}
        bindings: dict[str, Binding] = {}
        teams = self.teams
        for entry in entries:
            body = entry.body
            match body["name"]:
                case "vendor_loaded":
                    vendors[body["vendor"]["id"]] = vendor_of(body["vendor"])
                    continue
                case "teams_loaded":
                    teams = {name: tuple(people) for name, people in body["teams"].items()}
                    continue
                case "engagement_loaded":
                    engagement = engagement_of(body["engagement"])
                    loads.setdefault(engagement.id, []).append(Load(entry.seq, engagement))
                    continue
                case "person_added":
                    people.add(body["person"])
                case "erased":
                    erased.add(body["person"])
                case "account_bound":
                    bindings[body["account"]] = _binding(entry)
                case "account_proven":
                    known = bindings.get(body["account"]) or self.bindings[body["account"]]
                    bindings[known.account] = replace(known, proof=body["proof"], proven=entry.at)
            if "person" in body:
                by_person.setdefault(body["person"], []).append(_record(entry))
        return Facts(
            self.people | people,
            self.erased | erased,
            extended(self.by_person, by_person),
            MappingProxyType({**self.vendors, **vendors}),
            extended(self.loads, loads),
            _with_staffing(self.engagements_of, loads),
            MappingProxyType({**self.bindings, **bindings}),
            MappingProxyType(dict(teams)),
        )


def _binding(entry: Entry) -> Binding:
    body = entry.body
    return Binding(body["account"], body["person"], body["system"], body["proof"], entry.seq)


def _record(entry: Entry) -> FactRecord:
    body = entry.body
    until = date.fromisoformat(body["until"]) if body.get("until") else None
    return FactRecord(
        entry.seq, entry.at, body["name"], body["person"], body.get("engagement"), until, entry.actor, body
    )


def _with_staffing(
    known: Mapping[str, frozenset[str]], loads: Mapping[str, Iterable[Load]]
) -> Mapping[str, frozenset[str]]:
    new: dict[str, set[str]] = {}
    for engagement, versions in loads.items():
        for line in (line for load in versions for line in load.engagement.staffing):
            new.setdefault(line.person, set()).add(engagement)
    return MappingProxyType({**known, **{p: known.get(p, frozenset()) | more for p, more in new.items()}})
