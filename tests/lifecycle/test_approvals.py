"""Who may approve what, and what an approval is good for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from onboard.errors import NotAuthorised, Refused, StalePlan
from onboard.ledger import records
from onboard.lifecycle import approvals
from onboard.lifecycle.reconciling import lacking, plan
from onboard.lifecycle.role_change import change_role
from onboard.model import OPERATOR, Phase
from tests.world import IDS, World


def opened(world: World, phase: Phase = Phase.DISCOVERY) -> str:
    """The digest of marta's open plan in a phase."""
    world.standing("marta", phase)
    return world.reconcile("marta").open[0].digest


@pytest.mark.parametrize(
    ("person", "because"),
    [
        ("marta", "Nobody approves their own access"),
        ("viktor", "Nobody approves for their own vendor"),
        ("jonas", "Nobody approves for their own vendor"),
        ("mallory", "You are none of them"),
        ("lena", "You are none of them"),
    ],
)
def test_an_approval_is_refused_to(world: World, person: str, because: str) -> None:
    world.enter("mallory")
    digest = opened(world)

    with pytest.raises(NotAuthorised, match=because):
        world.approve(digest, person)
    assert lacking(world.register, digest) == ("approval by the sponsor of payments",)


def test_an_approval_without_a_login_is_refused(world: World) -> None:
    digest = opened(world)

    for token in (None, SecretStr(""), SecretStr("made-up")):
        with pytest.raises(NotAuthorised):
            approvals.authenticate(world.services, token)
    with pytest.raises(NotAuthorised, match="own Vault login"):
        approvals.approve(world.services, digest, OPERATOR)


def test_a_root_token_speaks_for_nobody(world: World) -> None:
    with pytest.raises(NotAuthorised, match="belongs to no identity"):
        approvals.authenticate(world.services, SecretStr(world.sandbox.vault["root_token"]))


def test_a_login_that_nobody_entered_is_refused(world: World) -> None:
    with pytest.raises(NotAuthorised, match="known to Vault but to nobody here"):
        approvals.authenticate(world.services, world.login("octo-admin"))


def test_a_sponsor_who_left_approves_nothing(world: World) -> None:
    digest = opened(world)
    ada = world.actor("ada")
    world.note(records.left(IDS["ada"]))

    with pytest.raises(NotAuthorised, match="recorded as having left"):
        approvals.approve(world.services, digest, ada)


def test_restricted_resources_need_the_product_owner_as_well(world: World) -> None:
    digest = opened(world, Phase.FULL_OPERATION)
    world.approve(digest, "ada")

    with pytest.raises(Refused, match="lacks approval by the product owner of payments"):
        world.apply(digest)
    assert world.writes() == []

    world.approve(digest, "piet")
    assert world.apply(digest).exit_code == 0
    assert "slack usergroup:payments-engineers member" in world.held("marta")


def test_one_person_never_gives_both_approvals(world: World) -> None:
    world.state(replace(world.engagement(marta="backend-engineer"), product_owner=IDS["ada"]))
    digest = opened(world, Phase.FULL_OPERATION)

    world.approve(digest, "ada")

    assert lacking(world.register, digest) == ("approval by the company lead of payments",)


def test_where_only_the_sponsor_answers_restricted_resources_cannot_be_approved(world: World) -> None:
    ada = IDS["ada"]
    world.state(replace(world.engagement(marta="backend-engineer"), product_owner=ada, company_lead=ada))
    digest = opened(world, Phase.FULL_OPERATION)

    with pytest.raises(Refused, match="second-approver:payments"):
        world.approve(digest, "ada")


def test_an_approval_is_spent_once_it_is_applied(world: World) -> None:
    digest = opened(world)
    world.approve(digest, "ada")
    world.apply(digest)
    world.accept("marta")
    world.team("outsourced-readers").remove_membership(world.github().get_user("marta-nw"))

    report = world.reconcile("marta")

    assert report.plan.actions() == ["grant github:team:acme/outsourced-readers member"]
    assert report.granted == ()
    assert report.exit_code == 6


