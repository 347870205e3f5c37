"""A word on a plan: the owner's, a delegate's, a rule's, one that is overdue, one that expired."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from onboard.errors import BadInput, NotAuthorised, Refused
from onboard.ledger import records
from onboard.ledger.projections.delegations import teams_loaded
from onboard.lifecycle import approvals, delegates
from onboard.lifecycle.offboarding import cut_off, offboard
from onboard.lifecycle.reconciling import lacking
from onboard.lifecycle.role_change import change_role
from onboard.model import OPERATOR, SCHEDULER, Actor, Phase
from onboard.policy.rules.authority import Authority
from tests.world import IDS, World

ADA, PIET, LENA, MARTA = IDS["ada"], IDS["piet"], IDS["lena"], IDS["marta"]
READING = """
@id("reading-in-discovery") @because("It is what discovery is for") @owner("team-platform")
permit (principal, action == Action::"pre_approve", resource) when { context.rank == 0 };
"""


def opened(world: World, phase: Phase = Phase.DISCOVERY) -> str:
    """The digest of marta's open plan in a phase."""
    world.standing("marta", phase)
    return world.reconcile("marta").open[0].digest


def with_rule(world: World, text: str) -> World:
    """The same world with another rule of authority."""
    return world.with_policy(**{"authority/own.cedar": text})


def by(person: str) -> Actor:
    """Who was named by their own Vault login."""
    return Actor(IDS[person], approvals.VAULT_LOGIN)


def test_what_is_restricted_needs_its_owners_word_beside_the_sponsors(world: World) -> None:
    world.note(teams_loaded({"team-payments": (LENA,)}))
    digest = opened(world, Phase.FULL_OPERATION)

    approvals.approve(world.services, digest, by("ada"))
    assert lacking(world.register, digest) == ("approval by the owner team-payments",)
    with pytest.raises(NotAuthorised, match="You are none of them"):
        approvals.approve(world.services, digest, by("piet"))
    approvals.approve(world.services, digest, by("lena"))

    assert world.apply(digest).exit_code == 0


def test_a_team_of_the_sponsor_and_of_vendors_people_gives_no_word_so_the_product_owner_does(world: World) -> None:
    world.note(teams_loaded({"team-payments": (ADA, IDS["viktor"], MARTA)}))

    digest = opened(world, Phase.FULL_OPERATION)

    needs = world.register.proposal(digest).terms["needs"]
    assert [need["role"] for need in needs] == ["product owner of payments", "sponsor of payments"]


def test_a_delegate_approves_until_the_day_is_over_and_the_approval_says_for_whom(world: World) -> None:
    delegates.add(world.services, ADA, LENA, world.today + timedelta(days=2), None, by("ada"))
    digest = opened(world)

    approvals.approve(world.services, digest, by("lena"))

    (given,) = world.register.approvals(digest)
    assert (given.actor.id, given.as_role, given.for_whom) == (LENA, "sponsor of payments", ADA)
    assert given.rule == "a-delegate-meanwhile"
    assert world.apply(digest).exit_code == 0
    world.clock.ahead += timedelta(days=3)
    assert delegates.standing(world.services, world.register) == ()


@pytest.mark.parametrize("within", ["billing", None])
def test_a_delegation_holds_where_it_was_given_until_it_is_ended(world: World, within: str | None) -> None:
    world.load("billing")
    delegates.add(world.services, ADA, LENA, world.today, within, by("ada"))
    digest = opened(world)
    if within is None:
        assert [p.digest for p in approvals.inbox(world.services, by("lena"))] == [digest]
        delegates.end(world.services, ADA, LENA, by("ada"))

    with pytest.raises(NotAuthorised, match="You are none of them"):
        approvals.approve(world.services, digest, by("lena"))


def test_a_chain_of_delegates_is_not_followed(world: World) -> None:
    delegates.add(world.services, ADA, PIET, world.today, None, by("ada"))
    delegates.add(world.services, PIET, LENA, world.today, None, by("piet"))

    with pytest.raises(NotAuthorised, match="You are none of them"):
        approvals.approve(world.services, opened(world), by("lena"))


def test_one_delegate_never_gives_both_words(world: World) -> None:
    delegates.add(world.services, ADA, LENA, world.today, None, by("ada"))
    delegates.add(world.services, PIET, LENA, world.today, None, by("piet"))
    digest = opened(world, Phase.FULL_OPERATION)

    for _ in range(2):
        approvals.approve(world.services, digest, by("lena"))

    assert lacking(world.register, digest) == ("approval by the sponsor of payments",)
    approvals.approve(world.services, digest, by("ada"))
    assert lacking(world.register, digest) == ()


@pytest.mark.parametrize(
    ("person", "to", "actor", "because"),
    [
        ("ada", "piet", by("piet"), "No rule permits you to name a delegate"),
        ("ada", "piet", OPERATOR, "Log in first"),
        ("ada", "viktor", by("ada"), "a-delegate-is-of-the-company"),
        ("marta", "piet", by("marta"), "only-the-companys-own-people"),
    ],
)
def test_a_delegate_is_refused_where(world: World, person: str, to: str, actor: Actor, because: str) -> None:
    with pytest.raises(NotAuthorised, match=because):
        delegates.add(world.services, IDS[person], IDS[to], world.today, None, actor)


