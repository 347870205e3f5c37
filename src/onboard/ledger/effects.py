"""What was attempted on the systems, how it ended, and so what is ours there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from onboard.ledger.entries import Entry
from onboard.ledger.indexing import extended
from onboard.ledger.records import ChangeRecord, Result, receipt_of
from onboard.levels import scale_of
from onboard.model import Actor, Receipt, Resource

#: (person, account, resource)
Key: TypeAlias = tuple[str, str, Resource]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a write ended, as its entry says."""

    entry: int
    at: datetime
    result: Result
    receipt: Receipt | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Intended:
    """A change that was about to be made, and how it ended as far as is known."""

    seq: int
    at: datetime
    actor: Actor
    digest: str
    change: ChangeRecord
    outcome: Ended | None = None

    @property
    def result(self) -> Result:
        """Uncertain until an outcome says otherwise."""
        return self.outcome.result if self.outcome else Result.UNCERTAIN

    @property
    def receipt(self) -> Receipt | None:
        """What the system answered, as far as it was kept."""
        return self.outcome.receipt if self.outcome else None


@dataclass(frozen=True, slots=True)
class Effects:
    """Every intent by its entry's number, and those of each digest."""

    intents: Mapping[int, Intended] = field(default_factory=dict)
    by_digest: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def advance(self, entries: Iterable[Entry]) -> Effects:
        """These effects and the ones that follow."""
        intents = dict(self.intents)
        by_digest: dict[str, list[int]] = {}
        for entry in entries:
            body = entry.body
            if entry.kind == "intended":
                change = ChangeRecord.of(body["change"])
                intents[entry.seq] = Intended(entry.seq, entry.at, entry.actor, body["digest"], change)
                by_digest.setdefault(body["digest"], []).append(entry.seq)
            else:
                intents[body["intent"]] = replace(intents[body["intent"]], outcome=_ended(entry))
        return Effects(MappingProxyType(intents), extended(self.by_digest, by_digest))

    def unresolved(self) -> Iterator[Intended]:
        """What may have taken effect or not."""
        return (intent for intent in self.intents.values() if intent.result is Result.UNCERTAIN)

    def owned(self) -> dict[Key, frozenset[str]]:
        """What we granted, or may have granted, and haven't surely revoked.

        A grant that is uncertain counts from when it was intended; one that is done, from its outcome. A revocation
        that is done takes away what was there when it was intended. Everything else changes nothing.
        """
        held: dict[Key, frozenset[str]] = {}
        for _, intent in sorted(self._moments(), key=lambda moment: moment[0]):
            key = (intent.change.person, intent.change.account, intent.change.resource)
            held[key] = _after(held.get(key, frozenset()), intent)
        return {key: levels for key, levels in held.items() if levels}

    def _moments(self) -> Iterator[tuple[int, Intended]]:
        for intent in self.intents.values():
            if intent.outcome and intent.result is Result.DONE and intent.change.after is not None:
                yield intent.outcome.entry, intent
            elif intent.result is not Result.FAILED:
                yield intent.seq, intent


def _after(held: frozenset[str], intent: Intended) -> frozenset[str]:
    gone = _replaced(held, intent) if intent.result is Result.DONE else frozenset()
    given = [] if intent.change.after is None else [intent.change.after]
    return (held - gone).union(given)


def _replaced(held: frozenset[str], intent: Intended) -> frozenset[str]:
    """What a change that is done has taken away: on an open scale just the level it names, else all."""
    if not scale_of(intent.change.resource).open:
        return held
    return frozenset({intent.change.before} if intent.change.before else ())


def _ended(entry: Entry) -> Ended:
    body = entry.body
    receipt = receipt_of(body["receipt"]) if body.get("receipt") else None
    return Ended(entry.seq, entry.at, Result(body["result"]), receipt, body.get("reason"))
