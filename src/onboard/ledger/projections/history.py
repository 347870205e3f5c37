"""Who held what on that day: every attempt to change access, and from when until when what it gave was held.

It is read from the journal and from nothing else: a table beside it that is brought up to date whenever it is asked,
and made anew where the journal isn't the one that it was read from. The rules are those of `effects.py`, over
time:

- What was intended counts as held from then on, until it is known to have failed. Asked later about a day on which an
  outcome wasn't known yet, the answer is what has come out since.
- It ends with the outcome of the change that replaced it or took it away.
- A cut-off that is done ends everything on its account; a verification that read everything and found nothing ends
  everything of its person.

Only what went through this ledger is in it: what others gave is in what the access reviews found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, zip_longest
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, insert, or_, select, update

from onboard.ledger.entries import GENESIS, Entry, Head
from onboard.ledger.instants import instant, micros
from onboard.ledger.journal import Journal
from onboard.ledger.records import WHOLE_ACCOUNT, Result
from onboard.ledger.storage.database import Database, batches
from onboard.ledger.storage.tables import changes, decided, projections
from onboard.levels import scale_of
from onboard.model import Resource

#: What the cursor is kept under. Another version of the rules above wants another name, so that it is read anew.
NAME = "changes-2"
#: Entries taken in one transaction: other writers wait for no more than these.
PAGE = 5000
#: Entries about plans: what the table `decided` finds again.
DECISIONS = frozenset({"proposed", "approved", "applied", "refused", "withdrawn", "expired"})

#: A row of the table `changes`.
Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: an account was to go from one level on a resource to another (None is no access).

    `entry` and `outcome` number the journal entries that tell it. What it gave was held from `at` until `ended_at`,
    taken by the attempt `ended` or, where that is no attempt's number, found gone by that entry. None: it still is.
    """

    entry: int
    at: datetime
    person: str
    account: str
    resource: str
    before: str | None
    after: str | None
    digest: str
    result: Result = Result.UNCERTAIN
    outcome: int | None = None
    outcome_at: datetime | None = None
    ended: int | None = None
    ended_at: datetime | None = None


class History:
    """The attempts in a journal, as a table that is asked by person, resource and time."""

    def __init__(self, database: Database, of: Journal) -> None:
        self._database = database
        self._journal = of

    def held(self, at: datetime, *, person: str | None = None, resource: str | None = None) -> tuple[Attempt, ...]:
        """What was held at that time, by person and resource: the attempts that gave it. None asks about all of them.

        Raises as `attempts`.
        """
        then = micros(at)
        there = changes.c.after.is_not(None) & (changes.c.result != Result.FAILED.value) & (changes.c.at <= then)
        return self._select(there & or_(changes.c.ended_at.is_(None), changes.c.ended_at > then), person, resource)

    def attempts(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        person: str | None = None,
        resource: str | None = None,
    ) -> tuple[Attempt, ...]:
        """Every attempt that began in this time (its end excluded), whatever came of it, in the journal's order.

        Raises OnboardError where the journal can't be read, SystemFailed where the database fails.
        """
        between = changes.c.at >= (micros(since) if since else 0)
        between = between & (changes.c.at < micros(until)) if until else between
        return self._select(between, person, resource)

    def catch_up(self, until: int | None = None) -> None:
        """Take what the journal has got since the last time, up to a number."""
        books: _Books | None = _Books(0)
        while books:
            books = self._take_page(books, until)

    def forget(self) -> None:
        """Forget what was read; the next question reads the journal anew."""
        with self._database.writing() as connection:
            _forget(connection)

    def corrected(self) -> str | None:
        """Why the tables aren't what the journal says, read anew beside them; they are forgotten then. None: they are.

        Raises Findings where the journal is broken, SystemFailed where the database fails.
        """
        with self._database.reading() as mine, _scratch() as scratch:
            anew = History(scratch, self._journal)
            anew.catch_up(until=_cursor(mine).seq)
            with scratch.reading() as theirs:
                wrong = _first_apart(mine, theirs)
        if wrong is None:
            return None
        self.forget()
        return f"the table of who held what when tells entry {wrong} otherwise than the journal"

    def _take_page(self, books: _Books, until: int | None) -> _Books | None:
        """Take the next entries, in one transaction with the cursor; None when there were none."""
        after = self._cursor()
        page = list(islice(self._journal.entries(after, until=until), PAGE))
        if not page:
            return None
        books = books if books.at == after.seq else _Books(after.seq)
        with self._database.writing() as connection:
            if _cursor(connection) == after:  # else another process has taken them meanwhile
                _take(connection, page, books)
                _move(connection, after, page[-1])
        return books

    def _cursor(self) -> Head:
        """Up to where it has been read; from the beginning again where the journal holds another entry there."""
        with self._database.reading() as connection:
            cursor = _cursor(connection)
        if not self._journal.holds(cursor):
            self.forget()
            return Head(0, GENESIS)
        return cursor

    def _select(self, condition: ColumnElement[bool], person: str | None, resource: str | None) -> tuple[Attempt, ...]:
        self.catch_up()
        for column, value in ((changes.c.person, person), (changes.c.resource, resource)):
            condition = condition & (column == value) if value is not None else condition
        with self._database.reading() as connection:
            rows = connection.execute(select(changes).where(condition).order_by(changes.c.entry))
            return tuple(map(_attempt, rows.all()))


