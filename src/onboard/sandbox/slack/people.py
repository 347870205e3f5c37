"""The simulated Slack's users, user groups, and the admin methods (which an Enterprise plan has)."""

from __future__ import annotations

import re
from datetime import datetime

from onboard.sandbox.slack.calls import (
    Answer,
    Call,
    Method,
    SlackError,
    find_user,
    moment,
    paged,
    seconds,
    user_view,
    usergroup_view,
)
from onboard.sandbox.slack.state import BOT_ID, INVITATION_LASTS, TEAM, Invitation, Kind, User, UserGroup

_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")


def auth_test(call: Call) -> Answer:
    """auth.test: whose token it is."""
    user = call.caller.user
    identity: Answer = {"user": user.name, "user_id": user.id, "is_enterprise_install": False}
    team = {"url": f"https://{call.state.workspace}.slack.com/", "team": call.state.workspace, "team_id": TEAM}
    return team | identity | ({"bot_id": BOT_ID} if call.caller.bot else {})


def team_info(call: Call) -> Answer:
    """team.info."""
    name = call.state.workspace
    return {"team": {"id": TEAM, "name": name, "domain": name, "email_domain": "", "icon": {"image_default": True}}}


def list_users(call: Call) -> Answer:
    """users.list: everybody, deactivated or not; without a limit it stops at 1,000 and leaves a cursor."""
    cut, more = paged(call, call.state.users, default=1000)
    return {"members": [user_view(call, user) for user in cut], "cache_ts": seconds(call.now), **more}


def user_info(call: Call) -> Answer:
    """users.info."""
    return {"user": user_view(call, find_user(call))}


def look_up(call: Call) -> Answer:
    """users.lookupByEmail: exact, and blind for deactivated accounts."""
    user = call.state.by_email(call.text("email"))
    if user is None or user.deleted:
        raise SlackError("users_not_found")
    return {"user": user_view(call, user)}


def list_usergroups(call: Call) -> Answer:
    """usergroups.list: disabled ones and the people in them only when asked for."""
    groups = (g for g in call.state.usergroups.values() if not g.disabled or call.flag("include_disabled"))
    return {"usergroups": [usergroup_view(call, group, users=call.flag("include_users")) for group in groups]}


def usergroup_users(call: Call) -> Answer:
    """usergroups.users.list."""
    group = _usergroup(call)
    if group.disabled and not call.flag("include_disabled"):
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def update_usergroup_users(call: Call) -> Answer:
    """usergroups.users.update: replaces everybody in it. It can't be emptied, and takes neither guests nor bots.

    Deactivated users are left out while the others are set: that is the error `failed_for_some_users`.
    """
    group, wanted = _usergroup(call), call.items("users")
    if not wanted:
        raise SlackError("no_users_provided")
    users = [call.state.users.get(id_) for id_ in wanted]
    if any(user and user.kind == "single-channel-guest" for user in users):
        raise SlackError("single_channel_guests_cannot_be_added")
    known = [user for user in users if user and user.kind == "member"]
    if len(known) < len(wanted):
        raise SlackError("invalid_users")
    group.users = [user.id for user in known if not user.deleted]
    _touch(call, group)
    if len(group.users) < len(wanted):
        raise SlackError("failed_for_some_users")
    return {"usergroup": usergroup_view(call, group, users=True)}


def create_usergroup(call: Call) -> Answer:
    """usergroups.create."""
    name, handle = call.text("name").strip(), call.text("handle").strip() or call.text("name").strip().lower()
    channels = call.items("channels")
    if not name:
        raise SlackError("invalid_arguments")
    if any(channel not in call.state.channels for channel in channels):
        raise SlackError("channel_not_found")
    for group in call.state.usergroups.values():
        if group.handle == handle:
            raise SlackError("handle_already_exists")
        if group.name == name:
            raise SlackError("name_already_exists")
    new = call.state.add_usergroup(handle, name, call.now, call.caller.user.id)
    new.description, new.channels = call.text("description"), channels
    return {"usergroup": usergroup_view(call, new, users=True)}


def disable_usergroup(call: Call) -> Answer:
    """usergroups.disable: out of sight; its users are kept for when it's enabled again."""
    group = _usergroup(call)
    group.disabled = group.disabled or call.now
    return _touch(call, group)


def enable_usergroup(call: Call) -> Answer:
    """usergroups.enable."""
    group = _usergroup(call)
    group.disabled = None
    return _touch(call, group)


def admin_list(call: Call) -> Answer:
    """admin.users.list: the active ones, or with `is_active` false the deactivated ones."""
    _team(call, required=False)
    active = call.flag("is_active", default=True)
    users = {user.id: user for user in call.state.users.values() if user.deleted != active}
    cut, more = paged(call, users, default=100, most=100)
    return {"users": [_admin_view(user) for user in cut], **more}


def admin_invite(call: Call) -> Answer:
    """admin.users.invite: an account that waits, at most 30 days, for somebody to accept by e-mail."""
    _team(call)
    email, channels = call.text("email"), call.items("channel_ids")
    kind = _invited_kind(call)
    if not _EMAIL.fullmatch(email):
        raise SlackError("invalid_email")
    if not channels or any(channel not in call.state.channels for channel in channels):
        raise SlackError("failed_to_validate_channels")
    if kind == "single-channel-guest" and len(channels) > 1:
        raise SlackError("failed_to_validate_channels")
    expires = _guest_expiry(call, kind)
    _refuse_known(call, email)
    invitation = Invitation(channels=channels, expires=call.now + INVITATION_LASTS)
    call.state.invite(email, call.text("real_name"), kind, invitation, call.now).expires = expires
    return {}


