"""From settings to whoever is told out loud: that the glass was broken, that somebody was found on a decoy."""

from __future__ import annotations

from onboard.errors import OnboardError
from onboard.vouching import witness
from onboard.wiring import Purse, Services


def alarm(services: Services, line: str) -> tuple[str, ...]:
    """Tell everybody whom the settings name (alarms.tell); why somebody couldn't be told."""
    purse = Purse(services.settings, services.clock, "writing", services.budgets)
    failed = []
    for name in services.settings.alarms.tell:
        try:
            witness(name, services.settings, purse, "onboard alarm").publish(line)
        except OnboardError as failure:
            failed.append(f"{name} could not be told: {failure}")
    return tuple(failed)
