"""The simulated Slack's channels."""

from __future__ import annotations

from onboard.sandbox.slack.calls import (
    Answer,
    Call,
    Method,
    SlackError,
    channel_view,
    find_channel,
    find_user,
    paged,
    visible,
)
from onboard.sandbox.slack.state import Channel, User

MOST_INVITED_AT_ONCE = 100


def list_channels(call: Call) -> Answer:
    """conversations.list. Pages are cut before they are filtered: one may come out short, even empty, with a cursor."""
    cut, more = paged(call, call.state.channels, default=100)
    shown = [channel for channel in visible(call, cut) if _wanted(call, channel)]
    return {"channels": [channel_view(call, channel) for channel in shown], **more}


def own_channels(call: Call) -> Answer:
    """users.conversations: the channels that a user (oneself unless named) is in, as far as the caller sees them."""
    user = find_user(call) if call.text("user") else call.caller.user
    mine = {channel.id: channel for channel in visible(call, call.state.channels_of(user)) if _wanted(call, channel)}
    cut, more = paged(call, mine, default=100)
    return {"channels": [channel_view(call, channel, counted=False) for channel in cut], **more}


def channel_info(call: Call) -> Answer:
    """conversations.info."""
    view = channel_view(call, find_channel(call))
    if not call.flag("include_num_members"):
        del view["num_members"]
    return {"channel": view}


def channel_members(call: Call) -> Answer:
    """conversations.members: user ids, 100 a page unless more are asked for."""
    members = {member: member for member in find_channel(call).members}
    cut, more = paged(call, members, default=100)
    return {"members": cut, **more}


def invite(call: Call) -> Answer:
    """conversations.invite: all or none of the users, unless `force` leaves out those who can't be invited.

    An error names the first that fails; `errors` tells all of them.
    """
    channel, wanted = _joined_channel(call), call.items("users")
    if not wanted:
        raise SlackError("no_user")
    if len(wanted) > MOST_INVITED_AT_ONCE:
        raise SlackError("too_many_users")
    reasons = {user: _why_not(call, channel, user) for user in wanted}
    errors: list[Answer] = [{"user": user, "ok": False, "error": reason} for user, reason in reasons.items() if reason]
    invited = [user for user, reason in reasons.items() if not reason]
    if errors and not (call.flag("force") and invited):
        raise SlackError(errors[0]["error"], errors=errors)
    channel.members.extend(invited)
    return {"channel": channel_view(call, channel)} | ({"errors": errors} if errors else {})


def kick(call: Call) -> Answer:
    """conversations.kick. `not_in_channel` means the user, or the caller: it doesn't say whom."""
    channel = _joined_channel(call)
    user = find_user(call)
    if user.id == call.caller.user.id:
        raise SlackError("cant_kick_self")
    if channel.name == "general":
        raise SlackError("cant_kick_from_general")
    if user.id not in channel.members:
        raise SlackError("not_in_channel")
    channel.members.remove(user.id)
    return {"errors": {}}


def _wanted(call: Call, channel: Channel) -> bool:
    types = call.items("types") or ["public_channel"]
    kind = "private_channel" if channel.private else "public_channel"
    return kind in types and not (channel.archived and call.flag("exclude_archived"))


def _joined_channel(call: Call) -> Channel:
    """The channel, for a caller who is in it and is no guest. Raises SlackError otherwise."""
    channel = find_channel(call)
    if call.caller.user.guest:
        raise SlackError("user_is_restricted")
    if channel.archived:
        raise SlackError("is_archived")
    if call.caller.user.id not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _why_not(call: Call, channel: Channel, user_id: str) -> str:
    """Slack's word for why this user can't be invited; empty for somebody who can."""
    user = call.state.users.get(user_id)
    if user is None:
        return "user_not_found"
    if user is call.caller.user:
        return "cant_invite_self"
    if user.id in channel.members:
        return "already_in_channel"
    if user.deleted or user.invitation:
        return "cant_invite"
    return "ura_max_channels" if _only_one(call, user) else ""


def _only_one(call: Call, user: User) -> bool:
    return user.kind == "single-channel-guest" and bool(call.state.channels_of(user))


_READ = ("channels:read", "groups:read")
_WRITE = ("channels:manage", "groups:write", "channels:write")
METHODS = {
    "conversations.list": Method(list_channels, _READ),
    "conversations.info": Method(channel_info, _READ),
    "conversations.members": Method(channel_members, _READ),
    "conversations.invite": Method(invite, _WRITE, writes=True),
    "conversations.kick": Method(kick, _WRITE, writes=True),
    "users.conversations": Method(own_channels, _READ),
}
