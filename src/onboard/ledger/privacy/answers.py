"""Answers that came in from outside (a pressed button, a comment on a ticket), on record before they are acknowledged.

Each is kept under its person's own key, once: what comes a second time isn't taken, whoever sends it, also after a
restart. It stays open until somebody has dealt with it, and is kept for a day after that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import select

from onboard.ledger.entries import Record
from onboard.ledger.privacy.sealed import remove, seal, unseal
from onboard.ledger.storage.tables import person_data

if TYPE_CHECKING:
    from onboard.ledger.store import Ledger

#: How long an answer that was dealt with is remembered, so that it isn't taken again. Every way in refuses older ones.
KEPT = timedelta(days=1)
_PURPOSE = "answer:"

Decision = Literal["approve", "refuse"]
Stage = Literal["open", "decided", "done"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered to a plan: `system` and `account` say by which account of theirs, an opaque id.

    `account` is None for one that is nobody's here; the answer is then kept under the person whom the plan is about.
    `reply` is where to tell them what came of it, if anywhere. `decided`: their word is on record, and what follows
    from it is still to be done. `tries` counts how often that failed for something that may pass.
    """

    key: str
    person: str
    system: str
    account: str | None
    digest: str
    decision: Decision
    accepts: tuple[str, ...]
    at: datetime
    reply: str = ""
    stage: Stage = "open"
    tries: int = 0


def notified(digest: str, person: str, system: str) -> Record:
    """This person was told on that system that the digest needs their word; by a ticket, nobody in particular was."""
    return Record("notified", {"digest": digest, "system": system}, person)


def turned_away(digest: str, system: str, decision: str, why: str) -> Record:
    """An answer to this digest that came in from a system and didn't count; `why` is a word or two, without names."""
    return Record("turned_away", {"digest": digest, "system": system, "decision": decision, "why": why})


def key_of(*parts: str) -> str:
    """The key by which an answer is known again, from what its vendor gives it as a name."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


class Answers:
    """Those on record. Safe from several threads and processes; raises SystemFailed where the database fails."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database
        self._keys = ledger.keys

    def take(self, answer: Answer) -> bool:
        """Keep an answer; False where one with its key is kept already. On disk when this returns.

        Raises BadInput where nothing is known of its person.
        """
        self._keys.ready()
        with self._database.writing() as connection:
            known = select(person_data.c.person).where(person_data.c.purpose == _PURPOSE + answer.key)
            if connection.scalar(known) is not None:
                return False
            seal(connection, self._keys, answer.person, _PURPOSE + answer.key, _json(answer))
        return True

    def open(self) -> list[Answer]:
        """Those that nobody has dealt with yet, the oldest first."""
        return sorted((answer for answer in self._all() if answer.stage != "done"), key=lambda answer: answer.at)

    def decided(self, answer: Answer) -> Answer:
        """Their word is on record."""
        return self._put(replace(answer, stage="decided"))

    def put_off(self, answer: Answer) -> Answer:
        """It could not be dealt with now; it stays open."""
        return self._put(replace(answer, tries=answer.tries + 1))

    def done(self, answer: Answer) -> Answer:
        """It is dealt with, and where to reply isn't needed any more."""
        return self._put(replace(answer, stage="done", reply=""))

    def forget(self, now: datetime) -> None:
        """Delete what was dealt with long enough ago."""
        old = [answer for answer in self._all() if answer.stage == "done" and answer.at < now - KEPT]
        self._remove(old)

    def _put(self, answer: Answer) -> Answer:
        self._keys.ready()
        with self._database.writing() as connection:
            seal(connection, self._keys, answer.person, _PURPOSE + answer.key, _json(answer))
        return answer

    def _remove(self, answers: Collection[Answer]) -> None:
        if not answers:
            return
        with self._database.writing() as connection:
            for answer in answers:
                remove(connection, answer.person, _PURPOSE + answer.key)

    def _all(self) -> list[Answer]:
        with self._database.reading() as connection:
            rows = list(unseal(connection, self._keys, person_data.c.purpose.startswith(_PURPOSE)))
        return [_answer(person, purpose.removeprefix(_PURPOSE), data) for person, purpose, data in rows]


def _json(answer: Answer) -> dict[str, Any]:
    return {
        "system": answer.system,
        "account": answer.account,
        "digest": answer.digest,
        "decision": answer.decision,
        "accepts": list(answer.accepts),
        "at": answer.at.isoformat(),
        "reply": answer.reply,
        "stage": answer.stage,
        "tries": answer.tries,
    }


def _answer(person: str, key: str, data: dict[str, Any]) -> Answer:
    kept = {**data, "at": datetime.fromisoformat(data["at"]), "accepts": tuple(data["accepts"])}
    return Answer(key=key, person=person, **kept)
