"""What is so now, from what is remembered of a long journal: the same answers, and nothing that was tampered with."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from onboard.errors import Findings
from onboard.ledger import Entry, Ledger, Register, Result, records
from onboard.ledger.entries import Head
from onboard.ledger.projections.archive import Archive
from onboard.ledger.projections.present import Present
from onboard.ledger.storage.tables import matters
from onboard.model import OPERATOR, Receipt
from tests.ledger.builders import JONAS, MARTA, REPO, SPONSOR, START, Story, change, onboarded, terms
from tests.ledger.conftest import Clock, only_sqlite, raw
from tests.ledger.projections.test_compaction import answers

PLAN, OLD = "ab" * 32, "cd" * 32


@pytest.fixture
def present(ledger: Ledger) -> Callable[[], Present]:
    """A process of its own on the ledger, which remembers after ten entries."""
    database, journal = ledger.database, ledger.journal
    return lambda: Present(database, journal, Archive(database, journal, ledger.history), every=10)


@pytest.fixture
def long(ledger: Ledger, present: Callable[[], Present]) -> Story:
    """Onboarded, and years of coming and going under plans that were applied; what matters of it is remembered."""
    story = onboarded()
    story.tell(records.proposed(OLD, terms()))
    story.tell(records.approved(OLD, "sponsor"), actor=SPONSOR)
    for _ in range(10):
        story.write(change(None, "push"), digest=OLD)
        story.write(change("push", None), digest=OLD)
    story.tell(records.applied(OLD), records.proposed(PLAN, terms()))
    story.write(change(None, "pull"), digest=PLAN)
    written(ledger, story.entries)
    present().register()
    return story


def written(ledger: Ledger, entries: list[Entry]) -> None:
    for entry in entries[ledger.journal.head().seq :]:
        ledger.journal.append(entry.kind, entry.body, actor=entry.actor, at=entry.at, subject=entry.subject)


def matters_of(ledger: Ledger) -> dict[int, str]:
    with ledger.database.reading() as connection:
        return {row.entry: row.hash for row in connection.execute(select(matters))}


def remembered(ledger: Ledger) -> int:
    with ledger.database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(matters)) or 0


def blow(url: str, *statements: str) -> None:
    """What somebody does who has the file in their hands."""
    with raw(url) as connection:
        for trigger in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.exec_driver_sql(statement)


def forged(seq: int, old: str, new: str) -> str:
    swap = f"""CAST(replace(canonical, '"{old}"', '"{new}"') AS BLOB)"""
    return f"UPDATE journal SET canonical = {swap} WHERE seq = {seq}"


def test_a_process_that_starts_reads_what_matters_and_answers_as_if_it_had_read_everything(
    ledger: Ledger, long: Story, present: Callable[[], Present]
) -> None:
    story = long
    story.tell(records.happened("first_review", MARTA, engagement="payments"))
    written(ledger, story.entries)

    register = present().register()

    assert answers(register) == answers(story.register())
    assert remembered(ledger) < len(story.entries) / 2


def test_what_is_over_is_found_again_where_somebody_asks_about_it(
    ledger: Ledger, long: Story, present: Callable[[], Present]
) -> None:
    register, whole = present().register(), long.register()

    assert OLD not in register.decisions.proposals
    assert register.proposal(OLD[:8]) == whole.proposal(OLD[:8])
    assert register.grant_history(MARTA, REPO) == whole.grant_history(MARTA, REPO)
    assert len(register.grant_history(MARTA, REPO)) == 21


def test_of_a_moment_that_is_gone_people_and_policies_are_told_as_they_stood(
    ledger: Ledger, long: Story, present: Callable[[], Present]
) -> None:
    long.tell(records.policy_in_force("e" * 64, "0123abcd"), records.left(MARTA))
    long.write(change("pull", None), digest=PLAN)
    written(ledger, long.entries)

    for number in range(len(long.entries) + 1):
        then = present().as_of(START + timedelta(minutes=number - 1))
        assert (then.seq, _told(then)) == (number, _told(long.register(number)))


def _told(register: Register) -> dict[str, object]:
    return {
        "people": [answers(register)["facts"], register.people, register.engagements, register.vendors],
        "policy": [register.policy, register.revision("e" * 64)],
        "history": register.grant_history(MARTA, REPO),
    }


def test_what_attempts_rested_on_is_found_though_the_rest_is_not_read(ledger: Ledger, long: Story) -> None:
    held = ledger.history.held(START + timedelta(days=1))

    behind, whole = ledger.archive.of_attempts(held), long.register()

    assert [behind.episode(one.entry) for one in held] == [whole.episode(one.entry) for one in held]
    assert [behind.proposal(one.digest) for one in held] == [whole.proposal(one.digest) for one in held]
    assert [one.digest for one in held] == [PLAN]
    assert behind.effects.intents.keys() == {held[0].entry}


@only_sqlite
def test_an_entry_that_was_taken_out_is_named_where_somebody_asks_about_it(
    ledger: Ledger, long: Story, url: str
) -> None:
    held = ledger.history.held(START + timedelta(days=1))
    blow(url, f"DELETE FROM journal WHERE seq = {held[0].outcome}")

    with pytest.raises(Findings, match=f"broken at entry {held[0].outcome}: it is gone"):
        ledger.archive.of_attempts(held)


def test_within_a_process_only_what_is_new_is_read(
    ledger: Ledger, long: Story, present: Callable[[], Present], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, read = present(), list[int]()
    before = one.register()
    rows = ledger.journal.rows
    monkeypatch.setattr(ledger.journal, "rows", lambda after=0: spied(rows(after), read))
    long.write(change("pull", None))
    written(ledger, long.entries)

    assert one.register() is not before
    assert read == [len(long.entries) - 1, len(long.entries)]
    assert one.register() is one.register()


def spied(rows: Iterator[tuple[int, bytes, str]], read: list[int]) -> Iterator[tuple[int, bytes, str]]:
    for row in rows:
        read.append(row[0])
        yield row


def test_many_threads_and_processes_at_once_remember_one_whole(
    ledger: Ledger, long: Story, present: Callable[[], Present]
) -> None:
    processes = [present() for _ in range(3)]

    def work(number: int) -> None:
        told = [records.happened(f"step_{number}", JONAS) for _ in range(8)]
        ledger.journal.append_many(told, actor=OPERATOR, at=START)
        processes[number % 3].register()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))

    assert present().doubt() is None
    whole = Register.replay(ledger.journal.entries())
    assert answers(present().register()) == answers(whole)


@pytest.mark.parametrize("result", list(Result))
def test_a_late_outcome_of_something_forgotten_counts_as_if_nothing_had_been_forgotten(
    ledger: Ledger, long: Story, present: Callable[[], Present], result: Result
) -> None:
    running = present()
    running.register()
    settled = next(entry.seq for entry in long.entries if entry.kind == "intended")
    long.tell(records.outcome(settled, result, Receipt("204", START)))
    written(ledger, long.entries)

    whole = answers(long.register())
    assert answers(running.register()) == whole
    assert answers(present().register()) == whole
    assert present().doubt() is None


@only_sqlite
def test_a_changed_entry_that_something_rests_on_stops_everybody(
    ledger: Ledger, long: Story, present: Callable[[], Present], url: str
) -> None:
    given = next(entry.seq for entry in reversed(long.entries) if entry.kind == "intended")
    blow(url, forged(given, "pull", "push"))

    with pytest.raises(Findings, match=f"broken at entry {given}: was changed"):
        present().register()


@only_sqlite
def test_an_entry_exchanged_with_a_fitting_hash_stops_everybody_too(
    ledger: Ledger, long: Story, present: Callable[[], Present], url: str
) -> None:
    given = next(entry.seq for entry in reversed(long.entries) if entry.kind == "intended")
    blow(url, forged(given, "pull", "push"), *rehashed(url, given))

    with pytest.raises(Findings, match=f"broken at entry {given}: was replaced"):
        present().register()


def rehashed(url: str, seq: int) -> list[str]:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as kept:
        kept.create_function("sha", 1, lambda stored: hashlib.sha256(stored).hexdigest())
        swap = """CAST(replace(canonical, '"pull"', '"push"') AS BLOB)"""
        (digest,) = kept.execute(f"SELECT sha({swap}) FROM journal WHERE seq = {seq}").fetchone()
    return [f"UPDATE journal SET hash = '{digest}' WHERE seq = {seq}"]


@only_sqlite
def test_a_change_in_what_is_over_is_found_where_somebody_asks_about_it_and_by_verify(
    ledger: Ledger, long: Story, present: Callable[[], Present], url: str
) -> None:
    ledger.history.catch_up()
    over = next(entry.seq for entry in long.entries if entry.kind == "intended")
    blow(url, forged(over, "push", "maintain"))

    register = present().register()

    assert answers(register) == answers(long.register())
    with pytest.raises(Findings, match=f"broken at entry {over}"):
        register.grant_history(MARTA, REPO)
    with pytest.raises(Findings, match=f"broken at entry {over}"):
        present().doubt()


@only_sqlite
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM matters WHERE entry = (SELECT max(entry) FROM matters)",
        "DELETE FROM matters",
        "INSERT INTO matters SELECT seq, hash FROM journal WHERE seq NOT IN (SELECT entry FROM matters) LIMIT 1",
        "UPDATE projections SET hash = 'x' WHERE name = 'register-2'",
        "UPDATE projections SET seq = seq - 1 WHERE name = 'register-2'",
        "UPDATE projections SET seq = seq + 1000 WHERE name = 'register-2'",
    ],
)
def test_what_is_remembered_and_was_tampered_with_is_made_anew_and_named(
    ledger: Ledger, long: Story, present: Callable[[], Present], url: str, statement: str
) -> None:
    blow(url, statement)

    assert present().doubt() is not None
    assert answers(present().register()) == answers(long.register())
    assert present().doubt() is None


@only_sqlite
def test_a_table_forged_with_its_seal_is_found_by_verifying_and_forgotten(
    ledger: Ledger, long: Story, present: Callable[[], Present], url: str
) -> None:
    """Somebody leaves out an outcome and makes the seal fit, as they could write the whole chain anew."""
    forger = present()
    left = sorted(matters_of(ledger).items())[:-1]
    head = ledger.journal.head()
    lines = "".join(f"\n{seq}:{digest}" for seq, digest in left)
    seal = hashlib.sha256(f"{head.seq}:{head.hash}{lines}".encode()).hexdigest()
    blow(
        url,
        "DELETE FROM matters WHERE entry = (SELECT max(entry) FROM matters)",
        f"UPDATE projections SET hash = '{seal}' WHERE name = 'register-2'",
    )
    assert answers(forger.register()) != answers(long.register())

    assert str(forger.corrected()).startswith(f"what is remembered of entry {head.seq}")

    assert answers(forger.register()) == answers(long.register())


@only_sqlite
def test_a_process_that_runs_on_notices_that_the_journal_is_another_one(
    ledger: Ledger, long: Story, present: Callable[[], Present], url: str
) -> None:
    running = present()
    running.register()
    blow(url, "DELETE FROM journal WHERE seq > 5")

    assert running.register().seq == 5
    assert answers(running.register()) == answers(long.register(5))


def test_forgotten_it_is_made_anew(ledger: Ledger, long: Story, present: Callable[[], Present], clock: Clock) -> None:
    one = present()
    before = one.register()
    one.forget()

    assert remembered(ledger) == 0
    assert one.doubt() is None
    assert answers(one.register()) == answers(before)
    assert remembered(ledger) > 0
    assert ledger.journal.holds(Head(len(long.entries), long.entries[-1].hash))
