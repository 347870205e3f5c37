"""The register that an export of the journal tells, where the ledger itself isn't in reach."""

from __future__ import annotations

from pathlib import Path

from onboard.errors import BadInput, Findings
from onboard.ledger.entries import read
from onboard.ledger.projections.register import Register
from onboard.ledger.proof import proofs


def register_of_export(file: Path) -> Register:
    """What was so when `onboard ledger export` wrote this file; there are no names in it.

    Raises BadInput where the file can't be read, Findings where it isn't as it was written.
    """
    try:
        with file.open("rb") as lines:
            rows = list(proofs.load(lines))
    except OSError as error:
        raise BadInput.one(f"{file} can't be read: {error.strerror}.") from None
    verdict = proofs.verify(rows)
    if verdict.problem:
        raise Findings(f"{file} is broken at {verdict.problem}. See onboard ledger verify --export {file}.")
    return Register.replay(read(canonical, claimed, place) for place, canonical, claimed in rows)
