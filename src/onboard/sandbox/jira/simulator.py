"""A simulated Jira over HTTP, Cloud or Data Center, as the `jira` SDK speaks to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from onboard.errors import BadInput
from onboard.sandbox.core import JIRA, JIRA_DATA_CENTER, Clock, Credentials, Held, basic_auth, token_of
from onboard.sandbox.jira import issues, people, projects, schemes, tickets, webhooks
from onboard.sandbox.jira.calls import Call, Caller, Handler, JiraError
from onboard.sandbox.jira.state import JiraState, User
from onboard.sandbox.world import World

Deployment = Literal["cloud", "data-center"]

_ROLE = "project/{project}/role/{role}"
_BOTH: dict[tuple[str, str], Handler] = {
    ("GET", "myself"): people.myself,
    ("GET", "mypermissions"): projects.my_permissions,
    ("GET", "user"): people.get_user,
    ("DELETE", "user"): people.delete_user,
    ("DELETE", "user/"): people.delete_user,
    ("GET", "user/search"): people.search_users,
    ("GET", "groups/picker"): people.pick_groups,
    ("GET", "group"): people.get_group,
    ("POST", "group"): people.create_group,
    ("GET", "group/member"): people.group_members,
    ("POST", "group/user"): people.add_member,
    ("DELETE", "group/user"): people.remove_member,
    ("GET", "project"): projects.list_projects,
    ("GET", "project/{project}"): projects.get_project,
    ("GET", "project/{project}/role"): projects.project_roles,
    ("GET", "project/{project}/permissionscheme"): schemes.project_scheme,
    ("GET", _ROLE): projects.get_role,
    ("POST", _ROLE): projects.add_actors,
    ("PUT", _ROLE): projects.set_actors,
    ("DELETE", _ROLE): projects.remove_actor,
    ("POST", "issue"): issues.create_issue,
    ("GET", "issue/{issue}/comment"): issues.list_comments,
    ("POST", "issue/{issue}/comment"): issues.add_comment,
    ("GET", "issue/{issue}/transitions"): tickets.list_transitions,
    ("POST", "issue/{issue}/transitions"): tickets.transition,
    ("GET", "role"): projects.list_roles,
    ("GET", "permissionscheme"): schemes.list_schemes,
    ("GET", "permissionscheme/{scheme}"): schemes.get_scheme,
    ("GET", "permissionscheme/{scheme}/permission"): schemes.list_grants,
    ("POST", "permissionscheme/{scheme}/permission"): schemes.add_grant,
    ("DELETE", "permissionscheme/{scheme}/permission/{permission}"): schemes.remove_grant,
}
_CLOUD: dict[tuple[str, str], Handler] = {
    ("GET", "users"): people.all_users,
    ("GET", "users/search"): people.all_users,
    ("GET", "user/bulk"): people.users_by_id,
    ("GET", "user/groups"): people.user_groups,
    ("GET", "group/bulk"): people.groups_by_id,
    ("GET", "project/search"): projects.search_projects,
    ("POST", "permissions/check"): projects.check_permissions,
    ("GET", "search/jql"): tickets.search,
}
_DATA_CENTER: dict[tuple[str, str], Handler] = {
    ("PUT", "user"): people.update_user,
    ("GET", "search"): tickets.search,
}

#: Asks with POST, changes nothing.
_READING_POST = re.compile(r"/rest/api/[^/]+/permissions/check/?|/secure/.*")


class JiraSimulator:
    """One Jira site. Its state lives in memory; see `onboard.sandbox.core.Simulator` for the contract."""

    def __init__(self, world: World, clock: Clock, credentials: Credentials, deployment: Deployment) -> None:
        self._cloud = deployment == "cloud"
        self._clock = clock
        self._credentials = credentials
        self._state = JiraState.seeded(world)
        self._app = Starlette(routes=list(self._routes()))

    @property
    def name(self) -> str:
        """`jira` for Cloud, `jira-data-center`."""
        return JIRA if self._cloud else JIRA_DATA_CENTER

    @property
    def app(self) -> ASGIApp:
        """Jira's REST API from the root of its port on: `/rest/api/2` and `latest`, on Cloud `3` too."""
        return self._app

    def state(self) -> dict[str, Any]:
        """Users, groups, projects and roles, ready for JSON."""
        return self._state.model_dump(mode="json")

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that `state` gave earlier."""
        self._state = JiraState.model_validate(state)

    def accept(self, person: str) -> list[str]:
        """Nothing: Jira adds people without asking them."""
        return []

    def holdings(self) -> Iterable[Held]:
        """Group memberships, and project roles held directly or through a group."""
        for user in self._state.users.values():
            for group in self._state.groups_of(user):
                yield self._held(user, f"group:{group.name}", "member")
            for project in self._state.projects:
                for role in self._state.roles_of(user, project):
                    yield self._held(user, f"project:{project.key}", role)

    def is_write(self, method: str, path: str) -> bool:
        """By method; checking permissions is a question though it is POSTed."""
        return method not in ("GET", "HEAD", "OPTIONS") and not _READING_POST.fullmatch(path)

    def rename(self, person: str, handle: str) -> None:
        """Change the username (Cloud shows none). Raises BadInput where it's taken, and where there is no account."""
        user = self._state.of_person(person)
        if user is None:
            raise BadInput.one(f"{person!r} has no account on {self.name}. See who has one in GET /_sandbox/state.")
        other = self._state.user(username=handle)
        if other is not None and other is not user:
            raise BadInput.one(f"{self.name}: the username {handle!r} is taken. Choose another.")
        user.username = handle

    def forget(self, person: str) -> None:
        """Close the account: inactive, nameless, in no group or role; its tokens stop working."""
        if user := self._state.of_person(person):
            self._state.remove_everywhere(user)
            user.active, user.name, user.email = False, "Former user", ""

    def answer(self, person: str, issue: str, *, comment: str = "", status: str = "") -> dict[str, Any]:
        """That person comments on an issue, or moves it; what Jira sends about it. Raises BadInput."""
        user, now = self._state.of_person(person), self._clock.now()
        if user is None:
            raise BadInput.one(f"{person!r} has no account on {self.name}. See who has one in GET /_sandbox/state.")
        if status:
            return webhooks.moved(self._state, user, issue, status, now)
        return webhooks.commented(self._state, user, issue, comment, now)

    def issues(self) -> list[dict[str, Any]]:
        """Every issue: key, summary, description, labels, status, comments."""
        return [issue.model_dump(mode="json") for project in self._state.projects for issue in project.issues]

    def _held(self, user: User, resource: str, level: str) -> Held:
        account, handle = (user.account_id, user.name) if self._cloud else (user.key, user.username)
        return Held(self.name, user.person, account, handle, resource, level)

    def _routes(self) -> Iterable[Route]:
        versions = ("2", "3", "latest") if self._cloud else ("2", "latest")
        for version in versions:
            prefix = f"/rest/api/{version}"
            yield Route(f"{prefix}/serverInfo", self._server_info)
            own = _CLOUD if self._cloud else _DATA_CENTER  # first, so that project/search is no project called search
            for (method, path), handler in (own | _BOTH).items():
                yield Route(f"{prefix}/{path}", self._endpoint(handler), methods=[method])
        if not self._cloud:
            page = "/secure/admin/user/EditUser.jspa"
            yield Route(page, self._endpoint(people.edit_user_page), methods=["POST"])

    def _endpoint(self, handler: Handler) -> Any:
        """An ASGI endpoint around a handler: the body is read first, so that the handler runs without a break."""

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            try:
                caller = self._caller(request)
                if self.is_write(request.method, request.url.path) and not caller.may_write:
                    raise JiraError(403, "The token's scopes do not allow this operation.")
                return handler(self._call(request, caller, body))
            except JiraError as error:
                return JSONResponse(error.body, error.status)

        return endpoint

    def _caller(self, request: Request) -> Caller:
        """Who calls: on Cloud by e-mail address and API token, on Data Center by a personal access token."""
        principal = self._credentials.principal(self.name, token_of(request.headers))
        email, _ = basic_auth(request.headers)
        if principal is None or (email is not None) != self._cloud:
            raise JiraError(401, "Client must be authenticated to access this resource.")
        user = self._state.of_person(principal.person) if principal.person else self._bot
        if user is None or not user.active or (self._cloud and email != user.email):
            raise JiraError(401, "Client must be authenticated to access this resource.")
        if self._cloud and not self._state.may_enter(user):
            raise JiraError(403, "You do not have access to this application.")
        return Caller(user, may_write=not principal.read_only)

    @property
    def _bot(self) -> User | None:
        return next((user for user in self._state.users.values() if user.admin), None)

    def _call(self, request: Request, caller: Caller, body: bytes) -> Call:
        version = request.url.path.split("/")[3]
        return Call(
            state=self._state,
            cloud=self._cloud,
            caller=caller,
            url=request.url,
            base=f"{str(request.base_url).rstrip('/')}/rest/api/{version}",
            path=request.path_params,
            query=request.query_params,
            body=_parsed(body),
            now=self._clock.now(),
        )

    async def _server_info(self, request: Request) -> Response:
        """GET /serverInfo, for everybody: the SDK asks before anything else which Jira it talks to."""
        version = [1001, 0, 0] if self._cloud else [10, 3, 0]
        info = {
            "baseUrl": str(request.base_url).rstrip("/"),
            "version": "1001.0.0-SNAPSHOT" if self._cloud else "10.3.0",
            "versionNumbers": version,
            "deploymentType": "Cloud" if self._cloud else "Server",
            "buildNumber": 100290 if self._cloud else 10030000,
            "serverTime": self._clock.now().isoformat(timespec="milliseconds"),
            "serverTitle": "Sandbox Jira",
        }
        return JSONResponse(info)


def _parsed(body: bytes) -> Any:
    """The JSON body; None for an empty one and for what isn't JSON (a form)."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
