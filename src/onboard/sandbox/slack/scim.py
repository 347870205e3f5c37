"""The simulated Slack's SCIM API (version 1): accounts seen and switched off, groups seen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response

from onboard.sandbox.slack.state import SlackState, User, UserGroup

CORE = "urn:scim:schemas:core:1.0"
GUEST = "urn:scim:schemas:extension:slack:guest:1.0"
_FILTER = re.compile(r'\s*([\w.]+)\s+(eq|co|sw)\s+"?([^"]*)"?\s*', re.IGNORECASE)
_MOST = 1000


class ScimError(Exception):
    """An answer that isn't a success: HTTP status and description."""

    def __init__(self, status: int, description: str) -> None:
        self.status = status
        self.body = {"Errors": {"description": description, "code": status}}
        super().__init__(description)


def search_users(state: SlackState, query: QueryParams, base: str) -> Response:
    """GET Users: `count` people from `startIndex` (1 is the first) of those that `filter` lets through; no bots."""
    chosen = _filter(query.get("filter", ""), list(_people(state).values()))
    return _listed(query, [_user(state, user, base) for user in chosen])


def read_user(state: SlackState, user_id: str, base: str) -> Response:
    """GET Users/{id}."""
    return JSONResponse(_user(state, _find(state, user_id), base))


def delete_user(state: SlackState, user_id: str, now: datetime) -> Response:
    """DELETE Users/{id}: deactivates; an account is never deleted. The same again changes nothing."""
    user = _find(state, user_id)
    if not user.deleted:
        state.deactivate(user, now)
    return Response(status_code=200)


def patch_user(state: SlackState, user_id: str, body: Any, base: str, now: datetime) -> Response:
    """PATCH Users/{id}: `active`, `userName` and `displayName`. Coming back doesn't bring channels and groups back."""
    user = _find(state, user_id)
    if not isinstance(body, Mapping) or body.keys() - {"schemas", "id", "active", "userName", "displayName"}:
        raise ScimError(400, "unsupported_attribute")
    user.name = str(body.get("userName") or user.name)
    user.real_name = str(body.get("displayName") or user.real_name)
    if body.get("active") is False and not user.deleted:
        state.deactivate(user, now)
    elif body.get("active") is True:
        user.deleted, user.updated = False, now
    return JSONResponse(_user(state, user, base))


def search_groups(state: SlackState, query: QueryParams, base: str) -> Response:
    """GET Groups: the user groups with their members."""
    return _listed(query, [_group(state, group, base) for group in state.usergroups.values()])


def _people(state: SlackState) -> dict[str, User]:
    return {user.id: user for user in state.users.values() if user.kind != "bot"}


def _find(state: SlackState, user_id: str) -> User:
    if (user := _people(state).get(user_id)) is None:
        raise ScimError(404, "user_not_found")
    return user


def _filter(text: str, users: list[User]) -> list[User]:
    """The users that a filter such as `email eq "a@b.example"` lets through. Raises ScimError 400."""
    if not text:
        return users
    if (match := _FILTER.fullmatch(text)) is None:
        raise ScimError(400, "invalid_filter")
    attribute, operator, wanted = match[1].lower(), match[2].lower(), match[3].lower()
    test = {"eq": str.__eq__, "co": str.__contains__, "sw": str.startswith}[operator]
    return [user for user in users if test(_attribute(user, attribute), wanted)]


def _attribute(user: User, name: str) -> str:
    known = {
        "id": user.id,
        "username": user.name,
        "email": user.email,
        "emails.value": user.email,
        "displayname": user.real_name,
        "active": str(not user.deleted),
    }
    if name not in known:
        raise ScimError(400, "unsupported_filter")
    return known[name].lower()


def _listed(query: QueryParams, resources: Sequence[Any]) -> Response:
    start, count = _number(query, "startIndex", 1), min(_number(query, "count", 10), _MOST)
    cut = resources[max(start, 1) - 1 :][:count]
    page = {"totalResults": len(resources), "itemsPerPage": len(cut), "startIndex": start}
    return JSONResponse({"schemas": [CORE], **page, "Resources": cut})


def _number(query: QueryParams, name: str, default: int) -> int:
    value = query.get(name, str(default))
    if not value.isdigit():
        raise ScimError(400, f"invalid_{name}")
    return int(value)


def _user(state: SlackState, user: User, base: str) -> dict[str, Any]:
    given, _, family = user.real_name.partition(" ")
    groups = [group for group in state.usergroups.values() if user.id in group.users]
    view: dict[str, Any] = {
        "schemas": [CORE],
        "id": user.id,
        "externalId": "",
        "meta": {"created": user.updated.isoformat(), "location": f"{base}Users/{user.id}"},
        "userName": user.name,
        "nickName": user.name,
        "displayName": user.real_name,
        "name": {"givenName": given, "familyName": family, "honorificPrefix": ""},
        "active": not user.deleted,
        "emails": [{"value": user.email, "primary": True}],
        "photos": [],
        "groups": [{"value": group.id, "display": group.name} for group in groups],
    }
    return view | (_guest(user) if user.guest else {})


def _guest(user: User) -> dict[str, Any]:
    kind = "single" if user.kind == "single-channel-guest" else "multi"
    expiry = {"expiration": user.expires.isoformat()} if user.expires else {}
    return {"schemas": [CORE, GUEST], GUEST: {"type": kind, **expiry}}


def _group(state: SlackState, group: UserGroup, base: str) -> dict[str, Any]:
    members = [{"value": member, "display": state.users[member].real_name} for member in group.users]
    meta = {"created": group.created.isoformat(), "location": f"{base}Groups/{group.id}"}
    return {"schemas": [CORE], "id": group.id, "displayName": group.name, "members": members, "meta": meta}
