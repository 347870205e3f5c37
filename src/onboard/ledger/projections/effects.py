"""What was attempted on the systems, how it ended, and so what is ours there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from onboard.ledger.entries import Entry
from onboard.ledger.projections.indexing import extended
from onboard.ledger.records import ChangeRecord, Result
from onboard.ledger.spelling import receipt_of
from onboard.levels import FOUNDATIONS, scale_of
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
            key = _key(intent)
            held[key] = _after(held.get(key, frozenset()), intent)
        return {key: levels for key, levels in held.items() if levels}

    def last_given(self) -> dict[tuple[str, str], int]:
        """The intent by which somebody was last to be given something besides a login, by person and system."""
        given = (i for i in self.intents.values() if i.change.after is not None)
        return {(i.change.person, i.change.system): i.seq for i in given if i.change.resource.type not in FOUNDATIONS}

    def last_attempts(self) -> dict[tuple[str, Resource], Intended]:
        """The last attempt to give somebody something, whatever came of it, by person and resource."""
        given = (i for i in self.intents.values() if i.change.after is not None)
        return {(i.change.person, i.change.resource): i for i in given}

    def matters(self, pinned: Collection[int] = ()) -> set[int]:
        """The intents on which the answers about now rest, and will whatever outcomes are still to come.

        Of what was settled it may be forgotten what nothing rests on, but for what hangs together with the `pinned`.
        """
        moments: defaultdict[Key, list[tuple[int, Intended]]] = defaultdict(list)
        for moment, intent in sorted(self._moments(), key=lambda moment: moment[0]):
            moments[_key(intent)].append((moment, intent))
        kept = {_key(self.intents[seq]) for seq in pinned if seq in self.intents}
        whole = {seq for seq, intent in self.intents.items() if _key(intent) in kept} if kept else set()
        resting = {seq for told in moments.values() for seq in _resting(told)}
        held = {(person, resource) for person, _, resource in self.owned()}
        tried = {i.seq for where, i in self.last_attempts().items() if where in held}
        return whole | resting | tried | set(self.last_given().values())

    def only(self, kept: frozenset[int]) -> Effects:
        """The same without the intents that aren't among these."""
        intents = {seq: intent for seq, intent in self.intents.items() if seq in kept}
        by_digest: dict[str, list[int]] = {}
        for seq, intent in intents.items():
            by_digest.setdefault(intent.digest, []).append(seq)
        return Effects(MappingProxyType(intents), extended({}, by_digest))

    def _moments(self) -> Iterator[tuple[int, Intended]]:
        for intent in self.intents.values():
            if intent.outcome and intent.result is Result.DONE and intent.change.after is not None:
                yield intent.outcome.entry, intent
            elif intent.result is not Result.FAILED:
                yield intent.seq, intent


def _key(intent: Intended) -> Key:
    return intent.change.person, intent.change.account, intent.change.resource


def _resting(moments: Iterable[tuple[int, Intended]]) -> Iterator[int]:
    """The intents of one key that count from the first on by which something is held now, or may be.

    What came before, a later change that is done has taken away.
    """
    givers: dict[str, list[int]] = {}
    told = list(moments)
    for moment, intent in told:
        if intent.result is Result.DONE:
            for level in _replaced(frozenset(givers), intent):
                givers.pop(level, None)
        if intent.change.after is not None:
            givers.setdefault(intent.change.after, []).append(moment)
    open_ = [moment for moment, intent in told if intent.result is Result.UNCERTAIN]
    first = min((moment for given in (*givers.values(), open_) for moment in given), default=None)
    return (intent.seq for moment, intent in told if first is not None and moment >= first)


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
