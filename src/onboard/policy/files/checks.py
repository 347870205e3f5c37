"""What must hold across policy files: a flat table of named checks, each noting everything it finds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from onboard.levels import SCALES, Scale
from onboard.model import AccountKind, Entitlement, Kind, Resource, Source
from onboard.policy.files.strict import Notes, did_you_mean
from onboard.policy.terms import Case, FactSpec, Playbook, ResourceSpec, Role, Spared

_LABEL = {Kind.GITHUB: "GitHub", Kind.JIRA: "Jira", Kind.SLACK: "Slack", Kind.VAULT: "Vault"}

#: Which names each kind of system gives to a type of resource, and an example.
_NAMES: Mapping[tuple[Kind, str], tuple[str, str]] = MappingProxyType(
    {
        (Kind.GITHUB, "org"): (r"[A-Za-z0-9-]+", "acme"),
        (Kind.GITHUB, "team"): (r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", "acme/payments-readers"),
        (Kind.GITHUB, "repo"): (r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", "acme/payments-api"),
        (Kind.JIRA, "group"): (r"[^:/@]+", "outsourced-engineers"),
        (Kind.JIRA, "project"): (r"[A-Z][A-Z0-9_]+", "PAY"),
        (Kind.SLACK, "channel"): (r"[^\s#@:/]+", "payments-dev, without #"),
        (Kind.SLACK, "usergroup"): (r"[^\s#@:/]+", "payments-engineers, without @"),
        (Kind.VAULT, "login"): (r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", "userpass"),
        (Kind.VAULT, "group"): (r"[A-Za-z0-9._-]+", "payments-dev"),
    }
)

#: The kinds of account that a resource can admit at all, where that is more than full members.
_ADMITS: Mapping[tuple[Kind, str], frozenset[AccountKind]] = MappingProxyType(
    {
        (Kind.GITHUB, "repo"): frozenset({AccountKind.MEMBER, AccountKind.OUTSIDE_COLLABORATOR}),
        (Kind.SLACK, "channel"): frozenset({AccountKind.MEMBER, AccountKind.GUEST, AccountKind.SINGLE_CHANNEL_GUEST}),
    }
)


#: What GitHub's pages call the levels that its API names differently.
_GITHUB_SAYS: Mapping[str, str] = MappingProxyType({"read": "pull", "write": "push"})


@dataclass(frozen=True, slots=True)
class Draft:
    """Policy files as read, before anything is known about how they fit together."""

    systems: Mapping[str, Kind]
    facts: Mapping[str, FactSpec]
    resources: Mapping[Resource, ResourceSpec]
    roles: Mapping[str, Role]
    playbooks: Mapping[str, Playbook]
    rules: frozenset[str]
    cases: tuple[Case, ...]
    spared: tuple[Spared, ...] = ()
    unread: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()

    def scale(self, resource: Resource) -> Scale | None:
        """The levels of a resource; None where its system or type is unknown."""
        kind = self.systems.get(resource.system)
        return SCALES.get((kind, resource.type)) if kind is not None else None

    def lines(self) -> Iterator[tuple[Role, Entitlement]]:
        """Every line of every role."""
        return ((role, line) for role in self.roles.values() for line in role.entitlements)


def _each_resource_exists_on_its_system(draft: Draft, notes: Notes) -> None:
    for resource, spec in draft.resources.items():
        kind = draft.systems.get(resource.system)
        if kind is None:
            hint = did_you_mean(resource.system, draft.systems)
            notes.add(spec.source, f"{resource} is on the system {resource.system!r}, which isn't configured.{hint}")
        elif (kind, resource.type) not in SCALES:
            types = [type_ for of, type_ in SCALES if of is kind]
            hint = did_you_mean(resource.type, types)
            notes.add(spec.source, f"{resource}: {_LABEL[kind]} has no type of resource {resource.type!r}.{hint}")
        else:
            _name_fits(kind, spec, notes)


def nameable(kind: Kind, resource: Resource) -> bool:
    """Whether a resource has a name that can stand in a policy, of a type that this kind of system has."""
    return (kind, resource.type) in _NAMES and bool(re.fullmatch(_NAMES[kind, resource.type][0], resource.name))


def _name_fits(kind: Kind, spec: ResourceSpec, notes: Notes) -> None:
    resource = spec.resource
    _, example = _NAMES[kind, resource.type]
    if not nameable(kind, resource):
        notes.add(spec.source, f"{resource.name!r} is no {_LABEL[kind]} {resource.type} name. Write it like {example}.")


def _no_two_resources_differ_in_case_only(draft: Draft, notes: Notes) -> None:
    first: dict[str, Source] = {}
    for resource, spec in draft.resources.items():
        other = first.setdefault(str(resource).casefold(), spec.source)
        if other is not spec.source:
            notes.add(
                spec.source, f"{resource} is line {other.line} in other letters; the system sees one. Delete one."
            )


def _each_resource_admits_what_its_system_can(draft: Draft, notes: Notes) -> None:
    for resource, spec in draft.resources.items():
        kind = draft.systems.get(resource.system)
        if kind is None or draft.scale(resource) is None:
            continue
        possible = _ADMITS.get((kind, resource.type), frozenset({AccountKind.MEMBER}))
        wrong = ", ".join(sorted(spec.admits - possible))
        if wrong:
            can = ", ".join(sorted(possible))
            notes.add(spec.source, f"{resource} admits {wrong}; a {_LABEL[kind]} {resource.type} takes {can} only.")


def _foundations_are_shared(draft: Draft, notes: Notes) -> None:
    for resource, spec in draft.resources.items():
        if spec.exclusive and resource.type in ("org", "login"):
            notes.add(
                spec.source,
                f"{resource} is exclusive, so everybody else in it would count as drift. Delete exclusive: true.",
            )


def _levels_are_declared_where_the_system_has_none(draft: Draft, notes: Notes) -> None:
    for resource, spec in draft.resources.items():
        scale = draft.scale(resource)
        if scale is not None and scale.open and not spec.levels:
            notes.add(spec.source, f"{resource} needs levels: the names of its roles that may be granted.")
        elif scale is not None and not scale.open and spec.levels:
            notes.add(
                spec.source, f"{resource} can't have levels of its own; {_levels(draft, resource)}. Delete levels."
            )


def _only_vault_groups_reach_paths(draft: Draft, notes: Notes) -> None:
    for resource, spec in draft.resources.items():
        if spec.reaches and (draft.systems.get(resource.system), resource.type) != (Kind.VAULT, "group"):
            notes.add(
                spec.source, f"{resource} can't have reaches: only a Vault group's policies open paths. Delete it."
            )
        for path in spec.reaches:
            if path.startswith("/") or "*" in path[:-1] or not path.strip("*"):
                notes.add(
                    spec.source,
                    f"{resource} reaches {path!r}: write a path as Vault's policies do, like secret/data/team/*.",
                )


def _duties_belong_to_levels_and_rules(draft: Draft, notes: Notes) -> None:
    """A duty that no guardrail asks about is a slip of the pen, and would let pass what was to be kept apart."""
    for resource, spec in draft.resources.items():
        for level, duties in spec.duties.items():
            _check_level(draft, resource, level, "gives duties to", spec.source, notes)
            for duty in duties:
                if duty not in draft.asked:
                    hint = _one(did_you_mean(duty, draft.asked))
                    notes.add(spec.source, f"{resource} has the duty {duty!r}, which no guardrail asks about.{hint}")


def _levels(draft: Draft, resource: Resource) -> str:
    """What levels a resource has, in words."""
    scale, spec = draft.scale(resource), draft.resources.get(resource)
    if scale is not None and scale.open:
        return f"{resource} has {', '.join(spec.levels) if spec else 'none'}, by resources.yaml"
    label = _LABEL[draft.systems[resource.system]]
    return f"a {label} {resource.type} has {', '.join(scale.levels if scale else ())}"


def _check_level(draft: Draft, resource: Resource, level: str, verb: str, source: Source, notes: Notes) -> None:
    """Notes a resource that isn't declared, and a level that it doesn't have."""
    spec, scale = draft.resources.get(resource), draft.scale(resource)
    if spec is None:
        if "resources.yaml" not in draft.unread:
            hint = did_you_mean(str(resource), map(str, draft.resources)) if draft.resources else ""
            notes.add(source, f"{verb} {resource}, which resources.yaml doesn't declare.{_one(hint)}")
        return
    known: tuple[str, ...] = () if scale is None else spec.levels if scale.open else scale.levels
    if level and known and level not in known:
        hint = _one(did_you_mean(_GITHUB_SAYS.get(level.lower(), level), known))
        notes.add(source, f"{verb} level {level!r} on {resource}; {_levels(draft, resource)}.{hint}")


def _one(hint: str) -> str:
    """A hint only where it names a single candidate: the whole list would repeat a file."""
    return hint if hint.startswith(" Did") else ""


def _each_grant_is_of_a_declared_level(draft: Draft, notes: Notes) -> None:
    for _, line in draft.lines():
        _check_level(draft, line.resource, line.level, "grants", line.source, notes)


def _each_resource_is_used(draft: Draft, notes: Notes) -> None:
    if any(file.startswith("roles/") for file in draft.unread):
        return
    used = {line.resource for _, line in draft.lines()}
    for resource, spec in draft.resources.items():
        if resource not in used and not spec.decoy:
            close = difflib.get_close_matches(str(resource), map(str, used), n=1, cutoff=0.9)
            instead = f"; roles use {close[0]}" if close else ""
            notes.add(
                spec.source, f"resource {resource} is declared but no role uses it{instead}. Use it or delete it."
            )


def _nobody_is_granted_a_decoy(draft: Draft, notes: Notes) -> None:
    for _, line in draft.lines():
        spec = draft.resources.get(line.resource)
        if spec is not None and spec.decoy:
            way = f"Take the line out, or delete decoy in {spec.source}"
            notes.add(line.source, f"grants {line.resource}, a decoy: whoever is found there raises an alarm. {way}.")


def _each_role_has_its_playbook(draft: Draft, notes: Notes) -> None:
    if any(file.startswith("playbooks/") for file in draft.unread):
        return
    for role in draft.roles.values():
        if role.playbook not in draft.playbooks:
            hint = did_you_mean(role.playbook, draft.playbooks) or f" Add playbooks/{role.playbook}.yaml."
            notes.add(role.source, f"role {role.name} follows the playbook {role.playbook!r}, which isn't there.{hint}")


def covers(first: Entitlement, other: Entitlement) -> bool:
    """Whether whoever gets `other` has `first` by then."""
    always = not first.models or (other.models and other.models <= first.models)
    return bool(
        always
        and (other.on_call or not first.on_call)
        and other.phase.reaches(first.phase)
        and first.after in (None, other.after)
        and set(first.needs) <= set(other.needs)
    )


def _each_grant_adds_something(draft: Draft, notes: Notes) -> None:
    for role in draft.roles.values():
        for index, line in enumerate(role.entitlements):
            scale = draft.scale(line.resource)
            for other in role.entitlements[:index]:
                if scale is None or other.resource != line.resource or not covers(other, line):
                    continue
                enough = other.level == line.level or (
                    not scale.open and scale.rank(other.level) > scale.rank(line.level)
                )
                if enough:
                    given = f"line {other.source.line} gives {other.level} already, from {other.phase}"
                    notes.add(line.source, f"grants {line.level} on {line.resource}, but {given}. Delete one.")


def _foundation(draft: Draft, line: Entitlement) -> str | None:
    """What must be held for a grant to work: a resource's beginning, or None."""
    resource, kind = line.resource, draft.systems.get(line.resource.system)
    spec = draft.resources.get(resource)
    if kind is Kind.GITHUB and resource.type in ("team", "repo"):
        outside = spec is not None and AccountKind.OUTSIDE_COLLABORATOR in spec.admits
        return None if outside else f"{resource.system}:org:{resource.name.partition('/')[0]}"
    if kind is Kind.VAULT and resource.type == "group":
        return f"{resource.system}:login:"
    return None


