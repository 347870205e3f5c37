"""Checking a journal, here or offline on an export: is it one unbroken chain, and if not, where does it break first?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onboard.errors import OnboardError
from onboard.ledger.entries import GENESIS, Entry, Head, encode, fingerprint, read


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many entries are proven, the last one's hash, and what is wrong first: None, or `entry 41: …`."""

    count: int
    head: str
    problem: str | None = None


def verify(entries: Iterable[Entry], *, known: Head | None = None) -> Verdict:
    """Follow the chain from its beginning to the first entry changed, removed, inserted or reordered.

    That the newest entries were cut off shows only against a `known` head, noted or published earlier. Never raises
    for what the entries are.
    """
    proven = Head(0, GENESIS)
    try:
        for entry in entries:
            problem = _break(entry, proven) or _denies(entry, known)
            if problem:
                return Verdict(proven.seq, proven.hash, problem)
            proven = Head(entry.seq, entry.hash)
    except OnboardError as unreadable:
        return Verdict(proven.seq, proven.hash, str(unreadable))
    if known and proven.seq < known.seq:
        lost = f"entry {proven.seq + 1}: is missing; the journal once reached entry {known.seq}"
        return Verdict(proven.seq, proven.hash, lost)
    return Verdict(proven.seq, proven.hash)


def _break(entry: Entry, proven: Head) -> str | None:
    """Why an entry doesn't continue what is proven, blaming the entry that must have been touched."""
    expected = proven.seq + 1
    if entry.seq > expected:
        return f"entry {expected}: is missing; entry {entry.seq} stands in its place"
    if entry.seq < expected:
        return f"entry {entry.seq}: stands twice or was moved; after entry {proven.seq} comes entry {expected}"
    if fingerprint(entry.canonical()) != entry.hash:
        return f"entry {entry.seq}: was changed; its content no longer has the hash {entry.hash[:12]}…"
    if entry.prev == proven.hash:
        return None
    if proven.seq == 0:
        return "entry 1: doesn't begin a chain; something before it was removed"
    return f"entry {proven.seq}: was replaced; entry {entry.seq} continues another entry {proven.seq}"


def _denies(entry: Entry, known: Head | None) -> str | None:
    if known and entry.seq == known.seq and entry.hash != known.hash:
        return f"entry {entry.seq}: was replaced, or one before it; it was known by the hash {known.hash[:12]}…"
    return None


def export(entries: Iterable[Entry]) -> Iterator[str]:
    """The journal as JSON Lines, one line (with its line break) an entry."""
    return (entry.line() + "\n" for entry in entries)


def load(lines: Iterable[str]) -> Iterator[Entry]:
    """The entries of an export. Raises OnboardError at the first line that is none, when it is reached."""
    for place, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            claimed = fields.pop("hash")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise OnboardError(f"entry {place}: cannot be read as an entry: {error!r}") from error
        yield read(encode(fields), claimed, place)
