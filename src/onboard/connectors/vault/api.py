"""Calls to Vault or OpenBao over hvac, as typed values: one client per thread, and what each answer means.

Answers rest on the HTTP API (identity, auth/token, sys): an empty LIST is 404 with no errors, and so is an object
that isn't there; a lookup that finds nobody is 204; an unknown accessor is 400 or 403 on a look-up, and 200 with a
warning on a revocation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import hvac
import requests
from hvac.adapters import RawAdapter
from pydantic import SecretStr

from onboard.connectors.base import TIMEOUT
from onboard.connectors.http import PerThread, read_only, reading, status_failure, transport
from onboard.connectors.loopback import is_loopback
from onboard.connectors.pacing import UNPACED, Cost, Pace
from onboard.errors import SystemFailed, SystemRefused

Clock = Callable[[], datetime]
Ask = Callable[[Any], requests.Response]  # hvac has no types
#: An operator's quota doesn't say to which paths it applies.
_REQUEST = Cost("requests")

_DETAILS: Mapping[int, str] = {
    307: "it sends us elsewhere, which would hand the token on; give the active node's own address",
    400: "it takes the request for a wrong one",
    403: "the token isn't valid, or its policy doesn't allow this path",
    404: "there is nothing",
    503: "it is sealed or in maintenance",
}
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\%?#]|^\s|\s$|^\.+$|^$")


class VaultRefused(SystemRefused):
    """A definite no, with its HTTP status."""

    def __init__(self, system: str, reason: str, status: int) -> None:
        super().__init__(system, reason)
        self.status = status


class VaultNothing(VaultRefused):
    """There is nothing there: 404 with an empty list of errors. Any other 404 is a wrong path."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of 2xx: the body's `data` (or `auth`), its warnings and its request id."""

    status: int
    data: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    """An auth mount: its path without slashes at the ends, its accessor and its type."""

    path: str
    accessor: str
    type: str


@dataclass(frozen=True, slots=True)
class Alias:
    """An entity's name on an auth mount; `id` is the alias's own."""

    name: str
    mount: Mount
    id: str


@dataclass(frozen=True, slots=True)
class Entity:
    """An identity entity as read by its id.

    `groups` are the ids of those it is a direct member of, `inherited` of those that it is in through other groups;
    `policies` are attached to the entity itself.
    """

    id: str
    name: str
    disabled: bool
    aliases: tuple[Alias, ...]
    groups: tuple[str, ...]
    inherited: tuple[str, ...]
    policies: tuple[str, ...]
    metadata: Mapping[str, str]

    def name_on(self, accessor: str) -> str | None:
        """Its alias on a mount; None where it has none."""
        return next((alias.name for alias in self.aliases if alias.mount.accessor == accessor), None)


@dataclass(frozen=True, slots=True)
class Group:
    """An identity group: direct members' entity ids, and the ids of the groups whose members are members too."""

    id: str
    name: str
    external: bool
    policies: tuple[str, ...]
    metadata: Mapping[str, str]
    members: tuple[str, ...]
    subgroups: tuple[str, ...]


def checked(system: str, what: str, name: str) -> str:
    """The name, once it's sure that no URL built from it can lead elsewhere; SystemRefused otherwise, about `what`.

    hvac leaves slashes as they are, and `requests` then resolves `a/../b` to `b`.
    """
    if _UNSAFE.search(name) or len(name) > 255:
        raise SystemRefused(
            system,
            f"{what} can't be a name in Vault. Expected 1 to 255 characters, not only dots, without slash, "
            "backslash, %, ?, # and control characters.",
        )
    return name


