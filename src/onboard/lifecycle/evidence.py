"""The files that show something: their sha256 is kept, they themselves stay where they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

from onboard.errors import BadInput


def fingerprint(evidence: Path) -> str:
    """The file's sha256 in hex. Raises BadInput where it can't be read."""
    try:
        return hashlib.sha256(evidence.read_bytes()).hexdigest()
    except OSError as error:
        raise BadInput.one(f"The evidence file {evidence} can't be read: {error.strerror}") from error
