from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from onboard.ledger import Ledger, records
from onboard.ledger.entries import GENESIS, encode, fingerprint
from onboard.ledger.proof.proofs import export, load, verify
from onboard.model import OPERATOR
from tests.ledger.builders import START, Story


@pytest.fixture
def lines() -> list[str]:
    story = Story()
    story.tell(*(records.applied(f"d{n}") for n in range(1, 7)))
    return list(export(story.entries))


def rehashed(line: str, **fields: str) -> str:
    entry = {**json.loads(line), **fields}
    del entry["hash"]
    return encode({**entry, "hash": fingerprint(encode(entry))}).decode()


def test_an_export_verifies_offline_as_the_journal_does(ledger: Ledger, tmp_path: Path) -> None:
    ledger.journal.append_many([records.applied(f"d{n}") for n in range(1, 7)], actor=OPERATOR, at=START)
    file = tmp_path / "journal.jsonl"
    file.write_text("".join(export(ledger.journal.entries())))

    with file.open("rb") as lines:
        verdict = verify(load(lines), known=ledger.journal.head())
    assert (verdict.count, verdict.head, verdict.problem) == (*ledger.journal.head(), None)


def test_an_empty_journal_is_whole() -> None:
    assert (verify([]).count, verify([]).head, verify([]).problem) == (0, GENESIS, None)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda e: [*e[:3], e[3].replace("d4", "dX"), *e[4:]], "entry 4: was changed"),
        (lambda e: [*e[:3], rehashed(e[3], kind="refused"), *e[4:]], "entry 4: was replaced"),
        (lambda e: [*e[:3], *e[4:]], "entry 4: is missing"),
        (lambda e: [*e[:4], e[3], *e[4:]], "entry 4: stands twice"),
        (lambda e: [*e[:3], e[4], e[3], e[5]], "entry 4: is missing; entry 5 stands in its place"),
        (lambda e: [*e[:3], "{}\n", *e[4:]], "entry 4: cannot be read"),
        (lambda e: [*e[:3], "not JSON\n", *e[4:]], "entry 4: cannot be read"),
        (lambda e: [*e[:3], rehashed(e[3], at="soon"), *e[4:]], "entry 4: cannot be read"),
        (lambda e: [rehashed(e[0], prev="1" * 64), *e[1:]], "entry 1: doesn't begin a chain"),
    ],
)
def test_tampering_with_an_export_is_found_and_named(
    lines: list[str], edit: Callable[[list[str]], list[str]], said: str
) -> None:
    problem = verify(load(line.encode() for line in edit(lines))).problem

    assert problem is not None
    assert problem.startswith(said)
