"""One thread's client for Slack's Web API: each request sent once, in its turn, and logged nowhere."""

from __future__ import annotations

import logging
import re
import urllib.request
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests
from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from onboard.connectors.base import TIMEOUT
from onboard.connectors.http import retry_after
from onboard.connectors.loopback import is_loopback
from onboard.connectors.pacing import Pace
from onboard.connectors.slack.pace import cost

#: The error codes of "too many", which mostly come with 429.
LIMITED = frozenset({"ratelimited", "rate_limited"})
_CODE = re.compile(r"[a-z0-9_:]{1,80}")


def web_client(base_url: str, token: SecretStr, clock: Callable[[], datetime], pace: Pace) -> WebClient:
    """A client that sends each request once, logs nothing, and reaches loopback directly."""
    kind = _DirectClient if is_loopback(base_url) else _PacedClient
    return kind(token, base_url, clock, pace)


def silence() -> logging.Logger:
    """A logger for an SDK that logs bodies and errors, which hold names; what went wrong is in our exceptions."""
    logger = logging.Logger("slack_sdk", logging.CRITICAL + 1)  # noqa: LOG001 - one that nobody turns up
    logger.propagate = False
    return logger


def error_code(response: SlackResponse) -> str:
    """Slack's error code; empty where what came isn't one."""
    data = response.data if isinstance(response.data, dict) else {}
    code = str(data.get("error") or "")
    return code if _CODE.fullmatch(code) else ""


class _PacedClient(WebClient):
    """Every method of the SDK goes through `api_call`, which alone knows its name."""

    def __init__(self, token: SecretStr, base_url: str, clock: Callable[[], datetime], pace: Pace) -> None:
        super().__init__(
            token=token.get_secret_value(), base_url=base_url, timeout=int(TIMEOUT), retry_handlers=[], logger=silence()
        )
        self._clock = clock
        self._pace = pace

    def api_call(self, api_method: str, **options: Any) -> SlackResponse:
        self._pace.take([cost(api_method)])
        try:
            return super().api_call(api_method, **options)
        except SlackApiError as error:
            answer = error.response
            if answer.status_code == requests.codes.too_many_requests or error_code(answer) in LIMITED:
                self._pace.limited(cost(api_method), retry_after(answer.headers, self._clock()))
            raise


class _DirectClient(_PacedClient):
    """A client that no proxy comes between. The SDK, and urllib under it, take one from the environment."""

    def _perform_urllib_http_request_internal(self, url: str, req: urllib.request.Request) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(req, timeout=self.timeout) as response:
            body = response.read().decode(response.headers.get_content_charset() or "utf-8")
            return {"status": response.code, "headers": response.headers, "body": body}
