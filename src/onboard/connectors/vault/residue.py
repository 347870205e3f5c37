"""What an account still holds in Vault, read again by every route."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from onboard.connectors.base import Residue, Unverifiable
from onboard.connectors.http import side_by_side
from onboard.connectors.levers import Once, every, gather
from onboard.connectors.vault.api import Entity, Mount, Vault
from onboard.connectors.vault.tokens import (
    display_names,
    has_user,
    leasing,
    login_leases,
    longest,
    roles_naming,
    scan,
    secret_ids,
    short,
)
from onboard.errors import SystemFailed
from onboard.model import Account, Holding, Resource


def residue(vault: Vault, account: Account, login_mount: str, now: datetime) -> Residue:
    """As base.Reader says. A disabled entity holds no login and its tokens are refused, but what it keeps is told."""
    try:
        search = _Search(vault, account, login_mount)
    except SystemFailed as failure:
        return Residue(now, (), unknown=(("everything", failure.reason),))
    routes = {
        "logins": search.logins,
        "policies of the entity": search.policies,
        "groups": search.groups,
        "tokens": search.tokens,
        "AppRole secret ids": search.secret_ids,
        "leases of logins": search.leases,
        "JWT and OIDC roles": search.roles,
        "users without an entity": search.users,
    }
    beyond = (search.batch_tokens, search.ownerless, search.leases_of_engines, search.namesakes)
    return gather(now, routes, *beyond)


class _Search:
    """The account's entity (None where it is gone), the auth mounts, and the routes that start from them."""

    def __init__(self, vault: Vault, account: Account, login_mount: str) -> None:
        """Raises SystemFailed where mounts or entity can't be read."""
        self._vault = vault
        self._account = account
        self._scan = Once(partial(scan, vault))
        known = account.external_id
        asked: tuple[Callable[[], Any], ...] = (vault.mounts, lambda: vault.entity(known) if known else None)
        mounts, entity = side_by_side(lambda ask: ask(), asked)
        self._mounts: list[Mount] = list(mounts.values())
        self._login = next((mount for mount in self._mounts if mount.path == login_mount.strip("/")), None)
        self._entity: Entity | None = entity if known else self._named()

    def _named(self) -> Entity | None:
        return self._vault.entity_of(self._account.handle, self._login) if self._login else None

    def logins(self) -> Iterator[Holding]:
        """Every mount where the entity is known, while it is enabled."""
        if self._entity and not self._entity.disabled:
            for mount in self._mounts:
                if self._entity.name_on(mount.accessor):
                    yield self._holding("login", mount.path, "enabled")

    def policies(self) -> Iterator[Holding]:
        """Those attached to the entity itself."""
        yield from (self._holding("policy", name, "direct") for name in (self._entity.policies if self._entity else ()))

    def groups(self) -> Iterator[Holding]:
        """Those it is in itself, or by an identity provider, and those it is in through other groups."""
        own, inherited = (self._entity.groups, self._entity.inherited) if self._entity else ((), ())
        for group in every(self._vault.group, [*own, *inherited]):
            if group:
                via = "identity provider" if group.external else "direct"
                yield self._holding("group", group.name, "member", via if group.id in own else "a group inside it")

    def tokens(self) -> Iterator[Holding]:
        """Live tokens of the entity, and wrapped answers that its logins asked for and nobody has fetched yet."""
        names = display_names(self._entity) if self._entity else set()
        found = self._scan()
        for token in found.tokens:
            if token.of(self._entity_id, names):
                yield self._holding("token", short(token.accessor), "wrapped answer" if token.wraps else "live")
        if found.unknown:
            raise SystemFailed(self._vault.system, found.unknown)

    def secret_ids(self) -> Iterator[Holding]:
        """Those of the AppRole roles that the entity logs in by."""
        for secret in secret_ids(self._vault, self._entity) if self._entity else ():
            yield self._holding("approle", secret.name, "usable")

    def leases(self) -> Iterator[Holding]:
        """Whether logins under the account's names are still leased."""
        named = [(mount, name) for mount in self._mounts for name in self._names_on(mount)]
        leased = every(lambda each: each[0].path if login_leases(self._vault, each[1], each[0]) else None, named)
        for path in dict.fromkeys(filter(None, leased)):
            yield self._holding("lease", f"auth/{path}/login", "live")

    def roles(self) -> Iterator[Holding]:
        """JWT and OIDC roles bound to one of its names, unless the entity that they lead to is this one, disabled."""
        names = {alias.name for alias in self._entity.aliases} if self._entity else set()
        shut = {m for m in self._mounts if self._entity and self._entity.disabled and self._entity.name_on(m.accessor)}
        naming = partial(roles_naming, self._vault, {*names, self._account.handle})
        for roles in every(lambda mount: [(mount.path, role) for role in naming(mount)], set(self._mounts) - shut):
            for path, role in roles:
                yield self._holding("jwt-role", f"{path}/{role}", "bound", "a claim that the role asks for")

    def users(self) -> Iterator[Holding]:
        """A user of the login mount that no entity belongs to: logging in would make one."""
        mount, name = self._login, self._account.handle
        if mount and has_user(self._vault, name, mount) and self._vault.entity_of(name, mount) is None:
            yield self._holding("login", mount.path, "enabled")

    def batch_tokens(self) -> Iterator[Unverifiable]:
        """They have no accessor. With the longest that the mounts of the account's logins let them live."""
        paths = [mount.path for mount in self._mounts if mount.type == "token" or self._names_on(mount)]
        shut = self._entity is None or self._entity.disabled
        why = "have no accessor, so they can't be listed or revoked"
        why += "; they are refused as long as the entity stays disabled or gone" if shut else ""
        yield self._living("batch tokens", why, [f"auth/{path}" for path in paths])

    def ownerless(self) -> Iterator[Unverifiable]:
        """Tokens that belong to no entity: root's, and orphans, which say nothing of who made them."""
        tokens = [token for token in self._scan().tokens if not token.entity]
        lives = [token.ttl for token in tokens if token.ttl is not None]
        if tokens:
            end = max(lives) if len(lives) == len(tokens) else None
            yield Unverifiable(f"{len(tokens)} tokens without an entity", "don't say who made them", end)

    def leases_of_engines(self) -> Iterator[Unverifiable]:
        """Of dynamic secrets; and what was read while it could be."""
        yield Unverifiable(
            "secrets already read",
            "stay known to whoever read them",
            by_hand="change the secrets that the person could read",
        )
        why = "don't say whose token asked for them; those of revoked tokens are revoked with them"
        yield from every(lambda engine: self._living(f"leases under {engine}", why, [engine]), leasing(self._vault))

    def _living(self, what: str, why: str, mounts: list[str]) -> Unverifiable:
        """With the longest that what these mounts issue may live, where that can be read."""
        try:
            return Unverifiable(what, why, longest(self._vault, mounts))
        except SystemFailed:
            return Unverifiable(what, f"{why}; for how long can't be read", None)

    def namesakes(self) -> Iterator[Unverifiable]:
        """Logins of other entities that have one of the account's names."""
        names = {name.lower() for mount in self._mounts for name in self._names_on(mount)}
        for entity, aliases in self._vault.aliases().items():
            for alias in aliases if entity != self._entity_id else ():
                if alias.name.lower() in names:
                    what, why = f"login:{alias.mount.path} of another entity", "answers to the same name"
                    yield Unverifiable(what, f"{why}; whether it is the same person's can't be told", None)

    def _names_on(self, mount: Mount) -> set[str]:
        """The entity's name there; on the login mount also the handle, should the entity be gone."""
        own = self._entity.name_on(mount.accessor) if self._entity else None
        return {name for name in (own, self._account.handle if mount == self._login else None) if name}

    @property
    def _entity_id(self) -> str:
        return self._entity.id if self._entity else self._account.external_id or ""

    def _holding(self, type_: str, name: str, level: str, via: str = "direct") -> Holding:
        resource = Resource(self._vault.system, type_, name)
        return Holding(self._entity_id or self._account.handle, self._account.handle, resource, level, via=via)
