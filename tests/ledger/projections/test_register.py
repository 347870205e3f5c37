from __future__ import annotations

from datetime import date

import pytest

from onboard.errors import OnboardError
from onboard.ledger import Record, Register, Result, records
from onboard.model import Assignment, Phase, Proof
from tests.ledger.builders import ACCOUNT, JONAS, MARTA, VIKTOR, Story, change, engagement, onboarded, vendor


def assignment(story: Story, person: str = MARTA, engagement: str = "payments") -> Assignment:
    found = {a.engagement: a for a in story.register().assignments(person)}
    return found[engagement]


def test_an_entry_without_the_form_of_its_kind_is_named() -> None:
    story = onboarded()
    story.tell(Record("fact", {"name": "advanced", "person": MARTA, "until": "soon"}))

    with pytest.raises(OnboardError, match="entry 8: hasn't the form of its kind, 'fact'"):
        story.register()


def test_an_outcome_of_an_intent_that_never_was_is_named() -> None:
    story = onboarded()
    story.tell(records.outcome(3, Result.DONE))

    with pytest.raises(OnboardError, match="entry 8: hasn't the form of its kind, 'outcome'"):
        story.register()


def test_staffing_without_a_start_is_an_assignment_without_a_phase() -> None:
    story = Story()
    story.tell(records.engagement_loaded(engagement(marta="qa-engineer")))

    assert assignment(story) == Assignment(MARTA, "payments", "qa-engineer", starts=date(2026, 11, 1))
    assert story.register().started(MARTA, "payments") is None


def test_starting_again_what_runs_changes_nothing() -> None:
    story = onboarded()
    before = assignment(story)
    story.tell(records.started(MARTA, "payments", "qa-engineer"))

    assert assignment(story) == before
    assert set(story.register().milestones(MARTA, "payments")) == {"first_merge"}


def test_a_phase_may_step_back() -> None:
    story = onboarded()
    story.tell(records.advanced(MARTA, "payments", Phase.TOOLING_SETUP))

    assert assignment(story).phase is Phase.TOOLING_SETUP


def test_the_latest_of_a_prerequisite_counts_though_it_has_lapsed() -> None:
    story = onboarded()
    story.tell(records.happened("nda_signed", MARTA, until=date(2026, 11, 1)))

    nda = story.register().facts(MARTA)["nda_signed"]
    assert not nda.holds(date(2026, 11, 2))
    assert nda.entry == 8


def test_prerequisites_belong_to_the_person_and_milestones_to_the_assignment() -> None:
    register = onboarded().register()

    assert set(register.facts(MARTA)) == {"nda_signed"}
    assert set(register.milestones(MARTA, "payments")) == {"first_merge"}
    assert register.milestones(MARTA, "elsewhere") == {}


def test_a_role_change_clears_the_milestones_and_keeps_the_phase() -> None:
    story = onboarded()
    story.tell(records.role_changed(MARTA, "payments", "backend-engineer", "qa-engineer"))

    assert (assignment(story).role, assignment(story).phase) == ("backend-engineer", Phase.RAMP_UP)
    assert story.register().milestones(MARTA, "payments") == {}


def test_loading_the_same_manifest_again_does_not_undo_a_role_change() -> None:
    story = onboarded()
    story.tell(
        records.role_changed(MARTA, "payments", "backend-engineer", "qa-engineer"),
        records.happened("second_merge", MARTA, engagement="payments"),
        records.engagement_loaded(engagement(marta="qa-engineer", jonas="qa-engineer")),
    )

    assert assignment(story).role == "backend-engineer"
    assert set(story.register().milestones(MARTA, "payments")) == {"second_merge"}


def test_a_manifest_that_follows_a_role_change_confirms_it() -> None:
    story = onboarded()
    story.tell(
        records.role_changed(MARTA, "payments", "backend-engineer", "qa-engineer"),
        records.happened("second_merge", MARTA, engagement="payments"),
        records.engagement_loaded(engagement(marta="backend-engineer")),
    )

    assert assignment(story).role == "backend-engineer"
    assert set(story.register().milestones(MARTA, "payments")) == {"second_merge"}


