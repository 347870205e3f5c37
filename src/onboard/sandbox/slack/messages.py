"""The simulated Slack's messages: in channels and between two, with blocks and metadata; posted, changed, read."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from onboard.sandbox.slack.calls import Answer, Call, Method, SlackError, find_channel, paged, visible
from onboard.sandbox.slack.state import BOT_ID, TEAM, Message, User

_KEPT = ("blocks", "attachments", "thread_ts", "metadata")


def open_conversation(call: Call) -> Answer:
    """conversations.open with one user: the conversation between the two, which is always the same."""
    users = call.items("users")
    if len(users) != 1:
        raise SlackError("too_many_users" if users else "users_list_not_supplied")
    user = call.state.users.get(users[0])
    if user is None or user.kind == "bot":
        raise SlackError("user_not_found")
    if user.deleted:
        raise SlackError("user_disabled")
    return {"channel": {"id": direct(user)}}


def post_message(call: Call) -> Answer:
    """chat.postMessage to a channel (id or name) that the caller is in, or to a person, by their id or directly."""
    if not (call.text("text") or call.args.get("blocks") or call.args.get("attachments")):
        raise SlackError("no_text")
    target, said = _target(call), _said(call)
    author, stamp = call.caller.user.id, timestamp(call)
    call.state.messages.append(Message(channel=target, ts=stamp, user=author, text=call.text("text"), **said))
    bot = {"bot_id": BOT_ID} if call.caller.bot else {}
    message = {"type": "message", "user": author, "team": TEAM, "text": call.text("text"), "ts": stamp, **bot, **said}
    return {"channel": target, "ts": stamp, "message": message}


def update_message(call: Call) -> Answer:
    """chat.update: the caller's own message says something else from now on."""
    target, stamp = call.text("channel"), call.text("ts")
    found = next((m for m in call.state.messages if (m.channel, m.ts) == (target, stamp)), None)
    if found is None:
        raise SlackError("message_not_found")
    if found.user != call.caller.user.id:
        raise SlackError("cant_update_message")
    changed = Message(channel=target, ts=stamp, user=found.user, text=call.text("text"), **_said(call))
    call.state.messages[call.state.messages.index(found)] = changed
    return {"channel": target, "ts": stamp, "text": changed.text, "message": {"text": changed.text, **_said(call)}}


def history(call: Call) -> Answer:
    """conversations.history: the newest messages first; what one person alone sees isn't among them."""
    wanted = call.text("channel")
    channel = wanted if wanted in {direct(user) for user in call.state.users.values()} else find_channel(call).id
    needed = "im:history" if channel.startswith("D") else "channels:history"
    if not call.caller.scopes & {needed, "groups:history"}:
        raise SlackError("missing_scope", needed=needed, provided=",".join(sorted(call.caller.scopes)))
    said = [m for m in call.state.messages if m.channel == channel and not m.seen_by]
    newest = {f"{number:09}": message for number, message in enumerate(reversed(said))}
    cut, more = paged(call, newest, default=100)
    left_out = {"channel", "seen_by"} | (set() if call.flag("include_all_metadata") else {"metadata"})
    messages = [{"type": "message", "team": TEAM, **message.model_dump(exclude=left_out)} for message in cut]
    none = {"pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}
    return {"messages": messages, "has_more": bool(more["response_metadata"]["next_cursor"]), **none, **more}


def direct(user: User) -> str:
    """The conversation of a person with our bot."""
    return f"D{user.id[1:]}"


def timestamp(call: Call) -> str:
    """The message's id: the time in microseconds, later than every message before it."""
    latest = max((message.ts for message in call.state.messages), default="")
    moment = call.now
    while f"{moment.timestamp():.6f}" <= latest:
        moment += timedelta(microseconds=1)
    return f"{moment.timestamp():.6f}"


def _said(call: Call) -> dict[str, Any]:
    """What a message has besides its text, parsed where it came as text in a form."""
    return {name: _parsed(call.args[name]) for name in _KEPT if call.args.get(name)}


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in "[{":
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise SlackError("invalid_blocks") from None


def _target(call: Call) -> str:
    """Where a message goes: a channel's id, or the conversation with a person. Raises SlackError."""
    named = call.text("channel").removeprefix("#")
    for user in call.state.users.values():
        if named in (user.id, direct(user)):
            if user.deleted:
                raise SlackError("channel_not_found")
            return direct(user)
    channels: Any = (c for c in call.state.channels.values() if named in (c.id, c.name))
    channel = next(iter(visible(call, channels)), None)
    if channel is None:
        raise SlackError("channel_not_found")
    if channel.archived:
        raise SlackError("is_archived")
    if call.caller.user.id not in channel.members:
        raise SlackError("not_in_channel")
    return channel.id


_HISTORY = ("channels:history", "groups:history", "im:history")
METHODS = {
    "conversations.open": Method(open_conversation, ("im:write",), writes=True),
    "conversations.history": Method(history, _HISTORY),
    "chat.postMessage": Method(post_message, ("chat:write",), writes=True),
    "chat.update": Method(update_message, ("chat:write",), writes=True),
}
