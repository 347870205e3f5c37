"""Checks an export of onboard's journal. Needs Python 3.11 and `cryptography`, nothing of onboard: copy it anywhere.

    python verify_export.py journal.jsonl [--key public.pem]... [--witness published.jsonl]...

Exit 0: whole; 4: broken, and the first entry that was changed, removed, inserted or moved is named; 2: bad input.
The format stands in docs/ledger-format.md. `onboard ledger verify` runs this same code. An entry's form and place are
checked; what its body says is proven by the hash, not judged.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

GENESIS = "0" * 64
_TEXT = rb'"(?:[^"\\]|\\.)*"'
_TAIL = rb',"kind":(%s),"prev":"([0-9a-f]{64})","seq":([1-9]\d{0,15}),"subject":(?:null|%s)\}' % (_TEXT, _TEXT)
_HEAD = rb'\{"actor":\{"authenticated_by":%s,"id":%s\},"at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",' % (_TEXT, _TEXT)
ENTRY = re.compile(_HEAD + rb'"body":\{.*\}' + _TAIL)
_HASH = re.compile(rb',"hash":"([0-9a-f]{64})"(?=' + _TAIL + rb"\Z)")
_LINE = re.compile(r'\{"at":"[^"]*","key":"[^"]*","root":"[^"]*","signature":"[^"]*","size":[1-9]\d{0,15}\}')

#: An entry as stored: the place it stands in, its canonical bytes, and the sha256 (in hex) that it claims.
Row = tuple[int, bytes, str]


class Broken(Exception):
    """The first entry that isn't as it was written, and what was done to it."""

    def __init__(self, entry: int, what: str) -> None:
        self.entry = entry
        super().__init__(f"entry {entry}: {what}")


class Checkpoint(NamedTuple):
    """Signed: at that time the journal had `size` entries, the last with the hash `root`. Key and signature: base64."""

    at: str
    key: str
    root: str
    signature: str
    size: int

    def statement(self) -> bytes:
        """The bytes that are signed."""
        return f"onboard ledger checkpoint 1\n{self.size}\n{self.root}\n{self.at}\n{self.key}\n".encode()

    def doubt(self, keys: Collection[str]) -> str | None:
        """Why it can't be relied on, where only these keys may sign (any, without one); None where it can."""
        try:
            key, signature = (base64.b64decode(text, validate=True) for text in (self.key, self.signature))
            Ed25519PublicKey.from_public_bytes(key).verify(signature, self.statement())
        except (InvalidSignature, ValueError):
            return "its signature doesn't fit"
        return f"it is signed by another key, {self.key}" if keys and self.key not in keys else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first `count` entries are one chain, the last with the hash `head`; then comes the `problem`, if any.

    `sealed` and `seen` prove them as far as they go: the newest checkpoints that agree, in it and of each witness.
    """

    count: int
    head: str
    problem: str | None = None
    sealed: Checkpoint | None = None
    seen: Mapping[str, Checkpoint] = field(default_factory=dict)

    @property
    def unsealed(self) -> int:
        """How many of the newest entries no checkpoint speaks for."""
        return self.count - (self.sealed.size if self.sealed else 0)


def link(last: int, prev: str, row: Row) -> bytes:
    """The kind (as JSON) of a row that continues entry `last`, whose hash is `prev`. Raises Broken."""
    (place, canonical, claimed), expected = row, last + 1
    if place != expected:
        raise Broken(expected, f"is missing; entry {place} stands in its place")
    if not (found := ENTRY.fullmatch(canonical)):
        raise Broken(expected, "cannot be read as an entry")
    if hashlib.sha256(canonical).hexdigest() != claimed:
        raise Broken(expected, f"was changed; its content no longer has the hash {claimed[:12]}…")
    kind, before, seq = found[1], found[2].decode(), int(found[3])
    if seq > expected:
        raise Broken(expected, f"is missing; entry {seq} stands in its place")
    if seq < expected:
        raise Broken(seq, f"stands twice or was moved; it stands in the place of entry {expected}")
    if before != prev:
        first = "doesn't begin a chain; something before it was removed"
        raise Broken(last or 1, f"was replaced; entry {seq} continues another entry {last}" if last else first)
    return kind


class _Chain:
    """The hashes of all entries that continue each other, and the checkpoints among them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.size, self.head, self._hashes = 0, GENESIS, bytearray()
        self.own: list[tuple[int, Checkpoint]] = []
        self.broken: list[Broken] = []
        try:
            for row in rows:
                if link(self.size, self.head, row) == b'"checkpoint"':
                    self.own.append((row[0], _told(row)))
                self.size, self.head = row[0], row[2]
                self._hashes += bytes.fromhex(self.head)
        except Broken as broken:
            self.broken.append(broken)

    def hash_of(self, entry: int) -> str:
        return self._hashes[32 * entry - 32 : 32 * entry].hex() if entry else GENESIS

    def denied(self, size: int, root: str, agreed: int, saw: str) -> Broken | None:
        """Why it isn't what somebody saw, who agrees up to entry `agreed`."""
        if size > self.size:
            return None if self.broken else Broken(self.size + 1, f"is missing; {saw} entry {size}")
        among = f" (it, or one after it up to entry {size})" if size > agreed + 1 else ""
        other = Broken(agreed + 1, f"was replaced{among}; {saw} another entry {size}")
        return other if self.hash_of(size) != root else None


