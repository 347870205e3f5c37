"""What a journal entry is, byte for byte. No I/O: an export can be checked with this file and sha256 alone.

Canonical encoding
    One JSON object, UTF-8, no BOM, no line break, keys sorted by code point at every depth, separators `,` and `:`
    without spaces, everything beyond ASCII written as itself, and exactly these keys:

    {"actor":{"authenticated_by":"…","id":"…"},"at":"2026-11-23T09:13:00.000000Z","body":{…},"kind":"…","prev":"…",
     "seq":1,"subject":null}

    `at` is UTC with six digits of microseconds and `Z`. `seq` counts from 1 without gaps. `prev` is the hash of the
    entry before it, for the first one 64 zeros. Numbers are integers; there are no floats. The entry's hash is sha256
    over these bytes, in lower-case hex. A line of an export is the same object with the key `hash` added.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from onboard.errors import OnboardError
from onboard.ledger.proof import verify_export
from onboard.model import Actor

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

#: What the first entry gives as the hash of the one before it.
GENESIS = verify_export.GENESIS
#: All that may be kept of what a system answered.
RECEIPT_FIELDS = frozenset({"status", "request_id", "at"})


class Record(NamedTuple):
    """Something to be written: its kind, body and subject. Who and when are added by the journal."""

    kind: str
    body: Mapping[str, Json]
    subject: str | None = None

    def noted(self, note: str) -> Record:
        """The same with a reference to free text (a note id from `People.note`), such as a justification."""
        return self._replace(body={**self.body, "note": note})


class Head(NamedTuple):
    """Where a journal ends: the last entry's number and hash; 0 and 64 zeros when it is empty."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands in the journal. `at` is aware UTC; `prev` and `hash` are sha256 in hex."""

    seq: int
    at: datetime
    kind: str
    actor: Actor
    subject: str | None
    body: Mapping[str, Any]
    prev: str
    hash: str

    def canonical(self) -> bytes:
        """The bytes that the hash is taken over, made anew from the fields."""
        return encode(self._fields())

    def line(self) -> str:
        """The entry as one line of an export, without the line break."""
        return encode({**self._fields(), "hash": self.hash}).decode()

    def _fields(self) -> dict[str, Any]:
        return {
            "actor": {"authenticated_by": self.actor.authenticated_by, "id": self.actor.id},
            "at": f"{self.at:%Y-%m-%dT%H:%M:%S.%fZ}",
            "body": dict(self.body),
            "kind": self.kind,
            "prev": self.prev,
            "seq": self.seq,
            "subject": self.subject,
        }


def encode(fields: Mapping[str, Any]) -> bytes:
    """The canonical encoding. Raises OnboardError for what has none."""
    try:
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise OnboardError(f"a journal entry must be plain JSON in UTF-8: {error}") from error


def fingerprint(canonical: bytes) -> str:
    """sha256 in hex."""
    return hashlib.sha256(canonical).hexdigest()


def seal(record: Record, actor: Actor, at: datetime, after: Head) -> tuple[Entry, bytes]:
    """The entry that follows `after`, and its canonical bytes.

    Raises OnboardError where the record may not be kept: what looks like an e-mail address, an unlisted receipt field,
    a number that isn't whole, a time without a zone.
    """
    if at.tzinfo is None:
        raise OnboardError(f"a journal entry needs a time with its zone; {at} has none")
    for name, value in (("body", record.body), ("subject", record.subject), ("actor", actor.id)):
        _refuse_personal(record.kind, name, value)
    draft = Entry(after.seq + 1, at.astimezone(UTC), record.kind, actor, record.subject, record.body, after.hash, "")
    canonical = draft.canonical()
    return read(canonical, fingerprint(canonical), draft.seq), canonical


def read(canonical: bytes, claimed: str, place: int) -> Entry:
    """The entry with these bytes and the hash it claims. Raises OnboardError, naming `place`, where there is none."""
    try:
        fields = json.loads(canonical)
        actor = Actor(fields["actor"]["id"], fields["actor"]["authenticated_by"])
        at = datetime.fromisoformat(fields["at"]).astimezone(UTC)
        body = MappingProxyType(dict(fields["body"]))
        return Entry(int(fields["seq"]), at, fields["kind"], actor, fields["subject"], body, fields["prev"], claimed)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise OnboardError(f"entry {place}: cannot be read as an entry: {error!r}") from error


def _refuse_personal(kind: str, where: str, value: object) -> None:
    """The safety net under the rule that personal data lives beside the journal."""
    if isinstance(value, str):
        if "@" in value:
            raise OnboardError(
                f"the {where} of a {kind!r} entry holds a text with '@'; personal data never goes into the journal, "
                "keep it in People and refer to it by id"
            )
    elif isinstance(value, float):
        raise OnboardError(f"the {where} of a {kind!r} entry holds {value!r}; only whole numbers have one encoding")
    elif isinstance(value, Mapping):
        _refuse_receipt(kind, value.get("receipt"))
        for key, inner in value.items():
            _refuse_personal(kind, where, key)
            _refuse_personal(kind, where, inner)
    elif isinstance(value, Sequence):
        for inner in value:
            _refuse_personal(kind, where, inner)


def _refuse_receipt(kind: str, receipt: object) -> None:
    if isinstance(receipt, Mapping) and not receipt.keys() <= RECEIPT_FIELDS:
        extra = ", ".join(sorted(map(str, receipt.keys() - RECEIPT_FIELDS)))
        raise OnboardError(f"the receipt of a {kind!r} entry holds {extra}; only status, request_id and at are kept")
