from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from onboard.ledger import Attempt, ChangeRecord, Entry, Ledger, Register, Result, records
from onboard.ledger.records import WHOLE_ACCOUNT
from onboard.model import Resource
from tests.ledger.builders import ACCOUNT, JONAS, MARTA, PROJECT, REPO, START, Story, change

CHANNEL = Resource("slack", "session", "S1")


def written(ledger: Ledger, story: Story) -> None:
    """The story's entries in the ledger, at their times."""
    after = ledger.journal.head().seq
    for entry in story.entries[after:]:
        ledger.journal.append(entry.kind, entry.body, actor=entry.actor, at=entry.at, subject=entry.subject)


def at(entry: int) -> datetime:
    """When the entry with this number was written."""
    return START + timedelta(minutes=entry - 1)


def levels(attempts: tuple[Attempt, ...]) -> list[tuple[str, str | None]]:
    return [(attempt.resource, attempt.after) for attempt in attempts]


def test_what_was_revoked_was_held_up_to_the_outcome_of_that(ledger: Ledger) -> None:
    story = Story()
    given_by = story.write(change(None, "push"))
    taken_by = story.write(change("push", None))
    written(ledger, story)

    assert ledger.history.held(at(given_by) - timedelta(seconds=1)) == ()
    assert levels(ledger.history.held(at(given_by))) == [(str(REPO), "push")]
    assert levels(ledger.history.held(at(taken_by))) == [(str(REPO), "push")]
    assert ledger.history.held(at(taken_by + 1)) == ()
    (was,) = ledger.history.held(at(given_by))
    assert (was.ended, was.ended_at) == (taken_by, at(taken_by + 1))


def test_what_is_not_known_to_have_failed_counts_as_held(ledger: Ledger) -> None:
    story = Story()
    unknown = story.write(change(None, "push"), None)
    story.write(change(None, "Developers", PROJECT), Result.FAILED)
    written(ledger, story)

    assert levels(ledger.history.held(at(9))) == [(str(REPO), "push")]

    story.tell(records.outcome(unknown, Result.FAILED))
    written(ledger, story)

    assert ledger.history.held(at(9)) == ()


def test_another_level_replaces_the_one_before(ledger: Ledger) -> None:
    story = Story()
    story.write(change(None, "pull"))
    second = story.write(change("pull", "push"))
    written(ledger, story)

    assert levels(ledger.history.held(at(2))) == [(str(REPO), "pull")]
    assert levels(ledger.history.held(at(second + 1))) == [(str(REPO), "push")]


def test_a_cut_off_that_is_done_ends_everything_on_its_account_and_nothing_else(ledger: Ledger) -> None:
    story = Story()
    story.write(change(None, "push"))
    story.write(change(None, "push", person=JONAS))
    other = ChangeRecord(MARTA, "jira", "a-" + "9" * 32, PROJECT, None, "Developers")
    story.write(other)
    whole = ChangeRecord(MARTA, "github", ACCOUNT, Resource("github", WHOLE_ACCOUNT, ACCOUNT), "everything", None)
    story.write(whole)
    written(ledger, story)

    assert levels(ledger.history.held(at(20), person=MARTA)) == [(str(PROJECT), "Developers")]
    assert levels(ledger.history.held(at(20), person=JONAS)) == [(str(REPO), "push")]


def test_a_reading_that_finds_nothing_ends_everything_of_its_person(ledger: Ledger) -> None:
    story = Story()
    story.write(change(None, "push"))
    story.tell(records.verified(MARTA, gone=0, held=0, unknown=[str(REPO)]))
    written(ledger, story)
    assert levels(ledger.history.held(at(20))) == [(str(REPO), "push")]

    story.tell(records.verified(MARTA, gone=0, held=0))
    written(ledger, story)

    assert levels(ledger.history.held(at(3))) == [(str(REPO), "push")]
    assert ledger.history.held(at(20)) == ()


def test_it_is_asked_by_person_and_by_resource(ledger: Ledger) -> None:
    story = Story()
    story.write(change(None, "push"))
    story.write(change(None, "Developers", PROJECT, JONAS))
    written(ledger, story)

    assert levels(ledger.history.held(at(9), person=JONAS)) == [(str(PROJECT), "Developers")]
    assert levels(ledger.history.held(at(9), resource=str(REPO))) == [(str(REPO), "push")]
    assert ledger.history.held(at(9), person=JONAS, resource=str(REPO)) == ()


