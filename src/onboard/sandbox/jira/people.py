"""The simulated Jira's users and groups: look-up, search, membership, and closing an account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from onboard.sandbox.jira.calls import (
    Call,
    JiraError,
    find_group,
    find_user,
    group_view,
    ok,
    page,
    user_view,
)
from onboard.sandbox.jira.state import Group, User

#: `user/search` and its like never go beyond this many users, whatever is asked for.
SEARCH_REACH = 1000


def myself(call: Call) -> Response:
    """GET /myself."""
    return ok(_details(call, call.caller.user))


def get_user(call: Call) -> Response:
    """GET /user. Needs the right to browse users, unless it's about oneself."""
    user = find_user(call, call.query)
    if user is not call.caller.user and not _may_browse_users(call):
        raise JiraError(403, "You do not have the permission to browse users and groups.")
    return ok(_details(call, user))


def delete_user(call: Call) -> Response:
    """DELETE /user: ends the access to Jira (groups and roles with it). The account itself lives on elsewhere."""
    call.needs_admin()
    user = find_user(call, call.query)
    if user is call.caller.user:
        raise JiraError(400, "You cannot delete yourself.")
    call.state.remove_everywhere(user)
    if call.cloud:
        user.active = False
    else:
        del call.state.users[user.key]
    return Response(status_code=204)


def update_user(call: Call) -> Response:
    """PUT /user (Data Center): name, e-mail address, display name, and `active`, which ends or restores log-ins.

    Memberships stay, so a deactivated user is still in groups and roles.
    """
    call.needs_admin()
    user = find_user(call, call.query)
    if (name := call.field("name")) and name.lower() != user.username.lower():
        if call.state.user(username=name):
            raise JiraError(400, errors={"username": "A user with that username already exists."})
        user.username = name
    user.email = call.field("emailAddress") or user.email
    user.name = call.field("displayName") or user.name
    if (active := call.field("active")) is not None:
        user.active = bool(active)
    return ok({key: value for key, value in user_view(call, user).items() if key not in ("avatarUrls", "timeZone")})


def all_users(call: Call) -> Response:
    """GET /users/search (Cloud): every user, active or not, at most 1,000 a page."""
    if not _may_browse_users(call):
        raise JiraError(403, "You do not have the permission to browse users and groups.")
    users = sorted(call.state.users.values(), key=lambda user: user.account_id)
    return ok([user_view(call, user) for user in _window(call, users)])


def search_users(call: Call) -> Response:
    """GET /user/search: whoever's name or address *begins* with the words asked for, by display name.

    So a stranger may come before the person meant. On Cloud a hidden address is found, though not shown.
    """
    if call.cloud and call.query.get("username"):
        raise JiraError(400, "The query parameter 'username' is not supported in GDPR strict mode.")
    wanted = call.query.get("query" if call.cloud else "username", "").strip().lower()
    account = call.query.get("accountId", "") if call.cloud else ""
    if not wanted and not account:
        raise JiraError(400, f"The '{'query' if call.cloud else 'username'}' query parameter must be provided.")
    if not _may_browse_users(call):
        return ok([])
    found = [user for user in call.state.users.values() if _matches(call, user, wanted, account)]
    found = sorted((user for user in found if _in_state(call, user)), key=lambda user: user.name)
    return ok([user_view(call, user) for user in _window(call, found[:SEARCH_REACH])])


def users_by_id(call: Call) -> Response:
    """GET /user/bulk (Cloud): the users with the given ids; unknown ids are left out."""
    ids = call.query.getlist("accountId")
    if not ids:
        raise JiraError(400, "The accountId query parameter needs to be provided.")
    users = [user for user in (call.state.user(account_id=account) for account in ids) if user]
    return ok(page(call, [user_view(call, user) for user in users], default=10, most=200))


def user_groups(call: Call) -> Response:
    """GET /user/groups (Cloud)."""
    user = find_user(call, call.query)
    if user is not call.caller.user and not _may_browse_users(call):
        raise JiraError(403, "You do not have the permission to browse users and groups.")
    return ok([group_view(call, group) for group in call.state.groups_of(user)])


def pick_groups(call: Call) -> Response:
    """GET /groups/picker: groups whose name contains the query; 20 unless more are asked for."""
    query, excluded = call.query.get("query", "").lower(), call.query.getlist("exclude")
    found = [g for g in call.state.groups if query in g.name.lower() and g.name not in excluded]
    found = found if _may_browse_users(call) else []
    shown = sorted(found, key=lambda group: group.name)[: call.number("maxResults", 20)]
    views = [{"name": g.name, "html": g.name, "labels": []} | ({"groupId": g.id} if call.cloud else {}) for g in shown]
    header = f"Showing {len(shown)} of {len(found)} matching groups"
    return ok({"header": header, "total": len(found), "groups": views})


