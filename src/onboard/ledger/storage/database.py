"""Transactions on the ledger's database, and what its failures mean to the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFree

from onboard.errors import BadInput, SystemFailed
from onboard.ledger.storage import postgres, shapes, sqlite

EXPECTED = (
    "expected sqlite:////absolute/path/ledger.db, or postgresql+psycopg://USER@HOST/DATABASE for one that several share"
)


#: Values that one statement names at once: databases limit how many it may.
BATCH = 500

_Value = TypeVar("_Value")


def batches(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """The values in pieces that a statement can name."""
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))


class Dialect(Protocol):
    """What is special about one kind of database; a module each."""

    #: Whether an older ledger is brought up to date by itself when it is opened.
    UPGRADES_ITSELF: bool

    def place(self, url: URL) -> str:
        """Where the ledger is, for people to read, without a password."""

    def engines(self, url: URL, *, create: bool) -> tuple[Engine, Engine] | None:
        """For reading and for writing; None where there is nothing at that place and nothing is to be made."""

    def freeze_journal(self, connection: Connection) -> None:
        """Forbid changing and deleting journal entries, in the database itself."""

    def scrub(self, made: Engine, tables: tuple[str, ...]) -> None:
        """Remove what was deleted from these tables from wherever the database still keeps it."""


DIALECTS: Mapping[str, Dialect] = {"sqlite": sqlite, "postgresql": postgres, "postgres": postgres}


class Database:
    """A database that many threads and processes may use at once. Open it after forking, not before.

    Every method raises SystemFailed("ledger", …) where the database fails: locked for too long, full, damaged.
    """

    def __init__(self, dialect: Dialect, place: str, reader: Engine, writer: Engine) -> None:
        self.place = place
        self._dialect = dialect
        self._reader = reader
        self._writer = writer

    @classmethod
    def open(cls, url: str) -> Database:
        """The database at a URL, in which a ledger was begun. An older SQLite file is brought up to date.

        Raises BadInput for a URL that can't be used, where there is no ledger, and where its shape is newer than this
        version knows, or older and on a server.
        """
        database = cls._at(url, create=False)
        with database._closed_on_failure():
            database._welcome()
        return database

    @classmethod
    def begin(cls, url: str) -> Database:
        """The database at a URL, a new ledger begun where there is none. Raises BadInput as `open`."""
        database = cls._at(url, create=True)
        with closing(database), database.writing() as connection:
            if shapes.shape_of(connection, database.place) is None:
                shapes.create(connection, database._dialect.freeze_journal)
        return cls.open(url)

    @classmethod
    def filled(cls, url: str, fill: Callable[[Connection], None]) -> Database:
        """A ledger begun at a URL where there was none, and filled in the same transaction: it is there whole, or not.

        Raises BadInput where one is there already.
        """
        database = cls._at(url, create=True)
        with database._closed_on_failure(), database.writing() as connection:
            if shapes.shape_of(connection, database.place) is not None:
                raise BadInput.one(f"There is a ledger at {database.place} already; it isn't overwritten.")
            shapes.create(connection, database._dialect.freeze_journal)
            fill(connection)
        return database

    @classmethod
    def upgraded(cls, url: str) -> tuple[str, str]:
        """Bring the ledger at a URL up to date; returns the shape that it had before, and where it is.

        Raises BadInput where there is none, or one of a newer shape.
        """
        with closing(cls._at(url, create=False)) as database:
            return database._upgrade(), database.place

    @classmethod
    def _at(cls, url: str, *, create: bool) -> Database:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise BadInput.one(f"The ledger's URL cannot be read; {EXPECTED}.") from error
        dialect = DIALECTS.get(parsed.get_backend_name())
        if dialect is None:
            raise BadInput.one(f"The ledger cannot be kept in {parsed.get_backend_name()}; {EXPECTED}.")
        with _failures():
            engines = dialect.engines(parsed, create=create)
        if engines is None:
            raise missing(dialect.place(parsed))
        return cls(dialect, dialect.place(parsed), *engines)

    def _welcome(self) -> None:
        """See that there is a ledger of the newest shape; bring an older one there where that is ours to do."""
        shape = self.shape()
        if shape is None:
            raise missing(self.place)
        if shape != shapes.NEWEST and not self._dialect.UPGRADES_ITSELF:
            raise BadInput.one(
                f"The ledger in {self.place} was made by an older onboard: it has the shape {shape}, and this version "
                f"needs {shapes.NEWEST}. Back it up, see that no older onboard works with it any more, then: "
                "onboard ledger upgrade"
            )
        if shape != shapes.NEWEST:
            self._upgrade()

    def shape(self) -> str | None:
        """The name of the shape that the database has, one of `migrations.REVISIONS`; None without a ledger in it."""
        with self.reading() as connection:
            return shapes.shape_of(connection, self.place)

    def _upgrade(self) -> str:
        """Take every step that is missing, or none; returns the shape that it had before."""
        with self.writing() as connection:
            shape = shapes.shape_of(connection, self.place)
            if shape is None:
                raise missing(self.place)
            if shape != shapes.NEWEST:
                shapes.upgrade(connection, shape)
        return shape

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database throughout."""
        with _failures(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer can come between; committed at the end, undone by any exception."""
        with _failures(), self._writer.begin() as connection:
            yield connection

    def scrub(self, *tables: str) -> None:
        """Remove what was deleted from these tables from wherever the database still keeps it.

        Raises Waiting where others prevent it.
        """
        with _failures():
            self._dialect.scrub(self._reader, tables)

    def close(self) -> None:
        """Give every connection back."""
        self._reader.dispose()

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise


def missing(place: str) -> BadInput:
    """That there is no ledger where the settings say it is; to answer from an empty one would be a lie."""
    return BadInput.one(
        f"There is no ledger at {place}. Was it moved, or lost? Where it is, ledger_url in onboard.toml says, or "
        "ONBOARD_LEDGER_URL. A new one is begun by onboard ledger init, or by the first onboard person add."
    )


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except NoneFree as error:
        raise SystemFailed("ledger", "every connection to the database is in use; try again") from error
    except (DBAPIError, *sqlite.ERRORS) as error:
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        answer = error.orig if isinstance(error, DBAPIError) else error
        # The first line: what PostgreSQL adds to it may quote a row.
        said = str(answer).partition("\n")[0] + sqlite.way_out(answer)
        raise SystemFailed("ledger", f"the database answered: {said}", uncertain=lost) from error