def test_every_attempt_of_a_time_is_there_whatever_came_of_it(ledger: Ledger) -> None:
    story = Story()
    story.write(change(None, "push"), Result.FAILED)
    story.write(change(None, "push"))
    story.write(change("push", None), None)
    written(ledger, story)

    results = [attempt.result for attempt in ledger.history.attempts(START, at(9))]
    assert results == [Result.FAILED, Result.DONE, Result.UNCERTAIN]
    assert [a.entry for a in ledger.history.attempts(at(3), at(5))] == [3]


def test_a_journal_that_is_another_one_is_read_anew(ledger: Ledger) -> None:
    story = Story()
    story.write(change(None, "push"))
    written(ledger, story)
    assert ledger.history.held(at(9)) != ()

    with ledger.database.writing() as connection:
        connection.execute(text("UPDATE projections SET hash = 'of another journal'"))
        connection.execute(text("UPDATE changes SET person = 'somebody else'"))

    assert [a.person for a in ledger.history.held(at(9))] == [MARTA]


@pytest.mark.parametrize(
    ("statement", "entry"),
    [
        ("DELETE FROM changes WHERE entry = 3", 3),
        ("UPDATE changes SET after = 'pull' WHERE entry = 3", 3),
        ("UPDATE changes SET ended = NULL, ended_at = NULL", 1),
        ("UPDATE changes SET entry = 9 WHERE entry = 3", 3),
        ("DELETE FROM decided", 5),
        ("DELETE FROM projections", 1),
        ("UPDATE projections SET seq = 2", 1),
    ],
)
def test_a_table_that_was_tampered_with_is_named_and_made_anew(ledger: Ledger, statement: str, entry: int) -> None:
    story = Story()
    story.write(change(None, "push"))
    story.write(change("push", None))
    story.tell(records.applied("d1"))
    written(ledger, story)
    before = ledger.history.attempts()
    assert ledger.history.corrected() is None
    with ledger.database.writing() as connection:
        connection.execute(text(statement))

    assert str(ledger.history.corrected()).startswith(f"the table of who held what when tells entry {entry} ")

    assert ledger.history.attempts() == before
    assert ledger.history.corrected() is None


CHANGES = st.builds(
    change,
    st.sampled_from([None, "pull", "push"]),
    st.sampled_from([None, "pull", "push"]),
    st.sampled_from([REPO, CHANNEL]),
    st.sampled_from([MARTA, JONAS]),
)


@st.composite
def journals(draw: st.DrawFn) -> list[Entry]:
    """Intents with or without an outcome, which may come late; what is known to be done or failed stays so."""
    story, open_ = Story(), list[int]()
    for drawn in draw(st.lists(CHANGES, max_size=20)):
        open_.append(story.tell(records.intended("d1", drawn)))
        if draw(st.booleans()):
            intent = draw(st.sampled_from(open_))
            result = draw(st.sampled_from(Result))
            story.tell(records.outcome(intent, result))
            if result is not Result.UNCERTAIN:
                open_.remove(intent)
    return story.entries


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=journals(), cut=st.integers(0, 40))
def test_in_the_end_it_says_what_the_register_says_and_in_pieces_the_same(
    tmp_path: Path, entries: list[Entry], cut: int
) -> None:
    file = tmp_path / "ledger.db"
    file.unlink(missing_ok=True)
    ledger = Ledger.begin(f"sqlite:///{file}", lambda: START)
    for entry in entries:
        ledger.journal.append(entry.kind, entry.body, actor=entry.actor, at=entry.at, subject=entry.subject)
        if entry.seq == cut:
            ledger.history.catch_up()

    held = ledger.history.held(at(len(entries) + 1))

    owned = Register.replay(entries).owned()
    assert {(a.person, a.account, a.resource, a.after) for a in held} == {
        (person, account, str(resource), level)
        for (person, account, resource), found in owned.items()
        for level in found
    }
    assert ledger.history.corrected() is None
    ledger.close()
