"""Killed at any point, then run once more: everything is as if nothing had happened.

A seeded sample of the points is tried; with CRASH_POINTS=all, every one.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from onboard.ledger import records
from onboard.ledger.proofs import verify
from onboard.lifecycle import offboarding
from onboard.lifecycle.reconciling import reconcile
from onboard.model import OPERATOR, Phase
from onboard.wiring import Services
from tests.crash.bomb import in_a_child
from tests.lifecycle.test_phases import FULL_OPERATION, RAMP_UP
from tests.world import IDS, World, open_services

MARTA = IDS["marta"]


@dataclass(frozen=True)
class Story:
    """What happens before, what is killed and then repeated, what marta holds in the end; at most so many points."""

    before: Callable[[World], object]
    act: Callable[[Services], int]
    holds: list[str]
    points: int


def approved(world: World) -> None:
    world.standing("marta", Phase.FULL_OPERATION)
    (part,) = world.reconcile("marta").open
    world.approve(part.digest, "ada")
    world.approve(part.digest, "piet")


def stepped_back(world: World) -> None:
    """Everything of full operation is held, and by a fact since then only ramp-up's is wanted."""
    world.onboarded("marta", phase=Phase.FULL_OPERATION)
    world.note(records.advanced(MARTA, "payments", Phase.RAMP_UP))


def invited(world: World) -> None:
    world.standing("marta", Phase.FULL_OPERATION)
    world.granted(world.reconcile("marta"))


def onboarded(world: World) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)


def apply(services: Services) -> int:
    return reconcile(services, [MARTA], OPERATOR).exit_code


def offboard(services: Services) -> int:
    return offboarding.offboard(services, MARTA, None, OPERATOR).exit_code


def cut_off(services: Services) -> int:
    return offboarding.cut_off(services, MARTA, OPERATOR).exit_code


LESS = sorted([*(line for line in RAMP_UP if "repo:" not in line), "github repo:acme/payments-api push"])
STORIES = {
    "apply": Story(approved, apply, sorted(FULL_OPERATION), 140),
    "take back": Story(stepped_back, apply, LESS, 65),
    "offboard": Story(onboarded, offboard, [], 140),
    "offboard whom nobody accepted": Story(invited, offboard, [], 140),
    "cut off": Story(onboarded, cut_off, [], 65),
}


def points() -> list[tuple[str, int]]:
    """The points to try: all of them, or a few of each story, the same in every run."""
    every = [(name, point) for name, story in STORIES.items() for point in range(1, story.points + 1)]
    if os.environ.get("CRASH_POINTS") == "all":
        return every
    chance = random.Random(20261123)
    return [pair for name in STORIES for pair in sorted(chance.sample([p for p in every if p[0] == name], 4))]


def run(world: World, story: Story, point: int) -> int | None:
    """What the story does, in a process of its own that is killed at that point."""
    world.services.ledger.close()

    def work() -> None:
        services = open_services(world.sandbox, world.database, world.services.policy, world.clock)
        story.act(services)
        services.ledger.close()

    return in_a_child(work, point)


@pytest.mark.parametrize("name", STORIES)
def test_undisturbed_it_passes_no_more_points_than_are_tried(world: World, name: str) -> None:
    story = STORIES[name]
    story.before(world)

    passed = run(world, story, 0)
    world.accept("marta")

    assert passed is not None
    assert passed <= story.points < 1.5 * passed
    assert world.held("marta") == story.holds


@pytest.mark.parametrize(("name", "point"), points())
def test_killed_anywhere_one_more_run_ends_as_if_nothing_had_happened(world: World, name: str, point: int) -> None:
    story = STORIES[name]
    story.before(world)

    run(world, story, point)
    assert unknown_to_the_ledger(world) == []

    assert story.act(world.services) == 0
    held = world.held("marta")
    world.accept("marta")

    assert len(held) == len(set(held))
    assert world.held("marta") == story.holds
    assert unknown_to_the_ledger(world) == []
    assert world.register.unresolved() == ()
    assert verify(world.services.ledger.journal.rows()).problem is None
    written = len(world.writes())
    assert story.act(world.services) == 0
    assert len(world.writes()) == written or name == "cut off"


def unknown_to_the_ledger(world: World) -> list[str]:
    """What marta holds that the ledger doesn't know as given, or maybe given, by us."""
    ours = {str(resource).split(":", 1)[1] for _, _, resource in world.register.owned()}
    return [line for line in world.held("marta") if line.split()[1] not in ours]
