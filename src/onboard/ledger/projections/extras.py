"""Extras on record: what was asked for or taken beside the role, what was withdrawn, and of what people were told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from onboard.extras import Extra, ExtraKind
from onboard.ledger.entries import Json, Record
from onboard.model import Resource

if TYPE_CHECKING:
    from onboard.ledger.projections.facts import FactRecord

#: The names of the facts of this file.
REQUESTED, BROKEN, WITHDRAWN, ANNOUNCED = "extra_requested", "glass_broken", "extra_withdrawn", "extra_announced"
EXTRAS = frozenset({REQUESTED, BROKEN, WITHDRAWN, ANNOUNCED})
#: Facts with which everything is over that was asked for before, whatever is restored later.
_TURNS = frozenset({"left", "cut_off", "role_changed"})
_KINDS = {REQUESTED: ExtraKind.REQUEST, BROKEN: ExtraKind.BREAK_GLASS}


def requested(person: str, engagement: str, resource: Resource, level: str, ends: datetime) -> Record:
    """The actor asks that the person hold this beside their role, until then."""
    return _asked(REQUESTED, person, engagement, resource, level, ends)


def glass_broken(
    person: str, engagement: str, resource: Resource, level: str, ends: datetime, *, rule: str, owner: str
) -> Record:
    """The actor takes this at once, until then; the rule permits it, and its owner answers for it."""
    return _asked(BROKEN, person, engagement, resource, level, ends, rule=rule, owner=owner)


def withdrawn(person: str, undoes: int) -> Record:
    """What was asked for by that entry isn't wanted any more."""
    return Record("fact", {"name": WITHDRAWN, "person": person, "undoes": undoes}, person)


def announced(person: str, entry: int) -> Record:
    """People were told of the extra of that entry."""
    return Record("fact", {"name": ANNOUNCED, "person": person, "of": entry}, person)


def _asked(
    name: str, person: str, engagement: str, resource: Resource, level: str, ends: datetime, **more: Json
) -> Record:
    body = {"name": name, "person": person, "within": engagement, "resource": str(resource), "level": level}
    return Record("fact", {**body, "ends": ends.isoformat(), **more}, person)


def extras_of(records: Iterable[FactRecord]) -> tuple[Extra, ...]:
    """What one person's records say was asked for or taken, in that order."""
    told = list(records)
    known = {record.detail["of"] for record in told if record.name == ANNOUNCED}
    return tuple(_extra(record, told, announced=record.entry in known) for record in told if record.name in _KINDS)


def _ended(extra: FactRecord, told: Iterable[FactRecord]) -> datetime | None:
    """When it was withdrawn, or its person left, was cut off or changed role; None where none of that came later."""
    within = (None, extra.detail["within"])
    ending = (
        r.at
        for r in told
        if r.entry > extra.entry
        and (r.detail.get("undoes") == extra.entry if r.name == WITHDRAWN else r.name in _TURNS)
        and r.engagement in within
    )
    return next(ending, None)


def _extra(record: FactRecord, told: Iterable[FactRecord], *, announced: bool) -> Extra:
    detail = record.detail
    return Extra(
        record.entry,
        _KINDS[record.name],
        record.person,
        detail["within"],
        Resource.parse(detail["resource"]),
        detail["level"],
        record.at,
        datetime.fromisoformat(detail["ends"]),
        record.actor,
        detail.get("note"),
        detail.get("rule", ""),
        detail.get("owner", ""),
        _ended(record, told),
        announced,
    )
