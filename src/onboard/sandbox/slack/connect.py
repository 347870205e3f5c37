"""The simulated Slack's sessions, and invitations of people outside to share a channel (Slack Connect)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from onboard.sandbox.slack.calls import Answer, Call, Method, SlackError, channel_view, find_channel, paged, seconds
from onboard.sandbox.slack.state import TEAM, ConnectInvite, Session, new_id

_LASTS = timedelta(days=14)


def list_sessions(call: Call) -> Answer:
    """admin.users.session.list: everybody's, or one user's, named together with the team."""
    team, user = call.text("team_id"), call.text("user_id")
    if bool(team) != bool(user):
        raise SlackError("invalid_arguments")
    if team not in ("", TEAM):
        raise SlackError("team_not_found")
    if user and user not in call.state.users:
        raise SlackError("user_not_found")
    chosen = {str(session.id): session for session in call.state.sessions if user in ("", session.user)}
    cut, more = paged(call, chosen, default=1000)
    return {"active_sessions": [_session_view(session) for session in cut], **more}


def invalidate_session(call: Call) -> Answer:
    """admin.users.session.invalidate: one device has to log in again."""
    if call.text("team_id") != TEAM:
        raise SlackError("team_not_found")
    found = [session for session in call.state.sessions if str(session.id) == call.text("session_id")]
    if not found:
        raise SlackError("session_not_found")
    call.state.sessions.remove(found[0])
    return {}


def invite_shared(call: Call) -> Answer:
    """conversations.inviteShared: one person outside, by e-mail address or by the user id that they have elsewhere."""
    channel = find_channel(call)
    email, user = call.items("emails"), call.items("user_ids")
    if call.caller.user.id not in channel.members:
        raise SlackError("not_in_channel")
    if len(email) + len(user) != 1:
        raise SlackError("user_limit_reached" if email or user else "invalid_arguments")
    id_ = new_id("I", f"{channel.id}{email}{user}{len(call.state.connect_invites)}")
    call.state.connect_invites[id_] = ConnectInvite(
        id=id_, channel=channel.id, inviter=call.caller.user.id, created=call.now, expires=call.now + _LASTS,
        email="".join(email), user="".join(user),
    )  # fmt: skip
    return {"invite_id": id_, "is_legacy_shared_channel": False}


def list_invites(call: Call) -> Answer:
    """conversations.listConnectInvites: those that aren't approved by everybody yet; 100 a page."""
    size = {"limit": call.text("count")} if call.text("count") else {}
    cut, more = paged(
        Call(call.state, call.caller, {**call.args, **size}, call.now), call.state.connect_invites, default=100
    )
    return {"invites": [_invite_view(call, invite) for invite in cut], **more}


def decline_invite(call: Call) -> Answer:
    """conversations.declineSharedInvite: only what was accepted and waits for an approval can be declined."""
    invite = call.state.connect_invites.get(call.text("invite_id"))
    if invite is None or invite.expires <= call.now:
        raise SlackError("invite_not_found")
    if not invite.accepted_by:
        raise SlackError("invalid_action")
    del call.state.connect_invites[invite.id]
    return {}


def accept_elsewhere(call: Call) -> Answer:
    """conversations.acceptSharedInvite: here, on behalf of the other team, whose workspace isn't simulated."""
    invite = call.state.connect_invites.get(call.text("invite_id"))
    if invite is None or invite.expires <= call.now:
        raise SlackError("invite_not_found")
    invite.accepted_by = call.text("team_id") or "T0ELSEWHERE"
    return {"implicit_approval": False, "channel_id": invite.channel, "invite_id": invite.id}


def _session_view(session: Session) -> Answer:
    device = {
        "device_hardware": "Laptop",
        "os": "Linux",
        "os_version": "6",
        "slack_client_version": "",
        "ip": "192.0.2.1",
    }
    return {"user_id": session.user, "team_id": TEAM, "session_id": session.id, "created": device}


def _invite_view(call: Call, invite: ConnectInvite) -> Answer:
    inviter = call.state.users[invite.inviter]
    team = {"id": TEAM, "name": call.state.workspace, "domain": call.state.workspace, "is_verified": False}
    told: dict[str, Any] = {
        "id": invite.id,
        "date_created": seconds(invite.created),
        "date_invalid": seconds(invite.expires),
        "inviting_team": team,
        "inviting_user": {"id": inviter.id, "team_id": TEAM, "name": inviter.name},
        "link": f"https://{call.state.workspace}.slack.com/share-dtl/{invite.id}",
    }
    recipient = {"recipient_email": invite.email} if invite.email else {"recipient_user_id": invite.user}
    accepted = {"approval_status": "pending_approval", "date_accepted": seconds(call.now), "reviews": []}
    other = {"accepting_team": {"id": invite.accepted_by, "name": "elsewhere", "domain": "elsewhere"}}
    return {
        "direction": "outgoing",
        "status": "accepted" if invite.accepted_by else "sent",
        "date_last_updated": seconds(invite.created),
        "invite_type": "channel",
        "invite": told | recipient,
        "channel": channel_view(call, call.state.channels[invite.channel]),
        "acceptances": [accepted | other] if invite.accepted_by else [],
    }


_ADMIN_READ = ("admin.users:read",)
_ADMIN_WRITE = ("admin.users:write",)
_CONNECT = ("conversations.connect:write",)
_MANAGE = ("conversations.connect:manage",)
METHODS = {
    "admin.users.session.list": Method(list_sessions, _ADMIN_READ, user_token=True),
    "admin.users.session.invalidate": Method(invalidate_session, _ADMIN_WRITE, writes=True, user_token=True),
    "conversations.inviteShared": Method(invite_shared, _CONNECT, writes=True),
    "conversations.listConnectInvites": Method(list_invites, _MANAGE),
    "conversations.declineSharedInvite": Method(decline_invite, _MANAGE, writes=True),
    "conversations.acceptSharedInvite": Method(accept_elsewhere, _CONNECT, writes=True),
}
