"""After somebody left: every route read again, what no lever removes is a task, and no task is done by saying so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from onboard.errors import BadInput, NotAuthorised, Refused
from onboard.ledger import Task
from onboard.lifecycle import offboarding, tasks
from onboard.lifecycle.approvals import VAULT_LOGIN
from onboard.lifecycle.reconciling import Report
from onboard.lifecycle.story import rows
from onboard.model import OPERATOR, Actor, Holding, Phase, Resource
from tests.world import IDS, World

DEACTIVATE = "deactivate the account in the workspace acme"
SECRETS = "change the secrets that the person could read"
LOGIN = "vault:login:userpass"


def without_scim(world: World) -> World:
    """A Slack plan that lets nobody deactivate an account by its API."""
    slack = world.services.settings.systems["slack"].model_copy(update={"admin_token": None})
    return world.with_settings(systems={**world.services.settings.systems, "slack": slack})


def deactivated_by_hand(world: World, person: str) -> None:
    """What a workspace's owner does in Slack's own pages."""
    slack = world.sandbox.slack
    user = world.sandbox.person(person).slack["id"]
    headers = {"Authorization": f"Bearer {slack['admin_token']}"}
    requests.delete(f"{slack['scim_base_url']}Users/{user}", headers=headers, timeout=10).raise_for_status()


def offboarded(world: World, person: str = "marta") -> Report:
    return offboarding.offboard(world.services, IDS[person], None, OPERATOR)


def what(found: Sequence[Task]) -> list[tuple[str, str]]:
    return [(task.system, task.what) for task in found]


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    path = tmp_path / "evidence.txt"
    path.write_text("a list of members without her\n", encoding="utf-8")
    return path


@pytest.fixture
def bare(world: World) -> World:
    """Marta in discovery; a plan of Slack without SCIM."""
    world.onboarded("marta")
    return without_scim(world)


def test_an_account_that_no_plan_shows_goes_with_its_person(world: World) -> None:
    world.onboarded("marta")

    report = offboarded(world)

    assert "slack:workspace:acme" in [str(taken.holding.resource) for taken in report.remains.taken]
    assert report.remains.dead
    assert report.tally.open == ()
    assert report.exit_code == 0
    assert world.register.unresolved() == ()


def test_what_the_plan_of_a_system_does_not_allow_is_a_task_and_never_done(bare: World) -> None:
    report = offboarded(bare)

    assert not report.remains.dead
    assert report.exit_code == 6
    (task,) = report.tally.open
    assert (task.system, task.what, task.owner) == ("slack", DEACTIVATE, IDS["ada"])
    assert task.due == bare.today + timedelta(days=2)


def test_the_days_that_people_have_are_a_setting(bare: World) -> None:
    strict = bare.with_settings(tasks=bare.services.settings.tasks.model_copy(update={"due_days": 0}))

    assert offboarded(strict).tally.open[0].due == bare.today


def test_a_rerun_opens_a_task_once(bare: World) -> None:
    first = offboarded(bare).tally.open
    offboarding.cut_off(bare.services, IDS["marta"], OPERATOR)

    assert offboarded(bare).tally.open == first
    assert bare.register.tasks() == first


def test_where_the_sponsor_has_left_another_of_the_company_answers(bare: World) -> None:
    offboarded(bare, "ada")

    assert {task.owner for task in offboarded(bare).tally.open} == {IDS["piet"]}


def test_a_task_is_not_closed_while_the_system_still_shows_it(bare: World, evidence: Path) -> None:
    (task,) = offboarded(bare).tally.open

    with pytest.raises(Refused, match="still shows it: workspace acme"):
        tasks.done(bare.services, task.id, evidence, OPERATOR)

    assert tasks.standing(bare.register) == (task,)


def test_nobody_concerned_closes_a_task(bare: World, evidence: Path) -> None:
    (task,) = offboarded(bare).tally.open
    deactivated_by_hand(bare, "marta")

    for person, why in (("marta", "about you"), ("jonas", "about a colleague"), ("viktor", "about a colleague")):
        with pytest.raises(NotAuthorised, match=why):
            tasks.done(bare.services, task.id, evidence, Actor(IDS[person], VAULT_LOGIN))

    assert tasks.standing(bare.register) == (task,)


def test_a_task_is_closed_with_the_fingerprint_of_what_shows_it_and_only_once(bare: World, evidence: Path) -> None:
    (task,) = offboarded(bare).tally.open
    deactivated_by_hand(bare, "marta")

    closed = tasks.done(bare.services, task.id[:8], evidence, Actor(IDS["ada"], VAULT_LOGIN))

    assert closed.done_by == Actor(IDS["ada"], VAULT_LOGIN)
    assert len(closed.evidence or "") == 64
    assert not closed.by_reading
    with pytest.raises(Refused, match="was closed on"):
        tasks.done(bare.services, task.id, evidence, OPERATOR)
    assert offboarded(bare).exit_code == 0


def test_evidence_that_cannot_be_read_closes_nothing(bare: World, tmp_path: Path) -> None:
    (task,) = offboarded(bare).tally.open

    with pytest.raises(BadInput, match="can't be read"):
        tasks.done(bare.services, task.id, tmp_path / "missing.png", OPERATOR)

    assert tasks.standing(bare.register) == (task,)


def test_what_a_later_reading_shows_gone_is_closed_by_that_reading(bare: World) -> None:
    (task,) = offboarded(bare).tally.open
    assert tasks.look(bare.services, OPERATOR) == ()
    deactivated_by_hand(bare, "marta")

    (closed,) = tasks.look(bare.services, OPERATOR)

    assert (closed.id, closed.by_reading, closed.evidence) == (task.id, True, None)
    assert tasks.standing(bare.register) == ()


def test_a_rerun_closes_what_was_done_meanwhile(bare: World) -> None:
    (task,) = offboarded(bare).tally.open
    deactivated_by_hand(bare, "marta")

    report = offboarded(bare)

    assert [closed.id for closed in report.tally.closed] == [task.id]
    assert report.exit_code == 0


def test_what_cannot_be_read_is_not_gone(bare: World) -> None:
    (task,) = offboarded(bare).tally.open
    deactivated_by_hand(bare, "marta")
    bare.sandbox.fault("slack", "500", path="usergroups.list")

    assert tasks.look(bare.services, OPERATOR) == ()
    report = offboarded(bare)
    assert report.tally.open == (task,)
    assert "user groups" in {route for _, route, _ in report.remains.unknown}
    assert report.exit_code == 5


def test_what_was_declared_done_and_is_still_there_is_a_task_again(bare: World, evidence: Path) -> None:
    (task,) = offboarded(bare).tally.open
    bare.sandbox.fault("slack", "500")
    tasks.done(bare.services, task.id, evidence, OPERATOR)
    bare.sandbox.clear_faults()

    (again,) = offboarded(bare).tally.open

    assert again.what == task.what
    assert again.id != task.id


def test_whoever_is_back_has_no_tasks_to_be_done(bare: World) -> None:
    (task,) = offboarded(bare).tally.open

    offboarding.restore(bare.services, IDS["marta"], OPERATOR)
    assert tasks.standing(bare.register) == ()

    assert offboarded(bare).tally.open == (task,)


def test_a_user_who_never_logged_in_to_vault_goes_with_the_person(world: World) -> None:
    world.onboarded("marta")

    report = offboarded(world)

    assert {str(t.holding.resource) for t in report.remains.taken if not t.failure} == {LOGIN, "slack:workspace:acme"}
    with pytest.raises(requests.HTTPError):
        world.login("marta")
    assert report.exit_code == 0


def test_the_secrets_that_somebody_could_read_are_to_be_changed_and_no_reading_tells_that(
    world: World, evidence: Path
) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)

    (task,) = offboarded(world).tally.open
    assert (task.system, task.what, task.readable) == ("vault", SECRETS, False)
    assert tasks.look(world.services, OPERATOR) == ()
    assert offboarded(world).tally.open == (task,)

    tasks.done(world.services, task.id, evidence, OPERATOR)
    assert offboarded(world).exit_code == 0
    assert offboarding.cut_off(world.services, IDS["marta"], OPERATOR).exit_code == 0


def test_a_lever_that_failed_is_one_task_until_nothing_is_left(world: World) -> None:
    world.onboarded("marta")
    world.sandbox.fault("github", "500", method="DELETE")

    cut = offboarding.cut_off(world.services, IDS["marta"], OPERATOR)

    assert [lever.system for lever in cut.failed] == ["github"]
    assert cut.exit_code == 5
    assert [task.system for task in cut.report.tally.open] == ["github"]

    world.sandbox.clear_faults()
    again = offboarding.cut_off(world.services, IDS["marta"], OPERATOR)
    assert len(again.report.tally.closed) == 1
    assert again.exit_code == 0


def test_a_lever_that_failed_where_nothing_is_left_is_no_failure(world: World) -> None:
    world.onboarded("marta")
    deactivated_by_hand(world, "marta")
    world.sandbox.fault("slack", "500", path="session.reset")

    cut = offboarding.cut_off(world.services, IDS["marta"], OPERATOR)

    assert [lever.system for lever in cut.levers if lever.failure] == ["slack"]
    assert cut.failed == ()
    assert cut.exit_code == 0


def test_what_the_companys_own_people_keep_is_for_somebody_to_decide(world: World) -> None:

    report = offboarded(world, "lena")

    assert report.remains.taken == ()
    assert ("slack", DEACTIVATE) in what(report.tally.open)


def test_whoever_leaves_one_engagement_only_is_not_read_as_gone(world: World) -> None:
    world.onboarded("marta")
    world.load("reporting", marta="qa-engineer")

    report = offboarding.offboard(world.services, IDS["marta"], "reporting", OPERATOR)

    assert report.remains.accounts == ()
    assert report.tally.open == ()


def test_no_task_holds_what_could_be_an_address() -> None:
    """The journal refuses an @, so a resource with one in its name must not keep a cut-off from being told."""
    lease = Resource("vault", "lease", "auth/oidc/marta@nordwind.example")
    held = Holding("an-entity", "marta", lease, "live", via="an identity provider")

    assert tasks.in_words(held) == "take away the lease (struck) (live), which comes by an identity provider"


def test_a_group_that_its_last_member_leaves_is_said_to_be_disabled(world: World) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)
    everybody = world.slack().usergroups_list(include_users=True)["usergroups"]
    group = next(group for group in everybody if world.sandbox.person("marta").slack["id"] in group["users"])
    world.slack().usergroups_users_update(usergroup=group["id"], users=[world.sandbox.person("marta").slack["id"]])

    report = offboarded(world)

    told = [row.why for row in rows(report, IDS["marta"]) if row.what == f"usergroup {group['handle']}"]
    assert f"disabled @{group['handle']}, since its last user left" in told[0]