def _take(connection: Connection, page: list[Entry], books: _Books) -> None:
    """Bring the tables up to date with these entries."""
    books.fetch(connection, page)
    for entry in page:
        match entry.kind:
            case "intended":
                books.enter(_intended(entry))
            case "outcome":
                books.tell(entry)
            case "verified" if not (entry.body["held"] or entry.body["remaining"] or entry.body["unknown"]):
                for row in list(books.open(entry.body["person"])):
                    books.end(row, entry.seq, entry)
    books.write(connection, page[-1].seq)
    decisions = [{"entry": e.seq, "digest": e.body["digest"]} for e in page if e.kind in DECISIONS]
    if decisions:
        connection.execute(insert(decided), decisions)


class _Books:
    """The rows that further entries may touch: of the people who came up, those that nothing has ended.

    They are kept from page to page, so that little is read again. `at` is the entry up to which they are good.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self._rows: dict[int, Row] = {}
        self._of: dict[str, dict[int, Row]] = {}
        self._new: dict[int, Row] = {}
        self._moved: dict[int, Row] = {}

    def fetch(self, connection: Connection, page: Iterable[Entry]) -> None:
        """Read what these entries may touch: whose outcome they tell, and what their people held."""
        begun = {entry.seq for entry in page if entry.kind == "intended"}
        told = {entry.body["intent"] for entry in page if entry.kind == "outcome"} - begun - self._rows.keys()
        found = list(_where(connection, changes.c.entry, told))
        people = {entry.subject for entry in page if entry.kind in ("intended", "verified") and entry.subject}
        people = (people | {row["person"] for row in found}) - self._of.keys()
        found += _where(connection, changes.c.person, people, changes.c.after.is_not(None) & changes.c.ended.is_(None))
        self._of |= {person: {} for person in people}
        for row in found:
            self._keep(row)

    def _keep(self, row: Row) -> None:
        self._rows[row["entry"]] = row
        self._of[row["person"]][row["entry"]] = row

    def enter(self, row: Row) -> None:
        """There is this attempt."""
        self._new[row["entry"]] = row
        self._keep(row)

    def open(self, person: str) -> Iterator[Row]:
        """What a person's attempts gave and nothing has ended."""
        return (row for row in self._of[person].values() if row["after"] is not None and row["ended"] is None)

    def end(self, row: Row, by: int, entry: Entry) -> None:
        """What it gave is gone from this entry on."""
        row["ended"], row["ended_at"] = by, micros(entry.at)
        self._moved[row["entry"]] = row

    def tell(self, entry: Entry) -> None:
        """An attempt has an outcome; done, it ends what came before it and is there again itself."""
        row = self._rows[entry.body["intent"]]
        row["result"], row["outcome"], row["outcome_at"] = entry.body["result"], entry.seq, micros(entry.at)
        self._moved[row["entry"]] = row
        if row["result"] != Result.DONE.value:
            return
        row["ended"] = row["ended_at"] = None
        moment = _moment(row)
        for other in [
            r for r in self.open(row["person"]) if r is not row and _moment(r) < moment and _replaces(row, r)
        ]:
            self.end(other, row["entry"], entry)

    def write(self, connection: Connection, at: int) -> None:
        """Put what is new and what has changed into the table, and let go of what is over."""
        if self._new:
            connection.execute(insert(changes), list(self._new.values()))
        moved = [row for entry, row in self._moved.items() if entry not in self._new]
        if moved:
            values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _MOVING}
            rows = [{f"new_{name}": row[name] for name in (*_MOVING, "entry")} for row in moved]
            connection.execute(update(changes).where(changes.c.entry == bindparam("new_entry")).values(values), rows)
        for row in [*self._new.values(), *moved]:
            if row["result"] != Result.UNCERTAIN.value and (row["after"] is None or row["ended"] is not None):
                self._rows.pop(row["entry"], None)
                self._of[row["person"]].pop(row["entry"], None)
        self.at, self._new, self._moved = at, {}, {}


