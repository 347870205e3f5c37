"""Personal data, beside the journal and under a key per person. Destroying the key erases the person.

Everything is encrypted with the person's own key (Fernet: AES-128-CBC and HMAC-SHA256), which is kept apart, in the
keyring. What must be unique or found by its value stands in an index under a keyed hash (prints.py).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from onboard.errors import BadInput, Problem
from onboard.ledger.privacy.keys import Keys
from onboard.ledger.privacy.prints import PROFILE, claims_of, enter, fingerprint
from onboard.ledger.privacy.sealed import seal, unknown, unseal
from onboard.ledger.storage.database import Database
from onboard.ledger.storage.tables import person_data, person_index, person_keys

#: Letters of a name's word that may stand for it: fewer would name people by accident.
SHORTEST_NAME = 3
#: What counts as an e-mail address: something, an @, and a domain. Whether it exists only a message can tell.
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
#: What could forge a line, or colour or turn round what is shown: control characters and changes of direction.
_HIDDEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")
#: What a person leaves no row in when erased, in the order in which rows can go.
_OF_PEOPLE = (person_index, person_data, person_keys)
_ID_PREFIX = re.compile(r"(?:p-)?([0-9a-f]{4,32})")


@dataclass(frozen=True, slots=True)
class Profile:
    """Who a person is: name, e-mail address, and by system name the handle that people type there."""

    name: str
    email: str
    handles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Identity(NamedTuple):
    """Whose an account is, where, under which immutable id (None while it doesn't exist there yet), and its handle."""

    person: str
    system: str
    external_id: str | None
    handle: str


def _nothing(_: Connection) -> None:
    return


class People:
    """The people that this ledger knows, and what their opaque ids stand for.

    Methods that name a person or account raise BadInput where nothing is known under that id (any more).
    """

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys

    def add(self, person: str, profile: Profile) -> None:
        """Enter a person. Raises BadInput where the id is taken, or as `add_all`."""
        self.add_all({person: profile})

    def add_all(self, profiles: Mapping[str, Profile]) -> None:
        """Enter several people, or none of them.

        Raises BadInput with every problem: an id, e-mail address or handle that is taken, a name or address missing.
        """
        made = self._keys.make(profiles)
        try:
            with self._writing() as connection:
                problems = [
                    text for person, profile in profiles.items() for text in self._enter(connection, person, profile)
                ]
                _raise(problems)
        except BadInput:
            self._keys.destroy(made)
            raise

    def _enter(self, connection: Connection, person: str, profile: Profile) -> list[str]:
        if connection.scalar(select(person_keys.c.person).where(person_keys.c.person == person)):
            return [f"{person} is entered already; change it instead."]
        connection.execute(insert(person_keys).values(person=person, key=b""))
        return [*_lacking(profile), *self._keep(connection, person, PROFILE, _profile_json(profile))]

    def update(self, person: str, profile: Profile, along: Callable[[Connection], object] = _nothing) -> None:
        """Replace what is known of a person; `along` writes what has to stand with it. Raises BadInput as `add_all`."""
        with self._writing() as connection:
            mine = (person_index.c.person == person) & (person_index.c.purpose == PROFILE)
            connection.execute(delete(person_index).where(mine))
            _raise([*_lacking(profile), *self._keep(connection, person, PROFILE, _profile_json(profile))])
            along(connection)

    def get(self, person: str) -> Profile:
        """Who a person is."""
        with self._reading() as connection:
            for _, _, data in unseal(
                connection, self._keys, (person_data.c.purpose == PROFILE) & (person_data.c.person == person)
            ):
                return _profile_of(data)
        raise unknown(person)

    def all(self) -> dict[str, Profile]:
        """Everybody, by person id."""
        with self._reading() as connection:
            rows = unseal(connection, self._keys, person_data.c.purpose == PROFILE)
            return {person: _profile_of(data) for person, _, data in rows}

    def find(self, text: str, among: Iterable[str] | None = None) -> list[str]:
        """The people that a typed text may mean, sorted: none, the one, or several to choose from.

        An id or its beginning (at least 4 digits, with or without `p-`), a whole name, e-mail address or handle; where
        none of these fits, the beginning (at least 3 letters) of one of the name's words. Case doesn't matter. With
        `among`, only these ids are looked at.
        """
        wanted = text.strip().casefold()
        profiles = self.all()
        ids = self._entered() if among is None else set(among)
        known = {person: profile for person, profile in profiles.items() if person in ids}
        prefix = _ID_PREFIX.fullmatch(wanted)
        exact = {person for person in ids if prefix and person.startswith(f"p-{prefix[1]}")}
        exact |= {person for person, profile in known.items() if wanted in _whole(profile)}
        if exact or len(wanted) < SHORTEST_NAME:
            return sorted(exact)
        return sorted(p for p, profile in known.items() if f" {wanted}" in f" {profile.name.casefold()}")

    def bind(self, account: str, person: str, system: str, external_id: str | None, handle: str) -> None:
        """Keep what an account id stands for. Repeating it may add the immutable id, or follow a renamed handle.

        Raises BadInput where the account is somebody else's, on another system or under another immutable id, or where
        that immutable id is another account's.
        """
        purpose = f"account:{account}"
        with self._writing() as connection:
            for owner, _, data in unseal(connection, self._keys, person_data.c.purpose == purpose):
                _same(account, Identity(owner, **data), Identity(person, system, external_id, handle))
                external_id = external_id or data["external_id"]
            kept = {"system": system, "external_id": external_id, "handle": handle}
            _raise(self._keep(connection, person, purpose, kept))

    def account(self, account: str) -> Identity:
        """What an account id stands for."""
        with self._reading() as connection:
            for person, _, data in unseal(connection, self._keys, person_data.c.purpose == f"account:{account}"):
                return Identity(person, **data)
        raise BadInput.one(f"No account is kept under {account}; either it was never bound, or its person was erased.")

    def accounts(self, person: str) -> dict[str, Identity]:
        """A person's accounts, by account id."""
        mine = (person_data.c.person == person) & person_data.c.purpose.startswith("account:")
        with self._reading() as connection:
            rows = list(unseal(connection, self._keys, mine))
        return {purpose.removeprefix("account:"): Identity(owner, **data) for owner, purpose, data in rows}

    def account_by_external(self, system: str, external_id: str) -> str | None:
        """The account that has this immutable id on this system, if one is bound."""
        print_ = fingerprint(self._keys.index(), ("external id", system, external_id))
        with self._reading() as connection:
            purpose = connection.scalar(select(person_index.c.purpose).where(person_index.c.fingerprint == print_))
        return purpose.removeprefix("account:") if purpose else None

    def note(self, person: str, text: str) -> str:
        """Keep free text about a person, such as a justification. Returns the id by which the journal may name it."""
        note = f"n-{secrets.token_hex(16)}"
        with self._writing() as connection:
            seal(connection, self._keys, person, f"note:{note}", {"text": text})
        return note

    def text_of(self, note: str) -> str:
        """The text of a note. Raises BadInput where there is none, or its person was erased."""
        with self._reading() as connection:
            for _, _, data in unseal(connection, self._keys, person_data.c.purpose == f"note:{note}"):
                return str(data["text"])
        raise BadInput.one(f"No text is kept under {note}; its person may have been erased.")

    def kept(self, person: str) -> dict[str, dict[str, Any]]:
        """Everything that is kept under a person's key, in clear, by purpose: profile, `account:…`, `note:…`, codes."""
        with self._reading() as connection:
            return {
                purpose: data for _, purpose, data in unseal(connection, self._keys, person_data.c.person == person)
            }

    def knows(self, person: str) -> bool:
        """Whether anything is kept of a person, be it only their key."""
        with self._reading() as connection:
            return bool(connection.scalar(select(person_keys.c.person).where(person_keys.c.person == person)))

    def _entered(self) -> set[str]:
        """Everybody of whom a row is kept, also where their key is destroyed already and their erasure unfinished."""
        with self._database.reading() as connection:
            return set(connection.scalars(select(person_keys.c.person)))

    def forget(self, notes: Iterable[str]) -> int:
        """Delete these notes; how many there still were. Raises Waiting as `erase`."""
        purposes = [f"note:{note}" for note in notes]
        with self._database.writing() as connection:
            gone = sum(
                connection.execute(delete(person_data).where(person_data.c.purpose == purpose)).rowcount
                for purpose in purposes
            )
        if gone:
            self._database.scrub(person_data.name)
        return gone

    def erase(self, person: str) -> None:
        """Destroy a person's key, and delete what was kept under it, here and in the write-ahead log. May be repeated.

        Raises Waiting where the key is destroyed and the rows deleted, but the log couldn't be emptied of them yet.
        """
        self._keys.destroy((person,))
        with self._database.writing() as connection:
            for table in _OF_PEOPLE:
                connection.execute(delete(table).where(table.c.person == person))
        self._database.scrub(*(table.name for table in _OF_PEOPLE))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A transaction that reads, the keyring looked at before: what is to be moved or scrubbed must not be held."""
        self._keys.ready()
        with self._database.reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that writes, the keyring looked at before: nobody else waits for that."""
        self._keys.ready()
        with self._database.writing() as connection:
            yield connection

    def _keep(self, connection: Connection, person: str, purpose: str, data: Mapping[str, Any]) -> list[str]:
        """Seal this, and enter what must be unique in it; what of that somebody else has."""
        seal(connection, self._keys, person, purpose, data)
        return list(enter(connection, self._keys.index(), person, purpose, claims_of(purpose, data)))


def _profile_json(profile: Profile) -> dict[str, Any]:
    return {"name": profile.name, "email": profile.email, "handles": dict(profile.handles)}


def _profile_of(data: Mapping[str, Any]) -> Profile:
    return Profile(data["name"], data["email"], MappingProxyType(data["handles"]))


def _whole(profile: Profile) -> set[str]:
    return {text.casefold() for text in (profile.name, profile.email, *profile.handles.values())}


def _lacking(profile: Profile) -> list[str]:
    """What a profile must have and hasn't."""
    problems = [] if profile.name.strip() else ["A person needs a name."]
    if not EMAIL.fullmatch(profile.email):
        problems.append(f"{profile.email!r} is no e-mail address; expected one like ada@example.com.")
    texts = [profile.name, profile.email, *profile.handles.values()]
    if any(_HIDDEN.search(text) for text in texts):
        problems.append("A name, address or handle holds a control character, such as a line break; leave it out.")
    empty = [system for system, handle in profile.handles.items() if not handle.strip()]
    return [*problems, *(f"The handle on {system} is empty; leave it out instead." for system in empty)]


def _same(account: str, kept: Identity, new: Identity) -> None:
    if (kept.person, kept.system) != (new.person, new.system):
        raise BadInput.one(f"{account} is {kept.person}'s account on {kept.system}; bind another account instead.")
    if kept.external_id and new.external_id and kept.external_id != new.external_id:
        raise BadInput.one(
            f"{account} has another immutable id on {kept.system}; that never changes: bind a new account."
        )


def _raise(messages: Iterable[str]) -> None:
    problems = [Problem("", 0, message) for message in messages]
    if problems:
        raise BadInput(problems)
