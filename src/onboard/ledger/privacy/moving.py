"""From ledgers whose people's keys lay in the same database (shapes 0001 to 0003) to a keyring apart from it."""

from __future__ import annotations

import json

from cryptography.fernet import Fernet
from sqlalchemy import Connection, select, update

from onboard.ledger.privacy.keyring import Keyring
from onboard.ledger.privacy.keys import INDEX, fernet
from onboard.ledger.privacy.prints import reindex
from onboard.ledger.storage.tables import person_data, person_keys


def move(connection: Connection, keyring: Keyring) -> None:
    """Seal everything under fresh keys of the keyring's: an older backup's keys must not open what is written now.

    The fresh keys last before anything rests on them; killed in between, it is done again, with the same ones.
    """
    kept = connection.execute(select(person_keys).where(person_keys.c.key != b"")).all()
    old = {row.person: Fernet(bytes(row.key)) for row in kept}
    keyring.make(old)
    new = {person: fernet(key) for person, key in keyring.keys(old).items()}
    for row in connection.execute(select(person_data).where(person_data.c.person.in_(list(old)))).all():
        data = json.loads(old[row.person].decrypt(row.ciphertext))
        mine = (person_data.c.person == row.person) & (person_data.c.purpose == row.purpose)
        sealed = new[row.person].encrypt(json.dumps(data).encode())
        connection.execute(update(person_data).where(mine).values(ciphertext=sealed))
    connection.execute(update(person_keys).values(key=b""))
    reindex(connection, keyring.keys((INDEX,))[INDEX], new)
