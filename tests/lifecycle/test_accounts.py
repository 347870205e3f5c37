"""Accounts: renamed, recycled, missing, of the wrong kind, bound to somebody else; and who works on them at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from onboard.connectors.base import Writer
from onboard.errors import Waiting
from onboard.ledger import Leases, Profile, records
from onboard.ledger.records import Result
from onboard.lifecycle import offboarding
from onboard.lifecycle.reconciling import plan, reconcile
from onboard.lifecycle.standing import register_of
from onboard.model import OPERATOR, AccountKind, Phase
from onboard.wiring import Services
from tests.lifecycle.test_phases import DISCOVERY
from tests.world import IDS, World, open_services


def test_a_renamed_account_stays_the_same_account(world: World) -> None:
    world.onboarded("marta")
    world.sandbox.rename("marta", github="marta-k")

    assert world.reconcile("marta").plan.changes == ()
    offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)
    assert world.held("marta") == []


def test_nobody_inherits_a_login(world: World) -> None:
    world.standing("marta")
    world.reconcile("marta")
    world.sandbox.rename("marta", github="marta-k")
    world.sandbox.rename("mallory", github="marta-nw")

    world.granted(world.reconcile("marta"))
    world.accept("marta")
    world.accept("mallory")

    assert world.held("marta") == DISCOVERY
    assert world.held("mallory") == []


def test_a_missing_account_holds_up_its_own_system_only(world: World) -> None:
    world.sandbox.delete_accounts("marta", "slack")
    world.standing("marta")

    report = world.granted(world.reconcile("marta"))
    world.accept("marta")

    assert [(missing.system, missing.person) for missing in report.plan.missing] == [("slack", IDS["marta"])]
    assert world.held("marta") == [line for line in DISCOVERY if not line.startswith("slack")]
    assert report.exit_code == 6


def test_an_account_that_was_deleted_since_is_reported_and_the_rest_goes_on(world: World) -> None:
    world.standing("marta")
    world.reconcile("marta")
    world.sandbox.delete_accounts("marta", "github")

    report = world.granted(world.reconcile("marta"))

    assert {str(outcome.change.resource.system) for outcome in report.failed} == {"github"}
    assert "slack channel:onboarding member" in world.held("marta")


def test_an_account_that_is_somebody_elses_already_is_not_bound(world: World) -> None:
    world.standing("marta")
    world.reconcile("marta")
    double = "p-" + "d" * 32
    world.services.ledger.people.add(
        double, Profile("Double", "d@nordwind.example", {"slack": "marta@nordwind.example"})
    )
    world.note(records.person_added(double))

    reconcile(world.services, [double], OPERATOR)

    assert world.register.bindings(double) == {}


def test_a_guest_is_never_put_where_only_members_may_be(world: World, demo_world: dict[str, Any]) -> None:
    demo_world["people"]["marta"]["slack"]["kind"] = "guest"
    world.sandbox.reset(demo_world)
    world.standing("marta", Phase.FULL_OPERATION)

    report = world.reconcile("marta")

    assert [hazard.name for hazard in report.open[0].blocked] == [
        "account-kind:slack:channel:payments-incidents",
        "account-kind:slack:usergroup:payments-engineers",
    ]
    assert report.exit_code == 3


def test_a_guest_may_be_where_the_policy_admits_guests(world: World, demo_world: dict[str, Any]) -> None:
    demo_world["people"]["marta"]["slack"]["kind"] = "guest"
    world.sandbox.reset(demo_world)

    world.onboarded("marta", phase=Phase.TOOLING_SETUP)

    assert "slack channel:payments-dev member" in world.held("marta")


def test_the_kind_of_account_that_an_engagement_states_counts_before_there_is_one(world: World) -> None:
    kinds = {"github": AccountKind.OUTSIDE_COLLABORATOR}
    world.state(replace(world.engagement(marta="backend-engineer"), account_kinds=kinds))
    world.standing("marta")

    report = world.reconcile("marta")

    assert "account-kind:github:org:acme" in {hazard.name for hazard in report.open[0].blocked}


def test_what_stands_on_an_exclusive_resource_past_onboard_is_taken_away(world: World) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)
    world.join_vault_group("marta", "platform-ops")

    report = world.reconcile("marta")

    assert report.plan.actions() == ["revoke vault:group:platform-ops member"]
    assert "granted outside onboard" in report.plan.changes[0].because
    assert "vault group:platform-ops member" not in world.held("marta")


def test_what_stands_on_a_shared_resource_past_onboard_is_left_alone(world: World) -> None:
    world.onboarded("marta")
    world.repository("docs").add_to_collaborators("marta-nw", permission="push")

    assert world.reconcile("marta").plan.changes == ()
    assert "github repo:acme/docs push" in world.held("marta")


def test_a_level_raised_past_onboard_on_what_we_granted_is_lowered(world: World) -> None:
    world.onboarded("marta")
    world.repository("payments-api").add_to_collaborators("marta-nw", permission="admin")

    report = world.reconcile("marta")

    assert report.plan.actions() == ["revoke github:repo:acme/payments-api admin → pull"]
    assert world.held("marta") == DISCOVERY


def test_two_workers_on_one_person_write_everything_once(world: World) -> None:
    world.standing("marta", Phase.FULL_OPERATION)
    (part,) = world.reconcile("marta").open
    world.approve(part.digest, "ada")
    world.approve(part.digest, "piet")
    old = world.services
    pair = [open_services(world.sandbox, world.database, old.policy, world.clock) for _ in range(2)]
    reports = []

    def work(services: Services) -> None:
        reports.append(reconcile(services, [IDS["marta"]], OPERATOR))

    threads = [threading.Thread(target=work, args=(services,)) for services in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for services in pair:
        services.ledger.close()

    assert sorted(len(report.granted) for report in reports) == [0, 14]
    assert [report.exit_code for report in reports] == [0, 0]


def test_who_waits_too_long_for_a_person_is_told_who_has_them(world: World) -> None:
    world.standing("marta")
    ledger = world.services.ledger
    impatient = replace(ledger, leases=Leases(ledger.database, world.clock, lambda _: None))
    services = replace(world.services, ledger=impatient)

    with ledger.leases.hold([f"person:{IDS['marta']}"], "another", ttl=600, wait=0):
        for act in (reconcile, plan):
            with pytest.raises(Waiting, match="is held by another"):
                act(services, [IDS["marta"]], OPERATOR)
    assert register_of(services).latest_proposal(IDS["marta"], "approval") is None


def test_a_worker_whose_lease_was_taken_over_writes_nothing_more(world: World) -> None:
    world.standing("marta")
    (part,) = world.reconcile("marta").open
    world.approve(part.digest, "ada")
    slow = replace(world.services, readers=dict(world.services.readers))
    stolen = world.services.ledger.leases

    def steal(settings: object) -> None:
        world.clock.ahead += timedelta(minutes=5)
        with stolen.hold([f"person:{IDS['marta']}"], "another", ttl=60, wait=0):
            return

    thief = Stolen(slow.settings, slow.ledger, slow.policy, slow.readers, slow.clock, steal=steal)
    report = reconcile(thief, [IDS["marta"]], OPERATOR)

    assert {outcome.result for outcome in report.granted} == {Result.FAILED}
    assert "taken over" in report.granted[0].reason
    assert world.writes() == []
    assert world.reconcile("marta").exit_code == 0


@dataclass(frozen=True)
class Stolen(Services):
    """Services during whose work something happens, just before the first write."""

    steal: Callable[[object], None] = print

    def writers(self) -> Mapping[str, Writer]:
        self.steal(self.settings)
        return super().writers()
