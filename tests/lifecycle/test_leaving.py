"""Offboarding, cutting off, restoring: nothing stays behind, and what can't be told is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onboard.errors import BadInput, Waiting
from onboard.ids import new_account_id
from onboard.ledger import Leases, Profile, records
from onboard.ledger.records import Result
from onboard.lifecycle import offboarding
from onboard.model import OPERATOR, Phase
from tests.lifecycle.test_phases import DISCOVERY
from tests.world import IDS, World


def test_offboarding_leaves_nothing_on_any_system(world: World) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)

    report = offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)

    assert world.held("marta") == []
    assert report.certificate is not None
    assert report.certificate.clean
    assert report.remains.dead
    assert [task.what for task in report.tally.open] == ["change the secrets that the person could read"]
    assert report.exit_code == 6


def test_offboarding_twice_writes_nothing_the_second_time(world: World) -> None:
    world.onboarded("marta")
    offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)
    written = len(world.writes())

    again = offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)

    assert again.exit_code == 0
    assert len(world.writes()) == written


def test_pending_invitations_go_as_well(world: World) -> None:
    world.standing("marta")
    world.granted(world.reconcile("marta"))

    offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)

    assert world.held("marta") == []
    assert world.accept("marta") == []


def test_expired_invitations_go_as_well(world: World) -> None:
    world.standing("marta")
    world.granted(world.reconcile("marta"))
    world.advance_time(days=8)

    report = offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)
    written = len(world.writes())

    assert [line for line in world.held("marta") if "(expired)" not in line] == []
    assert [line for line in world.held("marta") if "repo:" in line] == []
    assert report.exit_code == 0
    assert offboarding.offboard(world.services, IDS["marta"], None, OPERATOR).exit_code == 0
    assert len(world.writes()) == written


def test_what_others_granted_goes_as_well(world: World) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)
    world.repository("platform-infra").add_to_collaborators(world.login_of("marta"), permission="admin")
    world.join_vault_group("marta", "platform-ops")
    world.slack().conversations_invite(
        channel=next(
            c["id"]
            for c in world.slack().conversations_list(types="private_channel")["channels"]
            if c["name"] == "data-platform"
        ),
        users=[world.sandbox.person("marta").slack["id"]],
    )

    report = offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)

    assert world.held("marta") == []
    assert report.remains.dead


def test_an_account_bound_before_the_present_one_is_emptied_too(world: World) -> None:
    world.onboarded("marta")
    second = world.sandbox.person("mallory").github
    account = new_account_id()
    world.services.ledger.people.bind(account, IDS["marta"], "github", str(second["id"]), second["login"])
    world.note(records.account_bound(IDS["marta"], account, "github", "claimed"))

    offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)

    assert world.held("marta") == []


def test_a_second_account_takes_the_place_of_the_first(world: World) -> None:
    world.onboarded("marta")
    second = world.sandbox.person("mallory").github
    account = new_account_id()
    world.services.ledger.people.bind(account, IDS["marta"], "github", str(second["id"]), second["login"])
    world.note(records.account_bound(IDS["marta"], account, "github", "claimed"))

    report = world.granted(world.reconcile("marta"))
    world.accept("mallory")

    assert report.exit_code == 0
    assert [line for line in world.held("marta") if line.startswith("github")] == []
    assert [line for line in world.held("mallory") if line.startswith("github")] == DISCOVERY[:3]


def test_what_cannot_be_read_is_said_and_the_rest_goes(world: World) -> None:
    world.onboarded("marta")
    world.sandbox.fault("jira", "500", path="/project/OPS")

    report = offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)

    assert world.held("marta") == []
    assert report.certificate is not None
    assert "jira:project:OPS" in {str(unknown.resource) for unknown in report.certificate.unknown}
    assert not report.certificate.clean
    assert report.exit_code == 5


def test_an_account_that_cannot_be_looked_up_may_still_hold_something(world: World) -> None:
    world.enter("octo-admin", vault="octo-admin", github="", jira="", slack="")
    world.sandbox.fault("vault", "500", path="identity/lookup/entity")

    report = offboarding.offboard(world.services, IDS["octo-admin"], None, OPERATOR)

    assert report.exit_code == 5
    assert [str(unknown.resource) for unknown in report.plan.unknown] == ["vault:system:vault"]


def test_a_leaver_is_never_held_back_by_a_removal_limit(world: World) -> None:
    world.onboarded("marta", "jonas", phase=Phase.FULL_OPERATION)
    strict = world.with_settings(limits=world.services.settings.limits.model_copy(update={"removals": 0}))
    world.load(marta="backend-engineer")
    world.note(records.left(IDS["marta"]))

    report = strict.reconcile("marta", "jonas")

    assert world.held("marta") == []
    assert world.held("jonas") != []
    assert [part.person for part in report.open] == [IDS["jonas"]]


def test_a_cutoff_works_where_a_system_cannot_be_read(world: World) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)
    world.sandbox.fault("github", "500", method="GET")

    cut = offboarding.cut_off(world.services, IDS["marta"], OPERATOR)

    assert cut.exit_code == 5
    assert [line for line in world.held("marta") if not line.startswith("github")] == []
    assert cut.report.certificate is not None
    assert {u.resource.system for u in cut.report.certificate.unknown} == {"github"}

    world.sandbox.clear_faults()
    again = offboarding.cut_off(world.services, IDS["marta"], OPERATOR)
    assert world.held("marta") == []
    assert again.report.remains.dead
    assert world.register.unresolved() == ()


def test_a_cutoff_pulls_its_levers_while_another_worker_has_the_person(world: World) -> None:
    world.onboarded("marta")
    mine = world.services.ledger
    impatient = Leases(mine.database, world.clock, lambda _: None)
    hurried = replace(world.services, ledger=replace(mine, leases=impatient))
    with (
        mine.leases.hold([f"person:{IDS['marta']}"], "another", ttl=600, wait=0),
        pytest.raises(Waiting, match="Every lever was pulled"),
    ):
        offboarding.cut_off(hurried, IDS["marta"], OPERATOR)

    assert [line for line in world.held("marta") if line.startswith(("github org", "slack"))] == []


def test_a_cutoff_leaves_protected_accounts_alone(world: World) -> None:
    world.onboarded("marta")
    protected = world.services.settings.systems["github"].model_copy(update={"protected": ("90001",)})
    guarded = world.with_settings(systems={**world.services.settings.systems, "github": protected})

    cut = offboarding.cut_off(guarded.services, IDS["marta"], OPERATOR)

    assert world.held("marta") == [line for line in DISCOVERY if line.startswith("github")]
    assert cut.exit_code == 5


def test_restoring_goes_one_step_back_and_asks_for_approval(world: World) -> None:
    world.onboarded("marta")
    offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)

    report = offboarding.restore(world.services, IDS["marta"], OPERATOR)
    assert world.held("marta") == []
    assert report.exit_code == 6

    world.granted(report)
    world.accept("marta")
    assert world.held("marta") == [line for line in DISCOVERY if not line.startswith("slack")]
    assert [missing.system for missing in report.plan.missing] == ["slack"]


def test_restoring_twice_does_not_undo_what_came_before(world: World) -> None:
    world.onboarded("marta")
    world.note(records.role_changed(IDS["marta"], "payments", "qa-engineer", "backend-engineer"))
    world.note(records.left(IDS["marta"]))
    offboarding.restore(world.services, IDS["marta"], OPERATOR)

    report = offboarding.restore(world.services, IDS["marta"], OPERATOR)
    assert world.register.assignments(IDS["marta"])[0].role == "qa-engineer"

    world.granted(report)
    with pytest.raises(BadInput, match="undone already"):
        offboarding.restore(world.services, IDS["marta"], OPERATOR)
    assert world.register.assignments(IDS["marta"])[0].role == "qa-engineer"


def test_where_nothing_was_taken_nothing_is_restored(world: World) -> None:
    with pytest.raises(BadInput, match="nothing to restore"):
        offboarding.restore(world.services, IDS["marta"], OPERATOR)


def test_a_deactivated_slack_account_is_reported_after_a_restore(world: World) -> None:
    world.onboarded("marta")
    offboarding.cut_off(world.services, IDS["marta"], OPERATOR)

    report = offboarding.restore(world.services, IDS["marta"], OPERATOR)

    assert [(missing.system, "deactivated" in missing.reason) for missing in report.plan.missing] == [("slack", True)]
    world.granted(report)
    world.accept("marta")
    assert world.held("marta") == [line for line in DISCOVERY if not line.startswith("slack")]


def test_a_person_of_whom_no_account_is_known_can_leave(world: World) -> None:
    stranger = "p-" + "f" * 32
    world.services.ledger.people.add(stranger, Profile("Nobody Here", "nobody@nordwind.example"))
    world.note(records.person_added(stranger))

    report = offboarding.offboard(world.services, stranger, None, OPERATOR)

    assert report.exit_code == 0
    assert Result.DONE not in {outcome.result for outcome in report.removed}
