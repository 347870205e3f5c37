"""The way to OpenBao: passes every request through as it came, so that it can be logged and meet faults."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import httpx
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from onboard.sandbox.core import VAULT
from onboard.sandbox.openbao.seed import MOUNT
from onboard.sandbox.openbao.server import OpenBao

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "proxy-connection"}
#: POSTs and PUTs that only ask.
_ASKS = re.compile(r"/login(/|$)|/lookup(-self|-accessor)?(/|$)|^/v1/sys/(capabilities|leases/lookup|wrapping/lookup)")
_ABOUT_LOGINS = re.compile(rf"/v1/(auth/{MOUNT}/users|sys/(auth|remount|raw|storage))")
_LOGIN = re.compile(rf"/v1/auth/{MOUNT}/login/([^/]+)")


class OpenBaoProxy:
    """A target of the gate. Tokens that logins give out are reported to `logged_in(username, token)`.

    `touched` says that something may have changed since it was set to False, `touched_logins` that logins may have.
    """

    def __init__(self, bao: OpenBao, logged_in: Callable[[str, str], None]) -> None:
        self._bao = bao
        self._logged_in = logged_in
        self.touched = self.touched_logins = False

    @property
    def name(self) -> str:
        """`vault`."""
        return VAULT

    def is_write(self, method: str, path: str) -> bool:
        """Whatever isn't GET or LIST, except logins and look-ups."""
        return method not in ("GET", "LIST", "HEAD", "OPTIONS") and not _ASKS.search(path)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back. 502 where OpenBao isn't there."""
        request = Request(scope, receive)
        if request.method not in ("GET", "LIST", "HEAD"):
            self.touched = True
            self.touched_logins = self.touched_logins or bool(_ABOUT_LOGINS.match(request.url.path))
        try:
            response = await self._passed(request)
        except httpx.TransportError as error:
            response = JSONResponse({"errors": [f"the sandbox's OpenBao doesn't answer: {error!r}"]}, 502)
        await response(scope, receive, send)

    async def _passed(self, request: Request) -> Response:
        raw_path: bytes = request.scope["raw_path"]
        query: bytes = request.scope["query_string"]
        url = self._bao.client.base_url.copy_with(raw_path=raw_path + (b"?" + query if query else b""))
        outgoing = httpx.Request(request.method, url, headers=_kept(request.headers), content=await request.body())
        answer = await self._bao.client.send(outgoing, stream=True)
        try:
            content = b"".join([part async for part in answer.aiter_raw()])
        finally:
            await answer.aclose()
        if answer.is_success and (login := _LOGIN.fullmatch(request.url.path)):
            self._note_login(login[1], content)
        return Response(content, answer.status_code, _kept(answer.headers))

    def _note_login(self, username: str, content: bytes) -> None:
        """Tell whose token a login gave out. Encoded answers are none of ours to read, so their tokens stay unknown."""
        try:
            token = json.loads(content)["auth"]["client_token"]
        except (ValueError, KeyError, TypeError):
            return
        self._logged_in(username, token)


def _kept(headers: Mapping[str, str] | Headers) -> dict[str, str]:
    """The headers that are meant for the other end."""
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
