"""Handing over one's word for a while: what is recorded, and what of it stands. And whose word a team's is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from onboard.ledger.entries import Record

if TYPE_CHECKING:
    from onboard.ledger.projections.facts import FactRecord


@dataclass(frozen=True, slots=True)
class Delegation:
    """A person's word is a delegate's too, until a day (inclusive), everywhere or in one engagement."""

    entry: int
    person: str
    to: str
    until: date
    within: str | None = None

    def covers(self, engagements: frozenset[str], on: date) -> bool:
        """Whether it holds on that day for something that is about these engagements and no other."""
        return on <= self.until and (self.within is None or engagements == {self.within})


def delegated(person: str, to: str, until: date, within: str | None = None) -> Record:
    """The person's word may be given by another, until that day, everywhere or within one engagement."""
    body = {"name": "delegated", "person": person, "to": to, "until": until.isoformat()}
    return Record("fact", body | ({"within": within} if within else {}), person)


def delegation_ended(person: str, undoes: int) -> Record:
    """What the person handed over by that entry is over."""
    return Record("fact", {"name": "delegation_ended", "person": person, "undoes": undoes}, person)


def teams_loaded(teams: Mapping[str, Sequence[str]]) -> Record:
    """The manifest of teams was loaded: who gives the word of each. It replaces the one loaded before."""
    return Record("fact", {"name": "teams_loaded", "teams": {name: list(people) for name, people in teams.items()}})


def delegations_of(records: Iterable[FactRecord]) -> tuple[Delegation, ...]:
    """What one person's records say that they handed over and didn't end."""
    told = list(records)
    over = {record.detail["undoes"] for record in told if record.name == "delegation_ended"}
    return tuple(
        Delegation(r.entry, r.person, r.detail["to"], r.until, r.detail.get("within"))
        for r in told
        if r.name == "delegated" and r.entry not in over and r.until is not None
    )
