"""What stops a plan that takes too much, and whom no plan touches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onboard.errors import NotAuthorised, Refused
from onboard.ledger import records
from onboard.lifecycle import offboarding
from onboard.lifecycle.reconciling import Report, plan
from onboard.model import OPERATOR, Phase
from onboard.policy.catalogue import Policy
from tests.lifecycle.test_phases import DISCOVERY
from tests.world import IDS, World


def limited(world: World, **limits: Any) -> World:
    return world.with_settings(limits=world.services.settings.limits.model_copy(update=limits))


def dropped(world: World) -> Report:
    """Marta and jonas lose github, jira and slack because their manifest no longer names them."""
    world.onboarded("marta", "jonas")
    world.load()
    return world.reconcile("marta", "jonas")


def test_more_removals_than_the_limit_wait_on_that_system_only(world: World) -> None:
    strict = limited(world, removals=4)

    report = dropped(strict)

    assert [line.split()[0] for line in world.held("marta")] == ["github"] * 3
    assert [hazard.name for part in report.open for hazard in part.hazards] == ["limit:github"] * 2
    assert "takes away 6 of the 6 grants" in report.open[0].hazards[0].message
    assert report.exit_code == 6


def test_a_large_share_of_what_is_held_waits_too(world: World) -> None:
    report = dropped(limited(world, fraction_from=6, fraction=0.9))

    assert {hazard.name for part in report.open for hazard in part.hazards} == {"limit:github"}


def test_within_the_limits_nothing_waits(world: World) -> None:
    report = dropped(limited(world, removals=6))

    assert report.open == ()
    assert world.held("marta") == []


def test_a_hazard_is_accepted_by_name_by_somebody_who_answers_for_the_engagement(world: World) -> None:
    strict = limited(world, removals=4)
    report = dropped(strict)
    digests = {part.person: part.digest for part in report.open}
    digest = digests[IDS["marta"]]

    with pytest.raises(NotAuthorised):
        strict.approve(digest, "viktor", "limit:github")
    with pytest.raises(Refused, match="--accept limit:github"):
        strict.approve(digest, "ada")
    strict.approve(digest, "piet", "limit:github")
    strict.reconcile("marta", "jonas")

    assert world.held("marta") == []
    assert [line.split()[0] for line in world.held("jonas")] == ["github"] * 3


def test_applying_a_removal_that_nobody_accepted_says_what_lacks(world: World) -> None:
    strict = limited(world, removals=2)
    strict.onboarded("marta")
    strict.load()
    digest = strict.reconcile("marta").open[0].digest

    with pytest.raises(Refused, match="acceptance of limit:github"):
        strict.apply(digest)

    strict.approve(digest, "ada", "limit:github")
    assert strict.apply(digest).exit_code == 0
    assert world.held("marta") == []


def test_while_a_removal_waits_its_person_is_granted_nothing_new(world: World) -> None:
    strict = limited(world, removals=0)
    strict.onboarded("marta")
    world.load(marta="qa-engineer", jonas="qa-engineer")
    report = strict.reconcile("marta")
    strict.approve(report.plan.grants[0].digest, "ada")

    report = strict.reconcile("marta")

    assert report.held == {IDS["marta"]}
    assert report.granted == ()


def test_the_sponsors_leaving_can_still_be_accepted_by_another(world: World) -> None:
    strict = limited(world, removals=2)
    strict.onboarded("marta")
    report = offboarding.offboard(strict.services, IDS["ada"], None, OPERATOR)
    (part,) = [part for part in report.open if part.person == IDS["marta"]]

    strict.approve(part.digest, "lena", "limit:github")
    strict.reconcile("marta")

    assert world.held("marta") == []


def test_a_protected_account_is_never_changed_and_its_person_loses_the_rest(world: World) -> None:
    world.onboarded("marta")
    github = world.services.settings.systems["github"].model_copy(update={"protected": ("marta-nw",)})
    guarded = world.with_settings(systems={**world.services.settings.systems, "github": github})

    report = offboarding.offboard(guarded.services, IDS["marta"], None, OPERATOR)

    assert [line.split()[0] for line in world.held("marta")] == ["github"] * 3
    assert [hazard.name for part in report.open for hazard in part.blocked] == ["protected:github"]
    assert report.exit_code == 3


def test_an_account_is_protected_by_the_login_that_it_has_now(world: World) -> None:
    world.onboarded("marta")
    world.sandbox.rename("marta", github="break-glass")
    github = world.services.settings.systems["github"].model_copy(update={"protected": ("break-glass",)})
    guarded = world.with_settings(systems={**world.services.settings.systems, "github": github})

    report = offboarding.offboard(guarded.services, IDS["marta"], None, OPERATOR)

    assert {line.split()[0] for line in world.held("marta")} == {"github"}
    assert [hazard.name for part in report.open for hazard in part.blocked] == ["protected:github"]


def test_nobody_is_protected_by_a_display_name_that_they_gave_themselves(world: World) -> None:
    world.onboarded("marta")
    jira = world.services.settings.systems["jira"].model_copy(update={"protected": ("Marta Kowalska",)})
    guarded = world.with_settings(systems={**world.services.settings.systems, "jira": jira})

    report = offboarding.offboard(guarded.services, IDS["marta"], None, OPERATOR)

    assert [line for line in world.held("marta") if line.startswith("jira")] == []
    assert report.failed == ()


def test_the_companys_org_owners_are_protected_unasked(world: World) -> None:
    world.enter("octo-admin")

    report = offboarding.offboard(world.services, IDS["octo-admin"], None, OPERATOR)

    assert "github org:acme admin" in world.held("octo-admin")
    assert "jira project:OPS Administrators" not in world.held("octo-admin")
    assert report.exit_code == 3


def test_while_nobody_can_tell_who_the_owners_are_the_companys_own_are_left_alone(world: World) -> None:
    world.enter("octo-admin")
    world.repository("docs").add_to_collaborators("octo-admin", permission="push")
    world.sandbox.fault("github", "500", path="/orgs/acme/invitations")

    report = offboarding.offboard(world.services, IDS["octo-admin"], None, OPERATOR)

    assert "github repo:acme/docs push" in world.held("octo-admin")
    assert report.exit_code == 5


def test_an_engineer_whom_somebody_made_an_owner_is_not_protected(world: World) -> None:
    world.onboarded("marta")
    world.github().get_organization("acme").add_to_members(world.github().get_user("marta-nw"), role="admin")
    assert "github org:acme admin" in world.held("marta")

    report = world.reconcile("marta")

    assert report.plan.actions()[0] == "revoke github:org:acme admin → member"
    assert world.held("marta") == DISCOVERY
    assert report.exit_code == 0


def test_a_plan_for_a_protected_person_cannot_be_approved(world: World) -> None:
    github = world.services.settings.systems["github"].model_copy(update={"protected": ("marta-nw",)})
    guarded = world.with_settings(systems={**world.services.settings.systems, "github": github})
    guarded.standing("marta", Phase.DISCOVERY)
    found = plan(guarded.services, [IDS["marta"]], OPERATOR)

    with pytest.raises(Refused, match="protected:github"):
        guarded.approve(found.parts[0].digest, "ada")


def test_what_a_guardrail_forbids_cannot_be_approved(world: World) -> None:
    name = "roles/backend-engineer.yaml"
    role = world.services.policy.files[name].replace(
        "acme/payments-api, level: push", "acme/payments-api, level: admin"
    )
    files = {**world.services.policy.files, name: role}
    kept = Policy.kept(files, world.services.settings.kinds)  # as it was in force before its guardrail came
    changed = replace(world, services=replace(world.services, policy=kept))
    changed.standing("marta", Phase.FULL_OPERATION)
    report = changed.reconcile("marta")

    assert report.exit_code == 3
    with pytest.raises(Refused, match="guardrail:no-administration"):
        changed.approve(report.open[0].digest, "ada")
    sponsor, owner = (records.approved(report.open[0].digest, need.role) for need in report.open[0].needs)
    world.note(sponsor, owner)
    assert changed.reconcile("marta").granted == ()
    assert world.writes() == []
