"""A person's way through the four phases, as the systems see it."""

from __future__ import annotations

import pytest

from onboard.errors import BadInput, Waiting
from onboard.lifecycle import gates
from onboard.lifecycle.facts import record
from onboard.model import OPERATOR, Phase
from tests.world import FACTS, IDS, PREREQUISITES, World

DISCOVERY = [
    "github org:acme member",
    "github repo:acme/payments-api pull",
    "github team:acme/outsourced-readers member",
    "jira group:outsourced-engineers member",
    "jira project:PAY Viewers",
    "slack channel:onboarding member",
]
TOOLING_SETUP = [
    "github org:acme member",
    "github repo:acme/payments-api triage",
    *DISCOVERY[2:],
    "slack channel:payments-dev member",
    "vault group:payments-dev member",
    "vault login:userpass enabled",
]
RAMP_UP = [*TOOLING_SETUP, "jira project:PAY Developers"]
FULL_OPERATION = [
    *(line for line in RAMP_UP if "repo:" not in line),
    "github repo:acme/payments-api push",
    "github team:acme/payments-engineers member",
    "slack channel:payments-incidents member",
    "slack usergroup:payments-engineers member",
    "vault group:payments-staging member",
]
HOLDS = {
    Phase.DISCOVERY: DISCOVERY,
    Phase.TOOLING_SETUP: TOOLING_SETUP,
    Phase.RAMP_UP: RAMP_UP,
    Phase.FULL_OPERATION: FULL_OPERATION,
}


def reach(world: World, phase: Phase) -> None:
    """Record what the gate into a phase asks for."""
    for name in FACTS[phase]:
        record(world.services, IDS["marta"], name, OPERATOR, engagement=None if name in PREREQUISITES else "payments")


def test_a_person_without_an_nda_gets_nothing_and_is_told_so(world: World) -> None:
    report = world.start("marta")

    assert report.plan.changes == ()
    assert report.waiting == ((IDS["marta"], "nda_signed"),)
    assert report.exit_code == 6
    assert world.writes() == []


def test_the_next_phase_waits_for_its_gate(world: World) -> None:
    world.signed("marta")
    world.start("marta")

    with pytest.raises(Waiting, match="knowledge_transfer_done, security_training"):
        gates.advance(world.services, IDS["marta"], None, OPERATOR)
    assert world.register.assignments(IDS["marta"])[0].phase is Phase.DISCOVERY


def test_no_phase_is_skipped(world: World) -> None:
    world.standing("marta")

    with pytest.raises(BadInput, match="ramp-up comes only after tooling-setup"):
        gates.enter(world.services, IDS["marta"], None, Phase.RAMP_UP, OPERATOR)


def test_a_role_that_left_the_policies_opens_no_gate(world: World) -> None:
    world.load(marta="astronaut")
    world.standing("marta")

    with pytest.raises(BadInput, match="'astronaut' is not in the policies"):
        gates.advance(world.services, IDS["marta"], None, OPERATOR)


def test_nothing_is_granted_before_the_approval(world: World) -> None:
    world.signed("marta")

    report = world.start("marta")

    assert [str(change) for change in report.plan.changes][:1] == ["grant github:org:acme member"]
    assert report.exit_code == 6
    assert world.writes() == []


def test_each_phase_gives_exactly_what_its_role_says(world: World) -> None:
    world.signed("marta")
    report = world.start("marta")
    for phase in Phase:
        if phase is not Phase.DISCOVERY:
            reach(world, phase)
            report = gates.advance(world.services, IDS["marta"], None, OPERATOR)
        assert report.exit_code == 6

        world.granted(report)
        world.accept("marta")

        assert world.held("marta") == sorted(HOLDS[phase])
        again, written = world.reconcile("marta"), len(world.writes())
        assert again.plan.actions() == []
        assert again.exit_code == 0
        assert len(world.writes()) == written


def test_what_waits_for_acceptance_is_no_failure_and_is_not_invited_twice(world: World) -> None:
    world.standing("marta")
    report = world.granted(world.reconcile("marta"))
    written = len(world.writes())

    again = world.reconcile("marta")

    assert report.certificate is not None
    assert {f"{grant.resource.type} {grant.level}" for grant in report.certificate.invited} >= {"org member"}
    assert (report.exit_code, again.exit_code) == (0, 0)
    assert len(world.writes()) == written
    assert "github org:acme member (invited)" in world.held("marta")


def test_an_expired_invitation_is_asked_for_again_and_then_replaced(world: World) -> None:
    world.standing("marta")
    world.granted(world.reconcile("marta"))

    world.advance_time(days=8)
    report = world.reconcile("marta")

    assert "grant github:org:acme member" in report.plan.actions()
    world.granted(report)
    world.accept("marta")
    assert world.held("marta") == DISCOVERY


def test_write_access_waits_for_the_first_merge(world: World) -> None:
    world.standing("marta", Phase.RAMP_UP)

    report = world.reconcile("marta")
    assert "grant github:repo:acme/payments-api triage" in report.plan.actions()

    reached = record(world.services, IDS["marta"], "first_merge", OPERATOR)
    assert "grant github:repo:acme/payments-api push" in reached.plan.actions()


def test_full_operation_has_no_next_phase(world: World) -> None:
    world.standing("marta", Phase.FULL_OPERATION)

    with pytest.raises(BadInput, match="no further phase"):
        gates.advance(world.services, IDS["marta"], None, OPERATOR)
