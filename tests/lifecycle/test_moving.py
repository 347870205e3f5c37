"""Role changes, prerequisites that lapse, sponsors who leave, several engagements, transfers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from onboard.errors import BadInput
from onboard.ledger import records
from onboard.lifecycle import offboarding
from onboard.lifecycle.facts import record
from onboard.lifecycle.role_change import change_role
from onboard.model import OPERATOR, Phase
from tests.lifecycle.test_phases import DISCOVERY, TOOLING_SETUP
from tests.world import IDS, World


def test_a_role_change_revokes_before_it_grants_and_what_is_new_waits(world: World) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)

    report = change_role(world.services, IDS["marta"], None, "qa-engineer", OPERATOR)

    assert report.plan.actions() == [
        "revoke github:repo:acme/payments-api triage",
        "grant github:repo:acme/e2e-tests triage",
    ]
    assert [str(outcome.change) for outcome in report.removed] == ["revoke github:repo:acme/payments-api triage"]
    assert report.granted == ()
    assert report.exit_code == 6
    assert not any("repo:" in line for line in world.held("marta"))

    world.granted(report)
    world.accept("marta")
    assert "github repo:acme/e2e-tests triage" in world.held("marta")


def test_the_old_roles_milestones_open_nothing_in_the_new_one(world: World) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)

    report = change_role(world.services, IDS["marta"], None, "qa-engineer", OPERATOR)

    assert "grant github:repo:acme/e2e-tests triage" in report.plan.actions()


def test_a_role_that_does_not_exist_changes_nothing(world: World) -> None:
    world.standing("marta")

    with pytest.raises(BadInput, match="Did you mean qa-engineer"):
        change_role(world.services, IDS["marta"], None, "qa-enginer", OPERATOR)


def test_a_lapsed_nda_takes_everything_away_at_once(world: World) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)

    yesterday = world.today - timedelta(days=1)
    report = record(world.services, IDS["marta"], "nda_signed", OPERATOR, until=yesterday)

    assert world.held("marta") == []
    assert report.exit_code == 6
    assert report.waiting == ((IDS["marta"], "nda_signed"),)


def test_a_training_that_ends_takes_secrets_away_on_the_day_after(world: World) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)
    world.signed("marta", "security_training", until=world.today)
    assert world.reconcile("marta").plan.changes == ()

    world.advance_time(days=1)
    world.reconcile("marta")

    assert [line for line in world.held("marta") if line.startswith("vault")] == []
    assert "slack channel:payments-dev member" in world.held("marta")


def test_when_the_sponsor_leaves_the_engagement_gives_nothing_any_more(world: World) -> None:
    world.onboarded("marta")

    report = offboarding.offboard(world.services, IDS["ada"], None, OPERATOR)

    assert world.held("marta") == []
    assert report.certificate is not None
    assert report.certificate.clean


def test_a_new_sponsor_has_to_approve_again(world: World) -> None:
    world.onboarded("marta")
    offboarding.offboard(world.services, IDS["ada"], None, OPERATOR)
    world.state(replace(world.engagement(marta="backend-engineer"), sponsor=IDS["lena"]))

    report = world.reconcile("marta")
    world.approve(report.open[0].digest, "lena")
    world.reconcile("marta")
    world.accept("marta")

    assert world.held("marta") == DISCOVERY


def test_the_end_of_the_contract_ends_the_access(world: World) -> None:
    world.onboarded("marta")
    vendor = world.register.vendors["nordwind"]
    world.note(records.vendor_loaded(replace(vendor, contract_ends=world.today - timedelta(days=1))))

    assert world.reconcile("marta").exit_code == 0
    assert world.held("marta") == []


def test_of_two_engagements_the_higher_level_holds_and_losing_one_lowers_it(world: World) -> None:
    world.load("reporting", marta="frontend-engineer")
    world.standing("marta", Phase.TOOLING_SETUP, engagement="reporting")
    world.onboarded("marta", phase=Phase.FULL_OPERATION)
    assert "github repo:acme/payments-api push" in world.held("marta")
    assert "github repo:acme/payments-web triage" in world.held("marta")

    report = offboarding.offboard(world.services, IDS["marta"], "payments", OPERATOR)

    assert "revoke github:repo:acme/payments-api push → pull" in report.plan.actions()
    assert world.held("marta") == sorted(
        [
            *(line for line in TOOLING_SETUP if "repo:" not in line),
            "github repo:acme/payments-api pull",
            "github repo:acme/payments-web triage",
        ]
    )
    assert report.exit_code == 0


def test_leaving_the_last_engagement_takes_back_what_it_gave(world: World) -> None:
    world.onboarded("marta")

    offboarding.offboard(world.services, IDS["marta"], "payments", OPERATOR)

    assert world.held("marta") == []
    assert world.register.left(IDS["marta"]) is None


def test_leaving_an_engagement_that_one_is_not_in_is_refused(world: World) -> None:
    world.standing("marta")

    with pytest.raises(BadInput, match="isn't in engagement reporting"):
        offboarding.offboard(world.services, IDS["marta"], "reporting", OPERATOR)
    assert world.register.assignments(IDS["marta"])[0].ended is False


def test_a_transfer_takes_nothing_that_both_engagements_give(world: World) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)
    written = len(world.writes())
    world.load("reporting", marta="backend-engineer")
    world.standing("marta", Phase.TOOLING_SETUP, engagement="reporting")

    report = offboarding.offboard(world.services, IDS["marta"], "payments", OPERATOR)

    assert report.plan.changes == ()
    assert len(world.writes()) == written
    assert world.held("marta") == TOOLING_SETUP


def test_whom_the_manifest_no_longer_names_loses_the_access(world: World) -> None:
    world.onboarded("marta", "jonas")

    world.load(jonas="qa-engineer")
    world.reconcile("marta", "jonas")

    assert world.held("marta") == []
    assert "github repo:acme/e2e-tests pull" in world.held("jonas")
