"""Reading Vault: who may log in through an auth mount, who is in an identity group, who holds a policy directly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar

from pydantic import SecretStr

from onboard.connectors.base import Capability, Health, Residue, Scope
from onboard.connectors.http import Unreachable, side_by_side
from onboard.connectors.pacing import UNPACED, Pace
from onboard.connectors.vault.api import Alias, Clock, Entity, Group, Mount, Vault
from onboard.connectors.vault.health import capabilities, reader_health
from onboard.connectors.vault.reach import Reach, reach
from onboard.connectors.vault.residue import residue
from onboard.connectors.vault.tokens import scan, short
from onboard.errors import SystemFailed
from onboard.model import Account, AccountState, Holding, Kind, Observation, Reading, Resource

T = TypeVar("T")

#: Stands for every policy of the entities that couldn't be read.
_ANY_POLICY = "(any)"


class VaultReader:
    """Reads `login:MOUNT` (enabled entities with an alias there), `group:NAME` and `policy:NAME` (attached to an entity
    itself) of one Vault or OpenBao.

    `addr` is the server's address without `/v1`, `login_mount` the auth mount whose names people are found by. Uses
    LIST and GET on identity, `identity/lookup/entity`, `sys/auth`: rights that change nothing. `token:HASH`, a live
    token by the hash of its accessor, is read where it is asked for; what else hangs on a login is in `residue`.
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
        pace: Pace = UNPACED,
    ) -> None:
        self.system = system
        self._login_mount = login_mount
        self._clock = clock
        self._vault = Vault(system, addr, token, namespace, clock, retry=True, pace=pace)

    def read(self, scope: Scope) -> Observation:
        """As base.Reader says. Without a scope: every auth mount but `token`, every group, every policy of an entity.

        One call for each entity and each group, and three for the lists. A disabled entity holds no login, and its
        account is suspended; it stays listed in its groups and keeps its policies. Where an entity can't be read, the
        logins on its mounts and `policy:(any)` are unknown, and the observation isn't complete.
        """
        at = self._clock()
        visit = _Visit(self._vault, self._login_mount)
        try:
            readings = dict(visit.everything() if scope.resources is None else visit.of(sorted(scope.resources)))
        except SystemFailed as failure:
            return Observation(self.system, at, unknown=failure.reason)
        complete = scope.resources is None and not visit.failed
        return Observation(self.system, at, readings, visit.accounts, complete=complete)

    def residue(self, account: Account) -> Residue:
        """What the account still holds, read again by every route: logins, groups, policies, tokens, secret ids,
        leases, roles that name it, and other entities that answer to its name.

        Raises nothing for what Vault does: a route that can't be read is unknown with the reason.
        """
        return residue(self._vault, account, self._login_mount, self._clock())

    def live_tokens(self) -> Counter[str]:
        """How many live tokens each entity has, by its id: one look at all of them. Raises SystemFailed."""
        found = scan(self._vault)
        if found.broken:
            raise found.broken
        return Counter(token.entity for token in found.tokens if token.entity)

    def reach(self, account: Account) -> Reach:
        """The rules of every policy that the account's entity holds, by itself, through groups and by `default`.

        Raises SystemFailed where the entity or its groups can't be read; a policy that can't is named in the answer.
        """
        return reach(self._vault, account, self._login_mount)

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

    def capabilities(self) -> tuple[Capability, ...]:
        """The server and its version, auth methods, secret engines, quotas, and which routes the token can read."""
        return capabilities(self._vault)


def account_of(system: str, entity: Entity, accessor: str, otherwise: str) -> Account:
    """The account that an entity is, by its name on that mount, else by another alias, else `otherwise`."""
    handle = entity.name_on(accessor) or next((alias.name for alias in entity.aliases), otherwise)
    state = AccountState.SUSPENDED if entity.disabled else AccountState.ACTIVE
    return Account(id="", system=system, external_id=entity.id, handle=handle, state=state)