def _where(
    connection: Connection, column: Any, values: Iterable[Any], also: ColumnElement[bool] | None = None
) -> Iterator[Row]:
    for some in batches(sorted(values)):
        condition = column.in_(some)
        rows = connection.execute(select(changes).where(condition if also is None else condition & also))
        yield from (dict(row) for row in rows.mappings())


def _intended(entry: Entry) -> Row:
    change = entry.body["change"]
    told = {name: change[name] for name in ("person", "account", "resource", "before", "after")}
    empty = dict.fromkeys(("outcome", "outcome_at", "ended", "ended_at"))
    begun = {"entry": entry.seq, "at": micros(entry.at), "digest": entry.body["digest"]}
    return {**begun, **told, "result": Result.UNCERTAIN.value, **empty}


def _moment(row: Row) -> int:
    """The entry from which it counts, against which others came before or after (see `Effects.owned`)."""
    done = row["result"] == Result.DONE.value and row["after"] is not None and row["outcome"] is not None
    return int(row["outcome"] if done else row["entry"])


def _replaces(one: Row, other: Row) -> bool:
    """Whether a change that is done leaves nothing of what another gave: on an open scale just the level it names."""
    if one["account"] != other["account"]:
        return False
    if one["resource"] != other["resource"]:
        return Resource.parse(one["resource"]).type == WHOLE_ACCOUNT
    return not scale_of(Resource.parse(one["resource"])).open or bool(one["before"] == other["after"])


@contextmanager
def _scratch() -> Iterator[Database]:
    """An empty database for a while: no person's data ever comes into it."""
    with TemporaryDirectory(prefix="onboard-") as folder:
        database = Database.begin(f"sqlite:///{folder}/history.db")
        try:
            yield database
        finally:
            database.close()


def _first_apart(*databases: Connection) -> int | None:
    """The first entry of which two databases' tables tell something else."""
    apart = (
        min(row.entry for row in pair if row is not None)
        for table in (changes, decided)
        for pair in zip_longest(*(_in_order(connection, table) for connection in databases))
        if pair[0] != pair[1]
    )
    return next(apart, None)


def _in_order(connection: Connection, table: Table) -> Iterable[Any]:
    return connection.execution_options(yield_per=PAGE).execute(select(table).order_by(table.c.entry))


def _cursor(connection: Connection) -> Head:
    row = connection.execute(select(projections).where(projections.c.name == NAME)).first()
    return Head(row.seq, row.hash) if row else Head(0, GENESIS)


def _move(connection: Connection, before: Head, to: Entry) -> None:
    values = {"seq": to.seq, "hash": to.hash}
    if before.seq:
        connection.execute(update(projections).where(projections.c.name == NAME).values(values))
    else:
        connection.execute(insert(projections).values(name=NAME, **values))


def _forget(connection: Connection) -> None:
    connection.execute(delete(changes))
    connection.execute(delete(decided))
    connection.execute(delete(projections).where(projections.c.name == NAME))


_MOVING = ("result", "outcome", "outcome_at", "ended", "ended_at")


def _attempt(row: Any) -> Attempt:
    """The attempt in a row: the table's columns are its fields, in their order."""
    entry, at, person, account, resource, before, after, digest, result, outcome, told, ended, over = row
    what = (person, account, resource, before, after, digest)
    outcome_at, ended_at = (None if moment is None else instant(moment) for moment in (told, over))
    return Attempt(entry, instant(at), *what, Result(result), outcome, outcome_at, ended, ended_at)
