"""What a killed run left behind, as the ledger alone tells it, and how any next run resolves it: by reading it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from onboard.engine.settle import LATE
from onboard.errors import Waiting
from onboard.ledger import ChangeRecord, Result, records
from onboard.ledger.records import FOUND_GONE, WHOLE_ACCOUNT
from onboard.lifecycle import gates, nightly, offboarding, reconciling
from onboard.lifecycle.standing import subject_of
from onboard.model import OPERATOR, SCHEDULER, Phase, Resource
from tests.cli.house import House
from tests.lifecycle.test_phases import FULL_OPERATION
from tests.world import IDS, World

MARTA = IDS["marta"]
#: One of every kind of change, in an order in which they can be made.
KINDS = {
    "github:org:acme": "member",
    "github:team:acme/payments-engineers": "member",
    "github:repo:acme/payments-api": "push",
    "jira:group:outsourced-engineers": "member",
    "jira:project:PAY": "Developers",
    "slack:channel:payments-dev": "member",
    "slack:usergroup:payments-engineers": "member",
    "vault:login:userpass": "enabled",
    "vault:group:payments-dev": "member",
}


def begun(world: World, resource: str, level: str, *, revoke: bool = False, digest: str = "killed") -> ChangeRecord:
    """An intent without an outcome on record, as a run leaves it that is killed around its write."""
    what = Resource.parse(resource)
    account = world.register.bindings(MARTA)[what.system].account
    before, after = (level, None) if revoke else (None, level)
    change = ChangeRecord(MARTA, what.system, account, what, before, after)
    world.note(records.intended(digest, change))
    return change


def carried_out(world: World, resource: str, level: str, *, revoke: bool = False) -> None:
    """The write itself, of which the ledger was told nothing more."""
    what = Resource.parse(resource)
    account = subject_of(world.services, world.register, MARTA).accounts[what.system]
    writer = world.services.writers()[what.system]
    (writer.revoke if revoke else writer.grant)(account, what, level)


def results(world: World, digest: str = "killed") -> dict[str, Result]:
    """How each change under a digest ended, by its resource."""
    return {str(intent.change.resource): intent.result for intent in world.register.intents(digest)}


def long_ago(world: World) -> None:
    world.advance_time(seconds=2 * LATE.total_seconds())


@pytest.fixture
def bound(world: World) -> World:
    """Marta is bound and stands in full operation; nothing is granted, nothing approved."""
    world.standing("marta", Phase.FULL_OPERATION)
    world.reconcile("marta")
    return world


@pytest.mark.parametrize("happened", [True, False], ids=["it took effect", "it did not"])
def test_a_grant_of_any_kind_is_resolved_by_reading(bound: World, happened: bool) -> None:
    for resource, level in KINDS.items():
        begun(bound, resource, level)
        if happened:
            carried_out(bound, resource, level)
    long_ago(bound)

    bound.reconcile("marta")

    assert results(bound) == dict.fromkeys(KINDS, Result.DONE if happened else Result.FAILED)
    assert bound.register.unresolved() == ()
    assert {str(resource) for _, _, resource in bound.register.owned()} == (set(KINDS) if happened else set())


@pytest.mark.parametrize("happened", [True, False], ids=["it took effect", "it did not"])
def test_a_revocation_of_any_kind_is_resolved_by_reading(world: World, happened: bool) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)
    for resource, level in reversed(KINDS.items()):
        begun(world, resource, level, revoke=True)
        if happened:
            carried_out(world, resource, level, revoke=True)

    reconciling.plan(world.services, [MARTA], OPERATOR)

    assert results(world) == dict.fromkeys(reversed(KINDS), Result.DONE if happened else Result.FAILED)
    assert world.register.unresolved() == ()


def test_an_invitation_that_nobody_accepted_is_found_again_and_not_sent_twice(world: World) -> None:
    world.standing("marta", Phase.FULL_OPERATION)
    (part,) = world.reconcile("marta").open
    world.approve(part.digest, "ada")
    world.approve(part.digest, "piet")
    for resource in ("github:org:acme", "github:repo:acme/payments-api"):
        begun(world, resource, KINDS[resource], digest=part.digest)
        carried_out(world, resource, KINDS[resource])
    invited = [line for line in world.held("marta") if line.endswith("(invited)")]
    sent = [w for w in world.writes() if "memberships" in w or "collaborators" in w]

    assert world.apply(part.digest).failed == ()

    again = [w for w in world.writes() if "/orgs/acme/memberships" in w or "collaborators" in w]
    assert len(invited) == 2
    assert again == sent
    world.accept("marta")
    assert world.held("marta") == sorted(FULL_OPERATION)
    assert world.register.unresolved() == ()


@pytest.mark.parametrize("happened", [True, False], ids=["it was made", "it was not"])
def test_a_login_whose_account_is_bound_to_no_id_yet_is_resolved_by_looking_it_up(bound: World, happened: bool) -> None:
    account = begun(bound, "vault:login:userpass", "enabled").account
    assert bound.services.ledger.people.account(account).external_id is None
    if happened:
        carried_out(bound, "vault:login:userpass", "enabled")
    long_ago(bound)

    bound.reconcile("marta")

    assert results(bound) == {"vault:login:userpass": Result.DONE if happened else Result.FAILED}
    assert (bound.services.ledger.people.account(account).external_id is not None) == happened


@pytest.mark.parametrize("happened", [True, False], ids=["they were pulled", "they were not"])
def test_levers_whose_answer_nobody_heard_are_resolved_by_reading(world: World, happened: bool) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)
    for system, binding in world.register.bindings(MARTA).items():
        whole = Resource(system, WHOLE_ACCOUNT, binding.account)
        change = ChangeRecord(MARTA, system, binding.account, whole, "everything", None)
        world.note(records.intended("cut-off", change))
    if happened:
        offboarding.cut_off(world.services, MARTA, OPERATOR)
    else:
        world.reconcile("marta")

    oldest = [intent.result for intent in world.register.intents("cut-off")][:4]
    assert oldest == [Result.DONE if happened else Result.FAILED] * 4
    assert world.register.unresolved() == ()


def test_a_grant_that_may_still_arrive_is_not_called_failed(bound: World) -> None:
    begun(bound, "jira:group:outsourced-engineers", "member")

    bound.reconcile("marta")
    assert results(bound) == {"jira:group:outsourced-engineers": Result.UNCERTAIN}

    carried_out(bound, "jira:group:outsourced-engineers", "member")  # a dead process's request, late
    bound.reconcile("marta")
    assert results(bound) == {"jira:group:outsourced-engineers": Result.DONE}


def test_what_was_never_sent_is_made_and_resolved_in_the_same_run(world: World) -> None:
    world.standing("marta", Phase.DISCOVERY)
    (part,) = world.reconcile("marta").open
    world.approve(part.digest, "ada")
    begun(world, "jira:group:outsourced-engineers", "member", digest=part.digest)

    world.apply(part.digest)

    assert world.register.unresolved() == ()
    assert "jira group:outsourced-engineers member" in world.held("marta")


def test_a_system_that_cannot_be_read_leaves_its_intents_open(bound: World) -> None:
    begun(bound, "jira:project:PAY", "Developers")
    begun(bound, "slack:channel:payments-dev", "member")
    long_ago(bound)
    bound.sandbox.fault("jira", "forbidden", path="/rest/api/3/project/PAY")

    bound.reconcile("marta")

    assert results(bound) == {"jira:project:PAY": Result.UNCERTAIN, "slack:channel:payments-dev": Result.FAILED}


def test_the_night_resolves_what_nobody_ran_again(bound: World) -> None:
    begun(bound, "slack:channel:payments-dev", "member")
    carried_out(bound, "slack:channel:payments-dev", "member")

    nightly.correct(bound.services, SCHEDULER)

    assert results(bound) == {"slack:channel:payments-dev": Result.DONE}


def test_what_was_changed_by_a_killed_run_is_read_back_by_the_next(world: World) -> None:
    world.onboarded("marta")
    begun(world, "slack:channel:onboarding", "member", revoke=True)

    assert world.reconcile("marta").certificate is not None
    assert world.reconcile("marta").certificate is None


# What went with something else


def test_what_went_with_the_membership_is_not_ours_any_more(world: World) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)
    world.note(records.left(MARTA, "payments"))
    long_ago(world)
    begun(world, "github:org:acme", "member", revoke=True)
    carried_out(world, "github:org:acme", "member", revoke=True)  # GitHub ends teams and repositories with it

    world.reconcile("marta")

    assert [str(resource) for _, _, resource in world.register.owned() if resource.system == "github"] == []
    gone = results(world, FOUND_GONE)
    assert {"github:team:acme/payments-engineers", "github:repo:acme/payments-api"} <= gone.keys()
    assert set(gone.values()) == {Result.DONE}


def test_what_somebody_took_by_hand_stays_ours_while_it_is_wanted(world: World) -> None:
    world.onboarded("marta")
    long_ago(world)
    world.team("outsourced-readers").remove_membership(world.github().get_user(world.login_of("marta")))

    world.reconcile("marta")

    assert results(world, FOUND_GONE) == {}
    assert "github:team:acme/outsourced-readers" in {str(resource) for _, _, resource in world.register.owned()}


# Facts whose consequences a kill held up


def test_a_step_that_was_killed_is_finished_before_the_next_gate_is_shown(world: World) -> None:
    world.onboarded("marta")
    world.signed("marta", "security_training")
    world.note(
        records.happened("knowledge_transfer_done", MARTA, engagement="payments"),
        records.advanced(MARTA, "payments", Phase.TOOLING_SETUP),
    )

    with pytest.raises(Waiting, match="tooling_verified"):
        gates.advance(world.services, MARTA, None, OPERATOR)

    (proposal,) = world.register.open_proposals()
    assert "vault:login:userpass" in {change["resource"] for change in proposal.changes}


def test_a_restore_that_was_killed_goes_on_where_it_was(world: World) -> None:
    world.onboarded("marta")
    offboarding.offboard(world.services, MARTA, None, OPERATOR)
    removal = world.register.last_removal(MARTA)
    assert removal is not None
    world.note(records.restored(MARTA, removal.entry))

    assert offboarding.restore(world.services, MARTA, OPERATOR).open


def test_entering_somebody_again_after_a_kill_prints_the_same_id(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    house = House(tmp_path, world.sandbox)
    words = ("person", "add", "Mallory Moss", "--email=mallory@elsewhere.example", "--github=mallory")

    ids = [house(*words).stdout for _ in range(2)]

    assert ids[0] == ids[1]
    assert len(house.json("person", "list")) == 1


def test_a_manifest_loaded_again_after_a_kill_takes_from_whom_it_no_longer_names(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    house = House(tmp_path, world.sandbox)
    house.arrive()
    house.settle("marta")
    manifest = tmp_path / "payments.yaml"
    text = manifest.read_text()
    without = [line for line in text.splitlines() if house.ids["marta"] not in line and line.strip() != "rota:"]
    manifest.write_text("\n".join(without))
    _loaded_and_killed(house, manifest)
    assert house.held("marta") != []

    house("engagement", "load", str(manifest))

    assert house.held("marta") == []


def _loaded_and_killed(house: House, manifest: Path) -> None:
    """Load a manifest as a process does that dies before access follows: without its systems."""
    house("engagement", "load", str(manifest), code=2, **dict.fromkeys(_tokens(house), ""))


def _tokens(house: House) -> Iterable[str]:
    return (name for name in house.sandbox.env if name.endswith("READ_TOKEN"))
