"""Narrower roles, from what GitHub tells about who pushed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from onboard.adopt.editing import edits
from onboard.adopt.suggesting import Suggestions, suggest
from onboard.errors import SystemFailed
from onboard.model import Phase
from onboard.policy.catalogue import Policy
from onboard.review.dormant import dormant
from onboard.sections import Reviews
from tests.world import World, demo_world

__all__ = ["demo_world"]

ROLE = """\
grants:
  discovery: # reads
    - {resource: github:org:acme, level: member}
  ramp-up: # writes
    # earned
    - {resource: github:repo:acme/api, level: push, after: first_merge} # with care
    - resource: github:repo:acme/web
      level: push
  full-operation: # alone
    - {resource: github:repo:acme/ops, level: push}
"""


def test_a_lines_level_is_lowered_in_place_and_a_line_goes_with_its_phase_if_it_stood_alone() -> None:
    (lowered, text), (removed, without) = edits(ROLE, 6, "push", "triage")
    assert (lowered, removed) == ("triage", None)
    assert text == ROLE.replace("api, level: push", "api, level: triage")
    assert without == ROLE.replace(ROLE.splitlines(keepends=True)[5], "")

    (_, text), (_, without) = edits(ROLE, 7, "push", "triage")
    assert "web\n      level: triage\n" in text
    assert "web" not in without
    assert "full-operation" in without

    _, (_, without) = edits(ROLE, 10, "push", "triage")
    assert without.endswith("level: push\n")


def suggested(world: World, days: int = 30) -> Suggestions:
    return suggest(world.services, world.clock() - timedelta(days=days), "policies")


def test_only_what_is_known_to_be_unused_all_that_time_is_suggested_away(world: World) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)
    assert suggested(world).suggestions == ()  # she has had it for a moment

    world.clock.ahead += timedelta(days=40)
    found = suggested(world)
    (suggestion,) = found.suggestions
    assert (str(suggestion.use.resource), suggestion.use.role) == (
        "github:repo:acme/payments-api",
        "backend-engineer",
    )
    assert "-    - {resource: github:repo:acme/payments-api, level: push, after: first_merge}" in found.diff
    assert (found.exit_code, all(use.unknown for use in found.uses if use.level != "push")) == (0, True)
    Policy.from_files(found.files, world.services.policy.systems)

    assert dormant(world.services, world.register) == ((), ())  # as shipped, nobody is asked
    often = world.with_settings(review=Reviews(dormant_days=30)).services
    (finding,) = dormant(often, world.register)[0]
    assert (finding.kind, str(finding.resource)) == ("dormant", "github:repo:acme/payments-api")

    world.sandbox.fault("github", "forbidden", path="activity")
    assert [what for what, _ in dormant(often, world.register)[1]] == ["github:repo:acme/payments-api"]
    unread = suggested(world)
    assert (unread.suggestions, unread.diff, unread.exit_code) == ((), "", 5)


def test_a_push_counts_for_who_made_it_and_only_since_then(world: World, demo_world: dict[str, Any]) -> None:
    demo_world["github"]["repos"][0]["pushes"] = {"marta": 3, "ada": 50}
    world.sandbox.reset(demo_world)
    reader = world.services.readers["github"]
    resource = next(r for r in world.services.policy.resources if r.name == "acme/payments-api")

    assert list(reader.last_writes(resource, world.clock() - timedelta(days=30))) == ["90001"]  # type: ignore[attr-defined]
    assert len(reader.last_writes(resource, world.clock() - timedelta(days=60))) == 2  # type: ignore[attr-defined]
    with pytest.raises(SystemFailed, match="a year"):
        reader.last_writes(resource, world.clock() - timedelta(days=400))  # type: ignore[attr-defined]
