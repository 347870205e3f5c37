"""A simulated GitHub, as far as access goes: the REST API that PyGithub speaks, for one organisation."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onboard.errors import BadInput
from onboard.sandbox import github_org, github_people, github_repos, github_teams
from onboard.sandbox.core import GITHUB, Clock, Credentials, Held, Principal, token_of
from onboard.sandbox.github_http import Call, GitHubError, Reply, parsed_body
from onboard.sandbox.github_state import BOT_ID, Org, User, build, holdings
from onboard.sandbox.world import World

Handler = Callable[[Call], Reply]

#: Requests per hour and token, as for an enterprise's installation.
RATE_LIMIT = 15_000
WINDOW = 3600


class GitHubSimulator:
    """Implements `core.Simulator`. The automation's account owns the organisation; its reading token may only GET."""

    def __init__(self, world: World, clock: Clock, credentials: Credentials) -> None:
        self._org = build(world)
        self._clock = clock
        self._credentials = credentials
        self._budget = _Budget()
        everything = (*github_org.ROUTES, *github_teams.ROUTES, *github_repos.ROUTES, *github_people.ROUTES)
        self.app = Starlette(
            routes=[
                *(Route(path, self._endpoint(handler), methods=[method]) for method, path, handler in everything),
                Route("/rate_limit", self._rate_limit),
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
        """Whatever isn't a GET or HEAD."""
        return method not in ("GET", "HEAD", "OPTIONS")

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

    def _endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """A handler behind authentication, with GitHub's headers on every answer."""

        async def endpoint(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                principal, actor = self._authenticate(request)
                headers |= _scopes(principal) | self._budget.spend(principal.label)
                body = await parsed_body(request)
                reply = handler(Call(request, self._org, actor, self._clock.now(), body))
                return _finished(reply.response(), headers)
            except GitHubError as error:
                return _finished(JSONResponse(error.body, error.status), headers | error.headers)

        return endpoint

    def _authenticate(self, request: Request) -> tuple[Principal, User]:
        """Whose token it is. Raises 401 for none and for a bad one, 403 where a reading token would write."""
        token = token_of(request.headers)
        principal = self._credentials.principal(GITHUB, token)
        if principal is None:
            raise GitHubError(401, "Bad credentials" if token else "Requires authentication")
        person = principal.person
        actor = self._org.user_of(person) if person else self._org.users[BOT_ID]
        if actor is None:
            raise GitHubError(401, "Bad credentials")
        if principal.read_only and self.is_write(request.method, request.url.path):
            raise GitHubError(403, "Resource not accessible by personal access token")
        return principal, actor

    async def _rate_limit(self, request: Request) -> Response:
        """GET /rate_limit, which costs nothing."""
        try:
            principal, _ = self._authenticate(request)
        except GitHubError as error:
            return _finished(JSONResponse(error.body, error.status), {})
        core = self._budget.left(principal.label)
        return _finished(JSONResponse({"resources": {"core": core}, "rate": core}), _scopes(principal))


class _Budget:
    """The primary rate limit. It counts in real time, because clients sleep until its reset."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, int], int] = {}

    def left(self, label: str) -> dict[str, int]:
        """Limit, used, remaining and the reset (Unix time) of this window."""
        window = int(time.time()) // WINDOW
        used = self._used.get((label, window), 0)
        reset = (window + 1) * WINDOW
        return {"limit": RATE_LIMIT, "used": used, "remaining": max(RATE_LIMIT - used, 0), "reset": reset}

    def spend(self, label: str) -> dict[str, str]:
        """Count one request and answer the headers for it. Raises 403 where the window's budget is gone."""
        window = int(time.time()) // WINDOW
        self._used = {key: used for key, used in self._used.items() if key[1] == window}
        exhausted = self.left(label)["remaining"] == 0
        self._used[label, window] = self._used.get((label, window), 0) + 1
        left = self.left(label)
        headers = {f"X-RateLimit-{name.title()}": str(value) for name, value in left.items()}
        headers["X-RateLimit-Resource"] = "core"
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