def test_a_manifest_whose_own_role_changes_overrides_an_earlier_role_change() -> None:
    story = onboarded()
    story.tell(
        records.role_changed(MARTA, "payments", "backend-engineer", "qa-engineer"),
        records.happened("second_merge", MARTA, engagement="payments"),
        records.engagement_loaded(engagement(marta="data-engineer")),
    )

    assert assignment(story).role == "data-engineer"
    assert story.register().milestones(MARTA, "payments") == {}


def test_who_is_dropped_from_a_manifest_has_ended_there_until_named_again() -> None:
    story = onboarded()
    story.tell(records.engagement_loaded(engagement(jonas="qa-engineer")))
    assert assignment(story).ended
    assert story.register().staffed("payments") == (JONAS,)

    story.tell(records.engagement_loaded(engagement(marta="qa-engineer")))
    assert not assignment(story).ended
    assert assignment(story).phase is Phase.RAMP_UP


def test_who_left_one_engagement_stays_in_the_others_though_the_manifest_still_names_them() -> None:
    story = onboarded()
    story.tell(
        records.engagement_loaded(engagement("data", marta="data-engineer")),
        records.left(MARTA, "payments"),
        records.engagement_loaded(engagement(marta="qa-engineer")),
    )

    assert (assignment(story).ended, assignment(story, engagement="data").ended) == (True, False)
    assert story.register().staffed("payments") == ()
    assert story.register().left(MARTA) is None


@pytest.mark.parametrize("removal", [records.left(MARTA), records.cut_off(MARTA)])
def test_who_is_out_is_out_of_everything_also_of_what_is_staffed_later(removal: Record) -> None:
    story = onboarded()
    fact = story.tell(removal)
    story.tell(records.engagement_loaded(engagement("data", marta="data-engineer")))

    register = story.register()
    left = register.left(MARTA)
    assert left is not None
    assert left.entry == fact
    assert all(a.ended for a in register.assignments(MARTA))


def test_who_comes_back_after_leaving_begins_anew_and_only_where_they_are_started() -> None:
    story = onboarded()
    story.tell(
        records.engagement_loaded(engagement("data", marta="data-engineer")),
        records.started(MARTA, "data", "data-engineer"),
        records.left(MARTA),
    )
    again = story.tell(records.started(MARTA, "payments", "qa-engineer"))

    register = story.register()
    begun = register.started(MARTA, "payments")
    assert begun is not None
    assert begun.entry == again
    assert (assignment(story).ended, assignment(story).phase) == (False, Phase.DISCOVERY)
    assert register.milestones(MARTA, "payments") == {}
    assert assignment(story, engagement="data").ended
    assert (register.left(MARTA), register.last_removal(MARTA)) == (None, None)


def test_being_started_does_not_end_a_cut_off() -> None:
    story = onboarded()
    story.tell(records.cut_off(MARTA), records.started(MARTA, "payments", "qa-engineer"))

    assert story.register().left(MARTA) is not None
    assert assignment(story).ended


@pytest.mark.parametrize(
    "removal",
    [
        records.left(MARTA),
        records.left(MARTA, "payments"),
        records.cut_off(MARTA),
        records.role_changed(MARTA, "payments", "backend-engineer", "qa-engineer"),
    ],
)
def test_what_is_restored_is_as_if_it_had_not_happened(removal: Record) -> None:
    story = onboarded()
    before = story.register()
    fact = story.tell(removal)
    last = story.register().last_removal(MARTA)
    assert last is not None
    assert (last.entry, last.name) == (fact, removal.body["name"])

    story.tell(records.restored(MARTA, fact))

    after = story.register()
    assert after.assignments(MARTA) == before.assignments(MARTA)
    assert after.milestones(MARTA, "payments") == before.milestones(MARTA, "payments")
    assert (after.left(MARTA), after.last_removal(MARTA)) == (None, None)


