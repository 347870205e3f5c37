"""When what has to be read one by one was last seen to hold nothing, shared by every process that uses this ledger.

Kept are names of repositories and times, and nothing about people: what holds something is read every time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import delete, insert, select

from onboard.ledger.instants import instant, micros
from onboard.ledger.storage.database import Database, batches
from onboard.ledger.storage.tables import readings


class Readings:
    """Those of one system. Raises SystemFailed where the ledger fails."""

    def __init__(self, database: Database, system: str) -> None:
        self._database = database
        self._system = system

    def known(self) -> dict[str, datetime]:
        """When each name was last seen to hold nothing; what was seen to hold something is absent."""
        query = select(readings.c.name, readings.c.at).where(readings.c.system == self._system)
        with self._database.reading() as connection:
            return {name: instant(at) for name, at in connection.execute(query)}

    def note(self, empty: Mapping[str, datetime], others: Collection[str]) -> None:
        """These were seen to hold nothing, at these times; the others are forgotten."""
        names = sorted({*empty, *others})
        if not names:
            return
        with self._database.writing() as connection:
            for part in batches(names):
                here = readings.c.system == self._system
                connection.execute(delete(readings).where(here, readings.c.name.in_(part)))
            rows = [{"system": self._system, "name": name, "at": micros(at)} for name, at in empty.items()]
            if rows:
                connection.execute(insert(readings), rows)
