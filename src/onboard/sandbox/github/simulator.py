"""A simulated GitHub, as far as access goes: the REST API that PyGithub speaks, for one organisation."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onboard.errors import BadInput
from onboard.sandbox.core import GITHUB, Clock, Credentials, Held, Principal, token_of
from onboard.sandbox.github import activity, graphql, org, people, repos, routes, teams
from onboard.sandbox.github.apps import check, installation_token, needed
from onboard.sandbox.github.build import build
from onboard.sandbox.github.grants import Installation
from onboard.sandbox.github.http import ENTERPRISE, Call, GitHubError, Reply, parsed_body
from onboard.sandbox.github.limits import Budget
from onboard.sandbox.github.state import BOT_ID, Org, User, holdings
from onboard.sandbox.world import World

Handler = Callable[[Call], Reply]

#: The label of an App's tokens in the request log.
APP = "app"

#: REST requests per hour and token, as for an enterprise's installation.
RATE_LIMIT = 15_000

ROUTES = (
    *org.ROUTES,
    *teams.ROUTES,
    *repos.ROUTES,
    *people.ROUTES,
    *routes.ROUTES,
    *activity.ROUTES,
)


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who asks: with which token, as which user, or through which installation of an App."""

    label: str
    actor: User
    scopes: Mapping[str, str]
    app: Installation | None = None


