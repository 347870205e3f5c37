"""What was seen to hold nothing is kept across processes, by system, without a word about people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from onboard.ledger import Ledger
from onboard.ledger.readings import Readings

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_what_is_found_to_hold_something_is_forgotten_and_the_others_keep_their_times(ledger: Ledger) -> None:
    github, other = Readings(ledger.database, "github"), Readings(ledger.database, "github-eu")
    github.note({"docs": NOON, "web": NOON}, ())
    other.note({"docs": NOON + timedelta(days=1)}, ())

    github.note({"api": NOON + timedelta(hours=1)}, ["web"])

    assert Readings(ledger.database, "github").known() == {"docs": NOON, "api": NOON + timedelta(hours=1)}
    assert other.known() == {"docs": NOON + timedelta(days=1)}


def test_a_later_reading_takes_the_place_of_the_earlier_and_thousands_are_kept_at_once(ledger: Ledger) -> None:
    readings = Readings(ledger.database, "github")
    names = {f"r{number}": NOON for number in range(1200)}
    readings.note(names, ())

    readings.note({"r7": NOON + timedelta(days=2)}, [f"r{number}" for number in range(600, 1200)])

    known = readings.known()
    assert (len(known), known["r7"]) == (600, NOON + timedelta(days=2))
