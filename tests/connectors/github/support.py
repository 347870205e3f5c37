"""What the tests of GitHub share: names of the demo world, readings as tests compare them, a vendor with quirks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.github.app import AppInstallation
from onboard.connectors.github.reader import GitHubReader
from onboard.connectors.github.writer import GitHubWriter
from onboard.model import Account, HoldingState, Reading, Resource
from onboard.sandbox.client import SandboxClient

ORG = Resource("github", "org", "acme")
TEAM = Resource("github", "team", "acme/payments-engineers")
REPO = Resource("github", "repo", "acme/docs")
MARTA = "90001"
MALLORY = "66666"
#: What onboard's App needs, all of it.
APP_MAY = {
    "members": "write",
    "administration": "write",
    "organization_administration": "write",
    "contents": "read",
    "organization_personal_access_tokens": "write",
    "organization_personal_access_token_requests": "write",
    "organization_custom_org_roles": "write",
    "organization_custom_roles": "read",
    "organization_user_blocking": "read",
}


def a_reader(sandbox: SandboxClient, credential: AppInstallation | str | None = None) -> GitHubReader:
    github = sandbox.github
    return GitHubReader("github", github["base_url"], github["org"], credential or github["read_token"], now)


def a_writer(sandbox: SandboxClient, credential: AppInstallation | str | None = None) -> GitHubWriter:
    github = sandbox.github
    return GitHubWriter("github", github["base_url"], github["org"], credential or github["token"], now)


@cache
def app_key() -> tuple[str, str]:
    """A key pair for a GitHub App, in PEM: private, public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def an_app(**permissions: str) -> AppInstallation:
    return AppInstallation(7, 70, SecretStr(app_key()[0]), permissions)


def installed(**permissions: str) -> dict[str, object]:
    """That App in a world file."""
    return {"id": 7, "installation": 70, "public_key": app_key()[1], "permissions": permissions}


def bound(id_: str, login: str = "") -> Account:
    return Account("a-1", "github", id_, login)


def now() -> datetime:
    return datetime.now(UTC)


def on(reader: GitHubReader, resource: Resource) -> Reading:
    return reader.read(Scope(frozenset({resource}))).of(resource)


def held(reader: GitHubReader, resource: Resource, account: str = MARTA) -> list[tuple[str, HoldingState]]:
    reading = on(reader, resource)
    assert reading.unknown is None
    return [(h.level, h.state) for h in reading.holdings if h.account == account]


@contextmanager
def vendor(respond: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that answers every request by `respond`; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

        def do_PUT(self) -> None:
            respond(self)

        def do_POST(self) -> None:
            respond(self)

        def do_DELETE(self) -> None:
            respond(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def answer(
    request: BaseHTTPRequestHandler, status: int, headers: dict[str, str] | None = None, body: bytes = b"{}"
) -> None:
    request.rfile.read(int(request.headers.get("content-length", 0)))
    request.send_response(status)
    for name, value in {**(headers or {}), "content-length": str(len(body))}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
