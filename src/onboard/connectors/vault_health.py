"""What a Vault token may do, against what reading or writing needs: rights that are missing, and rights too many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onboard.connectors.base import Health
from onboard.connectors.vault_api import Vault
from onboard.errors import SystemFailed, SystemRefused

_SAMPLE = "onboard-health"


@dataclass(frozen=True, slots=True)
class Right:
    """What may be done on a path. A path ending in `*` stands for what exists there, because policies may name ids."""

    capability: str
    path: str

    def __str__(self) -> str:
        return f"{self.capability} {self.path}"


_READS = (
    Right("read", "sys/auth"),
    Right("list", "identity/entity/id"),
    Right("read", "identity/entity/id/*"),
    Right("update", "identity/lookup/entity"),
    Right("list", "identity/group/id"),
    Right("read", "identity/group/id/*"),
    Right("read", "identity/group/name/*"),
)
_WRITES = (
    Right("read", "sys/auth"),
    Right("read", "identity/entity/id/*"),
    Right("update", "identity/lookup/entity"),
    Right("read", "identity/group/id/*"),
    Right("read", "identity/group/name/*"),
    Right("create", "identity/entity/name/*"),
    Right("update", "identity/entity/id/*"),
    Right("update", "identity/entity-alias"),
    Right("update", "identity/group/id/*"),
    Right("list", "auth/token/accessors"),
    Right("sudo", "auth/token/accessors"),
    Right("update", "auth/token/lookup-accessor"),
    Right("update", "auth/token/revoke-accessor"),
)
_NEVER = (
    Right("delete", "identity/entity/id/*"),
    Right("delete", "identity/group/id/*"),
    Right("update", "auth/token/create"),
    *(
        Right(capability, path)
        for path in ("sys/policies/acl/*", "sys/auth/*", "sys/mounts/*", "sys/audit/*")
        for capability in ("create", "update", "patch", "delete", "sudo")
    ),
)
_NEVER_TO_READ = _NEVER + tuple(
    Right(capability, path)
    for path in ("identity/entity", "identity/entity/id/*", "identity/entity/name/*", "identity/entity-alias",
                 "identity/group", "identity/group/id/*", "identity/group/name/*", "auth/token/revoke-accessor")
    for capability in ("create", "update", "patch", "delete")
)  # fmt: skip


def reader_health(vault: Vault) -> Health:
    """The health of a reading token: changing an identity, a policy or a token is too much."""
    return _health(vault, _READS, _NEVER_TO_READ)


def writer_health(vault: Vault) -> Health:
    """The health of a writing token: changing policies, mounts or audit devices, or deleting groups, is too much."""
    return _health(vault, _WRITES, _NEVER)


def _health(vault: Vault, needed: Sequence[Right], unwanted: Sequence[Right]) -> Health:
    try:
        token = vault.token()
        held = _Held(vault, [*needed, *unwanted])
    except SystemRefused as refused:
        return Health(reachable=True, problem=refused.reason)
    except SystemFailed as failure:
        return Health(reachable=False, problem=failure.reason)
    policies = sorted({*token.get("policies", ()), *(token.get("identity_policies") or ())})
    excess = dict.fromkeys(str(right) for right in unwanted if held.anywhere(right))
    return Health(
        reachable=True,
        identity=token.get("display_name") or "",
        rights=tuple(f"policy {name}" for name in policies),
        missing=tuple(str(right) for right in needed if not held.anywhere(right)),
        excess=("root: every right",) if "root" in policies else tuple(excess),
    )


class _Held:
    """The capabilities of one token on the paths that the rights name, asked for in one call."""

    def __init__(self, vault: Vault, rights: Iterable[Right]) -> None:
        self._known = _known(vault)
        self._capabilities = vault.capabilities(sorted({path for right in rights for path in self._paths(right.path)}))

    def anywhere(self, right: Right) -> bool:
        """Whether the token has the right on the path, or on any path that its `*` stands for."""
        return any({right.capability, "root"} & self._capabilities[path] for path in self._paths(right.path))

    def _paths(self, path: str) -> list[str]:
        stem = path.removesuffix("*")
        return [path] if stem == path else [stem + name for name in (_SAMPLE, *self._known.get(path, ()))]


def _known(vault: Vault) -> dict[str, list[str]]:
    """The groups that exist, for policies that name each; none where they can't be listed."""
    try:
        groups = vault.groups()
    except SystemRefused:
        return {}
    safe = [name for name in groups.values() if "/" not in name]
    return {"identity/group/id/*": list(groups), "identity/group/name/*": safe}
