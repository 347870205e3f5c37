"""The ledger as one thing: journal, history, people, leases and bundles in one database, and people's keys apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from onboard.ledger.bundles import Bundles
from onboard.ledger.journal import Journal
from onboard.ledger.leases import Leases
from onboard.ledger.privacy.keyring import FileKeyring, Keyring, NoKeyring
from onboard.ledger.privacy.keys import Keys
from onboard.ledger.privacy.people import People
from onboard.ledger.projections.archive import Archive
from onboard.ledger.projections.history import History
from onboard.ledger.projections.present import Present
from onboard.ledger.projections.register import Register
from onboard.ledger.storage.database import Database


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is kept, each in a room of its own. Safe from several threads and processes; open it after forking."""

    journal: Journal
    people: People
    leases: Leases
    bundles: Bundles
    history: History
    archive: Archive
    present: Present
    keys: Keys
    database: Database

    @classmethod
    def open(cls, url: str, clock: Callable[[], datetime], keyring: Keyring | None = None) -> Ledger:
        """The ledger at a SQLAlchemy URL: `sqlite:////absolute/path/ledger.db`, `postgresql+psycopg://USER@HOST/NAME`.

        `clock` gives aware UTC times, for when leases end. Without a keyring given it is the file beside an SQLite
        file. Raises BadInput for a URL that can't be used, and where no ledger was begun, or one that this version
        can't work with; SystemFailed where it can't be opened.
        """
        return cls._on(Database.open(url), clock, keyring or keyring_beside(url))

    @classmethod
    def begin(cls, url: str, clock: Callable[[], datetime], keyring: Keyring | None = None) -> Ledger:
        """The same; where there is none, a new one is begun."""
        return cls._on(Database.begin(url), clock, keyring or keyring_beside(url))

    @classmethod
    def _on(cls, database: Database, clock: Callable[[], datetime], keyring: Keyring) -> Ledger:
        journal, leases, keys = Journal(database), Leases(database, clock), Keys(database, keyring)
        history = History(database, journal)
        archive = Archive(database, journal, history)
        present, people = Present(database, journal, archive), People(database, keys)
        return cls(journal, people, leases, Bundles(database), history, archive, present, keys, database)

    def register(self) -> Register:
        """What is so as the journal stands now. Raises as `Present.register`."""
        return self.present.register()

    def as_of(self, at: datetime) -> Register:
        """What was so of people and policies at a moment. Raises as `Present.as_of`."""
        return self.present.as_of(at)

    def corrected(self) -> tuple[str, ...]:
        """What is kept beside the journal and isn't what it says; that is forgotten, and made anew when it is needed.

        Raises as `Present.doubt` and `History.corrected`.
        """
        return tuple(wrong for wrong in (self.present.corrected(), self.history.corrected()) if wrong)

    def close(self) -> None:
        """Close every connection, and know nothing any more. Using the ledger afterwards begins as a new process."""
        self.present.close()
        self.database.close()


def keyring_beside(url: str) -> Keyring:
    """The keyring of the embedded default: a file of its own beside the ledger's."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return NoKeyring()
    file = Path(parsed.database or "")
    return FileKeyring(file.with_name(f"{file.stem}-people.keys"))
