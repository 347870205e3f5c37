"""How the simulated GitHub speaks: one request as its handlers see it, its answers, its pages and its errors."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from onboard.sandbox.github.grants import Installation
from onboard.sandbox.github.state import PERMISSIONS, ROLE_NAMES, Org, Repo, Team, User

DOCUMENTATION = "https://docs.github.com/rest"
#: Where GitHub Enterprise Server has its REST API.
ENTERPRISE = "/api/v3"
T = TypeVar("T")


class GitHubError(Exception):
    """An answer other than success, as GitHub words it."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Iterable[Mapping[str, str] | str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body: dict[str, Any] = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
        if listed := list(errors):
            self.body["errors"] = listed


def not_found() -> GitHubError:
    """What isn't there, or may not be seen: GitHub doesn't say which."""
    return GitHubError(404, "Not Found")


def invalid(resource: str, field_name: str, message: str, code: str = "custom") -> GitHubError:
    """422, with the one field that is wrong."""
    error = {"resource": resource, "field": field_name, "code": code, "message": message}
    return GitHubError(422, "Validation Failed", [error])


@dataclass(frozen=True, slots=True)
class Reply:
    """A handler's answer; without a body it is 204."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """As HTTP."""
        if self.body is None:
            return Response(status_code=204, headers=self.headers)
        return JSONResponse(self.body, self.status, self.headers)


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request: who asks, about which organisation, when, and with what body."""

    request: Request
    org: Org
    actor: User
    now: datetime
    body: Mapping[str, Any]
    app: Installation | None = None

    @property
    def base(self) -> str:
        """This server's address as the client wrote it, so that links lead back here."""
        prefix = ENTERPRISE if self.request.url.path.startswith(f"{ENTERPRISE}/") else ""
        return str(self.request.base_url).rstrip("/") + prefix

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def number(self, name: str) -> int:
        """A numeric part of the path. Raises 404 where it isn't one."""
        text = self.path(name)
        if not text.isdecimal():
            raise not_found()
        return int(text)

    def query(self, name: str, default: str, allowed: Iterable[str]) -> str:
        """A query parameter out of a fixed choice. Raises 422 for any other."""
        value = self.request.query_params.get(name, default)
        if value not in allowed:
            raise invalid("Query", name, f"{value} is not a valid {name}", "invalid")
        return value

    def choice(self, name: str, default: str, allowed: Iterable[str]) -> str:
        """A field of the body out of a fixed choice. Raises 422 for any other."""
        value = self.body.get(name, default)
        if value not in allowed:
            raise invalid("Body", name, f"{value} is not a valid {name}", "invalid")
        return str(value)

    # What the path names, if the actor may see it

    @property
    def owner(self) -> bool:
        """Whether whoever asks owns the organisation; an App's permissions were checked before."""
        return self.app is not None or self.org.members.get(self.actor.id) == "admin"

    @property
    def member(self) -> bool:
        """Whether whoever asks is in the organisation."""
        return self.app is not None or self.actor.id in self.org.members

    def held(self, repo: Repo) -> str | None:
        """What whoever asks may do in a repository."""
        return "admin" if self.app else self.org.permission(repo, self.actor.id)

    def check_org(self) -> None:
        """Raises 404 where the path names another organisation."""
        if self.path("org").lower() != self.org.login.lower():
            raise not_found()

    def check_owner(self) -> None:
        """Raises 404 for whoever isn't in the organisation, 403 for a mere member."""
        self.check_org()
        if not self.member:
            raise not_found()
        if not self.owner:
            raise GitHubError(403, "You must be an organization owner or have sufficient permission.")

    def user(self, name: str = "user") -> User:
        """The user whose login the path names. Raises 404."""
        if found := self.org.user(self.path(name)):
            return found
        raise not_found()

    def team(self) -> Team:
        """The team that the path names, by slug or by id; for members only. Raises 404."""
        path = self.request.path_params
        if "org_id" in path:
            found = self.org.teams.get(self.number("team_id"))
        else:
            self.check_org()
            found = self.org.team(self.path("slug"))
        if found is None or not self.member:
            raise not_found()
        return found

    def check_team_admin(self, team: Team) -> None:
        """Raises 403 for whoever is neither owner nor maintainer of that team."""
        if not self.owner and team.members.get(self.actor.id) != "maintainer":
            raise GitHubError(403, "Must have admin rights to Repository or be a team maintainer.")

    def repo(self, *, admin: bool = False) -> Repo:
        """The repository that the path names. Raises 404 where it can't be seen, 403 where admin rights lack."""
        found = self.org.repo(self.path("repo")) if self.path("owner").lower() == self.org.login.lower() else None
        if found is None:
            raise not_found()
        held = self.held(found)
        if held is None and found.private:
            raise not_found()
        if admin and held != "admin":
            raise GitHubError(403, "Must have admin rights to Repository.")
        return found

    def permission(self, default: str = "push") -> str:
        """The body's permission, in either spelling (`push`, `write`), or a custom role. Raises 422."""
        names = {role: permission for permission, role in ROLE_NAMES.items()}
        value = str(self.body.get("permission") or default)
        value = names.get(value, value)
        if value not in PERMISSIONS and value not in self.org.custom_roles:
            raise invalid("Repository", "permission", f"{value} is not a valid permission", "invalid")
        return value


def listed(call: Call, items: Iterable[T], view: Callable[[Call, T], Any]) -> Reply:
    """One page of `items` (page and per_page of the query: 30 unless told, 100 at most), with a Link header."""
    everything = list(items)
    size = min(max(_number(call, "per_page", 30), 1), 100)
    page = max(_number(call, "page", 1), 1)
    last = max(math.ceil(len(everything) / size), 1)
    shown = [view(call, item) for item in everything[(page - 1) * size : page * size]]
    link = _link(call, page, last)
    return Reply(shown, headers={"Link": link} if link else {})


def _number(call: Call, name: str, default: int) -> int:
    text = call.request.query_params.get(name, "")
    return int(text) if text.isdecimal() else default


def _link(call: Call, page: int, last: int) -> str:
    """The Link header: next and last while there is more, first and prev from page two on."""
    pages = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    wanted = [*(["prev"] if page > 1 else []), *(["next", "last"] if page < last else []), *(["first"] * (page > 1))]
    query = dict(call.request.query_params)
    url = f"{str(call.request.base_url).rstrip('/')}{call.request.url.path}"
    return ", ".join(f'<{url}?{urlencode(query | {"page": str(pages[rel])})}>; rel="{rel}"' for rel in wanted)


async def parsed_body(request: Request) -> Mapping[str, Any]:
    """The JSON object of the body, empty for none. Raises 400."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise GitHubError(400, "Problems parsing JSON") from error
    if not isinstance(body, dict):
        raise GitHubError(400, "Body should be a JSON object")
    return body
