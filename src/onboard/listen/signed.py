"""Who sent a request: the signatures of Slack and Jira over the bytes as they came, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime

from pydantic import SecretStr
from slack_sdk.signature import Clock as SlackClock
from slack_sdk.signature import SignatureVerifier

Clock = Callable[[], datetime]

#: Of a time in seconds.
_DIGITS = 12


class _Time(SlackClock):
    """Our clock, as the SDK reads one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock().timestamp()


def by_slack(secret: SecretStr, clock: Clock, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether Slack signed this body (`v0`, HMAC-SHA256), within five minutes of now.

    https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _DIGITS and signature.isascii() and _is_text(body)):
        return False  # the SDK would raise
    return SignatureVerifier(secret.get_secret_value(), _Time(clock)).is_valid(body, stamp, signature)


def by_jira(secret: SecretStr, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether Jira signed this body with the webhook's secret (`X-Hub-Signature: sha256=…`).

    https://developer.atlassian.com/cloud/jira/platform/webhooks, "Secure admin webhooks"
    """
    expected = hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    given = headers.get("x-hub-signature", "")
    return given.isascii() and hmac.compare_digest(f"sha256={expected}", given)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
