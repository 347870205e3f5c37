"""What a register may forget: what is over, so that no answer about now rests on it, nor will whatever comes.

Grants that were taken back, plans that were applied or replaced, readings that were followed by others: of a journal of
years this is nearly all. What nobody counted on any more and comes up again all the same (a late outcome of a change
that was settled, an approval of a plan that was applied) is found by `stirs`; the journal is then folded anew with that
pinned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from onboard.ledger.entries import Entry
from onboard.ledger.projections.register import Archive, Register
from onboard.ledger.records import CUT_OFF, Result

_SETTLE = frozenset({"applied", "refused", "withdrawn", "expired"})


@dataclass(frozen=True, slots=True)
class Pins:
    """Intents and digests of plans that may not be forgotten, since the journal comes back to them later."""

    intents: frozenset[int] = frozenset()
    digests: frozenset[str] = frozenset()


def compacted(register: Register, archive: Archive, pins: Pins | None = None) -> tuple[Register, frozenset[int]]:
    """The register without what is over, and the entries from which it can be built again.

    They depend on the journal alone, not on when it was compacted before.
    """
    kept = matters(register, pins or Pins())
    return register.only(kept, archive), kept


def matters(register: Register, pins: Pins) -> frozenset[int]:
    """The numbers of the entries that a register by these entries alone needs to answer the same about now."""
    effects, decisions = register.effects, register.decisions
    intents = effects.matters(pins.intents) | set(register.read_backs.unread.values()) | _begun(register)
    by_digest: defaultdict[str, list[int]] = defaultdict(list)
    for seq in intents:
        by_digest[effects.intents[seq].digest].append(seq)
    outcomes = {ended.entry for seq in intents if (ended := effects.intents[seq].outcome)}
    decided = decisions.matters(by_digest, pins.digests)
    others = register.read_backs.matters() | {*register.kept, register.review[0]} - {0}
    return frozenset(intents | outcomes | decided | others)


def _begun(register: Register) -> set[int]:
    """What was begun under proposals and not applied since, and what was cut off of people who are out."""
    begun = {i.seq for digest in register.decisions.proposals for i in register.intents(digest)}
    levers = register.intents(CUT_OFF)
    since = {person: gone.entry for person in {i.change.person for i in levers} if (gone := register.left(person))}
    return begun | {i.seq for i in levers if i.seq > since.get(i.change.person, i.seq)}


def stirs(register: Register, entries: Iterable[Entry]) -> bool:
    """Whether one of these further entries comes back to something that the register has, or may have, forgotten."""
    return any(_stirs(register, entry, proposed) for entry, proposed in _with_proposed(register, entries))


def _with_proposed(register: Register, entries: Iterable[Entry]) -> Iterable[tuple[Entry, set[str]]]:
    proposed: set[str] = set()
    for entry in entries:
        if entry.kind == "proposed":
            proposed.add(entry.body["digest"])
        if register.forgot:
            yield entry, proposed


def _stirs(register: Register, entry: Entry, proposed: set[str]) -> bool:
    if entry.kind == "approved":
        digest = entry.body["digest"]
        return digest not in proposed and digest not in register.decisions.proposals
    if entry.kind != "outcome" or entry.body["intent"] > register.forgot:
        return False
    known = register.effects.intents.get(entry.body["intent"])
    return known is None or known.result is not Result.UNCERTAIN


@dataclass(slots=True)
class Prescan:
    """Finds what a journal comes back to after it was settled."""

    intents: set[int] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)
    _settled: set[int] = field(default_factory=set)
    _proposed: set[str] = field(default_factory=set)

    def take(self, entry: Entry) -> None:
        """Look at the next entry."""
        if entry.kind == "outcome":
            intent = entry.body["intent"]
            if intent in self._settled:
                self.intents.add(intent)
            elif entry.body["result"] != Result.UNCERTAIN.value:
                self._settled.add(intent)
        elif entry.kind == "proposed":
            self._proposed.add(entry.body["digest"])
        elif entry.kind in _SETTLE:
            self._proposed.discard(entry.body["digest"])
        elif entry.kind == "approved" and entry.body["digest"] not in self._proposed:
            self.digests.add(entry.body["digest"])

    def pins(self) -> Pins:
        """What may not be forgotten."""
        return Pins(frozenset(self.intents), frozenset(self.digests))
