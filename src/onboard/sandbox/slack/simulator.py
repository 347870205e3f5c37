"""A simulated Slack workspace over HTTP: Web API and SCIM, as `slack_sdk` speaks to them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from onboard.errors import BadInput
from onboard.sandbox.core import SLACK, Clock, Credentials, Held, Principal, token_of
from onboard.sandbox.slack import channels, connect, messages, people, press, scim
from onboard.sandbox.slack.calls import Call, Caller, SlackError
from onboard.sandbox.slack.state import BOT_USER, OWNER_USER, Message, SlackState, User, person_with
from onboard.sandbox.world import World

METHODS = people.METHODS | channels.METHODS | connect.METHODS | messages.METHODS

_READ_SCOPES = frozenset(
    {"team:read", "users:read", "users:read.email", "channels:read", "groups:read", "usergroups:read"}
)
_WRITE_SCOPES = frozenset(
    {
        "channels:manage",
        "groups:write",
        "usergroups:write",
        "chat:write",
        "im:write",
        "im:history",
        "conversations.connect:write",
        "conversations.connect:manage",
    }
)
_SCOPES = {
    "read": _READ_SCOPES,
    "write": _READ_SCOPES | _WRITE_SCOPES,
    "admin": frozenset({"admin", "admin.users:read", "admin.users:write", "users:read", "users:read.email"}),
    "read-admin": frozenset({"admin.users:read", "users:read", "users:read.email"}),
}
#: What a person's own token may do: look around, and invite to and kick from the channels that they are in.
_PERSON_SCOPES = frozenset(
    {"identify", "users:read", "channels:read", "groups:read", "channels:write", "groups:write", "chat:write"}
    | {"channels:history", "groups:history"}
)


class SlackSimulator:
    """One workspace. Its state lives in memory; see `onboard.sandbox.core.Simulator` for the contract."""

    def __init__(self, world: World, clock: Clock, credentials: Credentials) -> None:
        self._world = world
        self._clock = clock
        self._credentials = credentials
        self._state = SlackState.seeded(world, clock.now())
        scim_users = "/scim/v1/Users"
        self._app = Starlette(
            routes=[
                Route("/api/{method}", self._web, methods=["GET", "POST"]),
                Route(scim_users, self._scim, methods=["GET"]),
                Route(f"{scim_users}/{{user}}", self._scim, methods=["GET", "PATCH", "DELETE"]),
                Route("/scim/v1/Groups", self._scim, methods=["GET"]),
                Route("/actions/{token}/{user}/{channel}", self._reply, methods=["POST"]),
            ]
        )

    @property
    def name(self) -> str:
        """`slack`."""
        return SLACK

    @property
    def app(self) -> ASGIApp:
        """The Web API under `/api/`, SCIM under `/scim/v1/`."""
        return self._app

    def state(self) -> dict[str, Any]:
        """Users, channels, user groups and messages, ready for JSON."""
        return self._current(self._clock.now()).model_dump(mode="json")

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that `state` gave earlier."""
        self._state = SlackState.model_validate(state)
        for user in self._state.users.values():
            self._issue_token(user)

    def accept(self, person: str) -> list[str]:
        """Accept the person's invitation to the workspace, if one is pending and hasn't expired."""
        now = self._clock.now()
        state, spec = self._current(now), self._world.people.get(person)
        user = state.by_email(spec.email) if spec else None
        if user is None or user.invitation is None or user.invitation.expires <= now:
            return []
        user.person = person
        self._issue_token(user)
        return [f"workspace:{state.workspace}", *(f"channel:{channel.name}" for channel in state.join(user, now))]

    def holdings(self) -> Iterable[Held]:
        """Channel and user group memberships, and what pending and expired invitations would open."""
        now = self._clock.now()
        state = self._current(now)
        for user in state.users.values():
            for channel in state.channels_of(user):
                yield self._held(user, f"channel:{channel.name}")
            for group in state.usergroups.values():
                if user.id in group.users:
                    yield self._held(user, f"usergroup:{group.handle}")
            if user.invitation:
                pending = "invited" if user.invitation.expires > now else "expired"
                for channel_id in user.invitation.channels:
                    yield self._held(user, f"channel:{state.channels[channel_id].name}", pending)

    def is_write(self, method: str, path: str) -> bool:
        """SCIM by HTTP method, the Web API by the method's name. A reply to a button changes nothing that counts."""
        if path.startswith("/scim/"):
            return method not in ("GET", "HEAD", "OPTIONS")
        known = METHODS.get(path.removeprefix("/api/"))
        return known is not None and known.writes

    def rename(self, person: str, handle: str) -> None:
        """Change the member name. Raises BadInput where somebody else has it or the person has no account."""
        user = self._state.of_person(person)
        if user is None:
            raise BadInput.one(f"{person!r} has no account on slack. See who has one in GET /_sandbox/state.")
        if any(other.name == handle and other is not user for other in self._state.users.values()):
            raise BadInput.one(f"slack: the member name {handle!r} is taken. Choose another.")
        user.name, user.updated = handle, self._clock.now()

    def forget(self, person: str) -> None:
        """Deactivate the person's account, which is all that Slack ever does to one."""
        user = self._state.of_person(person)
        if user and not user.deleted:
            self._state.deactivate(user, self._clock.now())

    def messages(self, person: str) -> list[dict[str, Any]]:
        """What the person sees in the conversation with our bot, oldest first. Raises BadInput as `press`."""
        return press.seen(self._state, self._account(person))

    def press(self, person: str, action: str, message: str | None, base_url: str) -> dict[str, Any]:
        """What Slack would send when that person presses a button: in that message, or the newest that has it.

        Raises BadInput where they have no account, or there is no such button.
        """
        token = self._credentials.secret("slack-actions")
        return press.pressed(self._state, self._account(person), action, message, f"{base_url}/actions/{token}")

    def _account(self, person: str) -> User:
        user = self._state.of_person(person)
        if user is None:
            raise BadInput.one(f"{person!r} has no account on slack. See who has one in GET /_sandbox/state.")
        return user

    async def _reply(self, request: Request) -> Response:
        """A response_url: what is posted there, one user alone sees, in the conversation where they pressed."""
        where, body = request.path_params, _json(await request.body())
        known = where["token"] == self._credentials.secret("slack-actions") and where["user"] in self._state.users
        if not known or not isinstance(body, dict) or not body.get("text"):
            return JSONResponse({"ok": False, "error": "invalid_request"}, 404)
        call = Call(self._state, Caller(self._state.users[BOT_USER], frozenset()), body, self._clock.now())
        stamp = messages.timestamp(call)
        told = Message(channel=where["channel"], ts=stamp, user=BOT_USER, text=str(body["text"]), seen_by=where["user"])
        self._state.messages.append(told)
        return JSONResponse({"ok": True})

    def _current(self, now: datetime) -> SlackState:
        self._state.deactivate_expired(now)
        return self._state

    def _issue_token(self, user: User) -> None:
        """A token for somebody who came by an invitation; the others have theirs from the start."""
        if user.person:
            label = f"person:{user.person}"
            self._credentials.register(SLACK, self._credentials.token(SLACK, label), label)

    def _held(self, user: User, resource: str, state: str = "active") -> Held:
        known = person_with(self._world, user.email) if user.email else None
        person = user.person or (known[0] if known else None)
        return Held(SLACK, person, user.id, user.name, resource, "member", state)

    async def _web(self, request: Request) -> Response:
        """Every method of the Web API: 200 with `ok`, true or false."""
        args = await _arguments(request)
        headers = {"x-slack-req-id": uuid.uuid4().hex}
        try:
            method = METHODS.get(request.path_params["method"])
            if method is None:
                raise SlackError("unknown_method")
            caller = self._caller(token_of(request.headers) or str(args.get("token") or ""))
            headers["x-oauth-scopes"] = ",".join(sorted(caller.scopes))
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
            method.admit(caller)
            now = self._clock.now()
            return JSONResponse({"ok": True} | method.handler(Call(self._state, caller, args, now)), headers=headers)
        except SlackError as error:
            return JSONResponse(error.body, headers=headers)

    def _caller(self, token: str) -> Caller:
        """Whose token it is. Raises SlackError `not_authed`, `invalid_auth` or `account_inactive`."""
        if not token:
            raise SlackError("not_authed")
        principal = self._credentials.principal(SLACK, token)
        user = self._user_of(principal) if principal else None
        if principal is None or user is None or user.invitation:
            raise SlackError("invalid_auth")
        if user.deleted:
            raise SlackError("account_inactive")
        return Caller(user, _SCOPES.get(principal.label, _PERSON_SCOPES))

    def _user_of(self, principal: Principal) -> User | None:
        state = self._current(self._clock.now())
        if principal.person:
            return state.of_person(principal.person)
        return state.users[OWNER_USER if principal.label.endswith("admin") else BOT_USER]

    async def _scim(self, request: Request) -> Response:
        body = await request.body()
        try:
            self._admit_to_scim(request)
            return self._scim_answer(request, body)
        except scim.ScimError as error:
            return JSONResponse(error.body, error.status)

    def _admit_to_scim(self, request: Request) -> None:
        """Raises ScimError 401 for an unknown token, 403 for one without the scope `admin`."""
        try:
            caller = self._caller(token_of(request.headers) or "")
        except SlackError:
            raise scim.ScimError(401, "invalid_authentication") from None
        if "admin" not in caller.scopes:
            raise scim.ScimError(403, "missing_scope")

    def _scim_answer(self, request: Request, body: bytes) -> Response:
        base, user = f"{request.base_url}scim/v1/", request.path_params.get("user")
        state, now = self._state, self._clock.now()
        if user is None:
            search = scim.search_groups if request.url.path.endswith("/Groups") else scim.search_users
            return search(state, request.query_params, base)
        if request.method == "DELETE":
            return scim.delete_user(state, user, now)
        if request.method == "PATCH":
            return scim.patch_user(state, user, _json(body), base, now)
        return scim.read_user(state, user, base)


async def _arguments(request: Request) -> dict[str, Any]:
    """The arguments of a call, from the query and from a form or a JSON object."""
    args: dict[str, Any] = dict(request.query_params)
    kind, body = request.headers.get("content-type", ""), await request.body()
    if kind.startswith("application/json"):
        parsed = _json(body)
        return args | (parsed if isinstance(parsed, dict) else {})
    return args | dict(parse_qsl(body.decode("utf-8", "replace")))


def _json(body: bytes) -> Any:
    """The JSON body; None for what isn't JSON."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
