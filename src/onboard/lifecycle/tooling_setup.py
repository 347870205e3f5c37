"""Tooling setup: controlled access, each right with its reason. It begins once knowledge transfer is done."""

from __future__ import annotations

from onboard.lifecycle.gates import enter
from onboard.lifecycle.reconciling import Report
from onboard.model import Actor, Phase
from onboard.wiring import Services


def set_up_tooling(services: Services, person: str, engagement: str | None, actor: Actor) -> Report:
    """Bring the assignment into tooling setup if discovery's gate is open. Raises Waiting otherwise."""
    return enter(services, person, engagement, Phase.TOOLING_SETUP, actor)
