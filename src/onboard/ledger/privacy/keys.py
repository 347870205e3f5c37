"""The keys of one ledger's people, from the keyring that the ledger was begun with, and no other."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping
from typing import NoReturn

from cryptography.fernet import Fernet
from sqlalchemy import Connection, delete, insert, select

from onboard.errors import SystemFailed, Waiting
from onboard.ledger.privacy.keyring import SYSTEM, Keyring
from onboard.ledger.storage.database import Database
from onboard.ledger.storage.tables import ledger_keys, person_data, person_index, person_keys

#: The keyring's name for the key of `person_index`, and the old ledger's for the same in its own database.
INDEX = "index"
#: The row that says which keyring this ledger belongs to, and the one that says that moved keys wait to be scrubbed.
_KEYRING, _SCRUB = "keyring", "scrub"


class Keys:
    """What opens a ledger's personal data. Every method raises SystemFailed where the keyring is lost, or another's."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._ready = False

    @property
    def place(self) -> str:
        """Where the keyring is, for people to read."""
        return self._keyring.place

    def ready(self) -> None:
        """See that the keyring is this ledger's; begin it, or move an older ledger's keys into it, if need be.

        Call it before a transaction that writes, not within.
        """
        if self._ready:
            return
        with self._database.reading() as connection:
            marks = _marks(connection)
        if INDEX in marks or _KEYRING not in marks:
            with self._database.writing() as connection:
                self._begin(connection)
            with self._database.reading() as connection:
                marks = _marks(connection)
        self.require(marks[_KEYRING])
        if _SCRUB in marks:
            self._scrub()
        self._ready = True

    def begun(self) -> bool:
        """Whether a keyring is this ledger's yet, and there."""
        with self._database.reading() as connection:
            mark_ = belonging(connection)
        if mark_ is not None:
            self.require(mark_)
        return mark_ is not None

    def lost(self) -> frozenset[str]:
        """The people of whom something is kept, and no key: they are being erased, or their key is lost."""
        with self._database.reading() as connection:
            people = set(connection.scalars(select(person_keys.c.person).where(person_keys.c.key == b"")))
        return frozenset(people - self._keyring.keys(people).keys())

    def require(self, belongs: bytes) -> None:
        """Raises SystemFailed unless the keyring is the one with this mark."""
        found = self._keyring.keys((INDEX,)).get(INDEX)
        if found is None:
            _lost(f"isn't at {self.place}", belongs)
        if mark(found) != belongs:
            _lost(f"isn't the one at {self.place}, which is k-{mark(found).hex()}", belongs)

    def fernets(self, people: Collection[str]) -> Mapping[str, Fernet]:
        """By person, what seals and opens their data; whoever has no key is left out."""
        self.ready()
        return {name: fernet(key) for name, key in self._keyring.keys(people).items()}

    def index(self) -> bytes:
        """The key of the index."""
        self.ready()
        return self._keyring.keys((INDEX,))[INDEX]

    def make(self, people: Collection[str]) -> frozenset[str]:
        """Give these people keys where they have none; who got one."""
        self.ready()
        return self._keyring.make(people)

    def destroy(self, people: Collection[str]) -> None:
        """Destroy these people's keys: whatever was written under them is noise from now on, in every copy."""
        self.ready()
        self._keyring.destroy(people)

    def _begin(self, connection: Connection) -> None:
        """Say which keyring is this ledger's, having moved into it what an older onboard kept in the database."""
        from onboard.ledger.privacy.moving import move

        if _KEYRING in _marks(connection):
            return
        self._keyring.make((INDEX,))
        index = self._keyring.keys((INDEX,))[INDEX]
        if INDEX in _marks(connection):
            move(connection, self._keyring)
            connection.execute(delete(ledger_keys).where(ledger_keys.c.name == INDEX))
            connection.execute(insert(ledger_keys).values(name=_SCRUB, key=b""))
        connection.execute(insert(ledger_keys).values(name=_KEYRING, key=mark(index)))

    def _scrub(self) -> None:
        """Remove the moved keys from wherever the database still has them; if others prevent it, the next run does."""
        try:
            self._database.scrub(*(table.name for table in (ledger_keys, person_keys, person_data, person_index)))
        except Waiting:
            return
        with self._database.writing() as connection:
            connection.execute(delete(ledger_keys).where(ledger_keys.c.name == _SCRUB))


def fernet(key: bytes) -> Fernet:
    """What seals and opens under a keyring's key."""
    return Fernet(base64.urlsafe_b64encode(key))


def mark(index: bytes) -> bytes:
    """What tells keyrings apart, and tells nothing of what they hold."""
    return hashlib.sha256(b"onboard keyring\0" + index).digest()[:8]


def belonging(connection: Connection) -> bytes | None:
    """The mark of the keyring that the ledger in this database belongs to; None where its keys are in the database."""
    return _marks(connection).get(_KEYRING)


def _marks(connection: Connection) -> dict[str, bytes]:
    return {row.name: bytes(row.key) for row in connection.execute(select(ledger_keys))}


def _lost(what: str, belongs: bytes) -> NoReturn:
    raise SystemFailed(
        SYSTEM,
        f"the keyring k-{belongs.hex()} of this ledger {what}. Without it nobody's name, address or account id can be "
        "read. Put back its newest copy, or correct [ledger] in onboard.toml. The journal is whole without it: onboard "
        "ledger verify; and what each opaque id was given: onboard export access.",
    )
