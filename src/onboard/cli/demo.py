"""`onboard demo`: the main job from end to end against the sandbox, told as it goes."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Annotated

import typer

from onboard.cli.output import leave, say

FOLDER = Path(".demo")


def demo(
    command_line: typer.Context,
    seed: Annotated[
        int | None, typer.Option(help="Draws the cast and the tampering; without it another each time.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps what it makes.")] = FOLDER,
) -> None:
    """Rehearse everything: three engineers come, work, move and leave, and somebody tampers with their access."""
    from onboard.cli.demo_stage import stage
    from onboard.cli.demo_story import Story

    seed = random.SystemRandom().randrange(1000) if seed is None else seed
    began = time.monotonic()
    say(f"onboard demo, seed {seed}: simulated GitHub, Jira and Slack, a real OpenBao, a Prefect server, on loopback.")
    with stage(folder.absolute()) as ready:
        right = Story(ready, random.Random(seed), command_line.find_root().command).tell()  # noqa: S311 - draws a story, protects nothing
    say()
    say(f"That took {time.monotonic() - began:.0f} s. The same again: onboard demo --seed {seed}")
    say()
    say("Everything was kept. To go on by hand:")
    say(f"  cd {folder}")
    say("  onboard sandbox --data sandbox      in another terminal; it prints everybody's logins")
    say("  onboard access marta")
    say("  onboard explain marta github:repo:acme/payments-api")
    leave(0 if right else 4)
