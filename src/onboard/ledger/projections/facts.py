"""Facts indexed: by person, the manifests as they were loaded one after another, and whose each account is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from onboard.ledger.entries import Entry
from onboard.ledger.projections.indexing import extended
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
    """What the entries of kind "fact" say, indexed. `engagements_of`: in whose manifests a person stands or stood.

    `worked_for`: for which vendors a manifest has, or once had, a person work or lead.
    """

    people: frozenset[str] = frozenset()
    erased: frozenset[str] = frozenset()
    by_person: Mapping[str, tuple[FactRecord, ...]] = field(default_factory=dict)
    vendors: Mapping[str, Vendor] = field(default_factory=dict)
    loads: Mapping[str, tuple[Load, ...]] = field(default_factory=dict)
    engagements_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    worked_for: Mapping[str, frozenset[str]] = field(default_factory=dict)
    bindings: Mapping[str, Binding] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def loads_of(self, person: str) -> list[Load]:
        """Every version of the manifests of the engagements in which a person stands or stood."""
        return [load for name in sorted(self.engagements_of.get(person, ())) for load in self.loads[name]]

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
        stated = [load.engagement for versions in loads.values() for load in versions]
        return Facts(
            self.people | people,
            self.erased | erased,
            extended(self.by_person, by_person),
            MappingProxyType({**self.vendors, **vendors}),
            extended(self.loads, loads),
            _with(self.engagements_of, ((line.person, e.id) for e in stated for line in e.staffing)),
            _with(self.worked_for, ((person, e.vendor) for e in stated for person in _of_vendor(e))),
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


def _of_vendor(engagement: Engagement) -> Iterable[str]:
    return engagement.vendor_lead, *(line.person for line in engagement.staffing)


def _with(known: Mapping[str, frozenset[str]], pairs: Iterable[tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    """What is known of each person, and these names as well."""
    new: dict[str, set[str]] = {}
    for person, name in pairs:
        new.setdefault(person, set()).add(name)
    return MappingProxyType({**known, **{p: known.get(p, frozenset()) | more for p, more in new.items()}})
