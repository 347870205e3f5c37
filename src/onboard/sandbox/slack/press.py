"""Buttons in the simulated Slack: what a person sees of our bot's messages, and what Slack sends when they press."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from onboard.errors import BadInput
from onboard.sandbox.slack.messages import direct
from onboard.sandbox.slack.state import BOT_ID, TEAM, Message, SlackState, User


def seen(state: SlackState, user: User) -> list[dict[str, Any]]:
    """What a user sees in the conversation with our bot, oldest first; `buttons` are those that it has now."""
    mine = (m for m in state.messages if m.channel == direct(user) and m.seen_by in ("", user.id))
    return [
        {**m.model_dump(exclude={"channel", "user"}), "buttons": [b["action_id"] for b in _buttons(m)]} for m in mine
    ]


def pressed(state: SlackState, user: User, action: str, stamp: str | None, actions_url: str) -> dict[str, Any]:
    """The payload of a `block_actions` interaction. Raises BadInput where no message that they see has that button."""
    said = [m for m in state.messages if m.channel == direct(user) and stamp in (None, m.ts) and not m.seen_by]
    found = [(m, b) for m in said for b in _buttons(m) if b["action_id"] == action]
    if not found:
        raise BadInput.one(f"{user.name} sees no button {action!r}. See GET /_sandbox/people/…/messages.")
    message, button = found[-1]
    return {
        "type": "block_actions",
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": TEAM},
        "api_app_id": "A0ONBOARD01",
        "token": "verification tokens are deprecated",
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": False,
        },
        "trigger_id": f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**9)}.{secrets.token_hex(16)}",
        "team": {"id": TEAM, "domain": state.workspace},
        "channel": {"id": message.channel, "name": "directmessage"},
        "message": {"type": "message", "bot_id": BOT_ID, **message.model_dump(exclude={"channel", "seen_by"})},
        "response_url": f"{actions_url}/{user.id}/{message.channel}",
        "actions": [{**button, "block_id": "decide", "action_ts": message.ts}],
    }


def signed(payload: dict[str, Any], secret: str, now: datetime) -> tuple[bytes, dict[str, str]]:
    """The request as Slack sends it: a form with the payload, and its signature (v0) over the time and the body."""
    body, stamp = urlencode({"payload": json.dumps(payload)}).encode(), str(int(now.timestamp()))
    made = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={made}",
    }
    return body, headers


def _buttons(message: Message) -> Iterator[dict[str, Any]]:
    blocks: Any = (message.model_extra or {}).get("blocks") or ()
    for block in blocks:
        if block.get("type") == "actions":
            yield from (element for element in block["elements"] if element.get("type") == "button")
