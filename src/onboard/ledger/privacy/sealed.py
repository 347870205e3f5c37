"""Rows of personal data, sealed with their person's own key (Fernet). Without that key they are noise."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Protocol

from cryptography.fernet import Fernet
from sqlalchemy import ColumnElement, Connection, delete, insert, select, true, update

from onboard.errors import BadInput
from onboard.ledger.storage.tables import person_data, person_keys


class Opener(Protocol):
    """Has people's keys; see keys.py."""

    def fernets(self, people: Collection[str]) -> Mapping[str, Fernet]:
        """By person; whoever has no key is left out."""
        ...


def unseal(
    connection: Connection, keys: Opener, condition: ColumnElement[bool]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Person, purpose and decrypted content of the rows that fit; without those whose key is destroyed."""
    rows = connection.execute(select(person_data).where(condition)).all()
    fernets = keys.fernets({row.person for row in rows})
    for row in rows:
        if row.person in fernets:
            yield row.person, row.purpose, json.loads(fernets[row.person].decrypt(row.ciphertext))


def opened(connection: Connection, fernets: Mapping[str, Fernet]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The same of every row that these keys open."""
    return unseal(connection, _Given(fernets), true())


def seal(connection: Connection, keys: Opener, person: str, purpose: str, data: Mapping[str, Any]) -> None:
    """Keep this for a person under that purpose, in place of what was there. Raises BadInput without their key."""
    entered = connection.scalar(select(person_keys.c.person).where(person_keys.c.person == person))
    fernet = keys.fernets((person,)).get(person) if entered else None
    if fernet is None:
        raise unknown(person)
    ciphertext = fernet.encrypt(json.dumps(dict(data)).encode())
    mine = _row(person, purpose)
    if connection.execute(update(person_data).where(mine).values(ciphertext=ciphertext)).rowcount == 0:
        connection.execute(insert(person_data).values(person=person, purpose=purpose, ciphertext=ciphertext))


def remove(connection: Connection, person: str, purpose: str) -> None:
    """Keep nothing for a person under that purpose any more."""
    connection.execute(delete(person_data).where(_row(person, purpose)))


def unknown(person: str) -> BadInput:
    """What to raise for somebody of whom nothing is kept."""
    return BadInput.one(f"Nothing is known of {person}: nobody was entered under that id, or they were erased.")


class _Given:
    def __init__(self, fernets: Mapping[str, Fernet]) -> None:
        self._fernets = fernets

    def fernets(self, people: Collection[str]) -> Mapping[str, Fernet]:
        return {person: self._fernets[person] for person in people if person in self._fernets}


def _row(person: str, purpose: str) -> ColumnElement[bool]:
    return (person_data.c.person == person) & (person_data.c.purpose == purpose)
