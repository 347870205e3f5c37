"""The open connections, so that a fault can close one without an answer."""

from __future__ import annotations

import asyncio

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connections:
    """The transports of the clients that are connected, by both ends: one client port may lead to several of ours."""

    def __init__(self) -> None:
        self._open: dict[tuple[object, object], asyncio.Transport] = {}

    def __len__(self) -> int:
        return len(self._open)

    def drop(self, scope: Scope) -> None:
        """Close the connection on which that request came, unless the client has closed it already."""
        if transport := self._open.get((tuple(scope["client"]), tuple(scope["server"]))):
            transport.close()

    def protocol(self) -> type[asyncio.Protocol]:
        """Uvicorn's HTTP protocol, keeping account here."""
        connections = self._open

        class Tracked(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                connections[_ends(transport)] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.pop(_ends(self.transport), None)
                super().connection_lost(exc)

        return Tracked


def _ends(transport: asyncio.Transport) -> tuple[object, object]:
    return transport.get_extra_info("peername"), transport.get_extra_info("sockname")