class Vault:
    """The calls that onboard makes, with one token. `retry` repeats reads that fail for something that may pass.

    Reads raise SystemFailed, never uncertain: they changed nothing. Writes are sent once.
    """

    def __init__(
        self,
        system: str,
        addr: str,
        token: SecretStr,
        namespace: str | None,
        clock: Clock,
        *,
        retry: bool,
        pace: Pace = UNPACED,
    ) -> None:
        self.system = system
        self._clock = clock
        self._retry = retry
        self._client = PerThread(lambda: _client(addr, token, namespace))
        self._pace = pace

    def send(self, doing: str, ask: Ask) -> Answer:
        """Send one request, once. Raises as base.Writer says: VaultRefused for a definite no, else SystemFailed."""
        self._pace.take([_REQUEST])
        with transport(self.system, doing):
            response = ask(self._client())
        if response.status_code >= requests.codes.multiple_choices:
            raise self._failure(doing, response)
        return self._answer(doing, response)

    def find(self, doing: str, ask: Ask) -> Answer | None:
        """What a read answered; None where it answered that there is nothing."""
        if self._retry:
            return reading(lambda: self._look(doing, ask))
        with read_only():
            return self._look(doing, ask)

    def _look(self, doing: str, ask: Ask) -> Answer | None:
        try:
            answer = self.send(doing, ask)
        except VaultNothing:
            return None
        if any("partial" in warning.lower() for warning in answer.warnings):
            raise SystemFailed(self.system, f"{doing}: only part of the answer came. Try again later.")
        return None if answer.status == requests.codes.no_content else answer

    def _failure(self, doing: str, response: requests.Response) -> SystemFailed:
        status = response.status_code
        failure = status_failure(self.system, doing, status, response.headers, self._clock(), _DETAILS.get(status, ""))
        if status == requests.codes.too_many_requests:
            self._pace.limited(_REQUEST, failure.retry_after)
        if not isinstance(failure, SystemRefused):
            return failure
        nothing = status == requests.codes.not_found and _json(response) == {"errors": []}
        return (VaultNothing if nothing else VaultRefused)(self.system, failure.reason, status)

    def _answer(self, doing: str, response: requests.Response) -> Answer:
        if response.status_code == requests.codes.no_content or not response.content:
            return Answer(response.status_code, {})
        body = _json(response)
        if not isinstance(body, dict):
            raise SystemFailed(
                self.system, f"{doing}: the answer isn't Vault's. Check that the address leads to it.", uncertain=True
            )
        data = body.get("data") or body.get("auth") or {}
        return Answer(response.status_code, data, tuple(body.get("warnings") or ()), body.get("request_id"))

    # Reads

    def mounts(self) -> dict[str, Mount]:
        """Every auth mount by its path (GET sys/auth)."""
        answer = self.find("list the auth mounts", lambda c: c.sys.list_auth_methods())
        found = [Mount(path.strip("/"), told["accessor"], told["type"]) for path, told in _items(answer)]
        return {mount.path: mount for mount in found}

    def mount(self, path: str) -> Mount:
        """One auth mount; SystemRefused where there is none at that path."""
        mount = self.mounts().get(path.strip("/"))
        if mount is None:
            raise SystemRefused(self.system, f"there is no auth mount {path!r}. Check the name, or enable it there.")
        return mount

    def aliases(self) -> dict[str, tuple[Alias, ...]]:
        """Every entity's aliases by entity id (LIST identity/entity/id); it doesn't say which are disabled."""
        answer = self.find("list the entities", lambda c: c.secrets.identity.list_entities())
        told = answer.data.get("key_info", {}) if answer else {}
        return {entity: _aliases(info) for entity, info in told.items()}

    def entity(self, entity_id: str) -> Entity | None:
        """An entity by its id (GET identity/entity/id/…); None where it is gone."""
        checked(self.system, "the entity id", entity_id)
        answer = self.find("read an entity", lambda c: c.secrets.identity.read_entity(entity_id))
        return _entity(answer.data) if answer else None

    def entity_named(self, name: str) -> Entity | None:
        """An entity by its own name, which isn't its alias (GET identity/entity/name/…)."""
        checked(self.system, "the entity's name", name)
        answer = self.find("read an entity", lambda c: c.secrets.identity.read_entity_by_name(name))
        return _entity(answer.data) if answer else None

    def entity_of(self, alias: str, mount: Mount) -> Entity | None:
        """The entity with this alias on the mount, case ignored as Vault does (POST identity/lookup/entity)."""
        checked(self.system, "the user name", alias)
        answer = self.find(
            f"look up who answers to a name on {mount.path}",
            lambda c: c.secrets.identity.lookup_entity(alias_name=alias, alias_mount_accessor=mount.accessor),
        )
        return _entity(answer.data) if answer else None

    def groups(self) -> dict[str, str]:
        """Every group's name by its id (LIST identity/group/id)."""
        answer = self.find("list the groups", lambda c: c.secrets.identity.list_groups())
        told = answer.data.get("key_info", {}) if answer else {}
        return {group: info["name"] for group, info in told.items()}

    def group(self, group_id: str) -> Group | None:
        """A group by its id (GET identity/group/id/…)."""
        answer = self.find("read a group", lambda c: c.secrets.identity.read_group(group_id))
        return _group(answer.data) if answer else None

    def group_named(self, name: str) -> Group | None:
        """A group by its name, case ignored as Vault does (GET identity/group/name/…)."""
        checked(self.system, f"{name!r}", name)
        answer = self.find(f"read group {name}", lambda c: c.secrets.identity.read_group_by_name(name))
        return _group(answer.data) if answer else None

    def token(self) -> Mapping[str, Any]:
        """What this token is: policies, display name, entity (GET auth/token/lookup-self)."""
        answer = self.find("look up the token", lambda c: c.auth.token.lookup_self())
        return answer.data if answer else {}

    def capabilities(self, paths: Sequence[str]) -> dict[str, frozenset[str]]:
        """What this token may do on each path (POST sys/capabilities-self)."""
        answer = self.find("ask for the token's rights", lambda c: c.sys.get_capabilities(list(paths)))
        told = answer.data if answer else {}
        return {path: frozenset(told.get(path, ())) for path in paths}

    def accessors(self) -> list[str]:
        """The accessor of every live token except batch tokens, which have none (LIST auth/token/accessors)."""
        answer = self.find("list the tokens' accessors", lambda c: c.auth.token.list_accessors())
        return list(answer.data.get("keys", ())) if answer else []

    def policy(self, name: str) -> str | None:
        """The text of an ACL policy (GET sys/policies/acl/…); None where there is none."""
        checked(self.system, "the policy's name", name)
        answer = self.find("read a policy", lambda c: c.sys.read_acl_policy(name))
        return str(answer.data.get("policy") or "") if answer else None


