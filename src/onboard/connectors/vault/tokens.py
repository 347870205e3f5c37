"""What hangs on a Vault login and outlives it: tokens, AppRole secret ids, leases, and roles that name a person.

Accessors and lease ids are as good as a name for a credential: resources carry a short hash of them instead. Rests on
auth/token (accessors), auth/approle/role, auth/jwt/role, sys/leases/lookup, sys/mounts/…/tune.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests

from onboard.connectors.http import side_by_side
from onboard.connectors.levers import AT_ONCE, every
from onboard.connectors.vault.api import Alias, Answer, Entity, Mount, Vault, VaultRefused, checked
from onboard.errors import SystemFailed

_WRAPPING = "response-wrapping"
#: Auth methods where a login's lease stands below the user's name.
_BY_NAME = frozenset({"userpass", "ldap", "radius", "okta"})
_JWT = frozenset({"jwt", "oidc"})


def short(secret: str) -> str:
    """A name for an accessor or a lease that nothing can be done with: the first 12 digits of its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A live token as looked up by its accessor; `ttl` None for one that never expires."""

    accessor: str
    entity: str
    display_name: str
    policies: tuple[str, ...]
    ttl: timedelta | None

    @property
    def wraps(self) -> bool:
        """Whether it is only good for fetching one wrapped answer, once."""
        return self.policies == (_WRAPPING,)

    def of(self, entity: str, display_names: Collection[str]) -> bool:
        """Whether it is an entity's, or wraps what was made by somebody who logged in under one of the names."""
        return (bool(entity) and self.entity == entity) or (self.wraps and self.display_name in display_names)


@dataclass(frozen=True, slots=True)
class Scan:
    """All live tokens that could be looked up, how many could not (403), and why the search broke off if it did."""

    tokens: tuple[Token, ...]
    unreadable: int = 0
    broken: SystemFailed | None = None

    @property
    def unknown(self) -> str | None:
        """Why it can't be told which tokens there are; None where it can."""
        if self.broken:
            return self.broken.reason
        return f"{self.unreadable} tokens can be listed but not looked up" if self.unreadable else None


@dataclass(frozen=True, slots=True, repr=False)
class SecretId:
    """A secret id of an AppRole role, by its accessor."""

    mount: str
    role: str
    accessor: str

    @property
    def name(self) -> str:
        """`MOUNT/ROLE#HASH`."""
        return f"{self.mount}/{self.role}#{short(self.accessor)}"


def display_names(entity: Entity) -> set[str]:
    """How Vault calls the tokens of the entity's logins: the mount and the alias, joined by dashes."""
    return {f"{alias.mount.path.replace('/', '-')}-{alias.name}" for alias in entity.aliases}


def scan(vault: Vault) -> Scan:
    """Look up every live token except batch tokens, which have no accessor; several at a time."""
    found: list[Token] = []
    refused: list[VaultRefused] = []

    def look_up(accessor: str) -> None:
        try:
            answer = vault.find("look up a token", lambda c: c.auth.token.lookup_accessor(accessor))
        except VaultRefused as failure:
            if failure.status != requests.codes.bad_request:  # 400: it has just ended
                refused.append(failure)
            return
        if answer:
            found.append(_token(accessor, answer.data))

    try:
        accessors = vault.accessors()
        side_by_side(look_up, accessors, AT_ONCE)
    except SystemFailed as failure:
        return Scan(tuple(found), len(refused), failure)
    return Scan(tuple(found), len(refused), refused[0] if refused and len(refused) == len(accessors) else None)


def secret_ids(vault: Vault, entity: Entity) -> Iterator[SecretId]:
    """Every secret id of the roles that the entity logs in by: on AppRole its alias is the role's id."""

    def of(named: tuple[Alias, str]) -> list[SecretId]:
        alias, role = named
        path = f"auth/{alias.mount.path}/role/{role}"
        if _get(vault, "read a role's id", f"{path}/role-id").get("role_id") != alias.name:
            return []
        accessors = keys(vault, "list a role's secret ids", f"{path}/secret-id")
        return [SecretId(alias.mount.path, role, accessor) for accessor in accessors]

    approle = [alias for alias in entity.aliases if alias.mount.type == "approle"]
    for found in every(of, [(alias, role) for alias in approle for role in roles(vault, alias.mount)]):
        yield from found