def groups_by_id(call: Call) -> Response:
    """GET /group/bulk (Cloud): all groups, or those with the given ids or names."""
    call.needs_admin()
    ids, names = call.query.getlist("groupId"), call.query.getlist("groupName")
    found = [g for g in call.state.groups if not (ids or names) or g.id in ids or g.name in names]
    return ok(page(call, [{"name": g.name, "groupId": g.id} for g in found]))


def create_group(call: Call) -> Response:
    """POST /group."""
    call.needs_admin()
    name = str(call.field("name") or "").strip()
    if not name:
        raise JiraError(400, errors={"name": "The group name is empty."})
    if call.state.group(name=name):
        raise JiraError(400, "A group or user with this name already exists.")
    return ok(_with_users(call, call.state.add_group(name)), 201)


def get_group(call: Call) -> Response:
    """GET /group: with `expand=users[a:b]`, up to 50 of its members."""
    call.needs_admin()
    return ok(_with_users(call, find_group(call)))


def group_members(call: Call) -> Response:
    """GET /group/member: 50 a page, by username, inactive users only when asked for."""
    group = find_group(call)
    if not _may_browse_users(call):
        raise JiraError(403, "You do not have the permission to browse users and groups.")
    users = [user for user in _members(call, group) if user.active or call.flag("includeInactiveUsers")]
    return ok(page(call, [user_view(call, user) for user in users]))


def add_member(call: Call) -> Response:
    """POST /group/user: 201 with the group; 400 for someone who is in it already."""
    call.needs_admin()
    group = find_group(call)
    named = call.field("accountId" if call.cloud else "name")
    user = call.state.user(account_id=str(named)) if call.cloud else call.state.user(username=str(named))
    if user is None:
        raise JiraError(404, "Specified user does not exist or you do not have required permissions")
    if user.key in group.members:
        raise JiraError(400, f"Cannot add user '{named}', user is already a member of '{group.name}'")
    group.members.append(user.key)
    return ok(_with_users(call, group), 201)


def remove_member(call: Call) -> Response:
    """DELETE /group/user: 200 and no body; 400 for someone who isn't in it."""
    call.needs_admin()
    group, user = find_group(call), find_user(call, call.query)
    if user.key not in group.members:
        named = user.account_id if call.cloud else user.username
        reason = f"since user is not a member of '{group.name}'"
        raise JiraError(400, f"Cannot remove user '{named}' from group '{group.name}' {reason}")
    group.members.remove(user.key)
    return Response(status_code=200)


def edit_user_page(call: Call) -> Response:  # noqa: ARG001 - the page ignores what is sent
    """POST /secure/admin/user/EditUser.jspa (Data Center): a page that asks for a form token, and changes nothing."""
    return Response("<html><title>XSRF Security Token Missing</title></html>", media_type="text/html")


def _may_browse_users(call: Call) -> bool:
    return "USER_PICKER" in call.state.permissions_of(call.caller.user, call.state.projects)


def _details(call: Call, user: User) -> dict[str, Any]:
    """A user with the groups that GET /user and /myself tell: how many, and which where that is expanded."""
    groups = [group_view(call, group) for group in call.state.groups_of(user)]
    shown = groups if "groups" in call.query.get("expand", "") else []
    roles = {"size": 0, "items": []}
    return user_view(call, user) | {"groups": {"size": len(groups), "items": shown}, "applicationRoles": roles}


def _window(call: Call, users: list[User]) -> list[User]:
    start = max(call.number("startAt", 0), 0)
    return users[start : start + min(max(call.number("maxResults", 50), 1), 1000)]


def _matches(call: Call, user: User, wanted: str, account: str) -> bool:
    if account:
        return user.account_id == account
    if wanted == "." and not call.cloud:
        return True
    words: Iterable[str] = (user.name.lower(), *user.name.lower().split(), user.email.lower())
    words = words if call.cloud else (*words, user.username.lower())
    return any(word.startswith(wanted) for word in words)


def _in_state(call: Call, user: User) -> bool:
    """Cloud finds active users only; Data Center those that the query asks for."""
    if call.cloud or user.active:
        return user.active and (call.cloud or call.query.get("includeActive", "true").lower() == "true")
    return call.flag("includeInactive")


def _members(call: Call, group: Group) -> list[User]:
    return sorted((call.state.users[key] for key in group.members), key=lambda user: user.username)


def _with_users(call: Call, group: Group) -> dict[str, Any]:
    users = [user_view(call, user) for user in _members(call, group) if user.active]
    first, shown = _expanded(call.query.get("expand", ""), users)
    end = max(first + len(shown) - 1, 0)
    listed = {"size": len(users), "items": shown, "max-results": 50, "start-index": first, "end-index": end}
    return group_view(call, group) | {"expand": "users", "users": listed}


def _expanded(expand: str, users: list[dict[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
    """The part of the members that `users` or `users[a:b]` (b included) asks for, never more than 50."""
    if not expand.startswith("users"):
        return 0, []
    first, _, last = expand.removeprefix("users").strip("[]").partition(":")
    start = int(first) if first.isdigit() else 0
    end = min(int(last) + 1 if last.isdigit() else start + 50, start + 50)
    return start, users[start:end]
