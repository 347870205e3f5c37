"""docs/ledger-format.md is true: its example, and its script, run with sha256sum and openssl alone."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from onboard.ledger import Ledger, Record, records
from onboard.ledger.entries import GENESIS, Head, read, seal
from onboard.ledger.proof import proofs
from onboard.ledger.proof.checkpoints import Notary, pem, take
from onboard.ledger.proof.notary import FileWitness, LocalSigner
from onboard.model import OPERATOR
from tests.ledger.builders import START
from tests.ledger.conftest import Clock

PAGE = (Path(__file__).parents[3] / "docs" / "ledger-format.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture
def folder(ledger: Ledger, clock: Clock, tmp_path: Path) -> Path:
    """What an auditor has: an export, the public key and what a witness saw of it, twice."""
    notary = Notary(LocalSigner(tmp_path / "private.pem"), (FileWitness(tmp_path / "published.jsonl"),))
    for name in ("größer", 'with "quotes", commas} and \\', "a/b"):
        told = [Record("policy", {"hash": "f" * 64, "name": name}), records.applied("d1")]
        ledger.journal.append_many(told, actor=OPERATOR, at=START)
        take(ledger.journal, notary, OPERATOR, clock)
    (tmp_path / "key.pem").write_text(pem(notary.signer.public_key()))
    (tmp_path / "journal.jsonl").write_text("".join(proofs.export(ledger.journal.entries())), encoding="utf-8")
    return tmp_path


def check(folder: Path) -> tuple[int, str]:
    script = ["bash", "-euo", "pipefail", "-c", block("sh")]
    ran = subprocess.run(script, check=False, capture_output=True, text=True, cwd=folder)
    return ran.returncode, ran.stdout


def test_the_example_entry_has_the_bytes_and_the_hash_that_the_page_says() -> None:
    canonical = block("json").strip().encode()
    digest = hashlib.sha256(canonical).hexdigest()

    entry = read(canonical, digest, 1)

    assert f"`{digest}`" in PAGE
    made = records.person_added("p-5b10a2844c2016575b10a2844c201657")
    assert seal(made, OPERATOR, entry.at, Head(0, GENESIS)) == (entry, canonical)


def test_the_script_finds_a_true_export_whole(folder: Path, ledger: Ledger) -> None:
    code, told = check(folder)

    assert code == 0
    assert told.splitlines()[0] == f"one chain of 12 entries, head {ledger.journal.head().hash}"
    assert [line.split(" and ")[0] for line in told.splitlines()[1:]] == ["entry 2", "entry 6", "entry 10"]


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("journal.jsonl", "größer", "kleiner", "entry 1 is not what it was"),
        ("journal.jsonl", '"seq":9', '"seq":10', "entry 9 is not what it was"),
        ("published.jsonl", '"size":6', '"size":7', "the checkpoint of entry 7 isn't signed by the key that was kept"),
    ],
)
def test_the_script_finds_what_was_touched(folder: Path, file: str, before: str, after: str, said: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    (folder / file).write_text(text.replace(before, after), encoding="utf-8")

    code, told = check(folder)

    assert code == 4
    assert told.splitlines()[-1] == said


def test_the_script_finds_a_journal_that_was_replaced_as_a_whole(folder: Path) -> None:
    head, lines = Head(0, GENESIS), []
    for _ in range(12):
        entry, _bytes = seal(records.applied("x"), OPERATOR, START, head)
        head = Head(entry.seq, entry.hash)
        lines.append(entry.line() + "\n")
    (folder / "journal.jsonl").write_text("".join(lines))

    assert check(folder)[1].splitlines()[-1] == "the witness saw another entry 2"
