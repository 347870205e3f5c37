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


# Checkpoints


def tampered(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as raw:
        for (trigger,) in raw.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            raw.execute(f"drop trigger {trigger}")
        raw.execute(statement)


def test_a_checkpoint_is_signed_told_and_verified_with_the_key_kept_elsewhere(
    onboard: Onboard, home: Path, written: Path
) -> None:
    told = onboard("ledger", "checkpoint", env={"ONBOARD_CHECKPOINTS__WITNESSES": "file:elsewhere.jsonl"})
    (home / "kept.pem").write_text(onboard("ledger", "key").stdout)
    person(onboard, "Ada")

    verdict = onboard("ledger", "verify", "--key", "kept.pem", "--witness", "elsewhere.jsonl")

    assert (told.exit_code, verdict.exit_code) == (0, 0)
    assert told.stdout.startswith("Signed: 3 entries, root ")
    assert "signed     to entry 3" in verdict.stdout
    assert "by the key given" in verdict.stdout
    assert "witnessed  to entry 3" in verdict.stdout
    assert "unsigned   the last 3" in verdict.stdout
    assert (home / "onboard-checkpoints.pem").stat().st_mode & 0o777 == 0o600


def test_a_witness_that_cannot_be_reached_is_said_and_told_by_the_next_run(onboard: Onboard, home: Path) -> None:
    person(onboard, "Marta")
    witness = {"ONBOARD_CHECKPOINTS__WITNESSES": "file:share/w.jsonl"}

    failed = onboard("ledger", "checkpoint", env=witness)
    person(onboard, "Jonas")
    again = onboard("ledger", "checkpoint", env=witness)
    (home / "share").mkdir()
    reached = onboard("ledger", "checkpoint", "--json", env=witness)
    onboard("ledger", "checkpoint", env=witness)

    assert (failed.exit_code, again.exit_code, reached.exit_code) == (5, 5, 0)
    assert "FAILED" in failed.stdout
    assert "No such file or directory" in failed.stdout
    assert (json.loads(reached.stdout)["fresh"], json.loads(reached.stdout)["size"]) == (False, 3)
    assert len((home / "share" / "w.jsonl").read_text().splitlines()) == 1


def test_a_changed_row_is_named_by_verify_and_no_other_command_works_on(onboard: Onboard, written: Path) -> None:
    tampered(written, "update journal set canonical = replace(canonical, 'operator', 'somebody') where seq = 2")

    verified, others = onboard("ledger", "verify"), onboard("ledger", "checkpoint")

    assert verified.exit_code == others.exit_code == 4
    assert "broken at entry 2: was changed" in verified.stderr
    assert "Nothing was signed" in others.stderr


def test_what_commands_start_from_is_compared_with_the_journal(onboard: Onboard, written: Path) -> None:
    tampered(written, "insert into projections (name, seq, hash) values ('register-2', 2, 'made up')")

    first, second = onboard("ledger", "verify"), onboard("ledger", "verify", "--json")

    assert first.exit_code == 4
    assert "what is remembered of entry 1, for commands to start from, isn't what the journal says" in first.stderr
    assert "The journal is whole" in first.stdout
    assert second.exit_code == 0
    assert json.loads(second.stdout)["remembered"] == []


def test_the_witness_of_the_settings_is_asked_without_being_named(onboard: Onboard, home: Path, written: Path) -> None:
    witness = {"ONBOARD_CHECKPOINTS__WITNESSES": "file:w.jsonl"}
    onboard("ledger", "checkpoint", env=witness)
    tampered(written, "delete from journal where seq > 2")

    result = onboard("ledger", "verify", "--json", env=witness)

    assert result.exit_code == 4
    assert json.loads(result.stdout)["problem"] == f"entry 3: is missing; {home / 'w.jsonl'} saw entry 3"


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("WITNESSES", "pigeon:loft", "The witness pigeon:loft is none"),
        ("WITNESSES", "nobody", "expected file:PATH, SYSTEM:CHANNEL or SYSTEM:ISSUE"),
        ("SIGNER", "vault:", 'expected "local", or vault:MOUNT/KEY'),
        ("SIGNER", "vault:transit/ledger", "No Vault is configured"),
        ("LOCAL_KEY", "onboard.db", "Others may read"),
    ],
)
def test_what_is_set_up_wrongly_is_said(onboard: Onboard, written: Path, setting: str, value: str, said: str) -> None:
    written.chmod(0o644)

    result = onboard("ledger", "checkpoint", env={f"ONBOARD_CHECKPOINTS__{setting}": value})

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_key_file_that_holds_none_is_bad_input(onboard: Onboard, home: Path, written: Path) -> None:
    (home / "key.pem").write_text("not a key")

    result = onboard("ledger", "verify", "--key", "key.pem")

    assert result.exit_code == 2
    assert "key.pem holds no ed25519 public key in PEM" in result.stderr


def test_a_ledger_that_was_lost_is_said_by_every_command_and_not_begun_anew(onboard: Onboard, written: Path) -> None:
    written.rename(written.with_name("elsewhere.db"))

    for command in (("person", "list"), ("tasks",), ("ledger", "verify"), ("ledger", "upgrade"), ("ledger", "export")):
        result = onboard(*command)
        assert result.exit_code == 2, command
        assert f"There is no ledger at {written}. Was it moved, or lost?" in result.stderr
    assert not written.exists()


def test_a_backup_is_restored_where_the_ledger_was_and_verifies(onboard: Onboard, home: Path, written: Path) -> None:
    before = onboard("person", "list").stdout
    head = json.loads(onboard("ledger", "verify", "--json").stdout)["head"]
    assert f"Wrote {home / 'copy.db'}: 3 entries, head 3:{head}" in onboard("ledger", "backup", home / "copy.db").stdout
    written.unlink()

    assert f"3 entries, head 3:{head}" in onboard("ledger", "restore", home / "copy.db").stdout

    assert onboard("ledger", "verify", "--head", f"3:{head}").exit_code == 0
    assert onboard("person", "list").stdout == before
    again = onboard("ledger", "restore", home / "copy.db")
    assert again.exit_code == 2
    assert "There is a ledger at" in again.stderr


def test_a_ledger_is_begun_on_purpose_once_and_is_up_to_date_then(onboard: Onboard, home: Path) -> None:
    first, second = onboard("ledger", "init"), onboard("ledger", "init")

    assert first.exit_code == second.exit_code == 0
    assert f"The ledger at {home / 'onboard.db'} has 0 entries." in second.stdout
    assert "is up to date" in onboard("ledger", "upgrade").stdout
