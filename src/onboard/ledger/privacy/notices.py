"""Who is being told what: on record before it is sent, so that a lost answer or a killed process sends nothing twice.

Where a message is, and whose it is, stands under the key of the person it is kept for, and goes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from onboard.ledger.privacy.sealed import remove, seal, unseal
from onboard.ledger.storage.tables import person_data

if TYPE_CHECKING:
    from onboard.ledger.store import Ledger

_PURPOSE = "notice:"
#: Of a digest, what fits into a purpose beside a system's name.
_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Notice:
    """One message about a plan on one system, kept for `person`: the one who is told, or whom a ticket is about.

    `mark` names it there, in `place`; empty as long as nobody knows whether it was sent. `shown` is a fingerprint of
    what it says now.
    """

    person: str
    system: str
    digest: str
    since: datetime
    place: str
    mark: str = ""
    shown: str = ""

    @property
    def key(self) -> str:
        """What the message itself carries, so that it can be found there."""
        return f"{self.digest[:_DIGITS]}-{self.since:%Y%m%d%H%M%S}"


def _nothing(_: Connection) -> None:
    return


class Notices:
    """Those on record. Raises SystemFailed where the database fails, BadInput for somebody who is erased."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database
        self._keys = ledger.keys

    def all(self) -> list[Notice]:
        """Every notice whose plan was open when it was last looked at."""
        with self._database.reading() as connection:
            rows = list(unseal(connection, self._keys, person_data.c.purpose.startswith(_PURPOSE)))
        return sorted((_notice(person, data) for person, _, data in rows), key=lambda it: (it.since, it.person))

    def put(self, notice: Notice, along: Callable[[Connection], object] = _nothing) -> Notice:
        """Keep it, in place of what was kept of it before; `along` writes what has to stand with it."""
        self._keys.ready()
        with self._database.writing() as connection:
            seal(connection, self._keys, notice.person, _purpose(notice), dict(_json(notice)))
            along(connection)
        return notice

    def drop(self, notice: Notice) -> None:
        """Nothing more will be said by it."""
        with self._database.writing() as connection:
            remove(connection, notice.person, _purpose(notice))


def _purpose(notice: Notice) -> str:
    return f"{_PURPOSE}{notice.digest[:_DIGITS]}:{notice.system}"[:64]


def _json(notice: Notice) -> Iterator[tuple[str, Any]]:
    yield from (
        ("system", notice.system),
        ("digest", notice.digest),
        ("since", notice.since.isoformat()),
        ("place", notice.place),
        ("mark", notice.mark),
        ("shown", notice.shown),
    )


def _notice(person: str, data: dict[str, Any]) -> Notice:
    return Notice(person=person, **{**data, "since": datetime.fromisoformat(data["since"])})
