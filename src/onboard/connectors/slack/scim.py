"""Slack's SCIM API (version 1): deactivating an account. Its client never raises for a status, so this looks at it."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Sequence

import requests
from pydantic import SecretStr
from slack_sdk.errors import SlackClientError
from slack_sdk.scim import SCIMClient
from slack_sdk.scim.v1.response import SCIMResponse

from onboard.connectors.base import TIMEOUT
from onboard.connectors.http import PerThread, status_failure, transport
from onboard.connectors.loopback import is_loopback
from onboard.connectors.pacing import UNPACED, Cost, Pace
from onboard.connectors.slack.api import Clock
from onboard.connectors.slack.client import silence
from onboard.connectors.slack.pace import SCIM_READ, SCIM_USER
from onboard.errors import SystemFailed
from onboard.model import Receipt

_DETAILS = {
    401: "the admin token isn't valid",
    403: "the admin token lacks the scope admin, or the workspace's plan has no SCIM",
    404: "there is nothing; check the address",
}


class Scim:
    """One SCIM endpoint (`https://api.slack.com/scim/v1/`), with an admin's token."""

    def __init__(self, system: str, base_url: str, token: SecretStr, clock: Clock, pace: Pace = UNPACED) -> None:
        self.system = system
        self._clock = clock
        self._client = PerThread(lambda: _client(base_url, token))
        self._pace = pace

    def deactivate(self, user: str) -> Receipt:
        """Deactivate an account (DELETE Users/ID), which logs it out everywhere. Raises as base.Writer says.

        An id that Slack doesn't know is a receipt with `changed=False`.
        """
        answer = self._send("deactivate an account", SCIM_USER, lambda c: c.delete_user(user))
        if answer is None:
            return Receipt("404 user_not_found", self._clock(), changed=False)
        return Receipt(f"{answer.status_code} deactivated", self._clock(), did="deactivate the account")

    def check(self) -> None:
        """Raises SystemFailed where the endpoint doesn't let the token list users (GET Users)."""
        self._send("list one user by SCIM", SCIM_READ, lambda c: c.search_users(count=1, start_index=1))

    def _send(
        self, doing: str, costs: Sequence[Cost], ask: Callable[[SCIMClient], SCIMResponse]
    ) -> SCIMResponse | None:
        """The answer of 2xx; None where it says that there is no such user."""
        self._pace.take(costs)
        try:
            with transport(self.system, doing):
                answer = ask(self._client())
        except SlackClientError:
            raise SystemFailed(
                self.system, f"{doing}: the SDK could not make sense of the answer.", uncertain=True
            ) from None
        if answer.status_code < requests.codes.multiple_choices:
            return answer
        if answer.status_code == requests.codes.not_found and "user_not_found" in (answer.raw_body or ""):
            return None
        detail = _DETAILS.get(answer.status_code, "")
        failure = status_failure(self.system, doing, answer.status_code, answer.headers, self._clock(), detail)
        if answer.status_code == requests.codes.too_many_requests:
            for cost in costs:
                self._pace.limited(cost, failure.retry_after)
        raise failure


def _client(base_url: str, token: SecretStr) -> SCIMClient:
    kind = _DirectScimClient if is_loopback(base_url) else SCIMClient
    return kind(
        token=token.get_secret_value(), base_url=base_url, timeout=int(TIMEOUT), retry_handlers=[], logger=silence()
    )


class _DirectScimClient(SCIMClient):
    """A client that no proxy comes between. The SDK, and urllib under it, take one from the environment."""

    def _perform_http_request_internal(self, url: str, req: urllib.request.Request) -> SCIMResponse:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(req, timeout=self.timeout) as response:
            body = response.read().decode(response.headers.get_content_charset() or "utf-8")
            return SCIMResponse(url=url, status_code=response.status, raw_body=body, headers=dict(response.headers))