class _Visit:
    """One reading: every entity, group, mount and list is asked for at most once, several at a time."""

    def __init__(self, vault: Vault, login_mount: str) -> None:
        self._vault = vault
        self._login_mount = login_mount
        self._entities: dict[str, Entity | None] = {}
        self._groups: dict[str, Group | None] = {}
        self.failed: dict[str, SystemFailed] = {}
        self.accounts: dict[str, Account] = {}

    @cached_property
    def _mounts(self) -> dict[str, Mount]:
        return self._vault.mounts()

    @cached_property
    def _aliases(self) -> dict[str, tuple[Alias, ...]]:
        return self._vault.aliases()

    def everything(self) -> Iterator[tuple[Resource, Reading]]:
        """Every auth mount, group and policy held. Raises SystemFailed where mounts or groups can't be listed."""
        system = self._vault.system
        yield from self.of([Resource(system, "login", m.path) for m in self._mounts.values() if m.type != "token"])
        names = self._vault.groups()
        failures = self._fetch_groups(names)
        for group_id, name in names.items():
            resource = Resource(system, "group", name)
            if failure := failures.get(group_id):
                yield resource, Reading(resource, unknown=failure.reason)
            else:
                yield resource, self._known(resource, lambda r, g=group_id: self._in_group(r, self._group(g)))  # type: ignore[misc]
        yield from self._policies_held()

    def of(self, resources: Iterable[Resource]) -> Iterator[tuple[Resource, Reading]]:
        """A reading of each resource. Raises Unreachable, because then nothing else will answer either."""
        for resource in resources:
            yield resource, self._known(resource, self._route(resource.type))

    def _route(self, type_: str) -> Callable[[Resource], Sequence[Holding]]:
        routes = {"login": self._login, "group": self._named, "policy": self._policy, "token": self._token}
        return routes.get(type_, self._no_such_type)

    def _known(self, resource: Resource, holdings: Callable[[Resource], Sequence[Holding]]) -> Reading:
        try:
            return Reading(resource, tuple(holdings(resource)))
        except Unreachable:
            raise
        except SystemFailed as failure:
            return Reading(resource, unknown=failure.reason)

    def _no_such_type(self, resource: Resource) -> Sequence[Holding]:
        raise SystemFailed(
            resource.system,
            f"Vault has no {resource.type!r}. Expected login:MOUNT, group:NAME, policy:NAME or token:HASH.",
        )

    # Logins

    def _login(self, resource: Resource) -> Sequence[Holding]:
        mount = self._mounts.get(resource.name.strip("/"))
        if mount is None:
            raise SystemFailed(
                resource.system, f"there is no auth mount {resource.name!r}. Check the name, or enable it."
            )
        there = [
            entity for entity, names in self._aliases.items() if any(n.mount.accessor == mount.accessor for n in names)
        ]
        return [held for entity in self._all(there) for held in self._enabled(entity, mount, resource)]

    def _enabled(self, entity: Entity, mount: Mount, resource: Resource) -> Iterator[Holding]:
        account = account_of(resource.system, entity, mount.accessor, entity.id)
        self.accounts.setdefault(entity.id, account)
        if not entity.disabled and entity.name_on(mount.accessor):
            yield Holding(entity.id, account.handle, resource, "enabled")

    # Policies and tokens

    def _policies_held(self) -> Iterator[tuple[Resource, Reading]]:
        """A reading of every policy that some entity holds itself; of `(any)` where not all entities could be read."""
        try:
            self._all(self._aliases)
        except Unreachable:
            raise
        except SystemFailed as failure:
            resource = Resource(self._vault.system, "policy", _ANY_POLICY)
            yield resource, Reading(resource, unknown=failure.reason)
        held = {policy for entity in self._entities.values() if entity for policy in entity.policies}
        for name in sorted(held):
            resource = Resource(self._vault.system, "policy", name)
            if self.failed:
                yield resource, Reading(resource, unknown="not every entity could be read")
            else:
                yield resource, self._known(resource, self._policy)

    def _policy(self, resource: Resource) -> Sequence[Holding]:
        holders = [entity for entity in self._all(self._aliases) if resource.name in entity.policies]
        return [Holding(entity.id, self._handle(entity.id), resource, "direct") for entity in holders]

    def _token(self, resource: Resource) -> Sequence[Holding]:
        found = scan(self._vault)
        if found.unknown:
            raise SystemFailed(resource.system, found.unknown)
        owners = [token.entity for token in found.tokens if short(token.accessor) == resource.name and token.entity]
        self._fetch(owners)
        return [Holding(owner, self._handle(owner), resource, "live") for owner in owners]

    # Groups

    def _named(self, resource: Resource) -> Sequence[Holding]:
        return self._in_group(resource, self._vault.group_named(resource.name))

    def _in_group(self, resource: Resource, group: Group | None) -> Sequence[Holding]:
        if group is None:
            raise SystemFailed(resource.system, f"there is no group {resource.name!r}. Check the name, or create it.")
        held = list(self._members(group))
        self._fetch(entity for entity, _ in held)
        holdings = {entity: Holding(entity, self._handle(entity), resource, "member", via=via) for entity, via in held}
        return tuple(holdings.values())

    def _members(self, group: Group) -> Iterator[tuple[str, str]]:
        """Members through groups inside it first, so that a direct membership of the same entity comes out on top."""
        seen = {group.id}
        waiting = list(group.subgroups)
        while waiting:
            inner_id = waiting.pop()
            inner = None if inner_id in seen else self._group(inner_id)
            seen.add(inner_id)
            if inner:
                waiting += inner.subgroups
                yield from ((entity, f"group:{inner.name}") for entity in inner.members)
        via = "identity provider" if group.external else "direct"
        yield from ((entity, via) for entity in group.members)

    def _group(self, group_id: str) -> Group | None:
        if group_id not in self._groups:
            self._groups[group_id] = self._vault.group(group_id)
        return self._groups[group_id]

    def _fetch_groups(self, ids: Iterable[str]) -> dict[str, SystemFailed]:
        """Read these groups, several at a time; the failures by id."""
        return _fetched(ids, self._vault.group, self._groups)

    # Entities

    def _all(self, ids: Collection[str]) -> list[Entity]:
        """These entities, without those that are gone. Raises the first failure among them."""
        self._fetch(ids)
        for entity in ids:
            if entity in self.failed:
                raise self.failed[entity]
        return [entity for entity in map(self._entities.get, ids) if entity]

    def _fetch(self, ids: Iterable[str]) -> None:
        """Read these entities, several at a time, unless they have been read or have failed before."""
        missing = [each for each in dict.fromkeys(ids) if each not in self._entities and each not in self.failed]
        self.failed |= _fetched(missing, self._vault.entity, self._entities)
        for each in missing:
            if entity := self._entities.get(each):
                account = account_of(self._vault.system, entity, self._login_accessor, each)
                self.accounts.setdefault(each, account)

    @cached_property
    def _login_accessor(self) -> str:
        """Empty where it can't be read: people are then called by any alias of theirs."""
        try:
            mount = self._mounts.get(self._login_mount.strip("/"))
        except Unreachable:
            raise
        except SystemFailed:
            return ""
        return mount.accessor if mount else ""

    def _handle(self, entity_id: str) -> str:
        account = self.accounts.get(entity_id)
        return account.handle if account else entity_id


def _fetched(ids: Iterable[str], ask: Callable[[str], T], into: dict[str, T]) -> dict[str, SystemFailed]:
    """Ask for each, several at a time, into a dictionary; the failures by id. Raises Unreachable."""
    failures: dict[str, SystemFailed] = {}

    def fetch(each: str) -> None:
        try:
            into[each] = ask(each)
        except Unreachable:
            raise
        except SystemFailed as failure:
            failures[each] = failure

    side_by_side(fetch, ids)
    return failures
