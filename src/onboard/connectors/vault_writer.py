"""Changing Vault: enabling and disabling entities, ending their tokens, membership of identity groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from pydantic import SecretStr

from onboard.connectors.base import Health
from onboard.connectors.levers import Lever, after, pull
from onboard.connectors.vault_api import Answer, Clock, Entity, Group, Mount, Vault, VaultRefused
from onboard.connectors.vault_health import writer_health
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Receipt, Resource, new_account_id

_LEVELS = {"login": "enabled", "group": "member"}
_ABSENT = "no such entity"


@dataclass(frozen=True, slots=True)
class Sweep:
    """How many live tokens of an entity were revoked, and how many tokens could not be looked up (403)."""

    revoked: int
    unreadable: int

    def __str__(self) -> str:
        told = f"{self.revoked} tokens revoked"
        return f"{told}, {self.unreadable} tokens could not be looked up" if self.unreadable else told


class VaultWriter:
    """Changes `login:MOUNT` and `group:NAME` of one Vault or OpenBao. Arguments as for VaultReader, another token.

    Entities are disabled, never deleted: after a deletion the next login would make a new one. An entity with aliases
    on several mounts is one account: closing one login closes them all. Policies, groups themselves and the users of
    an auth mount are never touched.
    """

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
        self._vault = Vault(system, addr, token, namespace, clock, retry=False)

    def grant(self, account: Account, resource: Resource, level: str) -> Receipt:
        """Enable the account's entity (made with its alias where there is none), or put it into the group.

        The receipt of a login carries the entity's id. Raises as base.Writer says.
        """
        self._check(resource, level)
        if resource.type == "login":
            return self._open(account, self._vault.mount(resource.name))
        entity = self._entity(account, self._login_mount)
        if entity is None:
            raise self._no(f"the account has no entity, so it can't join {resource}. Grant its login first.")
        return self._join(self._group(resource), entity.id)

    def revoke(self, account: Account, resource: Resource, level: str) -> Receipt:
        """Disable the account's entity and end its live tokens, or take it out of the group. Raises as grant does.

        The status of a login's receipt says how many tokens were revoked, and how many could not be looked up: should
        one of these be the account's, the disabled entity blocks it all the same.
        """
        self._check(resource, level)
        entity = self._entity(account, resource.name if resource.type == "login" else self._login_mount)
        if entity is None:
            return self._already(_ABSENT)
        return self._close(entity) if resource.type == "login" else self._leave(self._group(resource), entity.id)

    def replaces_all(self, resource: Resource) -> bool:
        """True for groups: their members can only be written as a whole (POST identity/group/id/…)."""
        return resource.type == "group"

    def cut_off(self, account: Account) -> Sequence[Receipt]:
        """Disable the entity, take it out of every group, revoke its tokens; found by its alias where its id is gone.

        Groups are written one by one, each right after it was read, without a lease: so hold theirs, or read them
        again afterwards. Raises as base.Writer says, after trying all.
        """
        entity_id = self._target(account)
        if entity_id is None:
            return [self._already(_ABSENT)]
        levers: list[Lever] = [
            lambda: [self._done(self._set_disabled(entity_id, disabled=True))],
            lambda: self._leave_all(entity_id),
            lambda: [self._already(str(self._sweep(entity_id)))],
        ]
        return pull(self.system, levers)

    def health(self) -> Health:
        """As base.Reader says; rights by `sys/capabilities-self`."""
        return writer_health(self._vault)

    # Logins

    def _open(self, account: Account, mount: Mount) -> Receipt:
        entity = self._entity(account, mount.path)
        if entity is None and account.external_id is not None:
            raise self._no("the entity that the account is bound to is gone. Bind the account again, then grant it.")
        if entity is None:
            return self._create(account, mount)
        if entity.name_on(mount.accessor) is None:
            raise self._no(f"the account's entity has no alias on {mount.path}. Add one, or bind the right account.")
        if not entity.disabled:
            return self._already("enabled", entity.id)
        return self._done(self._set_disabled(entity.id, disabled=False), entity.id)

    def _create(self, account: Account, mount: Mount) -> Receipt:
        """An entity with its alias. Its name comes from the account, so that another try goes on with the same one."""
        name = f"onboard-{account.id or new_account_id()}"
        made = self._vault.send(
            "make an entity",
            lambda c: c.secrets.identity.create_or_update_entity_by_name(
                name, metadata={"managed_by": "onboard"}, disabled=False
            ),
        )
        with after(self.system, "the entity was made"):
            entity_id = made.data.get("id") or self._made_before(name)
            answer = self._vault.send(
                f"give an entity its alias on {mount.path}",
                lambda c: c.secrets.identity.create_or_update_entity_alias(
                    name=account.handle, canonical_id=entity_id, mount_accessor=mount.accessor
                ),
            )
        return self._done(answer, entity_id)

    def _made_before(self, name: str) -> str:
        entity = self._vault.entity_named(name)
        if entity is None:
            raise self._no("the entity just made is gone again. Look who else changes entities there.")
        return entity.id

    def _close(self, entity: Entity) -> Receipt:
        if not entity.disabled:
            self._set_disabled(entity.id, disabled=True)
        with after(self.system, "the entity is disabled"):
            sweep = self._sweep(entity.id)
        changed = not entity.disabled or sweep.revoked > 0
        return Receipt(f"disabled, {sweep}", self._clock(), changed=changed, external_id=entity.id)

    def _set_disabled(self, entity_id: str, *, disabled: bool) -> Answer:
        return self._vault.send(
            "disable an entity" if disabled else "enable an entity",
            lambda c: c.secrets.identity.update_entity(entity_id, disabled=disabled),
        )

    def _sweep(self, entity_id: str) -> Sweep:
        """Revoke the entity's live tokens, with the leases made by them. Found by looking up every accessor.

        Raises after revoking what it found, where the search broke off or a revocation failed.
        """
        found = self._tokens_of(entity_id)
        levers: list[Lever] = [partial(self._end_token, accessor) for accessor in found.accessors]
        if found.broken:
            levers.append(partial(_fail, found.broken))
        revoked = pull(self.system, levers)
        return Sweep(sum(receipt.changed for receipt in revoked), found.unreadable)

    def _tokens_of(self, entity_id: str) -> _Found:
        found = _Found()
        accessors = self._vault.accessors()
        for accessor in accessors:
            try:
                if self._vault.token_owner(accessor) == entity_id:
                    found.accessors.append(accessor)
            except VaultRefused as refused:
                found.unreadable += 1
                if found.unreadable == len(accessors):
                    found.broken = refused
            except SystemFailed as failure:
                found.broken = failure
                break
        return found

    def _end_token(self, accessor: str) -> list[Receipt]:
        answer = self._vault.send("revoke a token", lambda c: c.auth.token.revoke_accessor(accessor))
        return [self._already("token gone") if answer.warnings else self._done(answer)]

    # Groups

    def _join(self, group: Group, entity_id: str) -> Receipt:
        if entity_id in group.members:
            return self._already("member", entity_id)
        return self._done(self._set_members(group, (*group.members, entity_id)), entity_id)

    def _leave(self, group: Group, entity_id: str) -> Receipt:
        if entity_id not in group.members:
            return self._already("no member", entity_id)
        others = tuple(member for member in group.members if member != entity_id)
        return self._done(self._set_members(group, others), entity_id)

    def _leave_all(self, entity_id: str) -> list[Receipt]:
        return pull(self.system, [partial(self._leave_one, group, entity_id) for group in self._groups_of(entity_id)])

    def _leave_one(self, group_id: str, entity_id: str) -> list[Receipt]:
        group = self._vault.group(group_id)
        return [self._leave(self._internal(group), entity_id)] if group and entity_id in group.members else []

    def _groups_of(self, entity_id: str) -> Sequence[str]:
        """The groups that the entity is in; all groups where it can't be read."""
        try:
            entity = self._vault.entity(entity_id)
        except SystemFailed:
            return list(self._vault.groups())
        return entity.groups if entity else ()

    def _set_members(self, group: Group, members: Sequence[str]) -> Answer:
        """Everything is sent as it was read: hvac sends what is left out as null, which empties it."""
        return self._vault.send(
            f"write the members of group {group.name}",
            lambda c: c.secrets.identity.update_group(
                group.id,
                group.name,
                group_type="internal",
                metadata=dict(group.metadata),
                policies=list(group.policies),
                member_group_ids=list(group.subgroups),
                member_entity_ids=list(members),
            ),
        )

    def _group(self, resource: Resource) -> Group:
        group = self._vault.group_named(resource.name)
        if group is None:
            raise self._no(f"there is no group {resource.name!r}. Check the name, or create it.")
        return self._internal(group)

    def _internal(self, group: Group) -> Group:
        if group.external:
            raise self._no(
                f"group {group.name} is external: its members come from the identity provider. Change them there."
            )
        return group

    # Both

    def _entity(self, account: Account, mount_path: str) -> Entity | None:
        """The entity that the account is bound to, or, where it is bound to none yet, the one with its alias there."""
        if account.external_id is not None:
            return self._vault.entity(account.external_id)
        return self._vault.entity_of(account.handle, self._vault.mount(mount_path))

    def _target(self, account: Account) -> str | None:
        """Whom to cut off: a failing read is no reason not to try the id that the account is bound to."""
        try:
            unbound = replace(account, external_id=None)
            entity = self._entity(account, self._login_mount) or self._entity(unbound, self._login_mount)
        except SystemFailed:
            if account.external_id is None:
                raise
            return account.external_id
        return entity.id if entity else None

    def _check(self, resource: Resource, level: str) -> None:
        if _LEVELS.get(resource.type) != level:
            raise self._no(f"{resource} has no level {level!r}. Expected login:MOUNT enabled, or group:NAME member.")

    def _no(self, reason: str) -> SystemRefused:
        return SystemRefused(self.system, reason)

    def _done(self, answer: Answer, entity_id: str | None = None) -> Receipt:
        return Receipt(str(answer.status), self._clock(), answer.request_id, external_id=entity_id)

    def _already(self, status: str, entity_id: str | None = None) -> Receipt:
        return Receipt(status, self._clock(), changed=False, external_id=entity_id)


@dataclass(slots=True)
class _Found:
    """A search for an entity's tokens: what it found so far, what it could not look up, and why it broke off."""

    accessors: list[str] = field(default_factory=list)
    unreadable: int = 0
    broken: SystemFailed | None = None


def _fail(failure: SystemFailed) -> list[Receipt]:
    raise failure
