from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from onboard.ledger import Head, Ledger, records
from onboard.ledger.entries import GENESIS, Entry, encode, fingerprint, seal
from onboard.ledger.proofs import export, load, verify
from onboard.model import OPERATOR
from tests.ledger.builders import START, Story


@pytest.fixture
def raw(ledger: Ledger, url: str) -> sqlite3.Connection:
    """Somebody with the file in their hands: six entries, the triggers dropped."""
    ledger.journal.append_many([records.applied(f"d{n}") for n in range(1, 7)], actor=OPERATOR, at=START)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("DROP TRIGGER journal_never_update")
    connection.execute("DROP TRIGGER journal_never_delete")
    return connection


def forged(after: Entry) -> tuple[int, str, bytes]:
    entry, canonical = seal(records.applied("forged"), OPERATOR, START, Head(after.seq, after.hash))
    return entry.seq, entry.hash, canonical


def change(raw: sqlite3.Connection, ledger: Ledger) -> None:
    raw.execute("UPDATE journal SET canonical = CAST(replace(canonical, 'd4', 'dX') AS BLOB) WHERE seq = 4")


def change_and_hash_again(raw: sqlite3.Connection, ledger: Ledger) -> None:
    _, digest, canonical = forged(list(ledger.journal.entries())[2])
    raw.execute("UPDATE journal SET canonical = ?, hash = ? WHERE seq = 4", (canonical, digest))


def remove(raw: sqlite3.Connection, ledger: Ledger) -> None:
    raw.execute("DELETE FROM journal WHERE seq = 4")


def remove_and_close_the_gap(raw: sqlite3.Connection, ledger: Ledger) -> None:
    raw.execute("DELETE FROM journal WHERE seq = 4")
    raw.execute("UPDATE journal SET seq = 4 WHERE seq = 5")
    raw.execute("UPDATE journal SET seq = 5 WHERE seq = 6")


def insert(raw: sqlite3.Connection, ledger: Ledger) -> None:
    row = forged(list(ledger.journal.entries())[2])
    for seq in (6, 5, 4):
        raw.execute("UPDATE journal SET seq = ? WHERE seq = ?", (seq + 1, seq))
    raw.execute("INSERT INTO journal (seq, hash, canonical) VALUES (?, ?, ?)", row)


def reorder(raw: sqlite3.Connection, ledger: Ledger) -> None:
    for old, new in ((4, 99), (5, 4), (99, 5)):
        raw.execute("UPDATE journal SET seq = ? WHERE seq = ?", (new, old))


def destroy(raw: sqlite3.Connection, ledger: Ledger) -> None:
    raw.execute("UPDATE journal SET canonical = x'00ff' WHERE seq = 4")


@pytest.mark.parametrize(
    "tamper", [change, change_and_hash_again, remove, remove_and_close_the_gap, insert, reorder, destroy]
)
def test_tampering_with_the_database_is_found_at_the_first_entry_touched(
    raw: sqlite3.Connection, ledger: Ledger, tamper: Callable[[sqlite3.Connection, Ledger], None]
) -> None:
    tamper(raw, ledger)

    problem = verify(ledger.journal.entries()).problem

    assert problem is not None
    assert problem.startswith("entry 4: ")


def test_cutting_off_the_newest_entries_shows_against_a_head_that_was_noted(
    raw: sqlite3.Connection, ledger: Ledger
) -> None:
    noted = ledger.journal.head()
    raw.execute("DELETE FROM journal WHERE seq > 4")

    assert verify(ledger.journal.entries()).problem is None
    verdict = verify(ledger.journal.entries(), known=noted)
    assert verdict.count == 4
    assert verdict.problem == "entry 5: is missing; the journal once reached entry 6"


def test_a_chain_that_was_forged_as_a_whole_shows_against_a_head_that_was_noted() -> None:
    true, other = Story(), Story()
    true.tell(*(records.applied(f"d{n}") for n in range(3)))
    other.tell(*(records.applied(f"x{n}") for n in range(3)))
    noted = Head(2, true.entries[1].hash)

    problem = verify(other.entries, known=noted).problem

    assert problem is not None
    assert problem.startswith("entry 2: was replaced")


@pytest.fixture
def lines() -> list[str]:
    story = Story()
    story.tell(*(records.applied(f"d{n}") for n in range(1, 7)))
    return list(export(story.entries))


def rehashed(line: str, **fields: str) -> str:
    entry = {**json.loads(line), **fields}
    del entry["hash"]
    return json.dumps({**entry, "hash": fingerprint(encode(entry))})


def test_an_export_verifies_offline_as_the_journal_does(
    raw: sqlite3.Connection, ledger: Ledger, tmp_path: Path
) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_text("".join(export(ledger.journal.entries())))

    with file.open() as lines:
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
    problem = verify(load(edit(lines))).problem

    assert problem is not None
    assert problem.startswith(said)
