"""Reading Vault: who may log in through an auth mount, and who is a member of an identity group."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from pydantic import SecretStr

from onboard.connectors.base import Health, Scope
from onboard.connectors.http import Unreachable
from onboard.connectors.vault_api import Alias, Clock, Entity, Group, Mount, Vault
from onboard.connectors.vault_health import reader_health
from onboard.errors import SystemFailed
from onboard.model import Account, AccountState, Holding, Kind, Observation, Reading, Resource


class VaultReader:
    """Reads `login:MOUNT` (enabled entities with an alias there) and `group:NAME` of one Vault or OpenBao.

    `addr` is the server's address without `/v1`, `login_mount` the auth mount whose names people are found by. Uses
    LIST and GET on identity, `identity/lookup/entity`, `sys/auth`: rights that change nothing.
    """

    kind = Kind.VAULT

    def __init__(
        self,
        system: str,
        addr: str,
        token: SecretStr,
        namespace: str | None,
        clock: Clock,
        login_mount: str = "userpass",
    ) -> None:
        self.system = system
        self._login_mount = login_mount
        self._clock = clock
        self._vault = Vault(system, addr, token, namespace, clock, retry=True)

    def read(self, scope: Scope) -> Observation:
        """As base.Reader says. Without a scope: every auth mount but `token`, and every group.

        A disabled entity holds no login, and its account is suspended; it stays listed in its groups.
        """
        at = self._clock()
        visit = _Visit(self._vault, self._login_mount)
        try:
            readings = dict(visit.everything() if scope.resources is None else visit.of(sorted(scope.resources)))
        except SystemFailed as failure:
            return Observation(self.system, at, unknown=failure.reason)
        return Observation(self.system, at, readings, visit.accounts, complete=scope.resources is None)

    def find_account(self, handle: str) -> Account | None:
        """The entity that answers to this name on the login mount, case ignored as Vault does; None where none does.

        SystemRefused where the handle can't be a name there, SystemFailed where it can't be told.
        """
        mount = self._vault.mount(self._login_mount)
        entity = self._vault.entity_of(handle, mount)
        return account_of(self.system, entity, mount.accessor, handle) if entity else None

    def health(self) -> Health:
        """As base.Reader says; rights by `sys/capabilities-self` on the paths that read, and on those that write."""
        return reader_health(self._vault)


def account_of(system: str, entity: Entity, accessor: str, otherwise: str) -> Account:
    """The account that an entity is, by its name on that mount, else by another alias, else `otherwise`."""
    handle = entity.name_on(accessor) or next((alias.name for alias in entity.aliases), otherwise)
    state = AccountState.SUSPENDED if entity.disabled else AccountState.ACTIVE
    return Account(id="", system=system, external_id=entity.id, handle=handle, state=state)


class _Visit:
    """One reading: every entity, mount and list is asked for at most once."""

    def __init__(self, vault: Vault, login_mount: str) -> None:
        self._vault = vault
        self._login_mount = login_mount
        self._entities: dict[str, Entity | None] = {}
        self.accounts: dict[str, Account] = {}

    @cached_property
    def _mounts(self) -> dict[str, Mount]:
        return self._vault.mounts()

    @cached_property
    def _aliases(self) -> dict[str, tuple[Alias, ...]]:
        return self._vault.aliases()

    def everything(self) -> Iterator[tuple[Resource, Reading]]:
        """Every auth mount and every group. Raises SystemFailed where they can't be listed."""
        system = self._vault.system
        yield from self.of([Resource(system, "login", m.path) for m in self._mounts.values() if m.type != "token"])
        for group_id, name in self._vault.groups().items():
            resource = Resource(system, "group", name)
            yield resource, self._group(resource, group_id)

    def of(self, resources: list[Resource]) -> Iterator[tuple[Resource, Reading]]:
        """A reading of each resource. Raises Unreachable, because then nothing else will answer either."""
        for resource in resources:
            read = {"login": self._login, "group": self._group}.get(resource.type)
            unknown = f"Vault has no {resource.type!r}. Expected login:MOUNT or group:NAME."
            yield resource, read(resource) if read else Reading(resource, unknown=unknown)

    def _login(self, resource: Resource) -> Reading:
        try:
            mount = self._mounts.get(resource.name.strip("/"))
            if mount is None:
                return Reading(
                    resource, unknown=f"there is no auth mount {resource.name!r}. Check the name, or enable it."
                )
            holdings = [held for entity in self._with_alias(mount) for held in self._enabled(entity, mount, resource)]
        except Unreachable:
            raise
        except SystemFailed as failure:
            return Reading(resource, unknown=failure.reason)
        return Reading(resource, tuple(holdings))

    def _with_alias(self, mount: Mount) -> list[Entity]:
        there = [entity for entity, names in self._aliases.items() if any(n.accessor == mount.accessor for n in names)]
        return [entity for entity in map(self._entity, there) if entity]

    def _enabled(self, entity: Entity, mount: Mount, resource: Resource) -> Iterator[Holding]:
        account = account_of(resource.system, entity, mount.accessor, entity.id)
        self.accounts.setdefault(entity.id, account)
        if not entity.disabled and entity.name_on(mount.accessor):
            yield Holding(entity.id, account.handle, resource, "enabled")

    def _group(self, resource: Resource, group_id: str | None = None) -> Reading:
        try:
            group = self._vault.group(group_id) if group_id else self._vault.group_named(resource.name)
            if group is None:
                return Reading(resource, unknown=f"there is no group {resource.name!r}. Check the name, or create it.")
            holdings = {holding.account: holding for holding in self._members(group, resource)}
        except Unreachable:
            raise
        except SystemFailed as failure:
            return Reading(resource, unknown=failure.reason)
        return Reading(resource, tuple(holdings.values()))

    def _members(self, group: Group, resource: Resource) -> Iterator[Holding]:
        """Members through groups inside it first, so that a direct membership of the same entity comes out on top."""
        seen = {group.id}
        waiting = list(group.subgroups)
        while waiting:
            inner_id = waiting.pop()
            inner = None if inner_id in seen else self._vault.group(inner_id)
            seen.add(inner_id)
            if inner:
                waiting += inner.subgroups
                yield from (self._member(entity, resource, f"group:{inner.name}") for entity in inner.members)
        via = "identity provider" if group.external else "direct"
        yield from (self._member(entity, resource, via) for entity in group.members)

    def _member(self, entity_id: str, resource: Resource, via: str) -> Holding:
        account = self._account(entity_id)
        return Holding(entity_id, account.handle if account else entity_id, resource, "member", via=via)

    def _account(self, entity_id: str) -> Account | None:
        entity = self._entity(entity_id)
        if entity is None:
            return None
        login = self._mounts.get(self._login_mount.strip("/"))
        account = account_of(self._vault.system, entity, login.accessor if login else "", entity_id)
        return self.accounts.setdefault(entity_id, account)

    def _entity(self, entity_id: str) -> Entity | None:
        if entity_id not in self._entities:
            self._entities[entity_id] = self._vault.entity(entity_id)
        return self._entities[entity_id]
