"""How far an account reaches in Vault: the rules of every policy that its entity holds, added up on any path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onboard.connectors.http import side_by_side
from onboard.connectors.vault.acl import Rule, Unparsable, capabilities_on, rules_of
from onboard.connectors.vault.api import Entity, Group, Vault
from onboard.errors import SystemFailed
from onboard.model import Account

#: Every token carries it unless it was made without.
_DEFAULT = "default"
_EVERYTHING = frozenset({"root"})


@dataclass(frozen=True, slots=True)
class Reach:
    """An entity's rules, and the policies whose rules are unknown, each with the reason.

    Policies that a login adds of its own (`token_policies` of a user or a role) are not among them.
    """

    rules: tuple[Rule, ...]
    unknown: tuple[tuple[str, str], ...] = ()

    def on(self, path: str) -> frozenset[str]:
        """The capabilities on a path such as `secret/data/payments/dev/db`; `root` alone for the policy root."""
        if any(rule.capabilities == _EVERYTHING for rule in self.rules):
            return _EVERYTHING
        return capabilities_on(self.rules, path)

    def beyond(self, allowed: tuple[str, ...]) -> tuple[Rule, ...]:
        """The rules that reach outside these paths, each a pattern as in a policy (`secret/data/payments/dev/*`).

        What `default` gives and what only denies is left out.
        """
        within = [Rule(pattern, frozenset(), "") for pattern in allowed]
        return tuple(
            rule
            for rule in self.rules
            if rule.policy != _DEFAULT
            and "deny" not in rule.capabilities
            and not any(limit.path == rule.path or limit.covers(rule.path) for limit in within)
        )


def reach(vault: Vault, account: Account, login_mount: str) -> Reach:
    """Read it: the entity, its groups, and each policy once. Raises SystemFailed where it has no entity."""
    entity = _entity(vault, account, login_mount)
    groups = side_by_side(vault.group, (*entity.groups, *entity.inherited))
    policies = {_DEFAULT, *entity.policies, *(name for group in groups if group for name in group.policies)}
    names = dict(_names(entity, [group for group in groups if group]))
    found = side_by_side(lambda policy: _rules(vault, policy, names), sorted(policies))
    return Reach(
        tuple(rule for each in found for rule in each.rules), tuple(line for each in found for line in each.unknown)
    )


def _entity(vault: Vault, account: Account, login_mount: str) -> Entity:
    if account.external_id is not None:
        entity = vault.entity(account.external_id)
    else:
        entity = vault.entity_of(account.handle, vault.mount(login_mount))
    if entity is None:
        raise SystemFailed(vault.system, "the account has no entity, so it reaches nothing. Grant its login first.")
    return entity


def _rules(vault: Vault, policy: str, names: Mapping[str, str]) -> Reach:
    if policy == "root":
        return Reach((Rule("*", _EVERYTHING, policy),))
    try:
        text = vault.policy(policy)
        return Reach(rules_of(policy, text, names) if text else ())
    except SystemFailed as failure:
        return Reach((), ((policy, failure.reason),))
    except Unparsable as error:
        return Reach((), ((policy, f"its text can't be understood: {error}"),))


def _names(entity: Entity, groups: list[Group]) -> Iterator[tuple[str, str]]:
    """What the templates of policies stand for, for this entity."""
    yield "identity.entity.id", entity.id
    yield "identity.entity.name", entity.name
    yield from ((f"identity.entity.metadata.{key}", value) for key, value in entity.metadata.items())
    for alias in entity.aliases:
        yield f"identity.entity.aliases.{alias.mount.accessor}.id", alias.id
        yield f"identity.entity.aliases.{alias.mount.accessor}.name", alias.name
    for group in groups:
        yield f"identity.groups.names.{group.name}.id", group.id
        yield f"identity.groups.ids.{group.id}.name", group.name
