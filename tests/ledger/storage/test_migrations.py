"""Ledgers of every released shape, brought up to date. Each is a dump beside this file, with what it said then."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from onboard.errors import BadInput, SystemFailed
from onboard.ledger import Ledger, Register
from onboard.ledger.proof.proofs import verify
from onboard.ledger.storage import shapes
from onboard.ledger.storage.database import Database
from onboard.ledger.storage.migrations import REVISIONS
from onboard.ledger.storage.tables import metadata
from tests.ledger.builders import keyring_of
from tests.ledger.conftest import Clock, only_postgresql, raw

RELEASED = Path(__file__).with_name("released")
SHAPES = sorted(file.stem for file in RELEASED.glob("*.sql"))


def dumped(shape: str) -> sqlite3.Connection:
    """The dump of that shape, in memory."""
    kept = sqlite3.connect(":memory:")
    kept.executescript((RELEASED / f"{shape}.sql").read_text())
    return kept


def said_then(shape: str) -> dict[str, Any]:
    return dict(json.loads((RELEASED / f"{shape}.json").read_text()))


def says(ledger: Ledger) -> dict[str, Any]:
    """What a ledger says, in the form of `said_then`."""
    register = Register.replay(ledger.journal.entries())
    owned = [[person, account, str(res), sorted(levels)] for (person, account, res), levels in register.owned().items()]
    phases = {
        person: [
            [a.engagement, a.role, a.phase.value if a.phase else None, a.ended] for a in register.assignments(person)
        ]
        for person in sorted(register.people)
    }
    return {
        "head": list(ledger.journal.head()),
        "people": {person: [p.name, p.email, dict(p.handles)] for person, p in ledger.people.all().items()},
        "assignments": phases,
        "owned": sorted(owned),
        "open_proposals": [proposal.digest for proposal in register.open_proposals()],
        "open_tasks": [task.id for task in register.open_tasks()],
        "unresolved": [intent.seq for intent in register.unresolved()],
        "last_review": list(register.last_review),
    }


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def released(empty: str, shape: str) -> str:
    """The URL of a ledger as it was released: an SQLite file from the dump, on PostgreSQL the same rows."""
    kept = dumped(shape)
    if empty.startswith("sqlite"):
        with sqlite3.connect(empty.removeprefix("sqlite:///")) as file:
            kept.backup(file)
        file.close()
        return empty
    database = Database._at(empty, create=True)
    with database.writing() as connection:
        shapes.upgrade(connection, None, to=shape)
        # A table after those that it points to.
        for table in inspect(connection).get_sorted_table_and_fkc_names():
            for row in _rows(kept, table[0]):
                names = ", ".join(f'"{name}"' for name in row)
                values = ", ".join(f":{name}" for name in row)
                connection.execute(text(f'INSERT INTO "{table[0]}" ({names}) VALUES ({values})'), row)
    database.close()
    return empty


def _rows(kept: sqlite3.Connection, table: str | None) -> list[dict[str, Any]]:
    known = kept.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    if not known or table == "alembic_version":
        return []
    kept.row_factory = sqlite3.Row
    return [dict(row) for row in kept.execute(f'SELECT * FROM "{table}"')]


def test_a_released_ledger_says_after_its_upgrade_what_it_said_before(released: str, shape: str, clock: Clock) -> None:
    assert Database.upgraded(released)[0] == shape

    ledger = Ledger.open(released, clock, keyring_of(released))
    then = said_then(shape)
    note, token = then.pop("note"), then.pop("token")
    assert says(ledger) == then
    verdict = verify(ledger.journal.rows())
    assert [verdict.count, verdict.head, verdict.problem] == [*then["head"], None]
    assert ledger.people.text_of(note) == "Moves to the payments team, says Ada."
    assert ledger.bundles.get("f" * 64) == {"roles/qa-engineer.yaml": "role: qa-engineer\n"}
    with ledger.leases.hold([f"person:p-{'1' * 32}"], "one", ttl=9, wait=0) as lease:
        assert list(lease.tokens.values()) == [token + 1]
    ledger.close()


def test_what_is_read_from_the_journal_alone_is_there_after_an_upgrade(released: str, clock: Clock) -> None:
    Database.upgraded(released)
    ledger = Ledger.open(released, clock, keyring_of(released))

    held = {(a.person, a.account, a.resource): a.after for a in ledger.history.held(clock.now.replace(year=2030))}

    owned = Register.replay(ledger.journal.entries()).owned()
    assert held == {(person, account, str(resource)): level for (person, account, resource), (level,) in owned.items()}
    ledger.close()


def test_an_upgraded_journal_is_still_append_only(released: str) -> None:
    Database.upgraded(released)

    with raw(released) as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.exec_driver_sql("DELETE FROM journal")


def test_an_sqlite_file_is_brought_up_to_date_by_whoever_opens_it_a_server_only_when_asked(
    released: str, shape: str, clock: Clock
) -> None:
    if shape == shapes.NEWEST:
        pytest.skip("nothing to bring up to date")
    if released.startswith("sqlite"):
        Ledger.open(released, clock).close()
        assert Database.upgraded(released)[0] == shapes.NEWEST
        return
    with pytest.raises(BadInput, match=rf"made by an older onboard: it has the shape {shape}.*onboard ledger upgrade"):
        Ledger.open(released, clock)
    with pytest.raises(BadInput, match="made by an older onboard"):
        Ledger.begin(released, clock)


def test_several_processes_may_upgrade_at_the_same_time(released: str) -> None:
    program = (
        "import sys; from onboard.ledger.storage.database import Database; print(Database.upgraded(sys.argv[1])[0])"
    )
    command = [sys.executable, "-c", program, released]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]

    before = [process.communicate(timeout=60)[0].strip() for process in processes]

    assert sorted(before)[-2:] == [shapes.NEWEST] * 2
    assert [process.returncode for process in processes] == [0, 0, 0]


def test_a_step_that_fails_leaves_everything_as_it_was(released: str, shape: str) -> None:
    if shape != "0001":
        pytest.skip("the table in the way is one that 0002 makes")
    with raw(released) as connection:
        connection.exec_driver_sql("CREATE TABLE projections (mine INTEGER)")

    with pytest.raises(SystemFailed, match="already exists"):
        Database.upgraded(released)

    with raw(released) as connection:
        assert not inspect(connection).has_table("changes")
        assert shapes.shape_of(connection, "here") == "0001"


def test_a_ledger_of_a_newer_onboard_is_refused_and_left_alone(url: str, ledger: Ledger, clock: Clock) -> None:
    with raw(url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    for use in (lambda: Ledger.open(url, clock), lambda: Ledger.begin(url, clock), lambda: Database.upgraded(url)):
        with pytest.raises(BadInput, match="made by a newer onboard: it has the shape 9999"):
            use()


@pytest.mark.parametrize("use", [Ledger.begin, Ledger.open], ids=["begin", "open"])
def test_what_holds_only_some_of_a_ledgers_tables_is_no_ledger(
    empty: str, clock: Clock, use: Callable[[str, Clock], Ledger]
) -> None:
    if empty.startswith("sqlite"):
        sqlite3.connect(empty.removeprefix("sqlite:///")).close()
    with raw(empty) as connection:
        connection.exec_driver_sql("CREATE TABLE journal (day DATE, weather VARCHAR(20))")

    with pytest.raises(BadInput, match="no ledger, or not all of one: it has no table bundles"):
        use(empty, clock)


def test_a_ledger_that_is_not_there_is_said_and_none_is_begun(empty: str, clock: Clock) -> None:
    for use in (lambda: Ledger.open(empty, clock), lambda: Database.upgraded(empty)):
        with pytest.raises(BadInput, match=r"There is no ledger at .*Was it moved, or lost\?.*onboard ledger init"):
            use()

    if empty.startswith("sqlite"):
        assert not Path(empty.removeprefix("sqlite:///")).exists()
    Ledger.begin(empty, clock).close()
    Ledger.open(empty, clock).close()


def test_an_empty_file_is_no_ledger_yet(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "ledger.db").touch()

    with pytest.raises(BadInput, match="There is no ledger at"):
        Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", clock)


@pytest.mark.parametrize("way", ["begun", "by every step"])
def test_the_tables_that_the_steps_make_are_the_ones_that_the_code_speaks_of(empty: str, way: str) -> None:
    database = Database._at(empty, create=True)
    with database.writing() as connection:
        if way == "begun":
            shapes.create(connection, database._dialect.freeze_journal)
        else:
            shapes.upgrade(connection, None)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})

        assert compare_metadata(context, metadata) == []
        assert shapes.shape_of(connection, "here") == shapes.NEWEST
    database.close()


def test_the_shapes_that_are_known_without_alembic_are_its_own() -> None:
    config = Config()
    config.set_main_option("script_location", "onboard.ledger.storage:migrations")

    steps = ScriptDirectory.from_config(config).walk_revisions()

    assert tuple(reversed([step.revision for step in steps])) == REVISIONS


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_ledger_that_is_up_to_date_is_opened_without_alembic_or_psycopg(ledger: Ledger, url: str) -> None:
    program = """
import sys
from datetime import UTC, datetime
from onboard.ledger import Ledger
Ledger.open(sys.argv[1], lambda: datetime.now(UTC)).journal.head()
print({name.partition(".")[0] for name in sys.modules} & {"alembic", "mako", "psycopg"})
"""
    ran = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=True)

    assert ran.stdout == "set()\n"


@only_postgresql
def test_a_server_that_does_not_answer_is_said_without_the_password(clock: Clock, url: str) -> None:
    nowhere = url.replace("onboard@/", "onboard:s3cret@/").replace("host=", "host=/nowhere")

    with pytest.raises(SystemFailed, match=r"the database answered: .*connection") as caught:
        Ledger.open(nowhere, clock)

    assert "s3cret" not in str(caught.value)
