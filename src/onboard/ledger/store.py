"""The ledger as one thing: journal, people, leases and bundles in one database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from onboard.ledger.bundles import Bundles
from onboard.ledger.database import Database
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
    database: Database

    @classmethod
    def open(cls, url: str, clock: Callable[[], datetime]) -> Ledger:
        """The ledger at a SQLAlchemy URL, `sqlite:////absolute/path/ledger.db`; made where there is none.

        `clock` gives aware UTC times, for when leases end. Raises BadInput for a URL that can't be used, SystemFailed
        where what is there isn't a ledger or can't be opened.
        """
        database = Database.open(url)
        return cls(Journal(database), People(database), Leases(database, clock), Bundles(database), database)

    def close(self) -> None:
        """Close every connection. Using the ledger afterwards opens new ones."""
        self.database.close()
