"""Starting the sandbox from a command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onboard.sandbox.ready import banner
from onboard.sandbox.server import Options, run
from onboard.sandbox.world import load_world


def start(world: Path | None, data: Path | None, latency: int, *, json_output: bool) -> None:
    """Simulated GitHub, Jira and Slack, and a real OpenBao, in the foreground and on this machine only."""

    def announce(ready: Mapping[str, Any]) -> None:
        sys.stdout.write(f"{json.dumps(ready) if json_output else banner(ready)}\n")
        sys.stdout.flush()

    run(Options(world=load_world(world) if world else None, data=data, latency_ms=latency), announce)
