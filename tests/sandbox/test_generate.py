"""Generated worlds: as large as asked, the same each time, and able to run."""

from __future__ import annotations

import pytest

from onboard.errors import BadInput
from onboard.sandbox.client import SandboxProcess
from onboard.sandbox.generate import generate, parse_sizes


def test_every_wrong_size_is_named_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        parse_sizes("peple=5,repos=many,teams=2")
    assert [str(problem) for problem in caught.value.problems] == [
        "--generate: 'peple' can't be generated. Did you mean people?",
        "--generate: expected repos=NUMBER and found 'repos=many'.",
    ]


def test_the_same_sizes_give_the_same_world_and_each_thing_as_often_as_asked() -> None:
    sizes = parse_sizes("people=300,repos=40,teams=7,channels=9")
    world = generate(sizes)
    assert world == generate(sizes)
    assert (len(world.people), len(world.github.repos), len(world.github.teams)) == (300, 40, 7)
    assert all(team.members for team in world.github.teams)


def test_nobody_exists_where_nobody_was_asked_for() -> None:
    assert generate(parse_sizes("people=0")).github.members == []


def test_a_sandbox_runs_on_a_generated_world() -> None:
    process = SandboxProcess(generate="people=12,repos=3,teams=2,vault-people=2")
    with process as sandbox:
        teams = [line for line in sandbox.holdings() if line["resource"].startswith("team:")]
    assert len(teams) == 10
