from __future__ import annotations

import pytest

from onboard.ledger import Result, records
from tests.ledger.builders import ACCOUNT, MARTA, PROJECT, REPO, Story, change


def owned(story: Story) -> set[str]:
    return {level for levels in story.register().owned().values() for level in levels}


@pytest.mark.parametrize("result", [None, Result.UNCERTAIN])
def test_a_grant_that_may_have_taken_effect_is_ours(result: Result | None) -> None:
    story = Story()
    intent = story.write(change(None, "push"), result)

    assert story.register().owned() == {(MARTA, ACCOUNT, REPO): {"push"}}
    assert [i.seq for i in story.register().unresolved()] == [intent]


def test_a_grant_that_surely_failed_is_not_ours_though_it_was_uncertain_first() -> None:
    story = Story()
    intent = story.write(change(None, "push"), Result.UNCERTAIN)
    story.tell(records.outcome(intent, Result.FAILED))

    assert story.register().owned() == {}
    assert story.register().unresolved() == ()


@pytest.mark.parametrize("result", [None, Result.UNCERTAIN, Result.FAILED])
def test_a_revocation_counts_only_once_it_is_done(result: Result | None) -> None:
    story = Story()
    story.write(change(None, "push"))
    intent = story.write(change("push", None), result)
    assert owned(story) == {"push"}

    story.tell(records.outcome(intent, Result.DONE))
    assert owned(story) == set()


def test_on_a_closed_scale_a_done_grant_replaces_the_level_and_an_uncertain_one_adds_its_own() -> None:
    story = Story()
    story.write(change(None, "triage"))
    intent = story.write(change("triage", "push"), None)
    assert owned(story) == {"triage", "push"}

    story.tell(records.outcome(intent, Result.DONE))
    assert owned(story) == {"push"}


def test_on_an_open_scale_levels_are_held_side_by_side_and_revoked_one_by_one() -> None:
    story = Story()
    story.write(change(None, "Developers", PROJECT))
    story.write(change(None, "Testers", PROJECT))
    assert owned(story) == {"Developers", "Testers"}

    story.write(change("Developers", None, PROJECT))
    assert owned(story) == {"Testers"}


def test_a_grant_found_to_have_taken_effect_after_a_revocation_is_ours() -> None:
    story = Story()
    grant = story.write(change(None, "push"), None)
    story.write(change("push", None))
    assert owned(story) == set()

    story.tell(records.outcome(grant, Result.DONE))
    assert owned(story) == {"push"}


def test_a_revocation_found_done_late_does_not_take_away_what_was_granted_since() -> None:
    story = Story()
    story.write(change(None, "push"))
    revocation = story.write(change("push", None), None)
    story.write(change(None, "triage"))

    story.tell(records.outcome(revocation, Result.DONE))
    assert owned(story) == {"triage"}


def test_the_history_of_a_grant_names_its_receipts_and_the_approvals_that_it_rested_on() -> None:
    story = Story()
    first_approval = story.tell(records.approved("d1", "sponsor"))
    first = story.write(change(None, "push"), digest="d1")
    story.tell(records.applied("d1"))
    story.write(change("push", None), digest="d2")
    second_approval = story.tell(records.approved("d1", "sponsor"))
    story.write(change(None, "push"), digest="d1")
    story.tell(records.approved("d1", "owner"))

    history = story.register().grant_history(MARTA, REPO)

    assert [[a.entry for a in episode.approvals] for episode in history] == [[first_approval], [], [second_approval]]
    outcome = history[0].intent.outcome
    assert outcome is not None
    assert (outcome.entry, outcome.receipt and outcome.receipt.request_id) == (first + 1, "req-1")
    assert story.register().grant_history(MARTA, PROJECT) == ()