def admin_remove(call: Call) -> Answer:
    """admin.users.remove: out of the workspace, a pending invitation withdrawn."""
    _team(call)
    user = find_user(call, "user_id")
    if user.owner:
        raise SlackError("cannot_modify_primary_owner")
    if user.deleted:
        raise SlackError("user_already_deleted")
    call.state.deactivate(user, call.now)
    return {}


def admin_set_expiration(call: Call) -> Answer:
    """admin.users.setExpiration: when a guest is deactivated; 0 for never."""
    _team(call, required=False)
    user = find_user(call, "user_id")
    if user.deleted:
        raise SlackError("user_is_already_deleted")
    if not user.guest:
        raise SlackError("user_is_not_a_guest")
    stamp = call.text("expiration_ts")
    user.expires = None if stamp == "0" else moment(stamp, "failed_to_validate_expiration")
    return {}


def admin_reset_sessions(call: Call) -> Answer:
    """admin.users.session.reset: every device has to log in again. API tokens live on."""
    user = find_user(call, "user_id")
    user.sessions_reset = call.now
    call.state.end_sessions(user)
    return {}


def _usergroup(call: Call) -> UserGroup:
    if (group := call.state.usergroups.get(call.text("usergroup"))) is None:
        raise SlackError("no_such_subteam")
    return group


def _touch(call: Call, group: UserGroup) -> Answer:
    group.updated, group.updated_by = call.now, call.caller.user.id
    return {"usergroup": usergroup_view(call, group, users=True)}


def _team(call: Call, required: bool = True) -> None:
    if call.text("team_id") != TEAM and (required or call.text("team_id")):
        raise SlackError("team_not_found")


def _invited_kind(call: Call) -> Kind:
    if call.flag("is_ultra_restricted"):
        return "single-channel-guest"
    return "guest" if call.flag("is_restricted") else "member"


def _guest_expiry(call: Call, kind: Kind) -> datetime | None:
    stamp = call.text("guest_expiration_ts")
    if not stamp:
        return None
    expires = moment(stamp, "failed_to_validate_expiration")
    if kind == "member" or expires <= call.now:
        raise SlackError("failed_to_validate_expiration")
    return expires


def _refuse_known(call: Call, email: str) -> None:
    """Raises SlackError where the address has an account, or an invitation that still stands and isn't resent."""
    user = call.state.by_email(email)
    if user is None:
        return
    if user.deleted:
        raise SlackError("user_disabled")
    if user.invitation is None:
        raise SlackError("already_in_team")
    if user.invitation.expires > call.now and not call.flag("resend"):
        raise SlackError("already_in_team_invited_user")


def _admin_view(user: User) -> Answer:
    return {
        "id": user.id,
        "email": user.email,
        "username": user.name,
        "full_name": user.real_name,
        "is_admin": user.owner,
        "is_owner": user.owner,
        "is_primary_owner": user.owner,
        "is_restricted": user.guest,
        "is_ultra_restricted": user.kind == "single-channel-guest",
        "is_bot": user.kind == "bot",
        "is_active": not user.deleted,
        "date_created": seconds(user.updated),
        "deactivated_ts": seconds(user.updated) if user.deleted else 0,
        "expiration_ts": seconds(user.expires),
        "workspaces": [TEAM],
        "has_2fa": False,
        "has_sso": False,
    }


_USERGROUPS = ("usergroups:write",)
_ADMIN_READ = ("admin.users:read",)
_ADMIN_WRITE = ("admin.users:write",)
METHODS = {
    "auth.test": Method(auth_test),
    "team.info": Method(team_info, ("team:read",)),
    "users.list": Method(list_users, ("users:read",)),
    "users.info": Method(user_info, ("users:read",)),
    "users.lookupByEmail": Method(look_up, ("users:read.email",)),
    "usergroups.list": Method(list_usergroups, ("usergroups:read",)),
    "usergroups.users.list": Method(usergroup_users, ("usergroups:read",)),
    "usergroups.users.update": Method(update_usergroup_users, _USERGROUPS, writes=True),
    "usergroups.create": Method(create_usergroup, _USERGROUPS, writes=True),
    "usergroups.disable": Method(disable_usergroup, _USERGROUPS, writes=True),
    "usergroups.enable": Method(enable_usergroup, _USERGROUPS, writes=True),
    "admin.users.list": Method(admin_list, _ADMIN_READ, user_token=True),
    "admin.users.invite": Method(admin_invite, _ADMIN_WRITE, writes=True, user_token=True),
    "admin.users.remove": Method(admin_remove, _ADMIN_WRITE, writes=True, user_token=True),
    "admin.users.setExpiration": Method(admin_set_expiration, _ADMIN_WRITE, writes=True, user_token=True),
    "admin.users.session.reset": Method(admin_reset_sessions, _ADMIN_WRITE, writes=True, user_token=True),
}
