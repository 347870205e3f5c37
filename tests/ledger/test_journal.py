from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from onboard.errors import BadInput, OnboardError, SystemFailed
from onboard.ledger import Ledger, Result, journal, records
from onboard.ledger.proof.proofs import verify
from onboard.model import OPERATOR, Actor, Receipt
from tests.ledger.builders import MARTA, START, change, onboarded
from tests.ledger.conftest import WORKER, Clock, Workers, only_postgresql, only_sqlite, raw


@pytest.mark.parametrize(
    "body",
    [
        {"name": "anna@example.com"},
        {"changes": [{"account": {"handle": "anna@example.com"}}]},
        {"anna@example.com": 1},
    ],
)
def test_what_looks_like_an_address_is_never_kept_however_deep_it_stands(ledger: Ledger, body: Any) -> None:
    with pytest.raises(OnboardError, match="personal data never goes into the journal"):
        ledger.journal.append("fact", body, actor=OPERATOR, at=START)

    assert ledger.journal.head().seq == 0


def test_nor_is_an_address_as_subject_or_actor(ledger: Ledger) -> None:
    with pytest.raises(OnboardError, match="the subject of"):
        ledger.journal.append("fact", {}, actor=OPERATOR, at=START, subject="anna@example.com")
    with pytest.raises(OnboardError, match="the actor of"):
        ledger.journal.append("fact", {}, actor=Actor("anna@example.com", "vault"), at=START)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"receipt": {"status": "201", "login": "anna"}}, "holds login; only status, request_id and at"),
        ({"share": 0.5}, "only whole numbers"),
        ({"text": "\ud800"}, "plain JSON in UTF-8"),
        ({"when": START}, "plain JSON in UTF-8"),
    ],
)
def test_what_has_no_place_or_no_encoding_in_an_entry_is_refused(ledger: Ledger, body: Any, complaint: str) -> None:
    with pytest.raises(OnboardError, match=complaint):
        ledger.journal.append("outcome", body, actor=OPERATOR, at=START)


def test_a_time_without_a_zone_is_refused(ledger: Ledger) -> None:
    with pytest.raises(OnboardError, match="has none"):
        ledger.journal.append("fact", {}, actor=OPERATOR, at=START.replace(tzinfo=None))


def test_several_entries_are_written_together_or_not_at_all(ledger: Ledger) -> None:
    with pytest.raises(OnboardError, match="'@'"):
        ledger.journal.append_many(
            [records.person_added(MARTA), records.person_added("anna@example.com")], actor=OPERATOR, at=START
        )

    assert list(ledger.journal.entries()) == []


def test_an_outcome_loses_addresses_from_its_reason_rather_than_being_lost(ledger: Ledger) -> None:
    receipt = Receipt("422", START, "req-7", external_id="90001")
    record = records.outcome(1, Result.FAILED, receipt, reason="no seat for anna@example.com left")

    body = ledger.journal.record(record, actor=OPERATOR, at=START).body

    assert body["reason"] == "no seat for (struck) left"
    assert body["receipt"] == {"status": "422", "request_id": "req-7", "at": "2026-11-23T09:00:00+00:00"}


@pytest.mark.parametrize("statement", ["UPDATE journal SET hash = 'x'", "DELETE FROM journal"])
def test_the_database_itself_refuses_to_change_or_delete_an_entry(ledger: Ledger, url: str, statement: str) -> None:
    ledger.journal.record(records.person_added(MARTA), actor=OPERATOR, at=START)

    with raw(url) as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.exec_driver_sql(statement)


def test_an_entry_is_exactly_the_documented_bytes(ledger: Ledger, url: str) -> None:
    at = datetime(2026, 11, 23, 10, 13, 0, 250, tzinfo=timezone(timedelta(hours=1)))
    entry = ledger.journal.append("fact", {"name": "größer", "b": [1, True, None], "a": {}}, actor=OPERATOR, at=at)

    expected = (
        '{"actor":{"authenticated_by":"local shell","id":"operator"},"at":"2026-11-23T09:13:00.000250Z",'
        '"body":{"a":{},"b":[1,true,null],"name":"größer"},"kind":"fact",'
        '"prev":"0000000000000000000000000000000000000000000000000000000000000000","seq":1,"subject":null}'
    ).encode()
    with raw(url) as connection:
        rows = connection.exec_driver_sql("SELECT canonical, hash FROM journal").fetchall()
    assert [tuple(row) for row in rows] == [(expected, hashlib.sha256(expected).hexdigest())]
    assert entry.at == at
    assert ledger.journal.head() == (1, hashlib.sha256(expected).hexdigest())


