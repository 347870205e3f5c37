"""Whether what was intended is so: by what the account holds directly, and by nothing else."""

from __future__ import annotations

import pytest

from onboard.engine.perform import fulfilled, holdings_of
from onboard.model import HoldingState, Resource
from tests.engine.models import PROJECT, REPO, holding


@pytest.mark.parametrize(
    ("resource", "held", "before", "after", "so"),
    [
        (REPO, ["push"], None, "push", True),
        (REPO, [], None, "push", False),
        (REPO, ["pull"], "pull", "push", False),
        (REPO, ["admin"], None, "push", True),
        (REPO, ["push"], "push", "pull", False),
        (REPO, ["pull"], "push", "pull", True),
        (REPO, [], "push", None, True),
        (REPO, ["pull"], "push", None, False),
        (PROJECT, ["Viewers"], "Testers", None, True),
        (PROJECT, ["Viewers", "Testers"], "Testers", None, False),
        (PROJECT, ["Viewers"], None, "Developers", False),
    ],
)
def test_a_change_is_so(resource: Resource, held: list[str], before: str | None, after: str | None, so: bool) -> None:
    assert fulfilled([holding(resource, level) for level in held], resource, before, after) is so


def test_an_invitation_is_what_was_intended_unless_it_expired() -> None:
    assert fulfilled([holding(REPO, "push", HoldingState.INVITED)], REPO, None, "push")
    assert not fulfilled([holding(REPO, "push", HoldingState.EXPIRED)], REPO, None, "push")
    assert not fulfilled([holding(REPO, "push", HoldingState.EXPIRED)], REPO, "push", None)


def test_what_a_team_gives_or_somebody_else_holds_doesnt_count() -> None:
    others = [holding(REPO, "push", via="team:acme/x"), holding(REPO, "push", account="another")]

    assert holdings_of(others, "github-id") == []
    assert holdings_of(others, None) == []