def test_restoring_twice_goes_back_through_two_role_changes() -> None:
    story = onboarded()
    first = story.tell(records.role_changed(MARTA, "payments", "backend-engineer", "qa-engineer"))
    story.tell(records.happened("second_merge", MARTA, engagement="payments"))
    second = story.tell(records.role_changed(MARTA, "payments", "data-engineer", "backend-engineer"))

    story.tell(records.restored(MARTA, second))
    assert assignment(story).role == "backend-engineer"
    assert set(story.register().milestones(MARTA, "payments")) == {"second_merge"}

    story.tell(records.restored(MARTA, first))
    assert assignment(story).role == "qa-engineer"
    assert set(story.register().milestones(MARTA, "payments")) == {"first_merge", "second_merge"}


def test_a_restoration_undoes_nothing_but_removals_of_the_same_person() -> None:
    story = onboarded()
    fact = story.tell(records.left(MARTA))
    story.tell(records.restored(MARTA, 4), records.restored(JONAS, fact))

    assert story.register().left(MARTA) is not None
    assert "nda_signed" in story.register().facts(MARTA)


def test_the_past_is_answered_by_the_entries_up_to_then() -> None:
    story = onboarded()
    now = story.tell(records.left(MARTA))
    story.tell(records.restored(MARTA, now))

    assert [story.register(until=n).left(MARTA) is not None for n in (now - 1, now, now + 1)] == [False, True, False]


def test_manifests_come_back_as_they_were_loaded() -> None:
    story = Story()
    story.tell(records.vendor_loaded(vendor()), records.engagement_loaded(engagement(marta="qa-engineer")))

    assert story.register().vendors == {"nordwind": vendor()}
    assert story.register().engagements == {"payments": engagement(marta="qa-engineer")}


def test_a_person_belongs_to_the_vendors_where_they_stand_or_lead_even_after_leaving() -> None:
    story = onboarded()
    story.tell(
        records.engagement_loaded(engagement("data", vendor="sudwind", jonas="data-engineer")),
        records.left(MARTA),
    )

    register = story.register()
    assert register.vendors_of(MARTA) == {"nordwind"}
    assert register.vendors_of(JONAS) == {"sudwind"}
    assert register.vendors_of(VIKTOR) == {"nordwind", "sudwind"}


def test_an_account_bound_to_somebody_else_is_no_longer_the_first_ones() -> None:
    story = onboarded()
    story.tell(
        records.account_bound(MARTA, ACCOUNT, "github", "claimed"),
        records.account_bound(MARTA, "a-2", "jira", "claimed"),
        records.account_bound(MARTA, "a-3", "jira", "claimed"),
        records.account_bound(JONAS, ACCOUNT, "github", "proven"),
    )

    register = story.register()
    assert {system: b.account for system, b in register.bindings(MARTA).items()} == {"jira": "a-3"}
    assert [b.account for b in register.accounts(MARTA)] == ["a-2", "a-3"]
    binding = register.binding_of(ACCOUNT)
    assert binding is not None
    assert (binding.person, binding.proof) == (JONAS, "proven")


def test_what_follows_makes_a_new_register_and_leaves_the_old_one_as_it_was() -> None:
    story = onboarded()
    before = story.register()
    story.tell(records.left(MARTA))
    story.write(change(None, "push"))

    after = before.advance(story.entries)

    assert (before.left(MARTA), before.owned()) == (None, {})
    assert after == story.register()
    assert after.advance([]) is after
    assert Register.replay([]).people == frozenset()


def test_a_claim_is_proven_until_the_account_is_bound_anew_or_another_takes_its_place() -> None:
    story = onboarded()
    story.tell(records.account_bound(MARTA, ACCOUNT, "github", Proof.CLAIMED))
    before = story.register()
    story.tell(records.account_proven(MARTA, ACCOUNT, "github", Proof.WORK_EMAIL))
    proven = before.advance(story.entries)
    binding = proven.bindings(MARTA)["github"]

    assert before.proof(MARTA, "github") == "claimed"
    assert (proven.proof(MARTA, "github"), binding.proven) == ("work-email", story.entries[-1].at)
    assert proven.proof(MARTA, "jira") == "none"
    assert proven == story.register()

    story.tell(records.account_bound(MARTA, "a-2", "github", Proof.CLAIMED))
    assert story.register().proof(MARTA, "github") == "claimed"
    story.tell(records.account_bound(MARTA, ACCOUNT, "github", Proof.CLAIMED))
    assert story.register().proof(MARTA, "github") == "claimed"
