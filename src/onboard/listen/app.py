"""The inbound door over HTTP. Whoever knocks without a valid signature learns nothing; what is signed is on record
before it is acknowledged, and carried out afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from onboard.errors import OnboardError
from onboard.ledger import Ledger
from onboard.lifecycle.answers import Said, accept
from onboard.listen import jira, signed, slack
from onboard.listen.throttle import Throttle
from onboard.settings import Settings
from onboard.wiring import Clock

if TYPE_CHECKING:
    from pydantic import SecretStr

    from onboard.listen.worker import Worker

#: A request's body in bytes. Slack sends the whole message with each press, and Jira the whole issue.
MOST = 512 * 1024
#: Seconds in which a body has to be there.
PATIENCE = 10.0
#: Signed requests a minute, from all senders: far more than people press buttons.
SIGNED_PER_MINUTE = 600
log = logging.getLogger("onboard.listen")


@dataclass(frozen=True)
class Door:
    """What the routes work with: secrets opened, the ledger open, and the worker that is woken by what comes in."""

    settings: Settings
    ledger: Ledger
    worker: Worker
    clock: Clock
    slack_secret: SecretStr | None
    jira_secret: SecretStr | None


@dataclass(frozen=True)
class _Guard:
    """Lets in what is signed. Who isn't known, and who knocks too often, learns only that."""

    door: Door
    strangers: Throttle
    known: Throttle

    async def take(
        self, request: Request, is_signed: Callable[[bytes], bool], read: Callable[[bytes], Said | None]
    ) -> Response:
        """Put what is said on record, and acknowledge it."""
        body = await _body(request)
        if body is None:
            return Response(status_code=413)
        if not is_signed(body):
            admitted = self.strangers.admits(request.client.host if request.client else "")
            return Response(status_code=401 if admitted else 429)
        if not self.known.admits(""):
            return Response(status_code=429, headers={"Retry-After": "60"})
        return Response(status_code=await run_in_threadpool(_keep, self.door, read, body))


def create(door: Door) -> FastAPI:
    """The application. Its worker begins and ends with it, and first finishes what another listener left."""

    @asynccontextmanager
    async def at_work(_: FastAPI) -> AsyncIterator[None]:
        with door.worker.at_work():
            yield

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=at_work)
    per_minute = door.settings.listen.per_minute
    guard = _Guard(door, Throttle(per_minute, door.clock), Throttle(SIGNED_PER_MINUTE, door.clock))

    @app.post("/slack/interactions")
    async def interactions(request: Request) -> Response:
        secret = door.slack_secret
        return await guard.take(
            request,
            lambda body: secret is not None and signed.by_slack(secret, door.clock, body, request.headers),
            lambda body: slack.read(door.settings.notices.slack, body, door.clock()),
        )

    @app.post("/jira/webhooks")
    async def webhooks(request: Request) -> Response:
        secret = door.jira_secret
        return await guard.take(
            request,
            lambda body: secret is not None and signed.by_jira(secret, body, request.headers),
            lambda body: jira.read(door.settings.notices, door.ledger, body, door.clock()),
        )

    @app.get("/health")
    async def health() -> Response:
        well = door.worker.alive and await run_in_threadpool(_answers, door.ledger)
        return Response(status_code=200 if well else 503)

    return app


async def _body(request: Request) -> bytes | None:
    """The body; None where it is too long, or too slow: no more is read than that."""
    read = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                read += chunk
                if len(read) > MOST:
                    return None
    except TimeoutError:
        return None
    return bytes(read)


def _keep(door: Door, read: Callable[[bytes], Said | None], body: bytes) -> int:
    """Put what was said on record and wake the worker; the status to answer. What says nothing is acknowledged too."""
    try:
        said = read(body)
        fresh = said is not None and accept(door.ledger, said)
    except OnboardError as failure:
        log.error("an answer could not be kept: %s", type(failure).__name__)
        return 503
    if fresh:
        door.worker.wake()
    return 200


def _answers(ledger: Ledger) -> bool:
    try:
        ledger.journal.head()
    except OnboardError:
        return False
    return True
