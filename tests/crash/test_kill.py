"""Struck at any point, then run once more: everything is as if nothing had happened.

Here a seeded sample of the points is tried (CRASH_SEED picks another one); `make crash` tries every one.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator

import pytest

from onboard.policy.catalogue import Policy
from onboard.sandbox.client import SandboxProcess
from tests.crash.bomb import Kind, Moment, Point
from tests.crash.laboratory import Laboratory
from tests.crash.stories import STORIES

SEED = os.environ.get("CRASH_SEED", "20261123")
#: How many points of each story are tried, each of another sort; over all stories every sort comes up.
TRIES = 2
SORTS: tuple[Callable[[Point], bool], ...] = (
    lambda point: point.kind is Kind.WRITE and point.moment is not Moment.LOST,
    lambda point: point.kind in (Kind.LEDGER, Kind.KEYRING),
    lambda point: point.moment is Moment.LOST,
    lambda point: point.kind is Kind.READ,
)


@pytest.fixture(scope="session")
def laboratory(starter_policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """A sandbox that no other test resets, so that stories stay prepared."""
    process = SandboxProcess()
    yield Laboratory(process.client, starter_policy, tmp_path_factory.mktemp("crash"))
    process.stop()


def sample(points: list[Point], name: str, index: int) -> Point:
    """The point that a number stands for, the same in every run: sorts take turns, chance picks within one."""
    sorts = [found for sort in SORTS if (found := [point for point in points if sort(point)])]
    turn = list(STORIES).index(name) + index
    return random.Random(f"{SEED} {name} {index}").choice(sorts[turn % len(sorts)])


@pytest.mark.parametrize("index", range(TRIES))
@pytest.mark.parametrize("name", STORIES)
def test_struck_anywhere_one_more_run_ends_as_if_nothing_had_happened(
    laboratory: Laboratory, name: str, index: int, record_property: Callable[[str, object], None]
) -> None:
    prepared = laboratory.prepare(name, STORIES[name])
    point = sample(prepared.points, name, index)

    verdict = laboratory.disturb(prepared, point)

    record_property("crash", json.dumps([name, len(prepared.points), verdict.reached]))
    assert list(verdict.problems) == [], f"{point}: {prepared.what(point)}"
