"""What happens when systems fail, lie or don't answer: others go on, nothing is done twice, nothing is forgotten."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from onboard.connectors.base import Hold, Writer, unheld
from onboard.ledger.records import Result
from onboard.lifecycle import offboarding
from onboard.lifecycle.reconciling import plan
from onboard.lifecycle.role_change import change_role
from onboard.model import OPERATOR, Account, Phase, Receipt, Resource
from onboard.wiring import Services
from tests.lifecycle.test_phases import DISCOVERY, FULL_OPERATION
from tests.world import IDS, World

DOWN = "500"


def approved(world: World, *people: str, phase: Phase = Phase.DISCOVERY) -> None:
    """People whose plans are proposed and approved, and not yet applied."""
    for person in people:
        world.standing(person, phase)
    for part in world.reconcile(*people).open:
        world.approve(part.digest, "ada")
        if len(part.needs) > 1:
            world.approve(part.digest, "piet")


def test_while_one_system_is_down_the_others_are_planned_and_applied(world: World) -> None:
    world.sandbox.fault("jira", DOWN)
    world.standing("marta")

    report = world.granted(world.reconcile("marta"))
    world.accept("marta")

    assert world.held("marta") == [line for line in DISCOVERY if not line.startswith("jira")]
    assert {unknown.resource.system for unknown in report.plan.unknown} == {"jira"}
    assert report.exit_code == 5


def test_nothing_is_taken_away_on_a_system_that_cannot_be_read(world: World) -> None:
    world.onboarded("marta")
    world.sandbox.fault("jira", DOWN, method="GET")
    written = len(world.sandbox.writes("jira"))

    report = change_role(world.services, IDS["marta"], None, "platform-engineer", OPERATOR)

    assert not any(change.resource.system == "jira" for change in report.plan.changes)
    assert len(world.sandbox.writes("jira")) == written
    assert report.exit_code == 5


def test_a_system_that_goes_and_comes_does_not_fill_the_journal(world: World) -> None:
    world.standing("marta")
    plan(world.services, [IDS["marta"]], OPERATOR)
    before = world.register.seq

    for _ in range(2):
        world.sandbox.fault("jira", DOWN)
        plan(world.services, [IDS["marta"]], OPERATOR)
        world.sandbox.clear_faults()
        plan(world.services, [IDS["marta"]], OPERATOR)

    assert world.register.seq == before
    assert len(world.register.open_proposals()) == 1


def test_what_was_approved_waits_for_the_system_that_was_down(world: World) -> None:
    approved(world, "marta")
    world.sandbox.fault("jira", DOWN)
    first = world.reconcile("marta")
    world.sandbox.clear_faults()

    second = world.reconcile("marta")

    assert first.exit_code == 5
    assert second.exit_code == 0
    assert {str(o.change.resource.system) for o in second.granted} == {"jira"}
    assert world.register.open_proposals() == ()


def test_a_failed_revocation_holds_that_persons_grants_while_others_go_on(world: World) -> None:
    world.onboarded("marta")
    world.load(marta="qa-engineer", ines="qa-engineer")
    approved(world, "ines")
    world.sandbox.fault("github", "forbidden", method="DELETE", path="payments-api/collaborators")
    world.approve(world.reconcile("marta").plan.grants[0].digest, "ada")

    report = world.reconcile("marta", "ines")

    assert [outcome.result for outcome in report.removed] == [Result.FAILED]
    assert report.held == {IDS["marta"]}
    assert {outcome.change.person for outcome in report.granted} == {IDS["ines"]}
    assert "github repo:acme/e2e-tests pull (invited)" in world.held("ines")
    assert not any("e2e-tests" in line for line in world.held("marta"))
    assert report.exit_code == 5


def test_a_revocation_that_cannot_be_checked_holds_new_grants_as_well(world: World) -> None:
    world.onboarded("marta")
    world.sandbox.fault("github", DOWN, method="GET", path="/repos/acme/payments-api")

    report = change_role(world.services, IDS["marta"], None, "qa-engineer", OPERATOR)
    world.approve(report.plan.grants[0].digest, "ada")
    report = world.reconcile("marta")

    assert report.held == {IDS["marta"]}
    assert report.granted == ()
    world.sandbox.clear_faults()
    assert world.reconcile("marta").exit_code == 0
    assert "github repo:acme/e2e-tests pull" in world.held("marta")


@pytest.mark.parametrize(
    ("system", "path", "once"),
    [
        ("github", "/repos/acme/payments-api/collaborators", 1),
        ("github", "/orgs/acme/invitations", 1),
        ("jira", "group/user", 1),
        ("jira", "/role/", 2),
        ("slack", "conversations.invite", 3),
        ("slack", "usergroups.users.update", 1),
        ("vault", "identity/entity-alias", 1),
        ("vault", "identity/group/id", 2),
    ],
)
def test_a_lost_answer_never_writes_twice(world: World, system: str, path: str, once: int) -> None:
    approved(world, "marta", phase=Phase.FULL_OPERATION)
    method = "PUT" if system == "github" else "POST"
    world.sandbox.fault(system, "drop-after", method=method, path=path, times=1)

    report = world.reconcile("marta")
    world.accept("marta")

    assert report.exit_code == 0
    assert world.held("marta") == sorted(FULL_OPERATION)
    assert len([write for write in world.sandbox.writes(system) if path in write["path"]]) == once


def test_a_lost_answer_to_a_revocation_is_read_back(world: World) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)
    for system in ("github", "jira", "slack", "vault"):
        world.sandbox.fault(system, "drop-after", method="DELETE" if system in ("github", "jira") else "POST", times=1)

    report = offboarding.offboard(world.services, IDS["marta"], None, OPERATOR)

    assert world.held("marta") == []
    assert report.failed == ()
    assert report.remains.dead


def test_a_request_that_never_arrived_is_repeated(world: World) -> None:
    approved(world, "marta")
    world.sandbox.fault("jira", "drop-before", method="POST", path="group/user", times=1)

    report = world.reconcile("marta")

    assert report.exit_code == 0
    assert "jira group:outsourced-engineers member" in world.held("marta")


def test_a_rate_limit_is_waited_out(world: World) -> None:
    approved(world, "marta")
    world.sandbox.fault("slack", "429", path="conversations.invite", times=1, retry_after=0)

    assert world.reconcile("marta").exit_code == 0
    assert "slack channel:onboarding member" in world.held("marta")


def test_a_wait_beyond_all_patience_is_given_up_and_said(world: World) -> None:
    approved(world, "marta")
    world.sandbox.fault("slack", "429", path="conversations.invite", retry_after=3600)

    report = world.reconcile("marta")

    assert [str(outcome.change) for outcome in report.failed] == ["grant slack:channel:onboarding member"]
    assert "3600" in report.failed[0].reason
    assert len(world.sandbox.writes("slack")) == 1
    world.sandbox.clear_faults()
    assert "nothing was sent: by its own word" in world.reconcile("marta").failed[0].reason
    assert len(world.sandbox.writes("slack")) == 1


def test_a_definite_no_is_not_repeated(world: World) -> None:
    approved(world, "marta")
    world.sandbox.fault("github", "forbidden", method="PUT", path="payments-api/collaborators")

    report = world.reconcile("marta")

    assert [str(outcome.change) for outcome in report.failed] == ["grant github:repo:acme/payments-api pull"]
    assert len([w for w in world.sandbox.writes("github") if "collaborators" in w["path"]]) == 1
    assert "github org:acme member (invited)" in world.held("marta")
    assert report.exit_code == 5


def test_where_the_organisation_fails_nothing_that_rests_on_it_is_tried(world: World) -> None:
    approved(world, "marta")
    world.sandbox.fault("github", "forbidden", method="POST", path="orgs/acme/invitations")

    report = world.reconcile("marta")

    assert len(world.sandbox.writes("github")) == 1
    assert {outcome.change.resource.system for outcome in report.failed} == {"github"}
    assert "slack channel:onboarding member" in world.held("marta")


def test_a_system_without_a_credential_for_writing_is_refused_and_the_others_go_on(world: World) -> None:
    approved(world, "marta")
    jira = world.services.settings.systems["jira"].model_copy(update={"token": None})
    lacking = world.with_settings(systems={**world.services.settings.systems, "jira": jira})

    report = lacking.reconcile("marta")

    assert {outcome.change.resource.system for outcome in report.failed} == {"jira"}
    assert "ONBOARD_JIRA__TOKEN" in report.failed[0].reason
    world.accept("marta")
    assert world.held("marta") == [line for line in DISCOVERY if not line.startswith("jira")]


@dataclass(frozen=True)
class Buggy:
    """A writer with a bug that only one account meets."""

    writer: Writer
    account: str

    @property
    def system(self) -> str:
        return self.writer.system

    def grant(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        if account.external_id == self.account:
            raise ZeroDivisionError
        return self.writer.grant(account, resource, level, hold)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.writer, name)


@dataclass(frozen=True)
class WithBug(Services):
    """Services whose writer to Jira has the bug."""

    account: str = ""

    def writers(self) -> dict[str, Writer]:
        real = dict(super().writers())
        return {**real, "jira": Buggy(real["jira"], self.account)}


def test_a_bug_in_one_persons_work_stops_nobody_else_and_is_not_hidden(world: World) -> None:
    approved(world, "marta", "jonas")
    marta = str(world.sandbox.person("marta").jira["account_id"])
    old = world.services
    buggy = replace(
        world, services=WithBug(old.settings, old.ledger, old.policy, old.readers, old.clock, account=marta)
    )

    with pytest.raises(ZeroDivisionError):
        buggy.reconcile("marta", "jonas")

    world.accept("jonas")
    assert len(world.held("jonas")) == 6
    (intent,) = world.register.unresolved()
    assert (intent.change.person, intent.change.system) == (IDS["marta"], "jira")
    assert world.reconcile("marta").exit_code == 0
    assert world.register.unresolved() == ()
