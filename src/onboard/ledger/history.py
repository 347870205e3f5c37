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

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, or_, select, update

from onboard.ledger.database import Database
from onboard.ledger.entries import GENESIS, Entry, Head
from onboard.ledger.instants import instant, micros
from onboard.ledger.journal import Journal
from onboard.ledger.records import WHOLE_ACCOUNT, Result
from onboard.ledger.tables import changes, decided, journal, projections
from onboard.levels import scale_of
from onboard.model import Resource

#: What the cursor is kept under. Another version of the rules above wants another name, so that it is read anew.
NAME = "changes-2"
#: Entries taken in one transaction: other writers wait for no more than these.
PAGE = 5000
#: Entries about plans: what the table `decided` finds again.
DECISIONS = frozenset({"proposed", "approved", "applied", "refused", "withdrawn", "expired"})


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

    @property
    def gives(self) -> bool:
        """Whether it gave something, or may have."""
        return self.after is not None and self.result is not Result.FAILED

    @property
    def moment(self) -> int:
        """The entry from which it counts, against which others came before or after (see `Effects.owned`)."""
        done = self.result is Result.DONE and self.after is not None
        return self.outcome if done and self.outcome is not None else self.entry


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

    def rebuild(self) -> None:
        """Forget everything and read the journal anew."""
        with self._database.writing() as connection:
            _forget(connection)
        self.catch_up()

    def catch_up(self) -> None:
        """Take what the journal has got since the last time."""
        while self._take_page():
            pass

    def _take_page(self) -> bool:
        """Take the next entries, in one transaction with the cursor; False when there were none."""
        after = self._cursor()
        page = list(_first(self._journal.entries(after=after.seq), PAGE))
        if not page:
            return False
        with self._database.writing() as connection:
            if _cursor(connection) == after:  # else another process has taken them meanwhile
                _take(connection, page)
                _move(connection, after, page[-1])
        return True

    def _cursor(self) -> Head:
        """Up to where it has been read; from the beginning again where the journal holds another entry there."""
        with self._database.reading() as connection:
            cursor = _cursor(connection)
            there = connection.scalar(select(journal.c.hash).where(journal.c.seq == cursor.seq))
        if cursor.seq and there != cursor.hash:
            with self._database.writing() as connection:
                _forget(connection)
            return Head(0, GENESIS)
        return cursor

    def _select(self, condition: ColumnElement[bool], person: str | None, resource: str | None) -> tuple[Attempt, ...]:
        self.catch_up()
        for column, value in ((changes.c.person, person), (changes.c.resource, resource)):
            condition = condition & (column == value) if value is not None else condition
        with self._database.reading() as connection:
            rows = connection.execute(select(changes).where(condition).order_by(changes.c.entry))
            return tuple(_attempt(row) for row in rows.mappings())


def _take(connection: Connection, page: list[Entry]) -> None:
    """Bring the table up to date with these entries."""
    known = _known(connection, page)
    books = _Books(known.values())
    for entry in page:
        match entry.kind:
            case "intended":
                books.put(_intended(entry))
            case "outcome":
                books.tell(entry)
            case "verified" if not (entry.body["held"] or entry.body["remaining"] or entry.body["unknown"]):
                books.end(books.open(entry.body["person"]), entry.seq, entry)
    decisions = [{"entry": e.seq, "digest": e.body["digest"]} for e in page if e.kind in DECISIONS]
    if decisions:
        connection.execute(insert(decided), decisions)
    new = [_row(attempt) for seq, attempt in books.attempts.items() if seq not in known]
    if new:
        connection.execute(insert(changes), new)
    changed = [_row(a) for seq, a in books.attempts.items() if seq in known and known[seq] != a]
    if changed:
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _MOVING}
        rows = [{f"new_{name}": row[name] for name in (*_MOVING, "entry")} for row in changed]
        connection.execute(update(changes).where(changes.c.entry == bindparam("new_entry")).values(values), rows)


