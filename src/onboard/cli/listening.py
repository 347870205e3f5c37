"""`onboard listen`: what approvers answer in Slack and Jira comes in here."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, output

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

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
