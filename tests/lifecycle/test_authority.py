"""Who may not approve, though the plan names them; and who may begin again."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from onboard.errors import BadInput, NotAuthorised
from onboard.ledger import Profile, records
from onboard.lifecycle.approvals import VAULT_LOGIN
from onboard.lifecycle.discovery import start
from onboard.lifecycle.offboarding import cut_off, offboard
from onboard.lifecycle.reconciling import reconcile
from onboard.model import OPERATOR, Actor, Phase
from onboard.wiring import Services
from tests.world import IDS, World


def open_digest(world: World, person: str) -> str:
    (part,) = world.reconcile(person).open
    return part.digest


def test_a_login_whose_handle_was_changed_by_nobody_known_approves_nothing_until_a_colleague_confirms(
    world: World,
) -> None:
    world.standing("marta")
    digest = open_digest(world, "marta")
    world.note(records.handle_changed(IDS["ada"], "vault"))

    with pytest.raises(NotAuthorised, match="changed on"):
        world.approve(digest, "ada")

    confirmed = records.handle_changed(IDS["ada"], "vault")
    by_lead, by_piet = Actor(IDS["viktor"], VAULT_LOGIN), Actor(IDS["piet"], VAULT_LOGIN)
    world.services.ledger.journal.record(confirmed, actor=by_lead, at=world.clock())
    with pytest.raises(NotAuthorised, match="changed on"):  # a vendor's lead is no colleague
        world.approve(digest, "ada")

    world.services.ledger.journal.record(confirmed, actor=by_piet, at=world.clock())
    assert world.approve(digest, "ada").digest == digest


def test_an_engineer_of_one_vendor_approves_nothing_for_another(world: World) -> None:
    world.standing("marta")
    world.note(records.vendor_loaded(replace(world.register.vendors["nordwind"], id="othercorp")))
    world.enter("mallory")
    other = world.engagement("billing", vendor="othercorp", mallory="qa-engineer")
    world.state(replace(other, sponsor=IDS["marta"], vendor_lead=IDS["octo-admin"]))
    world.signed("mallory", "nda_signed")
    start(world.services, IDS["mallory"], "billing", OPERATOR)

    with pytest.raises(NotAuthorised, match="for a vendor"):
        world.approve(open_digest(world, "mallory"), "marta")


def test_whoever_left_may_begin_again_and_earns_everything_anew(world: World) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)
    offboard(world.services, IDS["marta"], None, OPERATOR)

    report = start(world.services, IDS["marta"], None, OPERATOR)

    (assignment,) = world.register.assignments(IDS["marta"])
    assert (assignment.phase, assignment.ended) == (Phase.DISCOVERY, False)
    assert report.exit_code == 6
    assert world.held("marta") == []


class DepartingWriter:
    """A real writer; while it makes its first grant, somebody records that the person left."""

    def __init__(self, inner: Any, world: World, person: str) -> None:
        self.inner, self.world, self.person = inner, world, person

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def grant(self, *change: Any) -> Any:
        if self.world.register.left(IDS[self.person]) is None:
            self.world.note(records.left(IDS[self.person]))
        return self.inner.grant(*change)


def test_nothing_more_is_granted_once_a_departure_is_on_record(world: World) -> None:
    world.standing("marta")
    digest = open_digest(world, "marta")
    world.approve(digest, "ada")
    real = world.services.writers

    class Interrupted(Services):
        def writers(self) -> dict[str, Any]:
            return {name: DepartingWriter(writer, world, "marta") for name, writer in real().items()}

    known = {field.name: getattr(world.services, field.name) for field in fields(Services)}
    report = reconcile(Interrupted(**known), [IDS["marta"]], OPERATOR, digest=digest)

    assert len(report.granted) - len(report.failed) == 1
    assert all("left was recorded while this ran" in outcome.reason for outcome in report.failed)
    assert report.exit_code == 5
    offboard(world.services, IDS["marta"], None, OPERATOR)
    assert world.held("marta") == []


def test_whoever_was_cut_off_begins_nowhere_until_restored(world: World) -> None:
    world.onboarded("marta", phase=Phase.DISCOVERY)
    cut_off(world.services, IDS["marta"], OPERATOR)

    with pytest.raises(BadInput):
        start(world.services, IDS["marta"], None, OPERATOR)


@pytest.mark.parametrize("name", ["Eve\x1b[31m", "Eve\nAda Berg", "Eve\u202e"])
def test_a_name_that_could_forge_what_is_shown_is_refused(world: World, name: str) -> None:
    with pytest.raises(BadInput, match="control character"):
        world.services.ledger.people.add(IDS["mallory"], Profile(name, "eve@elsewhere.example"))


@pytest.mark.parametrize("once", ["viktor", "jonas"])
def test_who_led_or_worked_for_a_vendor_in_an_earlier_manifest_approves_nothing_for_it_as_its_sponsor(
    world: World, once: str
) -> None:
    first = world.load(marta="backend-engineer", jonas="qa-engineer")
    second = replace(first, sponsor=IDS[once], vendor_lead=IDS["ines"], staffing=first.staffing[:1])
    world.state(second)
    world.signed("marta", "nda_signed")
    start(world.services, IDS["marta"], "payments", OPERATOR)
    digest = open_digest(world, "marta")

    with pytest.raises(NotAuthorised, match="for their own vendor"):
        world.approve(digest, once)
    without = world.with_policy(**{"authority/who-never.cedar": "// nothing is forbidden"})
    with pytest.raises(NotAuthorised, match="that holds whatever"):
        without.approve(digest, once)
