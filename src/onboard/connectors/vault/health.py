"""What a Vault token may do, against what reading or writing needs: rights that are missing, and rights too many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from onboard.connectors.base import Capability, Health
from onboard.connectors.vault.api import Vault
from onboard.connectors.vault.tokens import keys
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


def capabilities(vault: Vault) -> tuple[Capability, ...]:
    """What the server is, mounts and limits, and which routes this token can read; None where it can't be told."""
    told = [lambda: _server(vault), lambda: _engines(vault), lambda: _quotas(vault), lambda: _routes(vault)]
    names = ("server", "secret engines", "rate limit quotas", "routes")
    return tuple(line for name, ask in zip(names, told, strict=True) for line in _probed(name, ask))


_ROUTES = (
    ("live tokens", Right("list", "auth/token/accessors"), Right("update", "auth/token/lookup-accessor")),
    ("leases", Right("list", "sys/leases/lookup/"), Right("sudo", "sys/leases/lookup/")),
    ("texts of policies", Right("read", f"sys/policies/acl/{_SAMPLE}")),
    ("AppRole secret ids", Right("list", f"auth/approle/role/{_SAMPLE}/secret-id/")),
    ("JWT and OIDC roles", Right("read", f"auth/jwt/role/{_SAMPLE}")),
    ("users of userpass", Right("read", f"auth/userpass/users/{_SAMPLE}")),
    ("longest lives", Right("read", "sys/mounts/auth/userpass/tune")),
)


def _probed(name: str, ask: Callable[[], Iterable[Capability]]) -> Iterable[Capability]:
    try:
        return list(ask())
    except SystemFailed as failure:
        return [Capability(name, None, failure.reason)]


def _server(vault: Vault) -> Iterator[Capability]:
    """GET sys/auth: its own plugins' version is the server's (`v2.7.2+builtin.bao`, `…+builtin.vault`)."""
    answer = vault.find("list the auth mounts", lambda c: c.sys.list_auth_methods())
    told = answer.data.get("token/", {}) if answer else {}
    version, _, built = str(told.get("running_plugin_version", "")).partition("+")
    name = "OpenBao" if built.endswith("bao") else "Vault"
    yield Capability("server", True, f"{name} {version.removeprefix('v') or 'of an unknown version'}")
    for path, mount in sorted(answer.data.items() if answer else ()):
        yield Capability(f"auth method {path}", True, str(mount["type"]))


def _engines(vault: Vault) -> Iterator[Capability]:
    """GET sys/mounts: what could hold secrets or lease them."""
    answer = vault.find("list the secret engines", lambda c: c.sys.list_mounted_secrets_engines())
    for path, told in sorted(answer.data.items() if answer else ()):
        yield Capability(f"secret engine {path}", True, str(told["type"]))


def _quotas(vault: Vault) -> Iterator[Capability]:
    """LIST sys/quotas/rate-limit: with one, answers may be 429."""
    names = keys(vault, "list the quotas", "sys/quotas/rate-limit")
    yield Capability("rate limit quotas", bool(names), ", ".join(names) or "none is set")


def _routes(vault: Vault) -> Iterator[Capability]:
    """POST sys/capabilities-self: what residue can and can't read."""
    held = vault.capabilities(sorted({right.path for _, *rights in _ROUTES for right in rights}))
    for name, *rights in _ROUTES:
        missing = [str(right) for right in rights if not {right.capability, "root"} & held[right.path]]
        yield Capability(f"reading {name}", not missing, f"needs {', '.join(missing)}" if missing else "")


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
