"""Somebody changed the journal: nothing rests on it any more, and nobody keeps their access by that."""

from __future__ import annotations

import sqlite3

import pytest

from onboard.errors import Findings
from onboard.lifecycle import offboarding
from onboard.lifecycle.reconciling import reconcile
from onboard.model import OPERATOR
from tests.world import IDS, World


def tamper(world: World) -> None:
    """Change one byte of the second entry, past the triggers that forbid it."""
    with sqlite3.connect(world.database) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE journal SET canonical = replace(canonical, 'person', 'persom') WHERE seq = 2")
    world.services.ledger.close()  # the next command is another process


def test_nothing_is_planned_on_a_journal_that_was_changed(world: World) -> None:
    world.onboarded("marta")
    tamper(world)

    with pytest.raises(Findings, match="entry 2"):
        reconcile(world.services, [IDS["marta"]], OPERATOR)


def test_a_cut_off_pulls_every_lever_all_the_same_and_says_that_the_rest_cant_be_told(world: World) -> None:
    world.onboarded("marta")
    tamper(world)

    with pytest.raises(Findings, match=r"(?s)Every lever was pulled \(.*github done.*entry 2"):
        offboarding.cut_off(world.services, IDS["marta"], OPERATOR)

    assert world.held("marta") == []


def test_so_does_the_cut_off_of_a_vendor(world: World) -> None:
    world.onboarded("marta")
    tamper(world)

    with pytest.raises(Findings, match="Every lever was pulled"):
        offboarding.cut_off_vendor(world.services, "nordwind", OPERATOR)

    assert world.held("marta") == []
