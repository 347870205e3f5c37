"""Telling whoever pressed a button what came of it: seen by them alone, at the address that Slack gave for that."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from onboard.connectors.http import status_failure, transport
from onboard.connectors.loopback import is_loopback
from onboard.connectors.slack.api import Clock
from onboard.errors import SystemRefused

#: Where Slack lets one reply.
_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
_SECONDS = 5.0


def reply(system: str, base_url: str, url: str, text: str, clock: Clock) -> None:
    """Post the text (https://docs.slack.dev/interactivity/handling-user-interaction, "message responses").

    Raises SystemRefused, and sends nothing, for an address that is neither Slack's nor on the server at `base_url`;
    SystemFailed where it isn't taken.
    """
    if not _trusted(url, base_url):
        raise SystemRefused(system, "reply to a button: the address to reply to isn't Slack's. Nothing was sent.")
    doing = "reply to a button"
    body = {"response_type": "ephemeral", "replace_original": False, "text": text}
    with requests.Session() as session, transport(system, doing):
        session.trust_env = not is_loopback(url)
        answer = session.post(url, json=body, timeout=_SECONDS, allow_redirects=False)
    if answer.status_code != requests.codes.ok:
        raise status_failure(system, doing, answer.status_code, answer.headers, clock())


def _trusted(url: str, base_url: str) -> bool:
    try:
        told, ours = urlsplit(url), urlsplit(base_url)
        slacks = told.scheme == "https" and told.hostname in _HOSTS and told.port in (None, 443)
        return slacks or (told.scheme, told.netloc) == (ours.scheme, ours.netloc)
    except ValueError:
        return False
