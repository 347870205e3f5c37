"""Changing Vault: enabling and disabling entities, their policies, membership of identity groups; cutting off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic import SecretStr

from onboard.connectors.base import Health, Hold, unheld
from onboard.connectors.http import merged
from onboard.connectors.levers import after, holding
from onboard.connectors.pacing import UNPACED, Pace, urgently
from onboard.connectors.vault.api import Answer, Clock, Entity, Group, Mount, Vault
from onboard.connectors.vault.cutoff import ABSENT, CutOff
from onboard.connectors.vault.health import writer_health
from onboard.connectors.vault.sweep import Sweeper
from onboard.connectors.vault.tokens import has_user
from onboard.errors import SystemRefused
from onboard.ids import new_account_id
from onboard.model import Account, Receipt, Resource

_LEVELS = {"login": "enabled", "group": "member"}
#: What can be taken away but is never given: it comes by itself, or goes against giving rights through groups.
_ONLY_TAKEN = frozenset({"policy", "token", "approle", "lease"})


class VaultWriter:
    """Changes `login:MOUNT` and `group:NAME` of one Vault or OpenBao. Arguments as for VaultReader, another token.

    Takes away, too, what is never granted here: `policy:NAME` (from the entity), `token:HASH`, a secret id
    `approle:MOUNT/ROLE#HASH` and `lease:auth/MOUNT/login`, each as VaultReader names it.

    Entities are disabled, never deleted: after a deletion the next login would make a new one. An entity with aliases
    on several mounts is one account: closing one login closes them all. A user of the login mount who has no entity
    yet gets a disabled one, so that they can't log in. Policies, groups themselves and the users of an auth mount are
    never touched.
    """

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
        self._vault = Vault(system, addr, token, namespace, clock, retry=False, pace=pace)
        self._sweeper = Sweeper(self._vault, clock)

    def grant(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Enable the account's entity (made with its alias where there is none), or put it into the group.

        The receipt of a login carries the entity's id. Raises as base.Writer says.
        """
        self._check(resource, level)
        if resource.type == "login":
            return self._open(account, self._vault.mount(resource.name))
        entity = self._entity(account, self._login_mount)
        if entity is None:
            raise self._no(f"the account has no entity, so it can't join {resource}. Grant its login first.")
        with holding(hold, resource) as still:
            return self._join(self._group(resource), entity.id, still)

    @urgently
    def revoke(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Disable the account's entity and end its tokens and secret ids, or take the one thing. Raises as grant does.

        The status of a login's receipt says how many tokens were revoked, and how many could not be looked up: should
        one of these be the account's, the disabled entity blocks it all the same.
        """
        if resource.type not in _ONLY_TAKEN:
            self._check(resource, level)
        entity = self._entity(account, resource.name if resource.type == "login" else self._login_mount)
        if resource.type == "token" and account.external_id is not None:
            return self._end_token(account.external_id, entity, resource.name)
        if entity is None:
            return self._shut_out(account, resource.name) if resource.type == "login" else self._already(ABSENT)
        if resource.type == "login":
            return self._close(entity)
        if resource.type == "group":
            with holding(hold, resource) as still:
                return self._leave(self._group(resource), entity.id, still)
        return self._take(entity, resource)

    def replaces_all(self, resource: Resource) -> bool:
        """True for groups: their members can only be written as a whole (POST identity/group/id/…)."""
        return resource.type == "group"

    @urgently
    def cut_off(self, account: Account, hold: Hold = unheld) -> Sequence[Receipt]:
        """Disable the entity by its id and take its policies; beside that, revoke its tokens, take its groups and
        destroy its secret ids. It is found by its alias where its id is gone.

        Groups are written one by one, each read again while it is held. What an identity provider puts it in stays.
        Raises as base.Writer says, after trying all.
        """
        named = lambda unbound: self._entity(unbound, self._login_mount)  # noqa: E731
        shut_out = lambda unbound: self._shut_out(unbound, self._login_mount)  # noqa: E731
        return CutOff(self._vault, self._clock, account, named, shut_out, self._leave).pull(hold)

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

    def _shut_out(self, account: Account, mount_path: str) -> Receipt:
        """Give a user of the mount who has no entity a disabled one: logging in would make one that isn't."""
        mount = self._vault.mount(mount_path)
        if not has_user(self._vault, account.handle, mount):
            return self._already(ABSENT)
        made = self._create(account, mount, disabled=True)
        return replace(made, status="shut out", external_id=None, did=f"shut the user out of {mount.path}")

    def _create(self, account: Account, mount: Mount, *, disabled: bool = False) -> Receipt:
        """An entity with its alias. Its name comes from the account, so that another try goes on with the same one."""
        name = f"onboard-{account.id or new_account_id()}"
        made = self._vault.send(
            "make an entity",
            lambda c: c.secrets.identity.create_or_update_entity_by_name(
                name, metadata={"managed_by": "onboard"}, disabled=disabled
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
            sweep = self._sweeper.tokens(entity.id, lambda: entity)
            destroyed = self._sweeper.secret_ids(entity)
        changed = not entity.disabled or sweep.revoked > 0 or bool(destroyed)
        return Receipt(f"disabled, {sweep}", self._clock(), changed=changed, external_id=entity.id)

    def _set_disabled(self, entity_id: str, *, disabled: bool) -> Answer:
        return self._vault.send(
            "disable an entity" if disabled else "enable an entity",
            lambda c: c.secrets.identity.update_entity(entity_id, disabled=disabled),
        )

    # Policies, and what hangs on a login

    def _take(self, entity: Entity, resource: Resource) -> Receipt:
        if resource.type == "policy":
            return self._drop_policy(entity, resource.name)
        if resource.type == "token":
            return self._end_token(entity.id, entity, resource.name)
        end = self._sweeper.secret_ids if resource.type == "approle" else self._sweeper.login_leases
        return merged(end(entity, resource.name), self._clock())

    def _end_token(self, entity_id: str, entity: Entity | None, name: str) -> Receipt:
        """End one live token, also one that outlived its entity: Vault lists it on though it opens nothing."""
        sweep = self._sweeper.token(entity_id, entity, name)
        return Receipt(str(sweep), self._clock(), changed=sweep.revoked > 0)

    def _drop_policy(self, entity: Entity, name: str) -> Receipt:
        """Take one policy from the entity."""
        kept = [policy for policy in entity.policies if policy != name]
        if len(kept) == len(entity.policies):
            return self._already("no such policy", entity.id)
        answer = self._vault.send(
            "write the policies of an entity",
            lambda c: c.secrets.identity.update_entity(entity.id, policies=kept),
        )
        return self._done(answer, entity.id)

    # Groups

    def _join(self, group: Group, entity_id: str, still: Callable[[], None]) -> Receipt:
        if entity_id in group.members:
            return self._already("member", entity_id)
        return self._done(self._set_members(group, (*group.members, entity_id), still), entity_id)

    def _leave(self, group: Group, entity_id: str, still: Callable[[], None]) -> Receipt:
        if entity_id not in group.members:
            return self._already("no member", entity_id)
        others = tuple(member for member in group.members if member != entity_id)
        left = self._done(self._set_members(group, others, still), entity_id)
        return replace(left, did=f"remove from group {group.name}")

    def _set_members(self, group: Group, members: Sequence[str], still: Callable[[], None]) -> Answer:
        """Everything is sent as it was read: hvac sends what is left out as null, which empties it."""
        still()
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

    def _check(self, resource: Resource, level: str) -> None:
        if _LEVELS.get(resource.type) != level:
            raise self._no(f"{resource} has no level {level!r}. Expected login:MOUNT enabled, or group:NAME member.")

    def _no(self, reason: str) -> SystemRefused:
        return SystemRefused(self.system, reason)

    def _done(self, answer: Answer, entity_id: str | None = None) -> Receipt:
        return Receipt(str(answer.status), self._clock(), answer.request_id, external_id=entity_id)

    def _already(self, status: str, entity_id: str | None = None) -> Receipt:
        return Receipt(status, self._clock(), changed=False, external_id=entity_id)
