"""The simulated Jira's one permission scheme: what project roles may do, and who is named in it beside them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from onboard.sandbox.jira.calls import Call, JiraError, group_view, ok, user_view
from onboard.sandbox.jira.projects import administered
from onboard.sandbox.jira.state import PROJECT_PERMISSIONS, SCHEME, SchemeGrant

SCHEME_ID = 10000
_EXPANDS = {"permissions", "user", "group", "projectRole", "field", "all"}


def list_schemes(call: Call) -> Response:
    """GET /permissionscheme."""
    return ok({"permissionSchemes": [_scheme(call)]})


def get_scheme(call: Call) -> Response:
    """GET /permissionscheme/{id}."""
    _check(call)
    return ok(_scheme(call))


def project_scheme(call: Call) -> Response:
    """GET /project/{key}/permissionscheme."""
    administered(call)
    return ok(_scheme(call))


def list_grants(call: Call) -> Response:
    """GET /permissionscheme/{id}/permission."""
    _check(call)
    return ok({"permissions": _grants(call)})


def add_grant(call: Call) -> Response:
    """POST /permissionscheme/{id}/permission: for a user or a group; project roles have theirs for good here."""
    call.needs_admin()
    _check(call)
    permission, holder = call.field("permission"), call.field("holder")
    if permission not in PROJECT_PERMISSIONS or not isinstance(holder, dict):
        raise JiraError(400, "The permission or its holder is missing or unknown.")
    ref = _ref(call, str(holder.get("type")), str(holder.get("value") or holder.get("parameter") or ""))
    if any(grant.permission == permission and grant.ref == ref for grant in call.state.scheme_grants):
        raise JiraError(400, "The permission is already granted to that holder.")
    new = SchemeGrant(id=call.state.next_grant, permission=permission, type=str(holder["type"]), ref=ref)
    call.state.next_grant += 1
    call.state.scheme_grants.append(new)
    return ok(_named(call, new), 201)


def remove_grant(call: Call) -> Response:
    """DELETE /permissionscheme/{id}/permission/{id}: 204, or 400 for what isn't there."""
    call.needs_admin()
    _check(call)
    kept = [grant for grant in call.state.scheme_grants if str(grant.id) != call.path["permission"]]
    if len(kept) == len(call.state.scheme_grants):
        raise JiraError(400, f"Permission grant {call.path['permission']} was not found.")
    call.state.scheme_grants = kept
    return Response(status_code=204)


def _check(call: Call) -> None:
    if call.path["scheme"] != str(SCHEME_ID):
        raise JiraError(404, f"Permission scheme with id {call.path['scheme']} was not found.")


def _ref(call: Call, kind: str, named: str) -> str:
    """Our reference of a holder; Cloud names users by accountId, Data Center by key."""
    if kind == "user":
        user = call.state.user(account_id=named) if call.cloud else call.state.user(key=named)
        if user:
            return user.key
    if kind == "group":
        group = call.state.group(name=named, group_id=named)
        if group:
            return group.id
    raise JiraError(400, f"There is no {kind} {named!r} that could hold a permission.")


def _scheme(call: Call) -> dict[str, Any]:
    scheme = {
        "id": SCHEME_ID,
        "self": f"{call.base}/permissionscheme/{SCHEME_ID}",
        "name": "Default software scheme",
        "description": "By project role.",
    }
    return scheme | {"permissions": _grants(call)} if _expanded(call) else scheme


def _expanded(call: Call) -> set[str]:
    """What the query asks to be told in full. Raises JiraError 400 for what can't be."""
    wanted = {word for word in call.query.get("expand", "").split(",") if word}
    if call.cloud and wanted - _EXPANDS:
        raise JiraError(400, "The value for expand is invalid.")
    return wanted


def _grants(call: Call) -> list[dict[str, Any]]:
    pairs = [(key, role) for role, name in call.state.roles.items() for key in SCHEME.get(name, ("BROWSE_PROJECTS",))]
    of_roles = [_of_role(call, number, *pair) for number, pair in enumerate(pairs, start=10100)]
    return of_roles + [_named(call, grant) for grant in call.state.scheme_grants]


def _of_role(call: Call, number: int, permission: str, role: int) -> dict[str, Any]:
    return _grant(call, number, permission, {"type": "projectRole"} | _parameter(call, str(role), str(role)))


def _named(call: Call, grant: SchemeGrant) -> dict[str, Any]:
    expanded = _expanded(call)
    if grant.type == "user":
        user = call.state.users[grant.ref]
        named = user.account_id if call.cloud else user.key
        more = {"user": user_view(call, user)} if expanded & {"user", "all"} else {}
        return _grant(call, grant.id, grant.permission, {"type": "user"} | _parameter(call, named, named) | more)
    group = next(group for group in call.state.groups if group.id == grant.ref)
    more = {"group": group_view(call, group)} if expanded & {"group", "all"} else {}
    return _grant(call, grant.id, grant.permission, {"type": "group"} | _parameter(call, group.name, group.id) | more)


def _parameter(call: Call, named: str, value: str) -> dict[str, str]:
    """How a holder is named; `value` exists on Cloud only."""
    return {"parameter": named} | ({"value": value} if call.cloud else {})


def _grant(call: Call, number: int, permission: str, holder: dict[str, Any]) -> dict[str, Any]:
    url = f"{call.base}/permissionscheme/{SCHEME_ID}/permission/{number}"
    return {"id": number, "self": url, "holder": holder, "permission": permission}