class GitHubSimulator:
    """Implements `core.Simulator`. The automation's account owns the organisation; its reading token may only GET."""

    def __init__(self, world: World, clock: Clock, credentials: Credentials) -> None:
        self._org = build(world, clock.now())
        self._clock = clock
        self._credentials = credentials
        self._rest = Budget("core")
        self._graph = Budget("graphql")
        self.app = Starlette(
            routes=[
                *self._routes(""),
                *self._routes(ENTERPRISE),
                Route("/api/graphql", self._graphql, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _unknown_path},
        )
        self.app.router.redirect_slashes = False

    @property
    def name(self) -> str:
        """`github`."""
        return GITHUB

    def state(self) -> dict[str, Any]:
        """Organisation and users."""
        return self._org.model_dump(mode="json")

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._org = Org.model_validate(state)

    def accept(self, person: str) -> list[str]:
        """Accept the invitation to the organisation with its teams, and those to repositories."""
        user, now = self._org.user_of(person), self._clock.now()
        if user is None:
            return []
        invitation = self._org.pending(user, now)
        joined = self._org.join(user, invitation) if invitation else []
        for repo in self._org.repos.values():
            for offer in [i for i in repo.invitations.values() if i.user == user.id and not i.expired(now)]:
                joined.append(self._org.collaborate(repo, offer))
        return joined

    def holdings(self) -> Iterable[Held]:
        """Organisation, teams, and repositories held directly."""
        return holdings(self._org, self._clock.now())

    def is_write(self, method: str, path: str) -> bool:
        """Whatever isn't a GET or HEAD, a GraphQL query or an App's request for a token."""
        reads = path.endswith(("/graphql", "/access_tokens"))
        return method not in ("GET", "HEAD", "OPTIONS") and not reads

    def rename(self, person: str, handle: str) -> None:
        """Give the person's account another login, which must be free."""
        user, taken = self._org.user_of(person), self._org.user(handle)
        if user is None:
            raise BadInput.one(f"{person} has no GitHub account to rename.")
        if taken and taken is not user:
            raise BadInput.one(f"The GitHub login {handle} is taken by {taken.person or taken.login}; use another.")
        user.login = handle

    def forget(self, person: str) -> None:
        """Delete the person's account; its login is free again and its token stops working."""
        if user := self._org.user_of(person):
            self._org.delete_user(user)

    def _routes(self, prefix: str) -> list[Route]:
        """Every path, from the root on (github.com) or from Enterprise Server's prefix on."""
        return [
            *(
                Route(prefix + path, self._endpoint(method, path, handler), methods=[method])
                for method, path, handler in ROUTES
            ),
            Route(f"{prefix}/rate_limit", self._rate_limit),
            Route(f"{prefix}/app/installations/{{id:int}}/access_tokens", self._app_token, methods=["POST"]),
            *([] if prefix else [Route("/graphql", self._graphql, methods=["POST"])]),
        ]

    def _endpoint(self, method: str, path: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """A handler behind authentication, with GitHub's headers on every answer."""
        need = needed(method, path)
        accepted = {"X-Accepted-GitHub-Permissions": "=".join(need)} if need else {}

        async def endpoint(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                caller = self._authenticate(request)
                headers |= {**caller.scopes, **accepted, **self._spent(caller.label)}
                if caller.app:
                    check(caller.app, need, path)
                body = await parsed_body(request)
                return _finished(handler(self._call(request, caller, body)).response(), headers)
            except GitHubError as error:
                return _finished(JSONResponse(error.body, error.status), headers | error.headers)

        return endpoint

    def _call(self, request: Request, caller: _Caller, body: Mapping[str, Any]) -> Call:
        return Call(request, self._org, caller.actor, self._clock.now(), body, caller.app)

    def _authenticate(self, request: Request) -> _Caller:
        """Whose token it is. Raises 401 for none and for a bad one, 403 where a reading token would write."""
        token = token_of(request.headers)
        if caller := self._installed(token):
            return caller
        principal = self._credentials.principal(GITHUB, token)
        if principal is None or principal.label == APP:
            raise GitHubError(401, "Bad credentials" if token else "Requires authentication")
        person = principal.person
        actor = self._org.user_of(person) if person else self._org.users[BOT_ID]
        if actor is None:
            raise GitHubError(401, "Bad credentials")
        if principal.read_only and self.is_write(request.method, request.url.path):
            raise GitHubError(403, "Resource not accessible by personal access token")
        return _Caller(principal.label, actor, _scopes(principal))

    def _installed(self, token: str | None) -> _Caller | None:
        """The App's installation whose token it is, if it is one that is still good."""
        app = self._org.app
        found = app.tokens.get(token or "") if app else None
        if app is None or found is None or found.until <= self._clock.now():
            return None
        return _Caller(APP, User(id=0, login=f"app-{app.id}[bot]", name="App", email=""), {}, found)

    async def _app_token(self, request: Request) -> Response:
        """POST /app/installations/{id}/access_tokens with an App's JWT: 201 with a token."""
        try:
            wanted = (await parsed_body(request)).get("permissions") or {}
            id_, token = int(request.path_params["id"]), token_of(request.headers)
            made = installation_token(self._org.app, token, id_, wanted, self._clock.now())
        except GitHubError as error:
            return _finished(JSONResponse(error.body, error.status), {})
        self._credentials.register(GITHUB, made["token"], APP)
        return _finished(JSONResponse(made, 201), {})

    async def _graphql(self, request: Request) -> Response:
        """POST /graphql: reads only, with a budget of its own."""
        try:
            caller = self._authenticate(request)
            body = await parsed_body(request)
            reply = graphql.answer(self._call(request, caller, body), self._graph, caller.label)
        except GitHubError as error:
            return _finished(JSONResponse(error.body, error.status), {})
        return _finished(reply.response(), caller.scopes)

    async def _rate_limit(self, request: Request) -> Response:
        """GET /rate_limit, which costs nothing."""
        try:
            caller = self._authenticate(request)
        except GitHubError as error:
            return _finished(JSONResponse(error.body, error.status), {})
        core = self._rest.left(caller.label, RATE_LIMIT)
        graphql = self._graph.left(caller.label, self._org.graphql_points)
        search = Budget("search").left(caller.label, 30)  # nobody can search here, so it's never spent
        resources = {"core": core, "graphql": graphql, "search": search}
        return _finished(JSONResponse({"resources": resources, "rate": core}), caller.scopes)

    def _spent(self, label: str) -> dict[str, str]:
        """Count one request and answer the headers for it. Raises 403 where the hour's budget is gone."""
        exhausted = self._rest.left(label, RATE_LIMIT)["remaining"] == 0
        self._rest.spend(label, RATE_LIMIT)
        headers = self._rest.headers(label, RATE_LIMIT)
        if exhausted:
            raise GitHubError(403, "API rate limit exceeded.", headers=headers)
        return headers


def _scopes(principal: Principal) -> dict[str, str]:
    """What the token may do, as GitHub's header says it."""
    granted = {"write": "admin:org, repo", "read": "read:org"}.get(principal.label, "read:org, repo, user")
    return {"X-OAuth-Scopes": granted, "X-Accepted-OAuth-Scopes": ""}


def _finished(response: Response, headers: Mapping[str, str]) -> Response:
    request_id = ":".join(uuid.uuid4().hex[i : i + 4].upper() for i in range(0, 20, 4))
    response.headers.update({"X-GitHub-Request-Id": request_id, "X-GitHub-Media-Type": "github.v3; format=json"})
    response.headers.update(headers)
    return response


def _unknown_path(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """GitHub answers 404 for a path that it doesn't have, and for a method that a path doesn't have."""
    return _finished(
        JSONResponse({"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}, 404), {}
    )
