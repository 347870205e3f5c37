"""The demo's world with another GitHub section, for the sandbox's reset."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML


def demo(**github: Any) -> dict[str, Any]:
    """The packaged world, these parts of its GitHub section replaced."""
    world: dict[str, Any] = YAML(typ="safe").load(
        files("onboard.sandbox").joinpath("worlds/demo.yaml").read_text("utf-8")
    )
    if "repos" in github and "teams" not in github:
        github["teams"] = []
    return world | {"github": world["github"] | github}
