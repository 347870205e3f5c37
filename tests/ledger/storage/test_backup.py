"""Backups: taken while others write, whole or not there, and as good as the ledger when restored."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import select

from onboard.errors import BadInput, SystemFailed
from onboard.ledger import Ledger, Profile, Register, records
from onboard.ledger.proof.proofs import Verdict
from onboard.ledger.storage.backup import back_up, restore
from onboard.ledger.storage.database import Database
from onboard.ledger.storage.tables import metadata
from onboard.model import OPERATOR
from tests.ledger.builders import ACCOUNT, JONAS, MARTA, START, change, keyring_of, onboarded
from tests.ledger.conftest import Clock, Workers, raw
from tests.ledger.projections.test_history import written
from tests.ledger.storage.test_migrations import RELEASED, dumped, said_then, says

MARTA_IS = Profile("Marta Kowalska", "marta@nordwind.example", {"github": "marta-nw"})


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """A ledger with something in every room."""
    story = onboarded()
    story.write(change(None, "push"))
    written(ledger, story)
    ledger.people.add(MARTA, MARTA_IS)
    ledger.people.bind(ACCOUNT, MARTA, "github", "90001", "marta-nw")
    ledger.bundles.keep("f" * 64, {"roles/qa-engineer.yaml": "role: qa-engineer\n"})
    ledger.history.catch_up()
    with ledger.leases.hold([f"person:{MARTA}"], "one", ttl=9, wait=0):
        pass
    return ledger


def everything(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    database = Database.open(url)
    with database.reading() as connection:
        rows = {t.name: sorted(map(tuple, connection.execute(select(t))), key=repr) for t in metadata.sorted_tables}
    database.close()
    return rows


def test_what_is_restored_is_the_ledger_row_for_row(full: Ledger, url: str, empty: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"

    assert back_up(url, keyring_of(url), file).problem is None
    verdict, forgotten = restore(file, keyring_of(url), empty, START)

    assert (verdict.count, verdict.head, verdict.problem) == (*full.journal.head(), None)
    assert forgotten == 0
    assert everything(empty) == everything(url)


def test_a_restored_ledger_goes_on_where_the_old_one_ended(
    full: Ledger, url: str, empty: str, tmp_path: Path, clock: Clock
) -> None:
    back_up(url, keyring_of(url), tmp_path / "backup.db")
    restore(tmp_path / "backup.db", keyring_of(url), empty, START)

    again = Ledger.open(empty, clock, keyring_of(url))

    assert says(again) == says(full)
    assert again.people.get(MARTA) == MARTA_IS
    assert (
        again.journal.record(records.person_added(JONAS), actor=OPERATOR, at=START).seq == full.journal.head().seq + 1
    )
    with again.leases.hold([f"person:{MARTA}"], "two", ttl=9, wait=0) as lease:
        assert list(lease.tokens.values()) == [2]
    again.close()


def test_a_backup_taken_while_others_write_is_of_one_moment(
    ledger: Ledger, worker: Workers, url: str, tmp_path: Path
) -> None:
    writers = [worker("append", "40") for _ in range(2)]
    verdicts: list[Verdict] = []
    while any(writer.poll() is None for writer in writers) or not verdicts:
        verdicts.append(back_up(url, keyring_of(url), tmp_path / f"{len(verdicts)}.db"))

    assert [verdict.problem for verdict in verdicts] == [None] * len(verdicts)
    assert back_up(url, keyring_of(url), tmp_path / "last.db").count == 80


def test_a_backup_is_one_file_that_only_its_owner_can_read(full: Ledger, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()

    back_up(url, keyring_of(url), folder / "backup.db")

    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in folder.iterdir()] == [("backup.db", 0o600)]


def test_nothing_that_exists_is_overwritten(full: Ledger, url: str, tmp_path: Path) -> None:
    there = tmp_path / "holiday.jpg"
    there.write_bytes(b"a beach")

    with pytest.raises(BadInput, match=r"holiday\.jpg exists already"):
        back_up(url, keyring_of(url), there)
    assert there.read_bytes() == b"a beach"

    back_up(url, keyring_of(url), tmp_path / "backup.db")
    before = everything(url)
    with pytest.raises(BadInput, match=r"There is a ledger at .* already"):
        restore(tmp_path / "backup.db", keyring_of(url), url, START)
    assert everything(url) == before


def test_a_backup_that_fails_half_way_leaves_no_file(full: Ledger, url: str, tmp_path: Path) -> None:
    with raw(url) as connection:
        connection.exec_driver_sql("DROP TABLE projections")

    with pytest.raises(SystemFailed, match="projections"):
        back_up(url, keyring_of(url), tmp_path / "backup.db")

    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("backup")] == []


def test_a_restoring_that_fails_half_way_begins_no_ledger(
    full: Ledger, url: str, empty: str, tmp_path: Path, clock: Clock
) -> None:
    back_up(url, keyring_of(url), tmp_path / "backup.db")
    with raw(f"sqlite:///{tmp_path / 'backup.db'}") as connection:
        connection.exec_driver_sql("DROP TABLE projections")

    with pytest.raises(SystemFailed, match="projections"):
        restore(tmp_path / "backup.db", keyring_of(url), empty, START)

    with pytest.raises(BadInput, match="There is no ledger at"):
        Ledger.open(empty, clock)


def test_a_broken_journal_is_backed_up_as_evidence_and_said_to_be_broken(
    full: Ledger, url: str, tmp_path: Path
) -> None:
    with raw(url) as connection:
        for trigger in ("journal_never_update", "journal_never_changes"):
            on = "" if url.startswith("sqlite") else " ON journal"
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger}{on}")
        connection.exec_driver_sql("UPDATE journal SET hash = 'x' WHERE seq = 3")

    problem = back_up(url, keyring_of(url), tmp_path / "backup.db").problem

    assert problem is not None
    assert problem.startswith("entry 3")
    assert (tmp_path / "backup.db").exists()


@pytest.mark.parametrize("shape", sorted(file.stem for file in RELEASED.glob("*.sql")))
def test_an_older_onboards_backup_is_brought_up_to_date_and_stays_as_it_was(
    shape: str, empty: str, tmp_path: Path, clock: Clock
) -> None:
    file = tmp_path / "old.db"
    with sqlite3.connect(file) as target:
        dumped(shape).backup(target)
    target.close()
    kept = shutil.copyfile(file, tmp_path / "kept.db").read_bytes()

    restore(file, keyring_of(empty), empty, START)

    again = Ledger.open(empty, clock, keyring_of(empty))
    assert says(again) == {name: value for name, value in said_then(shape).items() if name not in ("note", "token")}
    again.close()
    assert file.read_bytes() == kept


def test_what_is_no_backup_is_said_and_no_ledger_is_begun(empty: str, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "letter.txt").write_text("Dear Marta, " * 100)

    with pytest.raises(SystemFailed, match="file is not a database"):
        restore(tmp_path / "letter.txt", keyring_of(empty), empty, START)
    with pytest.raises(BadInput, match="can't be read: No such file"):
        restore(tmp_path / "nowhere.db", keyring_of(empty), empty, START)
    with pytest.raises(BadInput, match="There is no ledger at"):
        Ledger.open(empty, clock)


def test_the_register_of_a_restored_ledger_is_the_same(full: Ledger, url: str, empty: str, tmp_path: Path) -> None:
    back_up(url, keyring_of(url), tmp_path / "backup.db")
    restore(tmp_path / "backup.db", keyring_of(url), empty, START)
    again = Ledger.open(empty, lambda: START)

    assert Register.replay(again.journal.entries()) == Register.replay(full.journal.entries())
    again.close()