class _Books:
    """The attempts that some entries may touch, by number, and those of each person."""

    def __init__(self, known: Iterable[Attempt]) -> None:
        self.attempts: dict[int, Attempt] = {}
        self._of: dict[str, set[int]] = {}
        for attempt in known:
            self.put(attempt)

    def put(self, attempt: Attempt) -> None:
        """Enter an attempt, or what it has become."""
        self.attempts[attempt.entry] = attempt
        self._of.setdefault(attempt.person, set()).add(attempt.entry)

    def open(self, person: str) -> list[Attempt]:
        """What a person's attempts gave and nothing has ended."""
        mine = (self.attempts[entry] for entry in self._of.get(person, ()))
        return [attempt for attempt in mine if attempt.after is not None and attempt.ended is None]

    def end(self, attempts: Iterable[Attempt], by: int, entry: Entry) -> None:
        """What these gave is gone from this entry on."""
        for attempt in attempts:
            self.put(replace(attempt, ended=by, ended_at=entry.at))

    def tell(self, entry: Entry) -> None:
        """An attempt has an outcome; done, it ends what came before it and is there again itself."""
        told = self.attempts[entry.body["intent"]]
        told = replace(told, result=Result(entry.body["result"]), outcome=entry.seq, outcome_at=entry.at)
        if told.result is Result.DONE:
            told = replace(told, ended=None, ended_at=None)
            others = (a for a in self.open(told.person) if a.entry != told.entry and a.moment < told.moment)
            self.end([a for a in others if _replaces(told, a)], told.entry, entry)
        self.put(told)


def _known(connection: Connection, page: Iterable[Entry]) -> dict[int, Attempt]:
    """The attempts that these entries may touch: those they tell the outcome of, and what their people held."""
    told = {entry.body["intent"] for entry in page if entry.kind == "outcome"}
    touched = {attempt.entry: attempt for attempt in _where(connection, changes.c.entry, told)}
    people = {attempt.person for attempt in touched.values()}
    people |= {entry.subject for entry in page if entry.kind in ("intended", "verified") and entry.subject}
    held = _where(connection, changes.c.person, people, changes.c.after.is_not(None) & changes.c.ended.is_(None))
    return {**touched, **{attempt.entry: attempt for attempt in held}}


def _where(
    connection: Connection, column: Any, values: Iterable[Any], also: ColumnElement[bool] | None = None
) -> Iterator[Attempt]:
    wanted = sorted(values)
    for start in range(0, len(wanted), 500):
        condition = column.in_(wanted[start : start + 500])
        rows = connection.execute(select(changes).where(condition if also is None else condition & also))
        yield from (_attempt(row) for row in rows.mappings())


def _intended(entry: Entry) -> Attempt:
    change = entry.body["change"]
    levels = (change["before"], change["after"])
    return Attempt(
        entry.seq, entry.at, change["person"], change["account"], change["resource"], *levels, entry.body["digest"]
    )


def _replaces(one: Attempt, other: Attempt) -> bool:
    """Whether a change that is done leaves nothing of what another gave: on an open scale just the level it names."""
    if one.account != other.account:
        return False
    resource = Resource.parse(one.resource)
    if resource.type == WHOLE_ACCOUNT:
        return True
    return one.resource == other.resource and (not scale_of(resource).open or one.before == other.after)


def _first(entries: Iterator[Entry], count: int) -> Iterator[Entry]:
    return (entry for _, entry in zip(range(count), entries, strict=False))


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
_TIMES = ("at", "outcome_at", "ended_at")
#: Read one by one: `asdict` would copy each value, which is half of what reading a long journal takes.
_FIELDS = tuple(field.name for field in fields(Attempt))


def _row(attempt: Attempt) -> dict[str, Any]:
    values = {name: getattr(attempt, name) for name in _FIELDS}
    times = {name: micros(values[name]) if values[name] else None for name in _TIMES}
    return {**values, **times, "result": attempt.result.value}


def _attempt(row: Mapping[Any, Any]) -> Attempt:
    times = {name: None if row[name] is None else instant(row[name]) for name in _TIMES}
    return Attempt(**{**row, **times, "result": Result(row["result"])})
