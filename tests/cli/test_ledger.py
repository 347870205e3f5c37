"""The journal verified and exported from the command line."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Onboard, person


@pytest.fixture
def written(onboard: Onboard, home: Path) -> Path:
    """A ledger with three entries."""
    for name in ("Marta", "Jonas", "Ines"):
        person(onboard, name)
    return home / "onboard.db"


def test_a_changed_line_of_an_export_is_found_and_named(onboard: Onboard, home: Path, written: Path) -> None:
    assert written.is_file()
    onboard("ledger", "export", "--output", home / "journal.jsonl")
    lines = (home / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace("operator", "somebody", 1)
    (home / "journal.jsonl").write_text("\n".join(lines), encoding="utf-8")

    result = onboard("ledger", "verify", "--export", home / "journal.jsonl")
    as_json = onboard("ledger", "verify", "--export", home / "journal.jsonl", "--json")

    assert result.exit_code == as_json.exit_code == 4
    assert "The journal is broken at entry 2: was changed" in result.stderr
    assert json.loads(as_json.stdout)["count"] == 1


def test_entries_cut_off_the_end_show_against_a_head_noted_earlier(onboard: Onboard, written: Path) -> None:
    verdict = json.loads(onboard("ledger", "verify", "--json").stdout)
    head = f"{verdict['count']}:{verdict['head']}"
    assert onboard("ledger", "verify", "--head", head).exit_code == 0
    with sqlite3.connect(written) as database:
        for (trigger,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f"drop trigger {trigger}")
        database.execute("delete from journal where seq = 3")

    blind, told = onboard("ledger", "verify"), onboard("ledger", "verify", "--head", head)

    assert blind.exit_code == 0
    assert told.exit_code == 4
    assert "entry 3: is missing" in told.stderr


@pytest.mark.parametrize("head", ["3", "x:abc", "3:abc"])
def test_a_head_that_is_none_is_refused(onboard: Onboard, head: str) -> None:
    result = onboard("ledger", "verify", "--head", head)

    assert result.exit_code == 2
    assert "expected SEQ:HASH" in result.stderr


def test_an_export_overwrites_nothing(onboard: Onboard, home: Path, written: Path) -> None:
    assert written.is_file()
    (home / "kept.jsonl").write_text("kept", encoding="utf-8")

    result = onboard("ledger", "export", "--output", home / "kept.jsonl")

    assert result.exit_code == 2
    assert "exists already and isn't overwritten" in result.stderr
    assert (home / "kept.jsonl").read_text(encoding="utf-8") == "kept"


def test_an_export_that_is_not_there_is_bad_input(onboard: Onboard) -> None:
    result = onboard("ledger", "verify", "--export", "gone.jsonl")

    assert result.exit_code == 2
    assert "gone.jsonl can't be read: No such file or directory." in result.stderr


def test_an_export_verifies_without_the_ledger(onboard: Onboard, home: Path, written: Path) -> None:
    (home / "journal.jsonl").write_text(onboard("ledger", "export").stdout, encoding="utf-8")
    written.unlink()

    result = onboard("ledger", "verify", "--export", home / "journal.jsonl")

    assert result.exit_code == 0
    assert result.stdout.startswith("The journal is whole: 3 entries, head 3:")