def _client(addr: str, token: SecretStr, namespace: str | None) -> Any:
    """An hvac client that answers with responses, never raises by status, and takes no token from its surroundings."""
    session = requests.Session()
    session.trust_env = not is_loopback(addr)
    return hvac.Client(
        url=addr,
        token=token.get_secret_value(),  # "" is no token; None would be VAULT_TOKEN or ~/.vault-token
        namespace=namespace,
        timeout=TIMEOUT,
        allow_redirects=False,
        session=session,
        adapter=RawAdapter,
        ignore_exceptions=True,
    )


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _items(answer: Answer | None) -> list[tuple[str, Any]]:
    return list(answer.data.items()) if answer else []


def _aliases(told: Mapping[str, Any]) -> tuple[Alias, ...]:
    return tuple(Alias(alias["name"], _mount_of(alias), alias["id"]) for alias in told.get("aliases") or ())


def _mount_of(alias: Mapping[str, Any]) -> Mount:
    path = str(alias.get("mount_path") or "").removeprefix("auth/").strip("/")
    return Mount(path, alias["mount_accessor"], str(alias.get("mount_type") or ""))


def _entity(told: Mapping[str, Any]) -> Entity:
    return Entity(
        id=told["id"],
        name=told["name"],
        disabled=bool(told["disabled"]),
        aliases=_aliases(told),
        groups=tuple(told.get("direct_group_ids") or ()),
        inherited=tuple(told.get("inherited_group_ids") or ()),
        policies=tuple(told.get("policies") or ()),
        metadata=dict(told.get("metadata") or {}),
    )


def _group(told: Mapping[str, Any]) -> Group:
    return Group(
        id=told["id"],
        name=told["name"],
        external=told.get("type") != "internal",
        policies=tuple(told.get("policies") or ()),
        metadata=dict(told.get("metadata") or {}),
        members=tuple(told.get("member_entity_ids") or ()),
        subgroups=tuple(told.get("member_group_ids") or ()),
    )
