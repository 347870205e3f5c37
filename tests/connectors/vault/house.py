"""The sandbox's OpenBao as the tests of our Vault connector use it."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import hvac
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.vault.reader import VaultReader
from onboard.connectors.vault.writer import VaultWriter
from onboard.model import Account, Observation, Resource
from onboard.sandbox.client import SandboxClient

LOGIN = Resource("vault", "login", "userpass")
GROUP = Resource("vault", "group", "payments-dev")


def clock() -> datetime:
    return datetime.now(UTC)


class House:
    """Our reader and writer for the sandbox's OpenBao, its root, and people who log in themselves."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox
        self.addr = sandbox.vault["addr"]
        self.reader = self.reading("read_token")
        self.writer = self.writing("token")
        self.root = self.client(sandbox.vault["root_token"])

    def reading(self, token: str) -> VaultReader:
        return VaultReader("vault", self.addr, SecretStr(self.sandbox.vault[token]), None, clock)

    def writing(self, token: str) -> VaultWriter:
        return VaultWriter("vault", self.addr, SecretStr(self.sandbox.vault[token]), None, clock)

    def client(self, token: str) -> Any:
        return hvac.Client(self.addr, token=token)

    def account(self, person: str) -> Account:
        return Account(
            f"a-{person}", "vault", None, self.sandbox.person(person).vault["username"], person=f"p-{person}"
        )

    def enabled(self, person: str) -> Account:
        receipt = self.writer.grant(self.account(person), LOGIN, "enabled")
        return replace(self.account(person), external_id=receipt.external_id)

    def member(self, person: str) -> Account:
        account = self.enabled(person)
        self.writer.grant(account, GROUP, "member")
        return account

    def log_in(self, person: str) -> Any:
        known = self.sandbox.person(person).vault
        client = self.client("")
        client.auth.userpass.login(known["username"], known["password"])
        return client

    def read(self, *resources: Resource) -> Observation:
        return self.reader.read(Scope(frozenset(resources) or None))

    def holders(self, resource: Resource) -> set[str]:
        reading = self.read(resource).of(resource)
        assert reading.unknown is None
        return {holding.handle for holding in reading.holdings}

    def group(self) -> dict[str, Any]:
        return dict(self.root.secrets.identity.read_group_by_name(GROUP.name)["data"])

    def sent(self) -> list[dict[str, Any]]:
        return self.sandbox.requests("vault")


def nowhere() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def username(session: Any) -> str:
    """What the secret of payments-dev says to this person."""
    secret = session.secrets.kv.v2.read_secret_version("payments/dev/db", raise_on_deleted_version=True)
    return str(secret["data"]["data"]["username"])
