"""Approvers are asked (`onboard notify`), and what they answer in Slack and Jira comes in (`onboard listen`)."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, output
from onboard.cli.output import Json

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from onboard.lifecycle.notices import Told

app = typer.Typer()


@app.command("listen")
def listen(
    host: Annotated[str | None, typer.Option(help="The address to listen at; listen.host unless given.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; listen.port unless given, 0 for any free one.")
    ] = None,
) -> None:
    """Take what approvers answer in Slack and Jira, until Ctrl-C. Put something that speaks TLS before it."""
    from onboard.listen.opening import opened

    settings = context.settings()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("onboard").setLevel(logging.INFO)
    chosen = settings.listen.port if port is None else port
    with opened(settings, context.clock, logging.getLogger("onboard.listen").info) as answering:
        _serve(answering, host or settings.listen.host, chosen)


@app.command("notify")
def notify(as_json: Json = False) -> None:
    """Tell approvers what waits for their word, and what became of it. Commands that propose do it by themselves."""
    from onboard.lifecycle.notices import tell

    with context.services() as services:
        told = tell(services)
        code = 5 if told.failed else 0
        if as_json:
            output.emit_json({**asdict(told), "unproven": sorted(told.unproven), "exit_code": code})
        else:
            _show(told, context.names(services))
        output.leave(code)


def _show(told: Told, name: Callable[[str], str]) -> None:
    output.say(f"{output.count(told.sent, 'message')} sent, {told.changed} brought up to date.")
    for failure in told.failed:
        output.say(f"Not told: {failure}")
    for person in sorted(told.unproven):
        output.say(f"{name(person)} can't be asked yet: no account where notices go was shown to be theirs.")
    if told.unproven:
        output.next_step(f"onboard person confirm {min(told.unproven)[:10]} --system SYSTEM")
    elif told.failed:
        output.next_step("onboard notify, once that is put right")


def _serve(answering: FastAPI, host: str, port: int) -> None:
    """Serve until told to end. Raises BadInput where the address can't be had."""
    import uvicorn

    config = uvicorn.Config(
        answering,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        forwarded_allow_ips="127.0.0.1",
        limit_concurrency=200,
        timeout_graceful_shutdown=30,
    )
    with _bound(config) as listening:
        output.say(f"Listening on http://{host}:{listening.getsockname()[1]}  (Ctrl-C ends it)")
        uvicorn.Server(config).run(sockets=[listening])


def _bound(config: uvicorn.Config) -> socket.socket:
    from onboard.errors import BadInput

    made = socket.socket(socket.AF_INET6 if ":" in config.host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((config.host, config.port))
    except OSError as error:
        made.close()
        raise BadInput.one(
            f"{config.host}:{config.port} can't be listened at: {error.strerror}. Give another --host or --port."
        ) from None
    return made
