"""A journal as an auditor gets it, and its verification; the checks themselves stand alone in `verify_export.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from onboard.errors import BadInput
from onboard.ledger.entries import Entry
from onboard.ledger.proof import verify_export
from onboard.ledger.proof.verify_export import Checkpoint, Row, Verdict, verify

__all__ = ["Checkpoint", "Row", "Verdict", "export", "load", "public_keys", "verify", "witnesses"]


def export(entries: Iterable[Entry]) -> Iterator[str]:
    """The journal as JSON Lines, one line (with its line break) an entry."""
    return (entry.line() + "\n" for entry in entries)


def load(lines: Iterable[bytes]) -> Iterator[Row]:
    """The rows of an export, to be verified."""
    return verify_export.rows(lines)


def public_keys(files: Iterable[Path]) -> list[str]:
    """The ed25519 public keys in these PEM files, raw, in base64. Raises BadInput for a file that holds none."""
    return [_key(file) for file in files]


def witnesses(files: Iterable[Path]) -> dict[str, list[Checkpoint]]:
    """What each of these files saw. Raises BadInput for a file that can't be read."""
    return {str(file): verify_export.published(_read(file).decode("utf-8", "replace")) for file in files}


def _key(file: Path) -> str:
    try:
        return verify_export.public_key(_read(file))
    except ValueError as error:
        raise BadInput.one(f"{file} holds no ed25519 public key in PEM: {error}") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput.one(f"{file} can't be read: {error.strerror}.") from None
