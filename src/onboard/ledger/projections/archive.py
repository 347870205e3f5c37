"""What a register has forgotten because it is over, found again in the journal by the history's tables."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Select, func, select, union_all

from onboard.ledger.journal import Journal
from onboard.ledger.projections.decisions import SHORTEST
from onboard.ledger.projections.history import Attempt, History
from onboard.ledger.projections.register import Register
from onboard.ledger.storage.database import Database, batches
from onboard.ledger.storage.tables import changes, decided, journal


class Archive:
    """Answers with a register of what was asked for and nothing else; each entry is checked by itself.

    Each call raises Findings for an entry that was changed, OnboardError where the journal can't be read.
    """

    def __init__(self, database: Database, of: Journal, history: History) -> None:
        self._database = database
        self._journal = of
        self._history = history

    def of_person(self, person: str, until: int) -> Register:
        """What was proposed, decided and attempted for a person, as it stood after entry `until`."""
        mine = changes.c.person == person
        under = decided.c.digest.in_(select(changes.c.digest).where(mine))
        return self._read(
            until, select(changes.c.entry).where(mine), _outcomes(mine), select(decided.c.entry).where(under)
        )

    def of_plan(self, digest: str, until: int) -> Register:
        """What was proposed and decided under the digests that begin so, as it stood after entry `until`."""
        if len(digest) < SHORTEST:
            return Register(until)
        begins = func.substr(decided.c.digest, 1, len(digest)) == digest
        return self._read(until, select(decided.c.entry).where(begins))

    def of_attempts(self, attempts: Iterable[Attempt]) -> Register:
        """These attempts, how they ended, and what was proposed and decided under their digests."""
        told = list(attempts)
        numbers = {number for one in told for number in (one.entry, one.outcome) if number}
        return Register.replay(self._journal.numbered(numbers | self._decisions({one.digest for one in told})))

    def _decisions(self, digests: Iterable[str]) -> set[int]:
        with self._database.reading() as connection:
            return {
                number
                for some in batches(sorted(digests))
                for number in connection.scalars(select(decided.c.entry).where(decided.c.digest.in_(some)))
            }

    def _read(self, until: int, *numbers: Select[tuple[int]]) -> Register:
        self._history.catch_up()
        which = journal.c.seq.in_(union_all(*numbers)) & (journal.c.seq <= until)
        with self._database.reading() as connection:
            return Register.replay(self._journal.chosen(connection, which))


def _outcomes(mine: ColumnElement[bool]) -> Select[tuple[int]]:
    return select(changes.c.outcome).where(mine & changes.c.outcome.is_not(None))