def test_a_delegation_for_nobody_or_for_yesterday_is_bad_input_and_the_same_one_stands_once(world: World) -> None:
    for to, until in ((ADA, world.today), (PIET, world.today - timedelta(days=1))):
        with pytest.raises(BadInput):
            delegates.add(world.services, ADA, to, until, None, by("ada"))
    first = delegates.add(world.services, ADA, PIET, world.today, None, by("ada"))

    assert delegates.add(world.services, ADA, PIET, world.today, None, by("ada")) == first
    assert delegates.standing(world.services, world.register) == (first,)


def test_an_approval_that_was_not_spent_in_time_is_void_and_can_be_given_again(world: World) -> None:
    digest = opened(world)
    approvals.approve(world.services, digest, by("ada"))
    world.clock.ahead += timedelta(days=world.services.settings.approvals.expires_days, minutes=1)

    with pytest.raises(Refused, match=r"lacks approval by the sponsor of payments\. What was given before expired on"):
        world.apply(digest)
    assert world.writes() == []

    approvals.approve(world.services, digest, by("ada"))
    assert world.apply(digest).exit_code == 0


def test_once_a_plan_is_overdue_the_company_lead_may_approve_it(world: World) -> None:
    digest = opened(world)
    with pytest.raises(NotAuthorised):
        approvals.approve(world.services, digest, by("lena"))
    world.clock.ahead += timedelta(days=world.services.settings.approvals.escalate_after_days, minutes=1)

    assert [p.digest for p in approvals.inbox(world.services, by("lena"))] == [digest]
    approvals.approve(world.services, digest, by("lena"))

    (given,) = world.register.approvals(digest)
    assert given.rule == "the-company-lead-once-overdue"
    assert world.apply(digest).exit_code == 0


def test_approving_twice_adds_no_second_entry(world: World) -> None:
    digest = opened(world)

    for _ in range(2):
        approvals.approve(world.services, digest, by("ada"))

    assert len(world.register.approvals(digest)) == 1


def test_what_rules_pre_approve_is_granted_at_once_in_the_owners_name(world: World) -> None:
    world.note(teams_loaded({"team-platform": (LENA,)}))
    ruled = with_rule(world, READING)
    ruled.standing("marta")

    report = ruled.reconcile("marta")

    assert report.open == ()
    assert "github org:acme member (invited)" in ruled.held("marta")
    (granted, *_) = report.granted
    given = next(e for e in ruled.services.ledger.journal.entries(kinds={"approved"}))
    assert given.actor == Actor(LENA, "policy rule")
    assert dict(given.body["rule"]) == {"id": "reading-in-discovery", "policy": ruled.services.policy.hash}
    assert granted.change.person == MARTA


@pytest.mark.parametrize("owners", [(), (MARTA,), (IDS["viktor"],)])
def test_a_rule_whose_owner_is_nobody_or_a_vendors_own_pre_approves_nothing(
    world: World, owners: tuple[str, ...]
) -> None:
    world.note(teams_loaded({"team-platform": owners}))
    ruled = with_rule(world, READING)
    ruled.standing("marta")

    assert ruled.reconcile("marta").granted == ()
    assert world.writes() == []


def test_what_is_only_partly_pre_approved_waits_for_the_sponsor(world: World) -> None:
    world.note(teams_loaded({"team-platform": (LENA,)}))
    ruled = with_rule(world, READING)
    ruled.standing("marta", Phase.TOOLING_SETUP)

    (part,) = ruled.reconcile("marta").open

    assert [need.role for need in part.needs] == ["sponsor of payments"]


def test_the_invariant_holds_though_the_policy_permits_it(world: World) -> None:
    anybody = '@id("anybody") @because("Anybody") permit (principal, action == Action::"approve", resource);'
    files = {"authority/who-never.cedar": "// nothing is forbidden\n", "authority/own.cedar": anybody}
    loose = world.with_policy(**files)
    digest = opened(loose)

    for person in ("marta", "jonas"):
        with pytest.raises(NotAuthorised, match="whatever policies/authority permits"):
            approvals.approve(loose.services, digest, by(person))
    approvals.approve(loose.services, digest, by("lena"))


def test_a_vendors_colleague_is_refused_by_a_rule_that_is_named(world: World) -> None:
    digest = opened(world)

    with pytest.raises(NotAuthorised, match=r"rule nobody-for-their-own-vendor, authority/who-never.cedar:\d+"):
        approvals.approve(world.services, digest, by("jonas"))
    for doing in (
        lambda: offboard(world.services, MARTA, None, by("jonas")),
        lambda: cut_off(world.services, MARTA, by("viktor")),
        lambda: change_role(world.services, MARTA, None, "qa-engineer", by("marta")),
    ):
        with pytest.raises(NotAuthorised, match="rule only-the-companys-own-people"):
            doing()
    assert world.register.left(MARTA) is None
    assert world.writes() == []


def test_who_is_cut_off_by_the_company_is_cut_off_even_where_every_rule_is_gone(world: World) -> None:
    bare = replace(
        world, services=replace(world.services, policy=replace(world.services.policy, authority=Authority()))
    )
    bare.note(records.started(MARTA, "payments", "backend-engineer"))

    with pytest.raises(NotAuthorised, match="No rule permits anybody"):
        cut_off(bare.services, MARTA, SCHEDULER)
    cut_off(bare.services, MARTA, by("piet"))

    assert bare.register.left(MARTA) is not None
