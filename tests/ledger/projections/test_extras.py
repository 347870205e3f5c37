"""Extras as the register has them: asked for, withdrawn, and over once their person moves on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from onboard.extras import ExtraKind
from onboard.ledger import Record, Register, records
from onboard.ledger.entries import Entry
from onboard.ledger.projections.extras import announced, glass_broken, requested, withdrawn
from onboard.model import OPERATOR, Phase, Resource

MARTA = f"p-{1:032x}"
BEGAN = datetime(2026, 6, 1, 9, tzinfo=UTC)
DEV = Resource.parse("vault:group:dev")
ASKED = requested(MARTA, "payments", DEV, "member", BEGAN + timedelta(hours=4)).noted("n-1")


def register(*told: Record) -> Register:
    entries = (
        Entry(number, BEGAN + timedelta(minutes=number), record.kind, OPERATOR, record.subject, record.body, "", "")
        for number, record in enumerate(told, start=1)
    )
    return Register.replay(entries)


def test_a_request_is_there_with_who_asked_and_until_when() -> None:
    (extra,) = register(ASKED).extras(MARTA)

    assert (extra.entry, extra.kind, extra.note, extra.asked_by) == (1, ExtraKind.REQUEST, "n-1", OPERATOR)
    assert extra.holds(BEGAN + timedelta(hours=3, minutes=59))
    assert not extra.holds(BEGAN + timedelta(hours=4))


def test_what_is_withdrawn_is_over_and_the_others_are_not() -> None:
    first, second = register(ASKED, ASKED, withdrawn(MARTA, 1)).extras(MARTA)

    assert (first.withdrawn, second.withdrawn) == (BEGAN + timedelta(minutes=3), None)


@pytest.mark.parametrize(
    ("turn", "ends"),
    [
        (records.left(MARTA), True),
        (records.left(MARTA, "payments"), True),
        (records.left(MARTA, "other"), False),
        (records.cut_off(MARTA), True),
        (records.role_changed(MARTA, "payments", "b", "a"), True),
        (records.advanced(MARTA, "payments", Phase.RAMP_UP), False),
    ],
)
def test_a_turn_ends_it_for_good_whatever_is_restored_later(turn: Record, *, ends: bool) -> None:
    (extra,) = register(ASKED, turn, records.restored(MARTA, 2)).extras(MARTA)

    assert (extra.withdrawn is not None) is ends


def test_a_broken_glass_has_its_rule_and_owner_and_whether_it_was_announced() -> None:
    broken = glass_broken(MARTA, "payments", DEV, "member", BEGAN, rule="on-call", owner="p-2")

    (quiet,), (loud,) = register(broken).extras(MARTA), register(broken, announced(MARTA, 1)).extras(MARTA)

    assert (quiet.kind, quiet.rule, quiet.owner, quiet.announced) == (ExtraKind.BREAK_GLASS, "on-call", "p-2", False)
    assert loud.announced