def roles(vault: Vault, mount: Mount) -> list[str]:
    """The roles of an auth mount (LIST auth/MOUNT/role); without those whose name could lead elsewhere in a URL."""
    return [checked(vault.system, "a role", role) for role in keys(vault, "list roles", f"auth/{mount.path}/role")]


def roles_naming(vault: Vault, names: Collection[str], mount: Mount) -> Iterator[str]:
    """The JWT or OIDC roles of the mount that are bound to one of the names, by subject or by a claim."""
    wanted = {name.lower() for name in names}

    def bound(role: str) -> tuple[str, set[str]]:
        told = _get(vault, "read a role", f"auth/{mount.path}/role/{role}")
        return role, {name.lower() for name in _bound(told)}

    listed = roles(vault, mount) if mount.type in _JWT and wanted else []
    yield from (role for role, names in every(bound, listed) if wanted & names)


def login_leases(vault: Vault, name: str, mount: Mount) -> list[str]:
    """The leases of that name's logins on the mount; none where the method doesn't keep them by name."""
    prefix = login_prefix(vault, name, mount)
    return keys(vault, "list the leases of a login", f"sys/leases/lookup/{prefix}") if prefix else []


def login_prefix(vault: Vault, name: str, mount: Mount) -> str | None:
    """Under which prefix the leases of that name's logins stand; None where the method doesn't keep them by name."""
    if mount.type not in _BY_NAME:
        return None
    return f"auth/{mount.path}/login/{checked(vault.system, 'the user name', name)}"


def leasing(vault: Vault) -> list[str]:
    """The mounts, besides auth methods, under which leases are alive (LIST sys/leases/lookup/)."""
    top = keys(vault, "list the leases", "sys/leases/lookup/")
    return [prefix.strip("/") for prefix in top if prefix.strip("/") != "auth"]


def longest(vault: Vault, mounts: Iterable[str]) -> timedelta | None:
    """The longest that anything issued by these mounts can live (GET sys/mounts/…/tune); None where nothing ends it."""
    told = side_by_side(lambda mount: _get(vault, "read a mount's limits", f"sys/mounts/{mount}/tune"), mounts)
    found = [int(each["max_lease_ttl"]) for each in told if each.get("max_lease_ttl")]
    return timedelta(seconds=max(found)) if found else None


def has_user(vault: Vault, name: str, mount: Mount) -> bool:
    """Whether a userpass mount knows the name: whoever it is logs in and gets an entity then."""
    if mount.type != "userpass":
        return False
    path = f"auth/{mount.path}/users/{checked(vault.system, 'the user name', name)}"
    return vault.find("read a user", lambda c: c.adapter.get(url=f"/v1/{path}")) is not None


def keys(vault: Vault, doing: str, path: str) -> list[str]:
    """What a LIST answers; an empty list where there is nothing."""
    answer = vault.find(doing, lambda c: c.adapter.list(url=f"/v1/{path}"))
    return [str(key) for key in answer.data.get("keys") or ()] if answer else []


def _get(vault: Vault, doing: str, path: str) -> Mapping[str, Any]:
    answer: Answer | None = vault.find(doing, lambda c: c.adapter.get(url=f"/v1/{path}"))
    return answer.data if answer else {}


def _token(accessor: str, told: Mapping[str, Any]) -> Token:
    ttl = int(told.get("ttl") or 0)
    return Token(
        accessor,
        str(told.get("entity_id") or ""),
        str(told.get("display_name") or ""),
        tuple(told.get("policies") or ()),
        timedelta(seconds=ttl) if ttl else None,
    )


def _bound(role: Mapping[str, Any]) -> Iterator[str]:
    if role.get("bound_subject"):
        yield str(role["bound_subject"])
    for value in (role.get("bound_claims") or {}).values():
        yield from map(str, value if isinstance(value, Sequence) and not isinstance(value, str) else [value])
