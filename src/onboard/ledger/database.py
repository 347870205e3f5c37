"""Transactions on the ledger's database, and what its failures mean to the caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from onboard.errors import BadInput, SystemFailed
from onboard.ledger import sqlite
from onboard.ledger.tables import metadata


class Database:
    """A database that many threads and processes may use at once. Open it after forking, not before.

    Every method raises SystemFailed("ledger", …) where the database fails: locked for too long, full, damaged.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{sqlite.WRITES: True})

    @classmethod
    def open(cls, url: str) -> Database:
        """The database at a URL, missing tables made. Raises BadInput for a URL that can't be used."""
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise BadInput.one(
                "The ledger's URL cannot be read; expected sqlite:////absolute/path/ledger.db."
            ) from error
        if parsed.get_backend_name() != "sqlite":
            name = parsed.get_backend_name()
            raise BadInput.one(f"The ledger cannot be kept in {name}; expected sqlite:////absolute/path/ledger.db.")
        with _failures():
            database = cls(sqlite.engine(parsed))
            with database.writing() as connection:
                metadata.create_all(connection)
                sqlite.freeze_journal(connection)
        return database

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database throughout."""
        with _failures(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer can come between; committed at the end, undone by any exception."""
        with _failures(), self._writer.begin() as connection:
            yield connection

    def scrub(self) -> None:
        """Remove deleted content from wherever the database still keeps it. Raises Waiting when others prevent it."""
        with _failures():
            sqlite.scrub(self._engine)

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, *sqlite.ERRORS) as error:
        answer = error.orig if isinstance(error, DBAPIError) else error
        raise SystemFailed("ledger", f"the database answered: {answer}") from error
