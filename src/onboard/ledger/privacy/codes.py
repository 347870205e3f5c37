"""One-time codes by which somebody shows that an account is theirs, kept beside them under their own key.

Of a code only a salted hash is kept (scrypt), with what it stands for: one account, the immutable id that this had and
the handle by which it was named to its owner. It counts once, for a day, and for five wrong tries; a new one takes the
place of the one before.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from onboard.ledger.privacy.keys import Keys
from onboard.ledger.privacy.sealed import remove, seal, unseal
from onboard.ledger.storage.database import Database
from onboard.ledger.storage.tables import person_data

LIFE = timedelta(hours=24)
TRIES = 5
#: Letters and digits that aren't mistaken for each other; eight of them are 39 bits.
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_HALF = 4


class Verdict(StrEnum):
    """What a typed code is worth: nothing but `RIGHT` shows anything."""

    RIGHT = "right"
    WRONG = "wrong"
    LAST = "wrong for the last time"
    EXPIRED = "expired"
    VOID = "for another account"
    NONE = "not open"


@dataclass(frozen=True, slots=True)
class Claim:
    """The account that a code stands for: whose, our id, the vendor's immutable one, and the handle that names it."""

    person: str
    account: str
    external_id: str
    handle: str


@dataclass(frozen=True, slots=True)
class Trial:
    """How a try went. `proof` is what the code shows if it is right; `left` counts the tries that remain.

    `since` and `until` are when the code was made and when it expires; None where none is open.
    """

    verdict: Verdict
    proof: str = ""
    left: int = 0
    since: datetime | None = None
    until: datetime | None = None


def _nothing(_: Connection, _proof: str) -> None:
    return


class Codes:
    """The open codes, at most one for an account. Safe from several threads and processes."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys

    def make(self, claim: Claim, proof: str, now: datetime) -> tuple[str, datetime]:
        """A new code and when it expires; any other for the account is void. This is the only time that it is told.

        `proof` is what typing it in will show. Raises BadInput where nothing is known of the person.
        """
        code, salt = "".join(secrets.choice(_LETTERS) for _ in range(2 * _HALF)), secrets.token_hex(16)
        kept = {
            "external_id": claim.external_id,
            "handle": claim.handle,
            "proof": proof,
            "salt": salt,
            "hash": _hash(code, salt),
            "since": now.isoformat(),
            "until": (now + LIFE).isoformat(),
            "wrong": 0,
        }
        self._keys.ready()
        with self._database.writing() as connection:
            seal(connection, self._keys, claim.person, _purpose(claim.account), kept)
        return f"{code[:_HALF]}-{code[_HALF:]}", now + LIFE

    def void(self, claim: Claim) -> None:
        """There is no code for this account from now on."""
        with self._database.writing() as connection:
            remove(connection, claim.person, _purpose(claim.account))

    def redeem(
        self, claim: Claim, typed: str, now: datetime, along: Callable[[Connection, str], object] = _nothing
    ) -> Trial:
        """Try a code, however it is spaced and cased. Right, it is spent; wrong, it stays for the tries that are left.

        Of several who type it at once, one is right. `along` puts on record what a right one shows (its proof), so that
        none is spent without.
        """
        self._keys.ready()
        with self._database.writing() as connection:
            kept = self._kept(connection, claim)
            if kept is None:
                return Trial(Verdict.NONE)
            verdict = _judge(kept, claim, typed, now)
            if verdict is Verdict.WRONG:
                kept["wrong"] += 1
                seal(connection, self._keys, claim.person, _purpose(claim.account), kept)
            else:
                remove(connection, claim.person, _purpose(claim.account))
            if verdict is Verdict.RIGHT:
                along(connection, kept["proof"])
        since, until = (datetime.fromisoformat(kept[name]) for name in ("since", "until"))
        return Trial(verdict, kept["proof"], TRIES - kept["wrong"], since, until)

    def _kept(self, connection: Connection, claim: Claim) -> dict[str, Any] | None:
        mine = (person_data.c.person == claim.person) & (person_data.c.purpose == _purpose(claim.account))
        return next((data for _, _, data in unseal(connection, self._keys, mine)), None)


def _judge(kept: dict[str, Any], claim: Claim, typed: str, now: datetime) -> Verdict:
    if (kept["external_id"], kept["handle"]) != (claim.external_id, claim.handle):
        return Verdict.VOID
    if now >= datetime.fromisoformat(kept["until"]):
        return Verdict.EXPIRED
    if hmac.compare_digest(_hash(_plain(typed), kept["salt"]), kept["hash"]):
        return Verdict.RIGHT
    return Verdict.LAST if kept["wrong"] + 1 >= TRIES else Verdict.WRONG


def _plain(typed: str) -> str:
    return "".join(typed.split()).replace("-", "").upper()


def _hash(code: str, salt: str) -> str:
    return hashlib.scrypt(code.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


def _purpose(account: str) -> str:
    return f"code:{account}"
