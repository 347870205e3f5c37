"""Times as whole numbers, as the tables and shared budgets keep them: microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """An aware time as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def instant(count: int) -> datetime:
    """The time that so many microseconds since 1970 stand for."""
    return _EPOCH + count * _MICROSECOND


def in_words(count: int) -> str:
    """`2026-11-23 09:14:07 UTC`."""
    return f"{instant(count):%Y-%m-%d %H:%M:%S} UTC"
