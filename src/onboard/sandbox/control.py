"""The control API under /_sandbox/: people accept, time passes, faults are ordered, everything starts again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onboard.errors import BadInput, SystemFailed
from onboard.sandbox.core import SYSTEMS, VAULT
from onboard.sandbox.faults import Fault
from onboard.sandbox.outbound import Outbound
from onboard.sandbox.world import build_world

if TYPE_CHECKING:
    from onboard.sandbox.server import Sandbox

Body = TypeVar("Body", bound=BaseModel)

VAULT_TIME = "OpenBao keeps its own time, which can't be moved: only GitHub, Jira and Slack follow."


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Systems(_Body):
    systems: list[str] | None = None

    def chosen(self) -> list[str]:
        """The systems named, or all. Raises BadInput for an unknown one."""
        for name in self.systems or ():
            if name not in SYSTEMS:
                raise BadInput.one(f"There is no system {name!r}; the sandbox has {', '.join(SYSTEMS)}.")
        return list(SYSTEMS) if self.systems is None else self.systems


class _Rename(_Body):
    github: str | None = None
    jira: str | None = None
    slack: str | None = None


class _Move(_Body):
    advance_seconds: float | None = None
    now: AwareDatetime | None = None


class _Switch(_Body):
    on: bool


class _Reset(_Body):
    world: dict[str, Any] | None = None


class _Restore(_Body):
    snapshot: int


class Control:
    """The routes of the control API over one sandbox. Wrong input is 400 with the problem under `error`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        at = "/_sandbox"
        self.app = Starlette(
            routes=[
                Route(f"{at}/people/{{person}}/accept", self._accept, methods=["POST"]),
                Route(f"{at}/people/{{person}}/rename", self._rename, methods=["POST"]),
                Route(f"{at}/people/{{person}}/delete", self._delete, methods=["POST"]),
                Route(f"{at}/clock", self._clock, methods=["GET", "POST"]),
                Route(f"{at}/requests", self._requests),
                Route(f"{at}/recording", self._recording, methods=["GET", "POST"]),
                Route(f"{at}/traffic", self._traffic),
                Route(f"{at}/state", self._state),
                Route(f"{at}/faults", self._faults, methods=["GET", "POST", "DELETE"]),
                Route(f"{at}/mail", self._mail),
                Route(f"{at}/reset", self._reset, methods=["POST"]),
                Route(f"{at}/snapshot", self._snapshot, methods=["POST"]),
                Route(f"{at}/restore", self._restore, methods=["POST"]),
                *Outbound(sandbox, self._person).routes(at),
            ],
            exception_handlers={BadInput: _refused, ValidationError: _refused, SystemFailed: _failed},
        )

    async def _accept(self, request: Request) -> Response:
        """Accept what this person could accept; answers like `github:repo:acme/docs`."""
        person, body = self._person(request), await _parsed(request, _Systems)
        accepted = []
        for name in body.chosen():
            if simulator := self._sandbox.simulators.get(name):
                accepted += [f"{name}:{resource}" for resource in simulator.accept(person)]
                self._sandbox.save(name)
        return JSONResponse({"accepted": accepted})

    async def _rename(self, request: Request) -> Response:
        """Change a person's login or username; both Jiras have the same one."""
        person, body = self._person(request), await _parsed(request, _Rename)
        for name, simulator in self._sandbox.simulators.items():
            if handle := getattr(body, name.partition("-")[0]):
                simulator.rename(person, handle)
                self._sandbox.save(name)
        return JSONResponse(body.model_dump(exclude_none=True))

    async def _delete(self, request: Request) -> Response:
        """The vendor deletes the account; for Vault, the company's single sign-on deletes the login."""
        person, body = self._person(request), await _parsed(request, _Systems)
        if body.systems is None:
            raise BadInput.one(f"Say where to delete {person}'s account: systems, out of {', '.join(SYSTEMS)}.")
        for name in body.chosen():
            if simulator := self._sandbox.simulators.get(name):
                simulator.forget(person)
                self._sandbox.save(name)
        if VAULT in body.systems:
            await self._sandbox.forget_login(person)
        return JSONResponse({"deleted": body.systems})

    async def _clock(self, request: Request) -> Response:
        """The sandbox's time; POST moves it, by seconds or to a moment."""
        clock = self._sandbox.clock
        if request.method == "POST":
            body = await _parsed(request, _Move)
            if (body.advance_seconds is None) == (body.now is None):
                raise BadInput.one("Say either advance_seconds (a number) or now (a moment with its time zone).")
            if body.now:
                clock.set(body.now)
            else:
                clock.advance(timedelta(seconds=body.advance_seconds or 0))
            self._sandbox.save_self()
        return JSONResponse(
            {"now": clock.now().isoformat(), "offset_seconds": clock.offset.total_seconds(), "vault": VAULT_TIME}
        )

    async def _requests(self, request: Request) -> Response:
        """The request log, of one system or of all, after number `since`."""
        since = request.query_params.get("since", "0")
        if not since.isdecimal():
            raise BadInput.one(f"since={since!r} is no number; give the n of the last request that you know.")
        return JSONResponse({"requests": self._sandbox.log.since(int(since), request.query_params.get("system"))})

    async def _recording(self, request: Request) -> Response:
        """Whole requests and answers since the recording was switched on; POST `{"on": true}` switches it."""
        recording = self._sandbox.recording
        if request.method == "POST":
            recording.switch(on=(await _parsed(request, _Switch)).on)
            return JSONResponse({"on": recording.on})
        return JSONResponse({"on": recording.on, "exchanges": recording.all()})

    async def _traffic(self, _: Request) -> Response:
        """What is under way: requests to the systems, and open connections, this one included."""
        return JSONResponse(self._sandbox.traffic)

    async def _state(self, _: Request) -> Response:
        """Who holds what on all systems, Vault read now."""
        return JSONResponse({"holdings": [asdict(held) for held in await self._sandbox.holdings()]})

    async def _mail(self, request: Request) -> Response:
        """What was sent by mail, to the address `to` or to anybody."""
        return JSONResponse({"mail": self._sandbox.mail.messages(request.query_params.get("to"))})

    async def _faults(self, request: Request) -> Response:
        """The faults in force; POST orders one, DELETE clears them."""
        faults = self._sandbox.faults
        if request.method == "POST":
            return JSONResponse({"id": faults.add(await _parsed(request, Fault))}, 201)
        if request.method == "DELETE":
            faults.clear()
        return JSONResponse({"faults": faults.all()})

    async def _reset(self, request: Request) -> Response:
        """The starting state of the world, or of another one; answers what the ready line would say."""
        body = await _parsed(request, _Reset)
        await self._sandbox.reset(None if body.world is None else build_world(body.world))
        return JSONResponse(self._sandbox.ready())

    async def _snapshot(self, _: Request) -> Response:
        """Remember how everything stands now; answers the number to return by."""
        return JSONResponse({"snapshot": await self._sandbox.snapshot()}, 201)

    async def _restore(self, request: Request) -> Response:
        """Return to a snapshot of this world, taken since the last reset."""
        await self._sandbox.put_back((await _parsed(request, _Restore)).snapshot)
        return JSONResponse({})

    def _person(self, request: Request) -> str:
        person = str(request.path_params["person"])
        if person not in self._sandbox.world.people:
            known = ", ".join(self._sandbox.world.people) or "nobody"
            raise BadInput.one(f"Nobody here is called {person!r}; the world has {known}.")
        return person


async def _parsed(request: Request, kind: type[Body]) -> Body:
    """The request's JSON as that kind of body; an empty one is an empty object. Raises ValidationError."""
    return kind.model_validate_json(await request.body() or b"{}")


def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


def _failed(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 502)
