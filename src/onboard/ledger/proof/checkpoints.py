"""Checkpoints: signed statements of how far the journal goes, kept in it and published where nobody here can alter it.

A checkpoint is an entry of kind `checkpoint` about the entries before it; that a witness has it is an entry of kind
`witnessed`. What they are byte for byte, and how they are checked without us, stands in docs/ledger-format.md.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from onboard.errors import BadInput, Findings, SystemFailed
from onboard.ledger.entries import Entry, Record, encode
from onboard.ledger.journal import Journal
from onboard.ledger.proof.verify_export import Checkpoint, Verdict, verify
from onboard.model import Actor

#: Entries of these kinds are about the journal itself: they alone are no reason for another checkpoint.
KINDS = frozenset({"checkpoint", "witnessed"})


class Signer(Protocol):
    """Holds, or reaches, an ed25519 key. Both calls raise SystemFailed where it can't be used."""

    def public_key(self) -> bytes:
        """The raw public key, 32 bytes, that `sign` signs for."""
        ...

    def sign(self, statement: bytes) -> bytes:
        """The signature of exactly these bytes (not of a hash of them), 64 bytes."""
        ...


class Witness(Protocol):
    """Keeps what it is told outside of the database: a file elsewhere, a channel, a ticket."""

    @property
    def name(self) -> str:
        """As the settings write it."""
        ...

    def publish(self, line: str) -> None:
        """Keep this line of text; a second time does no harm. Raises SystemFailed where it may not have arrived."""
        ...


@dataclass(frozen=True, slots=True)
class Notary:
    """Who signs, and who is told."""

    signer: Signer
    witnesses: tuple[Witness, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """A checkpoint and what became of it.

    `fresh` is False where nothing had happened since the last one, so that it is that one. `told` names the witnesses
    that have it, `failed` those that may not, each with the reason.
    """

    checkpoint: Checkpoint
    fresh: bool
    told: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def take(journal: Journal, notary: Notary, actor: Actor, clock: Callable[[], datetime]) -> Taken:
    """Verify the journal, sign how far it goes unless the last checkpoint says so already, and tell the witnesses.

    A witness is told everything that it missed since it was last reached; a new one, the newest checkpoint. Running it
    again after any failure does what is left. Raises Findings where the journal is broken (nothing is signed then),
    SystemFailed where the signer fails, BadInput where there is no entry yet.
    """
    verdict = verify(journal.rows())
    if verdict.problem:
        raise Findings(f"Nothing was signed: the journal is broken at {verdict.problem}. See onboard ledger verify.")
    if verdict.count == 0:
        raise BadInput.one("The journal is empty: there is nothing to sign yet.")
    fresh = verdict.sealed is None or _moved(journal, verdict.sealed)
    if fresh:
        signed = _signed(verdict, notary.signer, clock())
        journal.record(Record("checkpoint", signed._asdict()), actor=actor, at=clock())
    marks = tuple(journal.entries(kinds=KINDS))
    outcomes = [(witness.name, _tell(journal, witness, marks, actor, clock)) for witness in notary.witnesses]
    told = tuple(name for name, reason in outcomes if reason is None)
    failed = tuple((name, reason) for name, reason in outcomes if reason is not None)
    return Taken(_newest(marks), fresh, told, failed)


def line(checkpoint: Checkpoint) -> str:
    """A checkpoint as witnesses get it: canonical JSON."""
    return encode(checkpoint._asdict()).decode()


def of(entry: Entry) -> Checkpoint:
    """The checkpoint that an entry of kind `checkpoint` holds."""
    return Checkpoint(**{name: entry.body[name] for name in Checkpoint._fields})


def pem(key: bytes) -> str:
    """A raw public key as openssl and `onboard ledger verify --key` take it."""
    public = Ed25519PublicKey.from_public_bytes(key)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _moved(journal: Journal, last: Checkpoint) -> bool:
    return any(entry.kind not in KINDS for entry in journal.entries(after=last.size))


def _signed(verdict: Verdict, signer: Signer, at: datetime) -> Checkpoint:
    key = base64.b64encode(signer.public_key()).decode()
    moment = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    draft = Checkpoint(moment, key, verdict.head, "", verdict.count)
    signature = base64.b64encode(signer.sign(draft.statement())).decode()
    checkpoint = draft._replace(signature=signature)
    if doubt := checkpoint.doubt(()):
        raise SystemFailed("checkpoints", f"the signer answered, but {doubt} the public key that it gave.")
    return checkpoint


def _tell(
    journal: Journal, witness: Witness, marks: tuple[Entry, ...], actor: Actor, clock: Callable[[], datetime]
) -> str | None:
    """Publish what a witness hasn't got, each put on record; why it couldn't be told, None where it could."""
    id_ = _id(witness)
    for entry in _missed(marks, id_):
        try:
            witness.publish(line(of(entry)))
        except SystemFailed as failure:
            return str(failure)
        journal.record(Record("witnessed", {"checkpoint": entry.seq, "witness": id_}), actor=actor, at=clock())
    return None


def _missed(marks: tuple[Entry, ...], witness: str) -> list[Entry]:
    has = {mark.body["checkpoint"] for mark in marks if mark.kind == "witnessed" and mark.body["witness"] == witness}
    checkpoints = [mark for mark in marks if mark.kind == "checkpoint"]
    return [entry for entry in checkpoints if entry.seq > max(has)] if has else checkpoints[-1:]


def _id(witness: Witness) -> str:
    """What stands for a witness in the journal, since a path or a channel may carry a person's name."""
    return hashlib.sha256(witness.name.encode()).hexdigest()[:16]


def _newest(marks: tuple[Entry, ...]) -> Checkpoint:
    return next(of(mark) for mark in reversed(marks) if mark.kind == "checkpoint")
