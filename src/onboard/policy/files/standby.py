"""What holds where the policies' folder doesn't say it all: nobody's removal waits for that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onboard.model import Kind
from onboard.policy.catalogue import Policy, load


def standby(last: Mapping[str, str] | None, shipped: Path, systems: Mapping[str, Kind]) -> Policy:
    """The bundle that was last in force, else the policies that onboard ships. Raises BadInput as loading does."""
    return load(shipped, systems) if last is None else completed(Policy.kept(last, systems), shipped)


def completed(policy: Policy, shipped: Path) -> Policy:
    """A policy without rules of authority with those that onboard ships; else nobody could do anything."""
    if any(name.startswith("authority/") for name in policy.files):
        return policy
    rules = {
        f"authority/{path.name}": path.read_text("utf-8") for path in sorted((shipped / "authority").glob("*.ce*"))
    }
    return Policy.kept({**policy.files, **rules}, policy.systems)