def _each_grant_stands_on_its_foundation(draft: Draft, notes: Notes) -> None:
    for role, line in draft.lines():
        below = _foundation(draft, line)
        if below is None:
            continue
        if not any(_rests(other, below) and covers(other, line) for other in role.entitlements):
            name = below + ("MOUNT" if below.endswith(":") else "")
            notes.add(
                line.source,
                f"grants {line.resource} from {line.phase}, but {role.name} doesn't hold {name} by then"
                " (same conditions, same phase or earlier). Grant that first.",
            )


def _rests(other: Entitlement, below: str) -> bool:
    name = str(other.resource)
    return name.startswith(below) if below.endswith(":") else name.lower() == below.lower()


def _each_case_speaks_of_what_exists(draft: Draft, notes: Notes) -> None:
    for case in draft.cases:
        if case.role not in draft.roles and not any(file.startswith("roles/") for file in draft.unread):
            hint = did_you_mean(case.role, draft.roles)
            notes.add(case.source, f"test {case.name!r} is given the role {case.role!r}, which isn't there.{hint}")
        for holds in (*case.expect, *case.suppose):
            _check_level(draft, holds.resource, holds.level, "names", holds.source, notes)
        for rule in case.refused:
            if rule not in draft.rules:
                hint = did_you_mean(rule, draft.rules)
                notes.add(case.source, f"test {case.name!r} names the guardrail {rule!r}, which isn't there.{hint}")


Check = Callable[[Draft, Notes], None]

CHECKS: tuple[Check, ...] = (
    _each_resource_exists_on_its_system,
    _no_two_resources_differ_in_case_only,
    _each_resource_admits_what_its_system_can,
    _foundations_are_shared,
    _levels_are_declared_where_the_system_has_none,
    _only_vault_groups_reach_paths,
    _duties_belong_to_levels_and_rules,
    _each_grant_is_of_a_declared_level,
    _each_resource_is_used,
    _nobody_is_granted_a_decoy,
    _each_role_has_its_playbook,
    _each_grant_adds_something,
    _each_grant_stands_on_its_foundation,
    _each_case_speaks_of_what_exists,
)
