"""The journal: append-only and hash-chained. What an entry is, byte for byte, stands in `entries.py`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, type_coerce
from sqlalchemy.types import NullType

from onboard.errors import Findings, OnboardError
from onboard.ledger.entries import GENESIS, Entry, Head, Json, Record, fingerprint, read, seal
from onboard.ledger.leases import Lease
from onboard.ledger.proof.verify_export import Broken, Row, link
from onboard.ledger.storage.database import Database, batches
from onboard.ledger.storage.tables import journal
from onboard.model import Actor

#: Entries read at once. The journal only grows, so a reading in several pieces is still one reading.
PAGE = 5000
#: As stored: what somebody wrote with another tool may be of another type, and has to be named, not to crash.
_COLUMNS = select(journal.c.seq, type_coerce(journal.c.canonical, NullType), journal.c.hash)


class Journal:
    """Appends from several threads and processes leave one chain; the database itself refuses changes and deletions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self, kind: str, body: Mapping[str, Json], *, actor: Actor, at: datetime, subject: str | None = None
    ) -> Entry:
        """Write one entry; when this returns it is on disk. Raises as `append_many`. Prefer `record`."""
        return self.record(Record(kind, body, subject), actor=actor, at=at)

    def record(self, record: Record, *, actor: Actor, at: datetime, under: Iterable[Lease] = ()) -> Entry:
        """Write what a function of `records` made. Raises as `append_many`."""
        return self.append_many([record], actor=actor, at=at, under=under)[0]

    def append_many(
        self, records: Iterable[Record], *, actor: Actor, at: datetime, under: Iterable[Lease] = ()
    ) -> tuple[Entry, ...]:
        """Write several entries in one transaction: all of them, next to each other, or none.

        Raises Waiting where one of the leases `under` which they are written is no longer held in that transaction: a
        worker that was frozen and has been taken over writes nothing. OnboardError for what may not be kept (see
        `entries.seal`), SystemFailed where the database fails.
        """
        with self._database.writing() as connection:
            return self.append_in(connection, records, actor=actor, at=at, under=under)

    def append_in(
        self,
        connection: Connection,
        records: Iterable[Record],
        *,
        actor: Actor,
        at: datetime,
        under: Iterable[Lease] = (),
    ) -> tuple[Entry, ...]:
        """The same within a writing transaction of the caller's: what is kept there stands with its entries, or not.

        Raises as `append_many`.
        """
        for lease in under:
            lease.confirm(connection)
        entries: list[Entry] = []
        rows: list[dict[str, Any]] = []
        after = _head(connection)
        for record in records:
            entry, canonical = seal(record, actor, at, after)
            entries.append(entry)
            rows.append({"seq": entry.seq, "hash": entry.hash, "canonical": canonical})
            after = Head(entry.seq, entry.hash)
        if rows:
            connection.execute(insert(journal), rows)
        return tuple(entries)

    def entries(
        self, after: int | Head = 0, kinds: Collection[str] | None = None, until: int | None = None
    ) -> Iterator[Entry]:
        """The entries after number `after` (and up to `until`), in order; with `kinds`, only those.

        Each that is passed is checked to continue the one before, whatever its kind; the first to continue the entry
        `after` as it is stored or, given with its hash, as it was.
        Raises Findings at the first that was changed, removed, inserted or moved: nothing may rest on what follows.
        """
        last, prev = after if isinstance(after, Head) else (after, self._hash_of(after))
        for row in self.rows(last):
            if until is not None and row[0] > until:
                return
            try:
                entry = _continued(last, prev, row)
            except (Broken, OnboardError) as broken:
                raise Findings(f"The journal is broken at {broken}. See onboard ledger verify.") from None
            last, prev = entry.seq, entry.hash
            if kinds is None or entry.kind in kinds:
                yield entry

    def chosen(self, connection: Connection, which: ColumnElement[bool]) -> Iterator[Entry]:
        """The entries for which that holds, in order, read within the caller's transaction.

        Each is checked by itself, and not against its neighbours. Raises Findings for one that was changed.
        """
        rows = connection.execution_options(yield_per=PAGE).execute(_COLUMNS.where(which).order_by(journal.c.seq))
        for place, stored, claimed in rows:
            try:
                entry = _whole(place, _bytes(stored), str(claimed))
            except (Broken, OnboardError) as broken:
                raise Findings(f"The journal is broken at {broken}. See onboard ledger verify.") from None
            yield entry

    def numbered(self, numbers: Iterable[int]) -> Iterator[Entry]:
        """The entries with these numbers, in order. Raises as `chosen`, and Findings where one isn't there."""
        for some in batches(sorted(numbers)):
            with self._database.reading() as connection:
                left = set(some)
                for entry in self.chosen(connection, journal.c.seq.in_(some)):
                    left.remove(entry.seq)
                    yield entry
            if left:
                raise Findings(f"The journal is broken at entry {min(left)}: it is gone. See onboard ledger verify.")

    def reached(self, at: datetime) -> int:
        """The number of the last entry by that time, 0 for none. Raises as `numbered` for what is read on the way.

        Rests on times that grow from entry to entry, as they do but for how far the workers' clocks are apart.
        """

        def time_of(number: int) -> datetime:
            (entry,) = self.numbered([number])
            return entry.at

        return bisect_right(range(1, self.head().seq + 1), at, key=time_of)

    def holds(self, head: Head) -> bool:
        """Whether the entry with this number still has this hash; of an empty journal's head it always does."""
        return self._hash_of(head.seq) == head.hash

    def salvaged(self) -> Iterator[Entry]:
        """Every entry that can be read, though the chain may be broken: for what can't wait until it is made good."""
        for place, canonical, claimed in self.rows():
            try:
                yield read(canonical, claimed, place)
            except OnboardError:
                continue

    def rows(self, after: int = 0) -> Iterator[Row]:
        """What is stored after number `after`, unchecked: place, canonical bytes and claimed hash of each entry."""
        while rows := self._page(after):
            yield from rows
            after = rows[-1][0]

    def newest(self, kind: str) -> Entry | None:
        """The last entry of a kind, looked for from the end, or None. Raises as `entries` for what is read."""
        until = self.head().seq
        while until > 0:
            after = max(0, until - PAGE)
            if found := list(self.entries(after, {kind}, until)):
                return found[-1]
            until = after
        return None

    def _hash_of(self, seq: int) -> str:
        with self._database.reading() as connection:
            return connection.scalar(select(journal.c.hash).where(journal.c.seq == seq)) or GENESIS

    def _page(self, after: int) -> list[Row]:
        with self._database.reading() as connection:
            rows = connection.execute(_COLUMNS.where(journal.c.seq > after).order_by(journal.c.seq).limit(PAGE))
            return [(seq, _bytes(canonical), str(claimed)) for seq, canonical, claimed in rows]

    def head(self) -> Head:
        """The last entry's number and hash."""
        with self._database.reading() as connection:
            return _head(connection)


def _continued(last: int, prev: str, row: Row) -> Entry:
    """The entry in a row, which continues entry `last`. What is wrong, where something is, `link` says."""
    place, canonical, claimed = row
    try:
        entry = read(canonical, claimed, place)
    except OnboardError:
        link(last, prev, row)
        raise
    if (place, entry.seq, entry.prev, fingerprint(canonical)) != (last + 1, last + 1, prev, claimed):
        link(last, prev, row)
    return entry


def _whole(place: int, canonical: bytes, claimed: str) -> Entry:
    """The entry in a row, whatever stands before it. Raises Broken, OnboardError."""
    entry = read(canonical, claimed, place)
    if (entry.seq, fingerprint(canonical)) != (place, claimed):
        link(place - 1, entry.prev, (place, canonical, claimed))
    return entry


def _bytes(stored: object) -> bytes:
    return bytes(stored) if isinstance(stored, (bytes, memoryview)) else str(stored).encode("utf-8", "surrogateescape")


def _head(connection: Connection) -> Head:
    last = select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)
    row = connection.execute(last).first()
    return Head(row.seq, row.hash) if row else Head(0, GENESIS)
