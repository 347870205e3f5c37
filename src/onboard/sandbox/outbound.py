"""What the simulated vendors send by themselves: a press of a button, a webhook; to one listener on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onboard.errors import BadInput, SystemFailed
from onboard.sandbox.core import JIRA, SLACK
from onboard.sandbox.jira import webhooks
from onboard.sandbox.jira.simulator import JiraSimulator
from onboard.sandbox.slack import press
from onboard.sandbox.slack.simulator import SlackSimulator

if TYPE_CHECKING:
    from onboard.sandbox.server import Sandbox

#: Where `onboard listen` listens unless it is told otherwise.
LISTENER = "http://127.0.0.1:8470"
#: Seconds in which Slack wants an answer.
PATIENCE = 3.0


class _Press(BaseModel):
    model_config = ConfigDict(extra="forbid")

    action: str
    message: str | None = None
    listener: str = LISTENER


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    issue: str
    comment: str = ""
    status: str = ""
    listener: str = LISTENER


class Outbound:
    """The routes of the control API by which somebody presses a button. Wrong input raises BadInput."""

    def __init__(self, sandbox: Sandbox, person: Callable[[Request], str]) -> None:
        self._sandbox = sandbox
        self._person = person

    def routes(self, at: str) -> list[Route]:
        """Below the address of the control API."""
        return [
            Route(f"{at}/people/{{person}}/messages", self._messages),
            Route(f"{at}/people/{{person}}/press", self._press, methods=["POST"]),
            Route(f"{at}/people/{{person}}/answer", self._answer, methods=["POST"]),
            Route(f"{at}/issues", self._issues),
        ]

    async def _messages(self, request: Request) -> Response:
        """What this person reads in Slack from our bot."""
        return JSONResponse({"messages": self._slack.messages(self._person(request))})

    async def _press(self, request: Request) -> Response:
        """Press a button in Slack; answers the status that the listener gave."""
        person, body = self._person(request), _Press.model_validate_json(await request.body() or b"{}")
        payload = self._slack.press(person, body.action, body.message, self._sandbox.url(SLACK))
        secret = self._sandbox.credentials.secret("slack-signing")
        sent, headers = press.signed(payload, secret, self._sandbox.clock.now())
        return JSONResponse({"status": await deliver(f"{body.listener}/slack/interactions", sent, headers)})

    async def _issues(self, _: Request) -> Response:
        """The issues in Jira Cloud."""
        return JSONResponse({"issues": self._jira.issues()})

    async def _answer(self, request: Request) -> Response:
        """Comment on an issue in Jira Cloud, or move it to a status; answers the status that the listener gave."""
        person, body = self._person(request), _Answer.model_validate_json(await request.body() or b"{}")
        if bool(body.comment) == bool(body.status):
            raise BadInput.one("Say either comment (a text) or status (where to move the issue).")
        payload = self._jira.answer(person, body.issue, comment=body.comment, status=body.status)
        self._sandbox.save(JIRA)
        sent, headers = webhooks.signed(payload, self._sandbox.credentials.secret("jira-webhook"))
        return JSONResponse({"status": await deliver(f"{body.listener}/jira/webhooks", sent, headers)})

    @property
    def _jira(self) -> JiraSimulator:
        return cast(JiraSimulator, self._sandbox.simulators[JIRA])

    @property
    def _slack(self) -> SlackSimulator:
        return cast(SlackSimulator, self._sandbox.simulators[SLACK])


async def deliver(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Send a request to a listener; the status it answers.

    Raises BadInput for one that isn't on this machine, SystemFailed where none answers in time.
    """
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise BadInput.one(f"{url} isn't on this machine; the sandbox sends nothing anywhere else.")
    return await asyncio.to_thread(_post, url, body, headers)


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.post(
                url, data=body, headers=dict(headers), timeout=PATIENCE, allow_redirects=False
            ).status_code
        except requests.RequestException:
            raise SystemFailed("listener", f"nobody answers at {url}. Start it: onboard listen") from None
