"""Ending what hangs on a Vault login: live tokens, AppRole secret ids, leases of logins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from onboard.connectors.levers import Lever, pull_together
from onboard.connectors.vault.api import Answer, Clock, Entity, Vault
from onboard.connectors.vault.tokens import (
    SecretId,
    Token,
    display_names,
    login_prefix,
    scan,
    secret_ids,
    short,
)
from onboard.errors import SystemFailed
from onboard.model import Receipt


@dataclass(frozen=True, slots=True)
class Sweep:
    """How many live tokens of an entity were revoked, and how many tokens could not be looked up (403)."""

    revoked: int
    unreadable: int

    def __str__(self) -> str:
        told = f"{self.revoked} tokens revoked"
        return f"{told}, {self.unreadable} tokens could not be looked up" if self.unreadable else told


class Sweeper:
    """Ends them with a token that may write. Raises as base.Writer says, after trying all."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def tokens(
        self, entity_id: str, read: Callable[[], Entity | None], chosen: Callable[[Token], bool] = lambda _: True
    ) -> Sweep:
        """Revoke the chosen ones of the entity's live tokens and wrapped answers, with the leases made by them.

        `read` brings the entity, None where it can't be had; it is asked for after the tokens were looked up.
        Found by looking up every accessor. Where that breaks off, the leases of the entity's logins are revoked by
        name too, and the failure is raised after all.
        """
        found = scan(self._vault)
        entity = read()
        names = display_names(entity) if entity else set()
        mine = [token for token in found.tokens if token.of(entity_id, names) and chosen(token)]
        levers: list[Lever] = [partial(self._end_token, token.accessor) for token in mine]
        if found.broken:
            levers += [partial(self.login_leases, entity) if entity else list, partial(_fail, found.broken)]
        ended = pull_together(self._vault.system, levers)
        return Sweep(sum(receipt.changed for receipt in ended), found.unreadable)

    def token(self, entity_id: str, entity: Entity | None, name: str) -> Sweep:
        """Revoke the one whose accessor has this short name, if it is the entity's."""
        return self.tokens(entity_id, lambda: entity, lambda token: short(token.accessor) == name)

    def secret_ids(self, entity: Entity, name: str | None = None) -> list[Receipt]:
        """Destroy the secret ids of the AppRole roles that the entity logs in by, or the one of that name."""
        found = [each for each in secret_ids(self._vault, entity) if name in (None, each.name)]
        return pull_together(self._vault.system, [partial(self._destroy, each) for each in found])

    def login_leases(self, entity: Entity, path: str | None = None) -> list[Receipt]:
        """Revoke the leases of the entity's logins, on all mounts or on `auth/MOUNT/login`, and wait for it."""
        named = ((alias, login_prefix(self._vault, alias.name, alias.mount)) for alias in entity.aliases)
        prefixes = [at for alias, at in named if at and path in (None, f"auth/{alias.mount.path}/login")]
        return pull_together(self._vault.system, [partial(self._revoke_prefix, prefix) for prefix in prefixes])

    def _end_token(self, accessor: str) -> list[Receipt]:
        answer = self._vault.send("revoke a token", lambda c: c.auth.token.revoke_accessor(accessor))
        return [self._receipt(answer, "token gone" if answer.warnings else "")]

    def _destroy(self, secret: SecretId) -> list[Receipt]:
        path = f"/v1/auth/{secret.mount}/role/{secret.role}/secret-id-accessor/destroy"
        answer = self._vault.send(
            "destroy a secret id", lambda c: c.adapter.post(url=path, json={"secret_id_accessor": secret.accessor})
        )
        return [replace(self._receipt(answer), did="destroy a secret id")]

    def _revoke_prefix(self, prefix: str) -> list[Receipt]:
        """The call that hvac has can't ask for `sync`, without which revocations are only queued."""
        path = f"/v1/sys/leases/revoke-prefix/{prefix}"
        answer = self._vault.send("revoke leases of a login", lambda c: c.adapter.post(url=path, json={"sync": True}))
        return [self._receipt(answer)]

    def _receipt(self, answer: Answer, already: str = "") -> Receipt:
        return Receipt(already or str(answer.status), self._clock(), answer.request_id, changed=not already)


def _fail(failure: SystemFailed) -> Sequence[Receipt]:
    raise failure
