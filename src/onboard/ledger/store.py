"""The ledger as one thing: journal, history, people, leases and bundles in one database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from onboard.ledger.bundles import Bundles
from onboard.ledger.database import Database
from onboard.ledger.history import History
from onboard.ledger.journal import Journal
from onboard.ledger.leases import Leases
from onboard.ledger.people import People


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is kept, each in a room of its own. Safe from several threads and processes; open it after forking."""

    journal: Journal
    people: People
    leases: Leases
    bundles: Bundles
    history: History
    database: Database

    @classmethod
    def open(cls, url: str, clock: Callable[[], datetime]) -> Ledger:
        """The ledger at a SQLAlchemy URL: `sqlite:////absolute/path/ledger.db`, `postgresql+psycopg://USER@HOST/NAME`.

        `clock` gives aware UTC times, for when leases end. Raises BadInput for a URL that can't be used, and where no
        ledger was begun, or one that this version can't work with; SystemFailed where it can't be opened.
        """
        return cls._on(Database.open(url), clock)

    @classmethod
    def begin(cls, url: str, clock: Callable[[], datetime]) -> Ledger:
        """The same; where there is none, a new one is begun."""
        return cls._on(Database.begin(url), clock)

    @classmethod
    def _on(cls, database: Database, clock: Callable[[], datetime]) -> Ledger:
        journal, leases = Journal(database), Leases(database, clock)
        return cls(journal, People(database), leases, Bundles(database), History(database, journal), database)

    def close(self) -> None:
        """Close every connection. Using the ledger afterwards opens new ones."""
        self.database.close()
