"""Vault policies whose rules reach farther than the catalogue says that the groups carrying them may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from onboard.connectors.vault.reach import Reach
from onboard.engine.parallel import each
from onboard.errors import SystemFailed
from onboard.model import Account, Observation, Resource
from onboard.policy.terms import ResourceSpec
from onboard.review.findings import Bound, Finding, FindingKind, Severity

#: What somebody may do on a path and see nothing of what is there.
_HARMLESS = frozenset({"list"})


@runtime_checkable
class Reaching(Protocol):
    """A reader that can tell how far an account's rules reach."""

    def reach(self, account: Account) -> Reach:
        """Raises SystemFailed where that can't be read."""
        ...


def far_reaching(
    readers: Mapping[str, object],
    observed: Iterable[Observation],
    bound: Mapping[tuple[str, str], Bound],
    resources: Mapping[Resource, ResourceSpec],
) -> tuple[tuple[Finding, ...], tuple[tuple[str, str], ...]]:
    """A finding for each rule beyond what an engineer's groups may reach, and what couldn't be read (what: reason).

    Only whoever is in groups that all declare `reaches` is looked at: without it nothing is said of a group. That
    somebody is in a group at all is judged elsewhere. One reading of entity, groups and policies for each.
    """
    groups = _groups(observed)
    asked = [
        (reader, external_id, system, who, allowed)
        for (system, external_id), who in sorted(bound.items())
        if isinstance(reader := readers.get(system), Reaching) and who.outsourced
        if (allowed := _allowed(groups.get((system, external_id), ()), resources))
    ]
    told = each(lambda one: _judged(*one), asked)
    return tuple(f for findings, _ in told for f in findings), tuple(u for _, unknown in told for u in unknown)


def _groups(observed: Iterable[Observation]) -> dict[tuple[str, str], list[Resource]]:
    """The groups that each account is in, by system and external id."""
    found: dict[tuple[str, str], list[Resource]] = {}
    for observation in observed:
        for resource, reading in observation.readings.items():
            for holding in reading.holdings if resource.type == "group" else ():
                found.setdefault((observation.system, holding.account), []).append(resource)
    return found


def _allowed(groups: Iterable[Resource], resources: Mapping[Resource, ResourceSpec]) -> tuple[str, ...]:
    """The paths that these groups may reach; none where one of them doesn't say."""
    declared = [resources[group].reaches if group in resources else () for group in groups]
    return tuple(path for paths in declared for path in paths) if all(declared) else ()


def _judged(
    reader: Reaching, external_id: str, system: str, who: Bound, allowed: tuple[str, ...]
) -> tuple[list[Finding], list[tuple[str, str]]]:
    account = Account(who.account, system, external_id, "", person=who.person)
    try:
        found = reader.reach(account)
    except SystemFailed as failure:
        return [], [(f"{system}: how far an entity reaches", failure.reason)]
    return list(_findings(found, system, who, allowed)), [
        (f"{system}:policy:{name}", why) for name, why in found.unknown
    ]


def _findings(found: Reach, system: str, who: Bound, allowed: Iterable[str]) -> Iterator[Finding]:
    limits = tuple(allowed)
    for rule in found.beyond(limits):
        grave = Severity.MEDIUM if rule.capabilities <= _HARMLESS else Severity.HIGH
        what, least = ", ".join(sorted(rule.capabilities)), ", ".join(limits)
        yield Finding(
            FindingKind.FAR_REACHING,
            grave,
            Resource(system, "policy", rule.policy),
            rule.path,
            who.person,
            who.account,
            "",
            f"the policy gives {what} there; resources.yaml lets the person's groups reach {least}",
        )
