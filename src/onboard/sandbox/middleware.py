"""What every request of every system passes: latency, faults, the request log, and the saving of what it changed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onboard.sandbox.core import Clock, Principal, token_of
from onboard.sandbox.faults import Fault, Faults, answer, asks_for_more

#: Older requests are forgotten.
LOG_LENGTH = 100_000
#: And with them what was said, where that is kept.
RECORDING_LENGTH = 10_000


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that was dealt with. `status` is None where the connection was dropped; `fault` is what it met.

    `size` is the answer's body in bytes, before any compression.
    """

    n: int
    system: str
    method: str
    path: str
    query: str
    token: str
    status: int | None
    at: str
    write: bool
    fault: str | None
    size: int


class RequestLog:
    """The requests, numbered from 1 in the order in which they took effect."""

    def __init__(self) -> None:
        self._entries: deque[Logged] = deque(maxlen=LOG_LENGTH)
        self._last = 0

    def add(self, **what: Any) -> None:
        """Append one, with the next number."""
        self._last += 1
        self._entries.append(Logged(n=self._last, **what))

    def since(self, n: int, system: str | None) -> list[dict[str, Any]]:
        """Those after number `n`, of one system or of all."""
        return [asdict(entry) for entry in self._entries if entry.n > n and system in (None, entry.system)]

    def clear(self) -> None:
        """Forget them and count from 1 again."""
        self._entries.clear()
        self._last = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, word for word; no headers but the types of the two bodies, so no credentials.

    `status` and what follows is what the system answered, even where a fault then dropped it; None where it never did.
    """

    system: str
    method: str
    path: str
    query: str
    sent_type: str
    sent: str
    status: int | None
    answered_type: str
    answered: str
    fault: str | None


class Recording:
    """Keeps whole requests and answers while it is switched on, to hold them against the vendors' descriptions."""

    def __init__(self) -> None:
        self.on = False
        self._exchanges: deque[Exchange] = deque(maxlen=RECORDING_LENGTH)

    def switch(self, *, on: bool) -> None:
        """On: from nothing. Off: what was kept stays to be read."""
        self.on = on
        if on:
            self._exchanges.clear()

    def add(self, target: str, scope: Scope, body: bytes, messages: list[Message], fault: Fault | None) -> None:
        """Keep one, if it is on."""
        if not self.on:
            return
        start = messages[0] if messages else {"status": None, "headers": []}
        self._exchanges.append(
            Exchange(
                system=target,
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"].decode(),
                sent_type=Headers(scope=scope).get("content-type", ""),
                sent=body.decode("utf-8", "replace"),
                status=start["status"],
                answered_type=Headers(raw=list(start["headers"])).get("content-type", ""),
                answered=b"".join(message.get("body", b"") for message in messages[1:]).decode("utf-8", "replace"),
                fault=fault.kind if fault else None,
            )
        )

    def all(self) -> list[dict[str, Any]]:
        """What was kept, oldest first."""
        return [asdict(exchange) for exchange in self._exchanges]

    def forget(self) -> None:
        """Off, and nothing kept."""
        self.on = False
        self._exchanges.clear()


class Target(Protocol):
    """A system behind the gate: a simulator, or OpenBao's proxy."""

    @property
    def name(self) -> str:
        """One of SYSTEMS."""
        ...

    @property
    def app(self) -> ASGIApp:
        """Answers its requests."""
        ...

    def is_write(self, method: str, path: str) -> bool:
        """Whether such a request changes state."""
        ...


@dataclass(slots=True)
class Gate:
    """What stands before every system. `drop` closes a client's connection, `changed` saves a system's state.

    `busy` counts the requests that are being dealt with, those whose client is gone included.
    """

    log: RequestLog
    recording: Recording
    faults: Faults
    clock: Clock
    latency: float
    principal: Callable[[str, str | None], Principal | None]
    changed: Callable[[str], None]
    drop: Callable[[Scope], None]
    busy: int = 0

    async def handle(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        """Deal with one request to that system (`latency` is in seconds)."""
        self.busy += 1
        try:
            await self._handle(target, scope, receive, send)
        finally:
            self.busy -= 1

    async def _handle(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        query = scope["query_string"].decode()
        fault = self.faults.take(target.name, scope["method"], scope["path"], asks_for_more(query, body))
        await asyncio.sleep(self.latency + (fault.ms / 1000 if fault and fault.kind == "latency" else 0))
        messages = await self._answer(target, fault, scope, body)
        self._record(target, scope, fault, messages)
        self.recording.add(target.name, scope, body, messages, fault)
        if fault and fault.kind in ("drop-before", "drop-after"):
            self.drop(scope)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        for message in messages:
            await send(message)

    async def _answer(self, target: Target, fault: Fault | None, scope: Scope, body: bytes) -> list[Message]:
        """The messages of the answer; none where nothing is to happen."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        if fault and fault.kind == "drop-before":
            return []
        if fault and fault.kind in ("429", "500", "forbidden", "partial"):
            await answer(fault, scope["path"], self.clock.now())(scope, _replay(body), keep)
            return messages
        await target.app(scope, _replay(body), keep)
        if target.is_write(scope["method"], scope["path"]):
            self.changed(target.name)
        return messages

    def _record(self, target: Target, scope: Scope, fault: Fault | None, messages: list[Message]) -> None:
        dropped = fault is not None and fault.kind.startswith("drop")
        principal = self.principal(target.name, token_of(Headers(scope=scope)))
        self.log.add(
            system=target.name,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode(),
            token=principal.label if principal else "none",
            status=None if dropped else messages[0]["status"],
            at=self.clock.now().isoformat(),
            write=target.is_write(scope["method"], scope["path"]),
            fault=fault.kind if fault else None,
            size=sum(len(message.get("body", b"")) for message in messages),
        )


async def _body(receive: Receive) -> bytes:
    """The whole body of the request."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes) -> Receive:
    """A `receive` that gives a body that was read already."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
