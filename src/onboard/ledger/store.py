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
        """The ledger at a SQLAlchemy URL, `sqlite:////absolute/path/ledger.db`; made where there is none.

        `clock` gives aware UTC times, for when leases end. Raises BadInput for a URL that can't be used, SystemFailed
        where what is there isn't a ledger or can't be opened.
        """
        database = Database.open(url)
        journal, leases = Journal(database), Leases(database, clock)
        return cls(journal, People(database), leases, Bundles(database), History(database, journal), database)

    def close(self) -> None:
        """Close every connection. Using the ledger afterwards opens new ones."""
        self.database.close()
