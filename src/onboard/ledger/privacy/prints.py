"""What of people must be unique, or is found by its value: e-mail addresses, handles, external ids.

They stand in an index under a keyed hash. It can be built anew from what is kept of people, so no backup holds it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import Connection, delete, insert, select

from onboard.ledger.privacy.sealed import opened
from onboard.ledger.storage.tables import person_index

PROFILE = "profile"
#: What is claimed, on which system ("" for none), and its value.
Claim = tuple[str, str, str]


def claims_of(purpose: str, data: Mapping[str, Any]) -> list[Claim]:
    """What a row of personal data claims for its person."""
    if purpose == PROFILE:
        return [("e-mail address", "", data["email"]), *(("handle", *pair) for pair in data["handles"].items())]
    if purpose.startswith("account:") and data["external_id"]:
        return [("external id", data["system"], data["external_id"])]
    return []


def fingerprint(key: bytes, claim: Claim) -> str:
    """The keyed hash of what is claimed; case counts in external ids only."""
    what, system, value = claim
    text = value if what == "external id" else value.casefold()
    return hmac.new(key, f"{what}\0{system}\0{text}".encode(), hashlib.sha256).hexdigest()


def enter(connection: Connection, key: bytes, person: str, purpose: str, claims: Iterable[Claim]) -> Iterator[str]:
    """Enter what is claimed; yields what somebody else has."""
    for claim in claims:
        what, system, value = claim
        print_ = fingerprint(key, claim)
        holder = connection.execute(select(person_index).where(person_index.c.fingerprint == print_)).first()
        if holder is None:
            connection.execute(insert(person_index).values(fingerprint=print_, person=person, purpose=purpose))
        elif (holder.person, holder.purpose) != (person, purpose):
            where = f" on {system}" if system else ""
            yield f"The {what} {value}{where} is already that of {holder.person}; give another, or use that person."


def reindex(connection: Connection, key: bytes, fernets: Mapping[str, Fernet]) -> None:
    """Build the whole index anew from what these keys open."""
    connection.execute(delete(person_index))
    rows = [
        {"fingerprint": fingerprint(key, claim), "person": person, "purpose": purpose}
        for person, purpose, data in opened(connection, fernets)
        for claim in claims_of(purpose, data)
    ]
    if rows:
        connection.execute(insert(person_index), rows)