def test_entries_come_back_as_they_were_written_across_pages(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PAGE", 2)
    told = [records.person_added(MARTA), records.intended("d1", change(None, "push")), records.applied("d1")]
    written = ledger.journal.append_many([*told, *told], actor=OPERATOR, at=START)

    assert tuple(ledger.journal.entries()) == written
    assert [e.seq for e in ledger.journal.entries(after=2)] == [3, 4, 5, 6]
    assert [e.seq for e in ledger.journal.entries(after=1, kinds={"applied"})] == [3, 6]


def test_appends_from_several_processes_leave_one_chain(ledger: Ledger, worker: Workers) -> None:
    processes = [worker("append", "20") for _ in range(4)]

    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    verdict = verify(ledger.journal.rows())
    assert (verdict.count, verdict.problem) == (80, None)
    assert len({entry.body["digest"] for entry in ledger.journal.entries()}) == 4


# The steps of an append: begin, read the head, insert, commit.
@pytest.mark.parametrize("step", ["1", "2", "3", "4"])
def test_a_kill_before_any_step_of_an_append_leaves_a_valid_chain(ledger: Ledger, worker: Workers, step: str) -> None:
    ledger.journal.record(records.person_added(MARTA), actor=OPERATOR, at=START)

    assert worker("die", step).wait(60) == -signal.SIGKILL

    assert verify(ledger.journal.rows()).count == 1
    ledger.journal.record(records.applied("d1"), actor=OPERATOR, at=START)
    verdict = verify(ledger.journal.rows())
    assert (verdict.count, verdict.problem) == (2, None)


def test_several_processes_may_begin_the_ledger_at_the_same_time(empty: str) -> None:
    command = [sys.executable, str(WORKER), "open_only", empty]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]

    assert [process.communicate(timeout=60)[0] for process in processes] == ["open\n"] * 4


@only_postgresql
def test_nor_may_the_journal_be_emptied(ledger: Ledger, url: str) -> None:
    with raw(url) as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.exec_driver_sql("TRUNCATE journal")


@only_sqlite
def test_the_file_is_readable_by_its_owner_only(ledger: Ledger, url: str) -> None:
    ledger.journal.record(records.person_added(MARTA), actor=OPERATOR, at=START)

    files = list(Path(url.removeprefix("sqlite:///")).parent.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://localhost/ledger"])
def test_a_url_that_cannot_be_used_is_bad_input_with_an_example(url: str, clock: Clock) -> None:
    with pytest.raises(BadInput, match=r"sqlite:////absolute/path/ledger\.db"):
        Ledger.begin(url, clock)


def test_a_file_that_is_no_ledger_is_said_to_have_failed(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "ledger.db").write_text("a shopping list, and quite a long one at that\n" * 100)

    with pytest.raises(SystemFailed, match=r"ledger: the database answered: file is not a database\. .*ledger restore"):
        Ledger.begin(f"sqlite:///{tmp_path / 'ledger.db'}", clock)


@only_sqlite
def test_of_a_file_that_was_cut_off_it_is_said_how_to_begin_anew(ledger: Ledger, url: str, clock: Clock) -> None:
    for entry in onboarded().entries * 50:
        ledger.journal.append(entry.kind, entry.body, actor=entry.actor, at=entry.at, subject=entry.subject)
    ledger.close()
    file = Path(url.removeprefix("sqlite:///"))
    os.truncate(file, file.stat().st_size // 2 // 4096 * 4096)

    with pytest.raises(SystemFailed, match=r"malformed\. Its file is damaged\. .* onboard ledger restore"):
        list(Ledger.open(url, clock).journal.entries())


def test_the_newest_of_a_kind_is_found_from_the_end(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PAGE", 2)
    told = [records.person_added(MARTA), records.applied("d1"), records.applied("d2"), *[records.refused("d")] * 4]
    ledger.journal.append_many(told, actor=OPERATOR, at=START)

    found = [ledger.journal.newest(kind) for kind in ("refused", "applied", "fact", "proposed")]

    assert [entry.seq if entry else None for entry in found] == [7, 3, 1, None]
    assert [entry.seq for entry in ledger.journal.entries(after=1, kinds={"applied"}, until=2)] == [2]
