"""Rows of personal data, sealed with their person's own key (Fernet). Without that key they are noise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from onboard.errors import BadInput
from onboard.ledger.tables import person_data, person_keys


def unseal(connection: Connection, condition: ColumnElement[bool]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Person, purpose and decrypted content of the rows that fit."""
    joined = person_data.join(person_keys, person_keys.c.person == person_data.c.person)
    rows = select(person_data.c.person, person_data.c.purpose, person_data.c.ciphertext, person_keys.c.key)
    for row in connection.execute(rows.select_from(joined).where(condition)).all():
        yield row.person, row.purpose, json.loads(Fernet(row.key).decrypt(row.ciphertext))


def seal(connection: Connection, person: str, purpose: str, data: Mapping[str, Any]) -> None:
    """Keep this for a person under that purpose, in place of what was there. Raises BadInput without their key."""
    key = connection.scalar(select(person_keys.c.key).where(person_keys.c.person == person))
    if key is None:
        raise unknown(person)
    ciphertext = Fernet(key).encrypt(json.dumps(dict(data)).encode())
    mine = _row(person, purpose)
    if connection.execute(update(person_data).where(mine).values(ciphertext=ciphertext)).rowcount == 0:
        connection.execute(insert(person_data).values(person=person, purpose=purpose, ciphertext=ciphertext))


def remove(connection: Connection, person: str, purpose: str) -> None:
    """Keep nothing for a person under that purpose any more."""
    connection.execute(delete(person_data).where(_row(person, purpose)))


def unknown(person: str) -> BadInput:
    """What to raise for somebody of whom nothing is kept."""
    return BadInput.one(f"Nothing is known of {person}: nobody was entered under that id, or they were erased.")


def _row(person: str, purpose: str) -> ColumnElement[bool]:
    return (person_data.c.person == person) & (person_data.c.purpose == purpose)
