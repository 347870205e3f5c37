"""Starting the sandbox from a command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onboard.errors import BadInput
from onboard.sandbox.generate import generate as generated
from onboard.sandbox.generate import parse_sizes
from onboard.sandbox.ready import banner
from onboard.sandbox.server import Options, run
from onboard.sandbox.world import World, load_world


def start(world: Path | None, data: Path | None, latency: int, generate: str | None, *, json_output: bool) -> None:
    """Simulated GitHub, Jira and Slack, and a real OpenBao, in the foreground and on this machine only.

    Raises BadInput for a world file or sizes that can't be used, or where both are given.
    """

    def announce(ready: Mapping[str, Any]) -> None:
        sys.stdout.write(f"{json.dumps(ready) if json_output else banner(ready)}\n")
        sys.stdout.flush()

    run(Options(world=_world(world, generate), data=data, latency_ms=latency), announce)


def _world(file: Path | None, sizes: str | None) -> World | None:
    if file and sizes is not None:
        raise BadInput.one("--world and --generate both say who exists. Give one of them.")
    if sizes is not None:
        return generated(parse_sizes(sizes))
    return load_world(file) if file else None
