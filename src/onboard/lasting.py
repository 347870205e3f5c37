"""Until when something holds, and moments as people read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime


def moment(at: datetime) -> str:
    """2026-11-23 09:14 UTC, from an aware time."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True, order=True)
class Limit:
    """One reason why a grant ends: what (contract, engagement, nda_signed…) and the last day on which it holds.

    `at` is set where it ends within that day.
    """

    until: date
    what: str
    at: datetime | None = field(default=None, compare=False)

    @classmethod
    def moment(cls, at: datetime, what: str) -> Limit:
        """One that ends at a moment (aware)."""
        return cls(at.astimezone(UTC).date(), what, at)

    @property
    def when(self) -> str:
        """For people: 2027-01-15, or 2026-11-23 14:05 UTC."""
        return moment(self.at) if self.at else self.until.isoformat()

    @property
    def stated(self) -> str:
        """For JSON: the day or the moment, in ISO 8601."""
        return (self.at or self.until).isoformat()