def verify(
    rows: Iterable[Row],
    keys: Collection[str] = (),
    witnesses: Mapping[str, Collection[Checkpoint]] | None = None,
    known: tuple[int, str] | None = None,
) -> Verdict:
    """Follow the chain; hold it against the checkpoints in it, those that witnesses saw, and a head noted earlier.

    `keys` are the public keys (raw, in base64) that alone may have signed; any may, without one.
    """
    chain = _Chain(rows)
    wrong, agreed = [*chain.broken], dict[str, Checkpoint]()
    if known and (denied := chain.denied(*known, 0, "the head noted earlier was")):
        wrong.append(denied)
    seen = {name: [(told.size, told) for told in lines] for name, lines in (witnesses or {}).items()}
    for name, held in {"": chain.own, **seen}.items():
        for entry, told in sorted(held, key=lambda line: line[1].size):
            upto = agreed[name].size if name in agreed else 0
            if doubt := told.doubt(keys):
                wrong.append(Broken(entry, f"{name or 'it'} holds a checkpoint, but {doubt}"))
            elif denied := chain.denied(told.size, told.root, upto, f"{name or 'a checkpoint'} saw"):
                wrong.append(denied)
            else:
                agreed[name] = told
                continue
            break
    wrong = wrong or _unvouched(chain, seen, wants_own=bool(keys))
    first = min(wrong, key=lambda broken: broken.entry) if wrong else None
    count = min(first.entry - 1, chain.size) if first else chain.size
    return Verdict(count, chain.hash_of(count), str(first) if first else None, agreed.pop("", None), agreed)


def _unvouched(chain: _Chain, seen: Mapping[str, list[tuple[int, Checkpoint]]], *, wants_own: bool) -> list[Broken]:
    """What a witness has no checkpoint of and should have: it has an earlier one, and the journal has one."""
    empty = [name or "it" for name, held in {**seen, **({"": chain.own} if wants_own else {})}.items() if not held]
    wrong = [Broken(1, f"nothing vouches for it: {name} holds no checkpoint") for name in empty]
    for name, held in seen.items():
        roots = {(told.size, told.root) for _, told in held}
        late = [entry for entry, told in chain.own if roots and min(roots) < (told.size, told.root) not in roots]
        wrong += [Broken(entry, f"its checkpoint isn't in {name}: removed there, or never published") for entry in late]
    return wrong


def rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """The entries of an export. What is cut out of a line, the hash, is all that the canonical bytes don't have."""
    for place, line in enumerate((line.rstrip(b"\r\n") for line in lines), start=1):
        claim = _HASH.search(line)
        yield (place, line[: claim.start()] + line[claim.end() :], claim[1].decode()) if claim else (place, b"", "")


def published(text: str) -> list[Checkpoint]:
    """The checkpoints in a witness's file, or in what was copied out of a channel or a ticket."""
    return [Checkpoint(**json.loads(line)) for line in _LINE.findall(text.replace('\\"', '"').replace("\\/", "/"))]


def public_key(pem: bytes) -> str:
    """An ed25519 public key (PEM), raw, in base64. Raises ValueError for anything else."""
    key = load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("it is no ed25519 key")
    return base64.b64encode(key.public_bytes_raw()).decode()


def _told(row: Row) -> Checkpoint:
    found = published(row[1].decode("utf-8", "replace"))
    if len(found) != 1:
        raise Broken(row[0], "calls itself a checkpoint and hasn't the form of one")
    return found[0]


def main() -> int:
    """Verify the files named on the command line."""
    parser = argparse.ArgumentParser(description="Check an export of onboard's journal.")
    parser.add_argument("export", type=argparse.FileType("rb"))
    parser.add_argument("--key", type=argparse.FileType("rb"), action="append", default=[])
    parser.add_argument("--witness", type=argparse.FileType("r", encoding="utf-8"), action="append", default=[])
    given = parser.parse_args()
    keys = [public_key(file.read()) for file in given.key]
    found = verify(rows(given.export), keys, {file.name: published(file.read()) for file in given.witness})
    lines = [f"BROKEN: {found.problem}" if found.problem else f"whole: {found.count} entries, head {found.head}"]
    for name, told in {"signed": found.sealed, **found.seen}.items():
        lines.append(f"{name}: up to entry {told.size}, {told.at}, by key {told.key}" if told else f"{name}: nothing")
    sys.stdout.write("\n".join(lines) + "\n")
    return 4 if found.problem else 0


if __name__ == "__main__":
    sys.exit(main())
