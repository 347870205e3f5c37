"""What only a server can do to a ledger, or has to be kept from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from onboard.errors import SystemFailed
from onboard.ledger import Ledger, Profile, records
from onboard.ledger.storage import postgres
from onboard.ledger.storage.database import Database
from onboard.model import OPERATOR
from tests.ledger.builders import ACCOUNT, MARTA, START, change, keyring_of, onboarded
from tests.ledger.conftest import Clock, raw
from tests.ledger.projections.test_history import written
from tests.postgres import ROLE, Postgres

UPKEEP = Path(__file__).parents[3] / "docs" / "ledger-upkeep.md"

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


@pytest.fixture
def as_worker(url: str, ledger: Ledger, postgres_server: Postgres) -> Iterator[str]:
    """The URL of the same ledger for a role that has just what the documentation grants."""
    (granted,) = re.findall(r"```sql\n(.*?)```", UPKEEP.read_text(), re.DOTALL)
    with raw(url) as connection:
        connection.exec_driver_sql("CREATE ROLE onboard_worker LOGIN")
        connection.exec_driver_sql(granted)
    yield url.replace(f"//{ROLE}@", "//onboard_worker@")
    with raw(url) as connection:
        connection.exec_driver_sql("DROP OWNED BY onboard_worker")
        connection.exec_driver_sql("DROP ROLE onboard_worker")


def test_a_role_with_the_documented_rights_does_all_the_work(as_worker: str, clock: Clock) -> None:
    worker = Ledger.begin(as_worker, clock, keyring_of(as_worker))
    story = onboarded()
    story.write(change(None, "push"))

    written(worker, story)
    worker.people.add(MARTA, Profile("Marta Kowalska", "marta@nordwind.example"))
    worker.people.bind(ACCOUNT, MARTA, "github", "90001", "marta-nw")
    worker.bundles.keep("f" * 64, {})
    worker.history.catch_up()
    worker.history.forget()
    with worker.leases.hold(["a"], "one", ttl=9, wait=0) as lease:
        lease.renew()
        worker.journal.record(records.applied("d1"), actor=OPERATOR, at=START, under=[lease])

    assert len(worker.history.held(START + timedelta(days=9))) == 1
    worker.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET hash = 'x'",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "DROP TRIGGER journal_never_changes ON journal",
        "ALTER TABLE journal DISABLE TRIGGER ALL",
        "UPDATE ledger_keys SET key = ''",
    ],
)
def test_and_cannot_rewrite_the_journal(as_worker: str, statement: str) -> None:
    with raw(as_worker) as connection, pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        connection.exec_driver_sql(statement)


def test_url_schemes_as_servers_hand_them_out_are_taken(url: str, ledger: Ledger, clock: Clock) -> None:
    written(ledger, onboarded())

    for scheme in ("postgresql://", "postgres://"):
        same = Ledger.open(url.replace("postgresql+psycopg://", scheme), clock)
        assert same.journal.head() == ledger.journal.head()
        same.close()


def test_a_reader_waits_for_no_writer_and_sees_one_moment(ledger: Ledger) -> None:
    with ledger.database.reading() as reading:
        before = reading.exec_driver_sql("SELECT count(*) FROM journal").scalar()
        with ledger.database.writing():
            assert ledger.journal.head().seq == 0
        ledger.journal.record(records.applied("d1"), actor=OPERATOR, at=START)

        assert reading.exec_driver_sql("SELECT count(*) FROM journal").scalar() == before
        with pytest.raises(DBAPIError, match="read-only"):
            reading.exec_driver_sql("DELETE FROM leases")


def test_whoever_waits_too_long_for_a_writer_is_told(
    url: str, ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_SETTINGS", ("SET lock_timeout = '50ms'",))
    impatient = Ledger.open(url, clock)

    with ledger.database.writing(), pytest.raises(SystemFailed, match="lock timeout"):
        impatient.journal.record(records.applied("d1"), actor=OPERATOR, at=START)

    impatient.journal.record(records.applied("d1"), actor=OPERATOR, at=START)
    impatient.close()


def test_a_writer_that_fell_silent_is_ended_by_the_server_and_others_go_on(
    url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_SETTINGS", ("SET idle_in_transaction_session_timeout = '50ms'",))
    frozen = Database.open(url)

    def fall_silent() -> None:
        with frozen.writing() as connection:
            ledger.journal.record(records.applied("d1"), actor=OPERATOR, at=START)
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(SystemFailed) as caught:
        fall_silent()

    assert caught.value.uncertain
    assert ledger.journal.head().seq == 1
    frozen.close()


def test_a_server_that_was_restarted_is_connected_to_anew(ledger: Ledger, url: str) -> None:
    ledger.journal.head()
    with raw(url) as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert ledger.journal.record(records.applied("d1"), actor=OPERATOR, at=START).seq == 1
