"""What every endpoint of the simulated Jira gets and gives: the call, the caller's rights, errors, pages, shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.datastructures import URL, QueryParams
from starlette.responses import JSONResponse, Response

from onboard.sandbox.jira.state import GROUP_ACTOR, USER_ACTOR, Actor, Group, JiraState, Project, User


class JiraError(Exception):
    """An answer of Jira's that isn't a success: its status and `errorMessages` (or `errors` by field)."""

    def __init__(self, status: int, *messages: str, errors: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = {"errorMessages": list(messages), "errors": dict(errors or {})}
        super().__init__(*messages)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. The automation is an administrator; with its reading token it may look at everything, as one."""

    user: User
    may_write: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One request, parsed: Jira's state, who calls, path and query parameters, the JSON body, and where we are."""

    state: JiraState
    cloud: bool
    caller: Caller
    url: URL
    base: str
    path: Mapping[str, str]
    query: QueryParams
    body: Any
    now: datetime

    def flag(self, name: str) -> bool:
        """A boolean query parameter; False unless given as true."""
        return self.query.get(name, "").lower() == "true"

    def number(self, name: str, default: int) -> int:
        """A whole number from the query. Raises JiraError 400 for anything else."""
        try:
            return int(self.query.get(name, default))
        except ValueError:
            raise JiraError(400, f"The query parameter '{name}' must be a number.") from None

    def field(self, name: str) -> Any:
        """A field of the body; None where it isn't given. Raises JiraError 400 where the body is no object."""
        if not isinstance(self.body, dict):
            raise JiraError(400, "Invalid request payload. Refer to the REST API documentation and try again.")
        return self.body.get(name)

    def needs_admin(self) -> None:
        """Raises JiraError 403 unless the caller administers the site."""
        if not self.caller.user.admin:
            raise JiraError(403, "You do not have permission to perform this operation: you are no Jira administrator.")


Handler = Callable[[Call], Response]


def ok(body: Any, status: int = 200) -> Response:
    """An answer in JSON."""
    return JSONResponse(body, status)


def page(call: Call, values: Sequence[Any], *, default: int = 50, most: int = 50) -> dict[str, Any]:
    """One page of `values` in Jira's envelope, from the query's startAt and maxResults."""
    start, size = max(call.number("startAt", 0), 0), min(max(call.number("maxResults", default), 1), most)
    chosen = values[start : start + size]
    last = start + size >= len(values)
    answer: dict[str, Any] = {
        "maxResults": size,
        "startAt": start,
        "total": len(values),
        "isLast": last,
        "values": chosen,
    }
    answer["self"] = str(call.url)
    return answer if last else answer | {"nextPage": str(call.url.include_query_params(startAt=start + size))}


def user_view(call: Call, user: User) -> dict[str, Any]:
    """A user. Cloud shows an e-mail address to its owner only; Data Center shows it to all."""
    shared = {"displayName": user.name, "active": user.active, "avatarUrls": {}, "timeZone": "Europe/Berlin"}
    if not call.cloud:
        self_url = f"{call.base}/user?username={quote(user.username)}"
        ids = {"self": self_url, "key": user.key, "name": user.username, "emailAddress": user.email}
        return ids | shared
    self_url = f"{call.base}/user?accountId={quote(user.account_id)}"
    ids = {"self": self_url, "accountId": user.account_id, "accountType": "atlassian"}
    return ids | shared | ({"emailAddress": user.email} if user is call.caller.user else {})


def group_view(call: Call, group: Group) -> dict[str, Any]:
    """A group by name and, on Cloud, id."""
    if call.cloud:
        return {"name": group.name, "groupId": group.id, "self": f"{call.base}/group?groupId={group.id}"}
    return {"name": group.name, "self": f"{call.base}/group?groupname={quote(group.name)}"}


def role_view(call: Call, project: Project, role: int) -> dict[str, Any]:
    """A role of a project with its actors, by display name."""
    actors = [_actor_view(call, actor) for actor in project.actors.get(role, ())]
    return {
        "self": f"{call.base}/project/{project.id}/role/{role}",
        "name": call.state.roles[role],
        "id": role,
        "description": f"{call.state.roles[role]} of a project",
        "actors": sorted(actors, key=lambda actor: actor["displayName"]),
    }


def _actor_view(call: Call, actor: Actor) -> dict[str, Any]:
    if actor.type == GROUP_ACTOR:
        group = next(group for group in call.state.groups if group.id == actor.ref)
        shared = {"id": actor.id, "type": GROUP_ACTOR, "displayName": group.name, "name": group.name}
        named = {"displayName": group.name, "name": group.name}
        return shared | {"actorGroup": named | {"groupId": group.id} if call.cloud else named}
    user = call.state.users[actor.ref]
    shared = {"id": actor.id, "type": USER_ACTOR, "displayName": user.name}
    return shared | ({"actorUser": {"accountId": user.account_id}} if call.cloud else {"name": user.username})


def find_user(call: Call, source: Mapping[str, Any]) -> User:
    """The user that `source` names: by accountId on Cloud, by username, name or key on Data Center.

    Raises JiraError 400 where it names none, 404 where there is no such user.
    """
    if call.cloud:
        account = source.get("accountId")
        if not account:
            raise JiraError(400, "The 'accountId' query parameter needs to be provided.")
        found = call.state.user(account_id=str(account))
    else:
        username, key = source.get("username") or source.get("name"), source.get("key")
        if not username and not key:
            raise JiraError(400, "Either the 'username' or the 'key' query parameters need to be provided.")
        found = call.state.user(username=str(username or ""), key=str(key or ""))
    if found is None:
        raise JiraError(404, "The user does not exist, or you do not have permission to see it.")
    return found


def find_group(call: Call) -> Group:
    """The group that the query names, by `groupname` or, on Cloud, `groupId`. Raises JiraError 400 or 404."""
    name, group_id = call.query.get("groupname", ""), call.query.get("groupId", "") if call.cloud else ""
    if not name and not group_id:
        raise JiraError(400, "The group name is not specified.")
    if (group := call.state.group(name=name, group_id=group_id)) is None:
        raise JiraError(404, f"The group named '{name or group_id}' does not exist.")
    return group
