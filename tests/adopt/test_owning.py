"""What people held before onboard knew them is taken on, so that it can be taken away again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from onboard.adopt.owning import adopt, adoptable
from onboard.model import OPERATOR, Phase
from tests.world import IDS, World, open_services

MARTA = IDS["marta"]


@pytest.fixture
def found(world: World, tmp_path: Path) -> World:
    """Marta holds all that ramp-up gives, and the ledger begins now: nothing of it is ours."""
    world.onboarded("marta", phase=Phase.RAMP_UP)
    services = open_services(world.sandbox, tmp_path / "begun.db", world.services.policy, world.clock)
    fresh = replace(world, services=services, database=tmp_path / "begun.db")
    fresh.enter("ada", "piet", "lena", "marta", "viktor")
    fresh.load(marta="backend-engineer")
    fresh.standing("marta", Phase.RAMP_UP)
    return fresh


def test_what_is_held_and_wanted_needs_no_write_and_lapses_only_once_it_was_adopted(found: World) -> None:
    held, before = found.held("marta"), found.writes()
    assert not found.reconcile("marta").open

    adopted = adopt(found.services, [MARTA], OPERATOR)

    assert len(adopted.rights) == len(held)
    assert adopt(found.services, [MARTA], OPERATOR).rights == ()
    assert (found.writes(), found.held("marta")) == (before, held)
    assert not found.register.unread
    found.signed("marta", "nda_signed", until=found.today - timedelta(days=1))
    found.reconcile("marta")
    assert found.held("marta") == []


def test_without_being_adopted_it_stays_but_for_what_admits_nobody_else(found: World) -> None:
    held = found.held("marta")
    found.signed("marta", "nda_signed", until=found.today - timedelta(days=1))
    found.reconcile("marta")

    assert found.held("marta") == [line for line in held if not line.startswith("vault group")]


def test_what_is_held_above_policy_is_told_and_stays_a_strangers(found: World) -> None:
    found.repository("payments-api").add_to_collaborators(found.login_of("marta"), "maintain")

    adopted = adopt(found.services, [MARTA], OPERATOR)

    assert [(str(change.resource), change.before) for change in adopted.above] == [
        ("github:repo:acme/payments-api", "maintain")
    ]
    assert not found.reconcile("marta").plan.changes


def test_what_could_not_be_read_is_not_adopted(found: World) -> None:
    found.sandbox.fault("slack", "forbidden", path="conversations.members")

    rights = adoptable(found.services, [MARTA], OPERATOR)

    assert rights.unknown
    assert not [change for change in rights.rights if change.resource.type == "channel"]
