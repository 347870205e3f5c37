"""The register as the journal stands now: built once in a process, and of a long journal from what still matters.

What that is (see `compaction.py`) is remembered in a table, so that a command doesn't read years to know about now. It
can be thrown away at any time: it is made anew from the journal where it isn't there, or isn't what it was. What of a
broken journal is noticed at which moment stands in docs/decisions/0010-what-still-matters.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import datetime
from itertools import islice
from threading import Lock

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from onboard.errors import Findings
from onboard.ledger.entries import GENESIS, Entry, Head
from onboard.ledger.journal import Journal
from onboard.ledger.projections.compaction import Pins, Prescan, compacted, stirs
from onboard.ledger.projections.register import Archive, Register
from onboard.ledger.storage.database import Database
from onboard.ledger.storage.tables import journal, matters, projections

#: What the cursor is kept under. Other rules of what matters want another name, so that it is made anew.
NAME = "register-2"
#: How many entries a command reads after what is remembered, before it remembers more.
EVERY = 5000
#: Entries taken at once.
PAGE = 5000


NOWHERE = Head(0, GENESIS)


@dataclass(frozen=True, slots=True)
class _Known:
    """A register, the journal's entry up to which it goes, and the hashes of the entries that it rests on.

    `cursor` is where what is remembered in the table ends, with its seal; 0 for nothing.
    """

    register: Register = field(default_factory=Register)
    head: Head = NOWHERE
    hashes: Mapping[int, str] = field(default_factory=dict)
    cursor: Head = NOWHERE


class Present:
    """What is so now. Safe from several threads; several processes share what is remembered."""

    def __init__(self, database: Database, of: Journal, archive: Archive, every: int = EVERY) -> None:
        self._database = database
        self._journal = of
        self._archive = archive
        self._every = every
        self._lock = Lock()
        self._known: _Known | None = None

    def register(self) -> Register:
        """The register after the journal's last entry.

        Raises Findings where the journal was changed in what the register rests on, OnboardError for an entry that
        hasn't the form of its kind, SystemFailed where the database fails.
        """
        with self._lock:
            known = self._known
            if known is None or not self._journal.holds(known.head):
                known = self._remembered()
            self._known = self._kept(self._grown(known))
            return self._known.register

    def as_of(self, at: datetime) -> Register:
        """People, assignments, facts, tasks and policies as they stood at a moment.

        What was planned, decided and attempted until then it leaves to the archive. Raises as `register`.
        """
        until = self._journal.reached(at)
        told = self._journal.numbered(seq for seq in self.register().kept if seq <= until)
        return changed(Register.replay(told), seq=until, forgot=until, archive=self._archive)

    def close(self) -> None:
        """Know nothing any more; what is remembered stays."""
        with self._lock:
            self._known = None

    def doubt(self) -> str | None:
        """Why what is remembered isn't what the journal says, made anew from it; None where it is, or there is none."""
        with self._database.reading() as connection:
            cursor, rows = _cursor(connection), _rows(connection)
        if not cursor.seq:
            return None
        anew = self._compacted(self._anew(until=cursor.seq))
        if (anew.head.seq, anew.hashes, _seal(anew)) == (cursor.seq, rows, cursor.hash):
            return None
        wrong = min(seq for seq, _ in (rows.items() ^ anew.hashes.items())) if rows != anew.hashes else cursor.seq
        return f"what is remembered of entry {wrong}, for commands to start from, isn't what the journal says"

    def corrected(self) -> str | None:
        """As `doubt`; what is wrong is forgotten."""
        doubt = self.doubt()
        if doubt:
            self.forget()
        return doubt

    def forget(self) -> None:
        """Forget what is remembered; the next reading makes it anew from the journal."""
        with self._lock, self._database.writing() as connection:
            _forget(connection)
            self._known = None

    def _remembered(self) -> _Known:
        """What is remembered. What isn't whole is forgotten, unless another process has done so."""
        with self._database.reading() as connection:
            cursor = _cursor(connection)
            known = self._whole(connection, cursor) if cursor.seq else None
        if cursor.seq and known is None:
            with self._database.writing() as connection:
                if _cursor(connection) == cursor:
                    _forget(connection)
        return known or _Known()

    def _whole(self, connection: Connection, cursor: Head) -> _Known | None:
        """What is remembered up to there, if it is whole: sealed, of this journal, and each entry as it was."""
        rows = _rows(connection)
        last = connection.scalar(select(journal.c.hash).where(journal.c.seq == cursor.seq))
        known = _Known(Register(), Head(cursor.seq, last or ""), rows, cursor)
        if _seal(known) != cursor.hash:
            return None
        try:
            register = self._read(connection, rows)
        except Findings:
            return None
        if register is None:
            return None
        return changed(known, register=changed(register, seq=cursor.seq, forgot=cursor.seq, archive=self._archive))

    def _read(self, connection: Connection, rows: Mapping[int, str]) -> Register | None:
        """The register by these entries alone; None where one isn't there as it was. Raises Findings as `chosen`."""
        register, read = Register(), 0
        for page in _pages(self._journal.chosen(connection, journal.c.seq.in_(select(matters.c.entry)))):
            if any(rows[entry.seq] != entry.hash for entry in page):
                return None
            register, read = register.advance(page), read + len(page)
        return register if read == len(rows) else None

    def _grown(self, known: _Known) -> _Known:
        """The same up to the journal's end."""
        return self._folded(known, None) or changed(self._anew(), cursor=known.cursor)

    def _anew(self, until: int | None = None) -> _Known:
        """Everything from the first entry on, up to a number."""
        plain = self._folded(_Known(), None, until)
        if plain is not None:
            return plain
        scan = Prescan()
        for entry in self._journal.entries(until=until):
            scan.take(entry)
        folded = self._folded(_Known(), scan.pins(), until)
        return folded or _Known()

    def _folded(self, known: _Known, pins: Pins | None, until: int | None = None) -> _Known | None:
        """The same with what follows, forgetting on the way; without pins None, where that comes back to something."""
        for page in _pages(self._journal.entries(known.head, until=until)):
            if pins is None and stirs(known.register, page):
                return None
            hashes = {**known.hashes, **{entry.seq: entry.hash for entry in page}}
            known = _Known(known.register.advance(page), Head(page[-1].seq, page[-1].hash), hashes, known.cursor)
            if known.head.seq - known.register.forgot >= max(self._every, len(known.hashes) // 2):
                known = self._compacted(known, pins)
        return known

    def _compacted(self, known: _Known, pins: Pins | None = None) -> _Known:
        register, kept = compacted(known.register, self._archive, pins)
        return changed(known, register=register, hashes={seq: known.hashes[seq] for seq in sorted(kept)})

    def _kept(self, known: _Known) -> _Known:
        """The same, remembered where it goes far enough beyond what is."""
        if known.head.seq - known.cursor.seq < self._every:
            return known
        known = self._compacted(known)
        cursor = Head(known.head.seq, _seal(known))
        with self._database.writing() as connection:
            if _cursor(connection) == known.cursor:  # else another process has remembered more meanwhile
                _store(connection, known.hashes, cursor)
        return changed(known, cursor=cursor)


def _store(connection: Connection, hashes: Mapping[int, str], cursor: Head) -> None:
    there = _rows(connection)
    gone = [{"old": seq} for seq, digest in there.items() if hashes.get(seq) != digest]
    new = [{"entry": seq, "hash": digest} for seq, digest in hashes.items() if there.get(seq) != digest]
    if gone:
        connection.execute(delete(matters).where(matters.c.entry == bindparam("old")), gone)
    if new:
        connection.execute(insert(matters), new)
    values = {"seq": cursor.seq, "hash": cursor.hash}
    if not connection.execute(update(projections).where(projections.c.name == NAME).values(values)).rowcount:
        connection.execute(insert(projections).values(name=NAME, **values))


def _forget(connection: Connection) -> None:
    connection.execute(delete(matters))
    connection.execute(delete(projections).where(projections.c.name == NAME))


def _rows(connection: Connection) -> dict[int, str]:
    return {row.entry: row.hash for row in connection.execute(select(matters).order_by(matters.c.entry))}


def _cursor(connection: Connection) -> Head:
    row = connection.execute(select(projections).where(projections.c.name == NAME)).first()
    return Head(row.seq, row.hash) if row else NOWHERE


def _seal(known: _Known) -> str:
    """Binds what is remembered to the journal's head and to each entry that it names."""
    told = hashlib.sha256(f"{known.head.seq}:{known.head.hash}".encode())
    for seq, digest in known.hashes.items():
        told.update(f"\n{seq}:{digest}".encode())
    return told.hexdigest()


def _pages(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    left = iter(entries)
    while page := list(islice(left, PAGE)):
        yield page
