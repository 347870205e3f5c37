"""`onboard sandbox`: the simulated vendors and a real OpenBao, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onboard.errors import BadInput


def sandbox(
    world: Annotated[
        Path | None,
        typer.Option(help="Who and what exists at the start (YAML). Without it: what --data kept, or the demo world."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Keep ports, tokens and state in this folder, and go on from there. Without it nothing stays."
        ),
    ] = None,
    latency: Annotated[int, typer.Option(min=0, metavar="MS", help="Milliseconds before each answer.")] = 0,
    generate: Annotated[
        str | None,
        typer.Option(metavar="SIZES", help="A world of that size instead: people=10000,repos=1000,teams=200,…"),
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON once ready, with every address and token.")
    ] = False,
) -> None:
    """Run GitHub, Jira, Slack and Vault here, to try things out.

    GitHub, Jira (Cloud and Data Center) and Slack are simulated; Vault is a real OpenBao. They listen on 127.0.0.1
    only, until Ctrl-C.
    """
    try:
        from onboard.sandbox.command import start
    except ImportError as error:
        raise BadInput.one(
            f"The sandbox needs {error.name}. Install it with: pip install 'onboard[sandbox]'"
        ) from error
    start(world, data, latency, generate, json_output=json_output)
