"""The kill switch: everything by which somebody may hold access in Vault, the coarsest lever at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from onboard.connectors.base import Hold
from onboard.connectors.levers import Lever, Once, holding, pull_together
from onboard.connectors.vault.api import Clock, Entity, Group, Vault
from onboard.connectors.vault.sweep import Sweeper
from onboard.errors import SystemFailed
from onboard.model import Account, Receipt, Resource

#: Takes an entity out of a group that is held; the last argument is what holding it yielded.
Leave = Callable[[Group, str, Callable[[], None]], Receipt]

ABSENT = "no such entity"


class CutOff:
    """Pulls every lever on one account.

    `named` finds the entity that answers to the account's name; `shut_out` keeps whoever has none from logging in.
    """

    def __init__(
        self,
        vault: Vault,
        clock: Clock,
        account: Account,
        named: Callable[[Account], Entity | None],
        shut_out: Callable[[Account], Receipt],
        leave: Leave,
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._account = account
        self._named = named
        self._shut_out = shut_out
        self._leave = leave
        self._sweeper = Sweeper(vault, clock)

    def pull(self, hold: Hold) -> list[Receipt]:
        """The receipts of all levers, each pulled whatever became of the others.

        Of a bound account nothing is looked up first: its entity is disabled by its id while it is being read for the
        finer levers. An entity that is gone is followed by the account's name. Raises what failed, after all.
        """
        known = self._account.external_id
        if known is None:
            return self._by_name(hold)
        target = _Target(known, Once(partial(self._vault.entity, known)))
        try:
            return self._everything(target, hold)
        except SystemFailed:
            if target.readable and target.found is None:
                return self._by_name(hold)
            raise

    def _by_name(self, hold: Hold) -> list[Receipt]:
        unbound = replace(self._account, external_id=None)
        entity = self._named(unbound)
        if entity is None:
            return [self._shut_out(unbound)]
        return self._everything(_Target(entity.id, Once(lambda: entity)), hold)

    def _everything(self, target: _Target, hold: Hold) -> list[Receipt]:
        levers: tuple[Lever, ...] = (
            partial(self._close, target),
            partial(self._end_tokens, target),
            partial(self._leave_all, target, hold),
            partial(self._end_secret_ids, target),
        )
        return pull_together(self._vault.system, levers)

    def _close(self, target: _Target) -> Sequence[Receipt]:
        """Disable the entity, and take the policies that are attached to it, in one request."""
        answer = self._vault.send(
            "disable an entity", lambda c: c.secrets.identity.update_entity(target.id, disabled=True, policies=[])
        )
        return [Receipt(str(answer.status), self._clock(), answer.request_id, did="disable the entity")]

    def _end_tokens(self, target: _Target) -> Sequence[Receipt]:
        sweep = self._sweeper.tokens(target.id, lambda: target.found)
        ended = f"end {sweep.revoked} live token{'' if sweep.revoked == 1 else 's'}"
        return [Receipt(str(sweep), self._clock(), changed=sweep.revoked > 0, did=ended)]

    def _end_secret_ids(self, target: _Target) -> Sequence[Receipt]:
        entity = target.found
        return self._sweeper.secret_ids(entity) if entity else []

    def _leave_all(self, target: _Target, hold: Hold) -> Sequence[Receipt]:
        """Out of the groups that the entity is in; out of all where it can't be read."""
        try:
            names = self._vault.groups()  # while the entity is being read
        except SystemFailed:
            names = {}
        entity = target.found
        if entity is None and target.readable:
            return []
        groups = entity.groups if entity else (list(names) or list(self._vault.groups()))
        sure = names if entity else {}
        return pull_together(
            self._vault.system, [partial(self._leave_one, each, sure.get(each), target.id, hold) for each in groups]
        )

    def _leave_one(self, group_id: str, name: str | None, entity_id: str, hold: Hold) -> Sequence[Receipt]:
        """Out of one group, which is read while it is held; to hold it, its `name` has to be known."""
        if name is None:
            group = self._vault.group(group_id)
            if group is None or entity_id not in group.members:
                return []
            name = group.name
        with holding(hold, Resource(self._vault.system, "group", name)) as still:
            group = self._vault.group(group_id)
            if group is None or entity_id not in group.members:
                return []
            if group.external:
                return [Receipt("an identity provider's", self._clock(), changed=False)]
            return [self._leave(group, entity_id, still)]


class _Target:
    """The entity to cut off: its id, and itself as far as it can be read."""

    def __init__(self, id_: str, read: Once[Entity | None]) -> None:
        self.id = id_
        self._read = read

    @property
    def found(self) -> Entity | None:
        """The entity; None where it is gone or can't be read."""
        try:
            return self._read()
        except SystemFailed:
            return None

    @property
    def readable(self) -> bool:
        """Whether it could be read."""
        try:
            self._read()
        except SystemFailed:
            return False
        return True
