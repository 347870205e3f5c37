from __future__ import annotations

import pytest

from onboard.errors import BadInput, OnboardError
from onboard.ledger import Record, Result, records
from tests.ledger.builders import JONAS, MARTA, SPONSOR, Story, change, terms

ONE, TWO = "1" * 64, "12" + "2" * 62


def asked(*digests: str) -> Story:
    story = Story()
    story.tell(records.person_added(MARTA), *(records.proposed(digest, terms()) for digest in digests))
    return story


def waiting(story: Story) -> list[str]:
    return [proposal.digest for proposal in story.register().open_proposals()]


def test_a_digest_that_fits_nothing_or_several_plans_is_bad_input() -> None:
    register = asked("1111" + "a" * 60, "1111" + "b" * 60).register()

    with pytest.raises(BadInput, match="begins 2 plans: 1111aaaaaaaaaaaa, 1111bbbbbbbbbbbb"):
        register.proposal("1111")
    with pytest.raises(BadInput, match="No plan '2222' was ever proposed"):
        register.proposal("2222")
    with pytest.raises(BadInput, match="at least the first 4 characters"):
        register.proposal("111")


def test_terms_that_lack_what_a_digest_must_bind_are_refused() -> None:
    with pytest.raises(OnboardError, match="policy, changes is missing"):
        records.proposed(ONE, {"person": MARTA, "authority": "fact"})


def test_terms_come_back_as_they_were_proposed() -> None:
    proposal = asked(ONE).register().proposal("1111")

    assert proposal.terms == terms()
    assert (proposal.person, proposal.policy, proposal.engagement) == (MARTA, "f" * 64, None)
    assert proposal.changes == (change(None, "push").json(),)


def test_a_later_proposal_for_the_same_person_supersedes_the_earlier() -> None:
    story = asked(ONE, TWO)
    story.tell(records.proposed("3" * 64, terms(JONAS)))

    assert waiting(story) == [TWO, "3" * 64]


def test_removals_wait_for_nobody_unless_they_carry_a_hazard_and_supersede_no_grants() -> None:
    story = asked(ONE)
    story.tell(records.proposed(TWO, terms(authority="fact")))
    assert waiting(story) == [ONE]

    story.tell(records.proposed("3" * 64, terms(authority="fact", hazards=("limit:github",))))
    assert waiting(story) == [ONE, "3" * 64]


def test_the_newest_proposal_is_known_by_person_and_authority_settled_or_not() -> None:
    story = asked(ONE)
    story.tell(records.withdrawn(ONE), records.proposed(TWO, terms(authority="fact")))

    register = story.register()
    latest = register.latest_proposal(MARTA, "approval")
    assert latest is not None
    assert (latest.digest, latest.settled) == (ONE, "withdrawn")
    assert register.latest_proposal(JONAS, "approval") is None


@pytest.mark.parametrize("settled", [records.applied(ONE), records.refused(ONE), records.withdrawn(ONE)])
def test_what_is_settled_waits_no_more_until_it_is_proposed_again(settled: Record) -> None:
    story = asked(ONE)
    story.tell(settled)
    assert waiting(story) == []
    assert story.register().proposal(ONE).settled == settled.kind

    story.tell(records.proposed(ONE, terms()))
    assert waiting(story) == [ONE]
    assert story.register().proposal(ONE).settled is None


@pytest.mark.parametrize("removal", [records.left(MARTA), records.cut_off(MARTA)])
def test_nobody_is_asked_to_grant_to_a_person_who_is_out(removal: Record) -> None:
    story = asked(ONE)
    story.tell(records.proposed(TWO, terms(authority="fact", hazards=("limit:github",))), removal)

    assert waiting(story) == [TWO]


@pytest.mark.parametrize(
    "turn", [records.left(MARTA), records.cut_off(MARTA), records.role_changed(MARTA, "payments", "qa-engineer", "x")]
)
def test_an_approval_does_not_outlive_a_turn_in_the_persons_standing(turn: Record) -> None:
    story = asked(ONE)
    story.tell(records.approved(ONE, "sponsor"))
    approved = story.register().approved_proposal(MARTA)
    assert approved is not None
    assert approved.digest == ONE

    story.tell(turn)
    assert story.register().approved_proposal(MARTA) is None

    story.tell(records.restored(MARTA, story.entries[-1].seq))
    assert story.register().approved_proposal(MARTA) is None


def test_a_spent_approval_is_no_approved_proposal() -> None:
    story = asked(ONE)
    assert story.register().approved_proposal(MARTA) is None

    story.tell(records.approved(ONE, "sponsor"), records.applied(ONE))
    assert story.register().approved_proposal(MARTA) is None


def test_the_last_review_is_remembered_and_replaced() -> None:
    story = Story()
    assert story.register().last_review == ()
    story.tell(records.reviewed(["drift:1", "orphan:2"]), records.reviewed(["drift:1"]), records.applied(ONE))

    assert story.register().last_review == ("drift:1",)


@pytest.mark.parametrize("settled", [records.applied(ONE), records.refused(ONE), records.withdrawn(ONE)])
def test_approvals_count_once(settled: Record) -> None:
    story = asked(ONE)
    entry = story.tell(records.approved(ONE, "sponsor", ["limit:github"]), actor=SPONSOR)
    [approval] = story.register().approvals(ONE)
    assert (approval.actor, approval.as_role, set(approval.accepts)) == (SPONSOR, "sponsor", {"limit:github"})
    assert approval.entry == entry
    assert story.register().approvals(TWO) == ()

    story.tell(settled, records.proposed(ONE, terms()))
    assert story.register().approvals(ONE) == ()


def test_proposing_the_same_again_keeps_its_approvals() -> None:
    story = asked(ONE)
    story.tell(records.approved(ONE, "sponsor"))
    story.tell(records.proposed(ONE, terms()))

    assert len(story.register().approvals(ONE)) == 1


def test_the_changes_begun_under_a_digest_are_those_since_it_was_last_applied() -> None:
    story = asked(ONE)
    story.write(change(None, "push"), digest=ONE)
    story.tell(records.applied(ONE))
    assert story.register().intents(ONE) == ()

    begun = story.write(change(None, "push"), Result.FAILED, digest=ONE)
    story.write(change(None, "triage"), digest=TWO)
    assert [intent.seq for intent in story.register().intents(ONE)] == [begun]


def test_the_policy_in_force_is_the_last_one_recorded() -> None:
    story = Story()
    assert story.register().policy is None
    story.tell(records.policy_in_force("a" * 64), records.policy_in_force("b" * 64, "4be1d07"))

    assert story.register().policy == "b" * 64
