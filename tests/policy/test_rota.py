"""Being on call is a matter of days: the shifts of a rota, those that follow at once taken together."""

from __future__ import annotations

from datetime import date

import pytest

from onboard.rota import Shift, next_shift, on_call_until


def june(day: int) -> date:
    return date(2026, 6, day)


ROTA = (Shift("a", june(8), june(14)), Shift("b", june(1), june(7)), Shift("a", june(15), june(17)))


@pytest.mark.parametrize(
    ("person", "today", "expected"),
    [
        ("a", 7, None),
        ("a", 8, 17),
        ("a", 14, 17),
        ("a", 17, 17),
        ("a", 18, None),
        ("b", 1, 7),
        ("b", 8, None),
        ("c", 8, None),
    ],
)
def test_a_shift_lasts_to_the_end_of_the_one_that_follows_at_once(
    person: str, today: int, expected: int | None
) -> None:
    assert on_call_until(ROTA, person, june(today)) == (june(expected) if expected else None)


def test_a_gap_of_one_day_ends_a_shift() -> None:
    rota = (Shift("a", june(1), june(3)), Shift("a", june(5), june(6)))

    assert on_call_until(rota, "a", june(2)) == june(3)
    assert next_shift(rota, "a", june(2)) == june(5)


def test_a_shift_within_another_shortens_nothing() -> None:
    rota = (Shift("a", june(1), june(9)), Shift("a", june(2), june(3)))

    assert on_call_until(rota, "a", june(2)) == june(9)
