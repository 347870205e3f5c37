"""Whose changes were read back: where that is missing, whoever made the change was killed before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from onboard.ledger.entries import Entry
from onboard.ledger.records import ADOPTED, FOUND_GONE, LEFT_OVER

#: What is done besides a plan says nothing about whether the plan was read back.
_BESIDES = frozenset({FOUND_GONE, LEFT_OVER, ADOPTED})


@dataclass(frozen=True, slots=True)
class ReadBacks:
    """By person: the last intent since they were read back, and the last reading. Both are entries' numbers."""

    unread: Mapping[str, int] = field(default_factory=dict)
    read: Mapping[str, int] = field(default_factory=dict)

    def advance(self, entries: Iterable[Entry]) -> ReadBacks:
        """These and the ones that follow: entries of the kinds `intended` and `verified`."""
        unread, read = dict(self.unread), dict(self.read)
        for entry in entries:
            if entry.subject is None or entry.body.get("digest") in _BESIDES:
                continue
            if entry.kind == "intended":
                unread[entry.subject] = entry.seq
            elif entry.kind == "verified":
                unread.pop(entry.subject, None)
                read[entry.subject] = entry.seq
        return ReadBacks(MappingProxyType(unread), MappingProxyType(read))

    def matters(self) -> set[int]:
        """The entries that this rests on."""
        return {*self.unread.values(), *self.read.values()}
