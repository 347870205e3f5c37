"""Who is on call when: the shifts that an engagement's manifest names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Shift:
    """A person is on call from the first of these days to the last, both whole days (UTC)."""

    person: str
    starts: date
    ends: date


def on_call_until(rota: Iterable[Shift], person: str, today: date) -> date | None:
    """The last day of a person's present shift, shifts that follow at once included; None while they are off call."""
    last = None
    for shift in sorted((shift for shift in rota if shift.person == person), key=lambda shift: shift.starts):
        if shift.starts <= (today if last is None else last + timedelta(days=1)) and shift.ends >= today:
            last = shift.ends if last is None else max(last, shift.ends)
    return last


def next_shift(rota: Iterable[Shift], person: str, today: date) -> date | None:
    """When a person's next shift begins; None where the rota has none for them."""
    return min((shift.starts for shift in rota if shift.person == person and shift.starts > today), default=None)
