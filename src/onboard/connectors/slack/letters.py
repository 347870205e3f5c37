"""Letters as direct messages in Slack: Block Kit, with the buttons by which they are answered.

Scopes of the bot: im:write (conversations.open), chat:write (chat.postMessage, chat.update), and im:history to find a
message again whose sending was left unanswered: each carries its key as metadata, which only apps see.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from onboard.connectors.http import documented
from onboard.connectors.letters import Letter
from onboard.connectors.slack.api import Slack

#: What a message's metadata is called.
EVENT = "onboard_plan"
#: Characters in one block: Slack takes 3000.
_BLOCK = 2800
#: Blocks of lines in one message: Slack takes 50 of all kinds. Beyond that a plan is read on the command line.
_BLOCKS = 20
#: Their clock and ours may differ.
_LEEWAY = timedelta(minutes=10)
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class SlackLetters:
    """To people, by their user id."""

    shows_within = timedelta()

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    @property
    def system(self) -> str:
        """The configured system's name."""
        return self._slack.system

    def place(self, external_id: str) -> str:
        """The conversation with that user (conversations.open, which may be repeated)."""
        answer = self._slack.send("open a conversation", lambda c: c.conversations_open(users=external_id))
        with documented(self.system, "open a conversation"):
            return str(answer["channel"]["id"])

    def find(self, place: str, key: str, since: datetime) -> str | None:
        """The message's ts, by its metadata (conversations.history)."""
        oldest = f"{(since - _LEEWAY).timestamp():.6f}"
        said = self._slack.pages(
            "look for a message of ours",
            "messages",
            lambda c, at, size: c.conversations_history(
                channel=place, cursor=at, limit=size, oldest=oldest, include_all_metadata=True
            ),
        )
        marks = (m["ts"] for m in said if _key_of(m) == key)
        return next(marks, None)

    def send(self, place: str, letter: Letter) -> str:
        """Post it; its ts."""
        metadata = {"event_type": EVENT, "event_payload": {"key": letter.key}}
        answer = self._slack.send(
            "send a message",
            lambda c: c.chat_postMessage(
                channel=place,
                text=_plain(letter.heading),
                blocks=blocks(letter),
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
            ),
        )
        with documented(self.system, "send a message"):
            return str(answer["ts"])

    def change(self, place: str, mark: str, letter: Letter) -> None:
        """Put it in the message's place."""
        metadata = {"event_type": EVENT, "event_payload": {"key": letter.key}}
        self._slack.send(
            "change a message",
            lambda c: c.chat_update(
                channel=place, ts=mark, text=_plain(letter.heading), blocks=blocks(letter), metadata=metadata
            ),
        )


def blocks(letter: Letter) -> list[dict[str, Any]]:
    """The message in Block Kit. Where not every line fits there are no buttons: nobody approves what they can't see."""
    parts = list(_parts(letter.lines))
    whole = len(parts) <= _BLOCKS
    made: list[dict[str, Any]] = [_section(f"*{_plain(letter.heading)}*"), *(_section(p) for p in parts[:_BLOCKS])]
    notes = [*letter.notes] if whole else [*letter.notes, "It is too long to be shown here. See all: onboard inbox"]
    made += [{"type": "context", "elements": [{"type": "mrkdwn", "text": _plain(note)[:_BLOCK]}]} for note in notes]
    if letter.asks and whole:
        made.append({"type": "actions", "block_id": "decide", "elements": list(_buttons(letter))})
    return made


def _buttons(letter: Letter) -> Iterator[dict[str, Any]]:
    value = json.dumps({"digest": letter.digest, "accepts": letter.accepts})
    approve = _button("approve", "Approve", value, "primary")
    if letter.accepts:
        named = f"Approving accepts by name: {', '.join(letter.accepts)}."
        approve["confirm"] = {
            "title": _text("Accept these hazards?"),
            "text": _text(named[:300]),
            "confirm": _text("Accept and approve"),
            "deny": _text("Back"),
        }
    yield approve
    yield _button("refuse", "Refuse", value, "danger")


def _button(action: str, label: str, value: str, style: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "text": _text(label), "value": value, "style": style}


def _text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _parts(lines: tuple[str, ...]) -> Iterator[str]:
    """The lines, as many in each part as a block takes."""
    part = ""
    for line in map(_plain, lines):
        if part and len(part) + len(line) >= _BLOCK:
            yield part
            part = ""
        part = f"{part}\n{line}" if part else line[:_BLOCK]
    if part:
        yield part


def _plain(text: str) -> str:
    """Text that Slack shows as it is: no mention, link or formatting comes out of a name or a file."""
    safe = text.translate(_ESCAPED)
    return "".join(f"{char}\u200b" if char in "*_~`" else char for char in safe)


def _key_of(message: dict[str, Any]) -> str:
    metadata = message.get("metadata") or {}
    return str((metadata.get("event_payload") or {}).get("key") or "")
