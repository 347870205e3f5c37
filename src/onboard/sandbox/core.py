"""What the parts of the sandbox share: a clock that can be moved, whose token is whose, what a simulator is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from starlette.types import ASGIApp

from onboard.sandbox.world import World

GITHUB = "github"
JIRA = "jira"
JIRA_DATA_CENTER = "jira-data-center"
SLACK = "slack"
VAULT = "vault"
SYSTEMS = (GITHUB, JIRA, JIRA_DATA_CENTER, SLACK, VAULT)

#: The automation's own account, which exists on every system without being named in the world file.
BOT = "onboard-bot"


class Clock:
    """The sandbox's time: the real one plus an offset that tests move, so that invitations expire."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The present moment here, aware, UTC."""
        return datetime.now(UTC) + self.offset

    def advance(self, by: timedelta) -> None:
        """Move by that much; time goes on from there."""
        self.offset += by

    def set(self, now: datetime) -> None:
        """Move to that moment (aware); time goes on from there."""
        self.offset = now - datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose token it is: `write`, `read`, `admin` (Slack's SCIM and admin methods), `root` (Vault) or `person:ID`."""

    label: str

    @property
    def person(self) -> str | None:
        """The sandbox id of the person whose own token it is; None for the automation's."""
        return self.label.removeprefix("person:") if self.label.startswith("person:") else None

    @property
    def read_only(self) -> bool:
        """Whether it is the automation's token that may only read."""
        return self.label in ("read", "read-admin")


_PREFIX = {
    (GITHUB, "write"): "ghp_",
    (GITHUB, "read"): "github_pat_",
    (GITHUB, "person"): "gho_",
    (JIRA, ""): "ATATT3xFfGF0",
    (JIRA_DATA_CENTER, ""): "NDc4",
    (SLACK, "write"): "xoxb-",
    (SLACK, ""): "xoxp-",
    (VAULT, ""): "sandbox-",
}


class Credentials:
    """Every token of the sandbox, derived from one secret key: the same key and name give the same token."""

    def __init__(self, key: bytes, world: World) -> None:
        self._key = key
        self._principals: dict[tuple[str, str], Principal] = {}
        for system in SYSTEMS:
            for label in ("write", "read", *(["admin", "read-admin"] if system == SLACK else [])):
                self.register(system, self.token(system, label), label)
            for person in world.people if system != VAULT else ():
                if getattr(world.people[person], JIRA if system == JIRA_DATA_CENTER else system):
                    self.register(system, self.token(system, f"person:{person}"), f"person:{person}")

    def token(self, system: str, label: str) -> str:
        """The token of that principal on that system."""
        kind = label.partition(":")[0]
        prefix = _PREFIX.get((system, kind)) or _PREFIX[system, ""]
        return prefix + self.secret(f"{system}/{label}")

    def secret(self, purpose: str) -> str:
        """A secret of 40 hex digits for that purpose, such as a person's password."""
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).hexdigest()[:40]

    def register(self, system: str, token: str, label: str) -> None:
        """Make a token known that was minted elsewhere (OpenBao mints its own)."""
        self._principals[system, token] = Principal(label)

    def principal(self, system: str, token: str | None) -> Principal | None:
        """Whose token it is on that system; None for no token and for an unknown one."""
        return self._principals.get((system, token)) if token else None


def token_of(headers: Mapping[str, str]) -> str | None:
    """The token that a request carries: X-Vault-Token, `Bearer T`, `token T`, or the password of `Basic`.

    `headers` looks names up without regard to case, as Starlette's does.
    """
    if vault := headers.get("x-vault-token"):
        return vault
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return value.strip() or None
    return basic_auth(headers)[1] if scheme.lower() == "basic" else None


def basic_auth(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """User name and password of an `Authorization: Basic` header; a pair of None for any other."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return user or None, password or None


@dataclass(frozen=True, slots=True)
class Held:
    """One line of who holds what: `resource` like `repo:acme/docs`, state `active`, `invited` or `expired`.

    `account` is the vendor's id, as text; `person` the sandbox id where the account is a simulated human's.
    """

    system: str
    person: str | None
    account: str
    handle: str
    resource: str
    level: str
    state: str = "active"


class Simulator(Protocol):
    """One simulated vendor. It holds its state in memory, answers through `app`, and knows nothing of logs and faults.

    It is built from a world, a clock and the credentials, and is rebuilt on a reset. Handlers run on one event loop
    and change state without awaiting in between, so that each request is atomic. It authenticates every request
    itself (`credentials.principal(name, token_of(request.headers))`) and answers in the vendor's own manner.
    """

    @property
    def name(self) -> str:
        """One of SYSTEMS."""
        ...

    @property
    def app(self) -> ASGIApp:
        """A Starlette application with the vendor's own paths from the root of its port on."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything it knows, ready for JSON; what `restore` takes."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that `state` gave earlier."""
        ...

    def accept(self, person: str) -> list[str]:
        """Accept every pending, unexpired invitation of that person; answers what was accepted, as resources."""
        ...

    def holdings(self) -> Iterable[Held]:
        """Who holds what, pending and expired invitations included."""
        ...

    def is_write(self, method: str, path: str) -> bool:
        """Whether such a request changes state (path without the query)."""
        ...

    def rename(self, person: str, handle: str) -> None:
        """The person changes login or username; ids stay. Raises BadInput where it's taken or has no such name."""
        ...

    def forget(self, person: str) -> None:
        """The vendor deletes the person's account, with all that it held. No error where there is none."""
        ...