def test_applying_an_applied_plan_changes_nothing(world: World) -> None:
    digest = opened(world)
    world.approve(digest, "ada")
    world.apply(digest)
    written = len(world.writes())

    assert world.apply(digest).granted == ()
    assert len(world.writes()) == written
    with pytest.raises(Refused, match="applied already"):
        world.approve(digest, "ada")


def test_a_refused_plan_is_not_applied_nor_proposed_again_unasked(world: World) -> None:
    digest = opened(world)
    approvals.refuse(world.services, digest, world.actor("ada"))

    with pytest.raises(Refused, match="was refused"):
        world.apply(digest)
    with pytest.raises(Refused, match="was refused"):
        world.approve(digest, "ada")
    world.reconcile("marta")
    assert approvals.inbox(world.services, world.actor("ada")) == ()

    plan(world.services, [IDS["marta"]], OPERATOR)
    assert [p.digest for p in approvals.inbox(world.services, world.actor("ada"))] == [digest]
    assert world.writes() == []


def test_an_approved_plan_is_stale_once_a_fact_changes_it(world: World) -> None:
    digest = opened(world)
    world.approve(digest, "ada")
    world.note(
        records.happened("security_training", IDS["marta"]),
        records.advanced(IDS["marta"], "payments", Phase.TOOLING_SETUP),
    )

    with pytest.raises(StalePlan, match="new or different  github:repo:acme/payments-api none → triage"):
        world.apply(digest)
    assert world.writes() == []
    with pytest.raises(Refused, match="was replaced by"):
        world.approve(digest, "ada")


def test_an_approved_plan_is_stale_once_the_policy_changes(world: World) -> None:
    digest = opened(world)
    world.approve(digest, "ada")
    changed = world.with_policy(**{"facts.yaml": world.services.policy.files["facts.yaml"] + "# as before\n"})

    with pytest.raises(StalePlan, match="the policy changed"):
        changed.apply(digest)
    assert world.writes() == []


def test_an_approved_plan_is_stale_once_somebody_else_has_to_approve(world: World) -> None:
    digest = opened(world)
    world.approve(digest, "ada")
    world.state(replace(world.engagement(marta="backend-engineer"), sponsor=IDS["lena"]))

    with pytest.raises(StalePlan, match="who has to approve changed"):
        world.apply(digest)
    assert world.writes() == []


def test_an_approval_is_void_after_a_role_change_and_stays_void_after_changing_back(world: World) -> None:
    digest = opened(world)
    world.approve(digest, "ada")
    change_role(world.services, IDS["marta"], None, "qa-engineer", OPERATOR)

    back = change_role(world.services, IDS["marta"], None, "backend-engineer", OPERATOR)

    assert back.granted == ()
    with pytest.raises(Refused):
        world.apply(digest)
    assert world.writes() == []


def test_an_approval_given_anew_after_a_turn_counts(world: World) -> None:
    digest = opened(world)
    world.approve(digest, "ada")
    world.note(records.left(IDS["marta"]))
    entry = world.register.last_removal(IDS["marta"])
    assert entry is not None
    world.note(records.restored(IDS["marta"], entry.entry))

    again = world.reconcile("marta").open[0].digest
    with pytest.raises(Refused, match="lacks approval"):
        world.apply(again)
    world.approve(again, "ada")

    assert world.apply(again).exit_code == 0


def test_the_inbox_shows_whom_it_waits_for(world: World) -> None:
    digest = opened(world, Phase.FULL_OPERATION)
    ada, piet, viktor = world.actor("ada"), world.actor("piet"), world.actor("viktor")
    approvals.approve(world.services, digest, ada)

    assert approvals.inbox(world.services, ada) == ()
    assert [p.digest for p in approvals.inbox(world.services, piet)] == [digest]
    assert approvals.inbox(world.services, viktor) == ()
