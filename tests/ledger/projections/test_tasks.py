"""Manual tasks: opened once for a cause, done only with evidence."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from onboard.errors import BadInput, OnboardError
from onboard.ledger import Record, Register, records, task_id
from onboard.ledger.entries import GENESIS, Entry, Head, seal
from onboard.model import OPERATOR

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PERSON = "p-" + "1" * 32


def register(*written: Record) -> Register:
    entries: list[Entry] = []
    head = Head(0, GENESIS)
    for record in written:
        entry, _ = seal(record, OPERATOR, NOW, head)
        entries.append(entry)
        head = Head(entry.seq, entry.hash)
    return Register.replay(entries)


def opened(what: str, due: date = date(2026, 11, 30), cause: int = 7) -> Record:
    task = task_id(PERSON, "slack", what, cause)
    return records.task_opened(task, PERSON, "slack", what, "workspace owner", due, "a screenshot of the member list")


def test_what_is_done_by_hand_is_open_until_evidence_is_on_record() -> None:
    before = register(opened("deactivate the account"))
    (task,) = before.open_tasks()
    after = register(opened("deactivate the account"), records.task_done(task.id, PERSON, "ab" * 32))
    assert after.open_tasks() == ()
    assert after.task(task.id[:8]).evidence == "ab" * 32


def test_the_same_cause_opens_a_task_once_and_another_cause_opens_another() -> None:
    both = register(
        opened("deactivate the account"), opened("deactivate the account"), opened("deactivate the account", cause=9)
    )
    assert len(both.open_tasks()) == 2


def test_the_most_urgent_comes_first() -> None:
    found = register(opened("one", date(2026, 12, 1)), opened("other", date(2026, 11, 25))).open_tasks()
    assert [task.what for task in found] == ["other", "one"]


@pytest.mark.parametrize("text", ["t-00", "zzzz", ""])
def test_a_task_that_nobody_opened_is_named_with_a_way_out(text: str) -> None:
    with pytest.raises(BadInput, match="onboard tasks"):
        register(opened("one")).task(text)


def test_evidence_for_a_task_that_was_never_opened_is_a_broken_journal() -> None:
    with pytest.raises(OnboardError, match="hasn't the form of its kind"):
        register(records.task_done("t-1234567890", PERSON, "ab" * 32))
