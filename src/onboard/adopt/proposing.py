"""From a survey to policies: roles for people who share what they hold, checked as any policy is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from onboard.adopt.mining import Cluster, mine
from onboard.adopt.survey import Survey, administers
from onboard.adopt.terms import Leftover, Line, ProposedRole, Right, in_order
from onboard.adopt.writing import resources_yaml, role_yaml
from onboard.levels import FOUNDATIONS, SCALES
from onboard.model import SLUG, AccountKind, Kind, Phase, Resource
from onboard.policy.catalogue import Policy
from onboard.policy.terms import Case
from onboard.policy.trials.cases import play
from onboard.policy.trials.proposals import Proposal, best_case

#: What is kept of the policies in force: what says who may hold something, not what they hold.
_KEPT = re.compile(r"facts\.yaml|(playbooks|guardrails|authority)/.+")
_NO_GATES = "playbook: default\ntitle: Without gates\nphases: {}\n"
#: Project roles whose names say that they are for reading.
_READS = re.compile(r"view|read|observ|guest|watch", re.IGNORECASE)
#: Which resource names a role best, where several are as telling.
_TELLING = ("repo", "project", "group", "channel", "usergroup", "team", "login", "org")


@dataclass(frozen=True, slots=True)
class Proposed:
    """Policies in which those roles stand, and what of people's rights they don't give, with the reason."""

    policy: Policy
    roles: tuple[ProposedRole, ...]
    leftovers: tuple[Leftover, ...]
    held: int

    @property
    def covered(self) -> int:
        """How many of the rights held are given by the roles."""
        return sum(len(role.people) * len(role.lines) for role in self.roles)

    def role_of(self, person: str) -> ProposedRole | None:
        """The role that is proposed for a person."""
        return next((role for role in self.roles if person in role.people), None)


def propose(survey: Survey, base: Policy, at_least: int) -> Proposed:
    """Roles for at least so many people each, with the guardrails, playbooks and facts of `base`.

    What guardrails always forbid is left out; what they forbid without a prerequisite needs that one.
    """
    named = _named(mine(survey.held, at_least), survey, base.systems)
    draft = [role for role in (_founded(role, survey, base.systems) for role in named) if role.lines]
    ruled, forbidden = _ruled(draft, survey, base)
    policy = _policy(ruled, survey, base, tested=True)
    return Proposed(policy, ruled, _leftovers(survey, ruled, forbidden), sum(map(len, survey.held.values())))


def _policy(roles: Collection[ProposedRole], survey: Survey, base: Policy, *, tested: bool = False) -> Policy:
    files = {name: text for name, text in base.files.items() if _KEPT.fullmatch(name)}
    if not base.playbooks:
        files["playbooks/default.yaml"] = _NO_GATES
    playbook = "default" if "default" in base.playbooks or not base.playbooks else min(base.playbooks)
    files["resources.yaml"] = resources_yaml(
        roles, survey.existing, survey.kinds, _levels(survey, base.systems), base.systems
    )
    files |= {f"roles/{role.name}.yaml": role_yaml(role, playbook) for role in roles}
    policy = Policy.from_files(files, base.systems)
    if not tested or not roles:
        return policy
    tests = "\n".join(_test(policy, role) for role in roles)
    return Policy.from_files({**files, "tests/proposed.yaml": f"tests:\n{tests}\n"}, base.systems)


def _test(policy: Policy, role: ProposedRole) -> str:
    """A policy test: in the last phase the role gives what its people hold today."""
    case = Proposal(best_case(policy, policy.roles[role.name], Phase.FULL_OPERATION), ())
    return "\n".join(f"  {line}" for line in case.yaml().splitlines())


def _levels(survey: Survey, systems: Mapping[str, Kind]) -> dict[Resource, list[str]]:
    """The levels that may be granted on resources whose scale is open."""
    return {
        resource: [level for level in levels if not administers(Right(resource, level))]
        for resource, levels in survey.levels.items()
        if SCALES[systems[resource.system], resource.type].open
    }


# Names and phases


def _named(clusters: Iterable[Cluster[Right]], survey: Survey, systems: Mapping[str, Kind]) -> list[ProposedRole]:
    names: dict[str, int] = {}
    roles = []
    for cluster in clusters:
        telling = _telling(cluster, survey)
        name = _slug(f"{telling.resource.name.rpartition('/')[2]}-{telling.level}")
        names[name] = names.get(name, 0) + 1
        name = name if names[name] == 1 else f"{name}-{names[name]}"
        title = f"Holds {telling.level} on {telling.resource}"
        lines = in_order(Line(right, phase_of(right, survey, systems)) for right in cluster.rights)
        roles.append(ProposedRole(name, title, cluster.people, lines))
    return roles


def _telling(cluster: Cluster[Right], survey: Survey) -> Right:
    """The right that fewest others hold."""
    everybody = {right: sum(right in held for held in survey.held.values()) for right in cluster.rights}
    return min(cluster.rights, key=lambda right: (everybody[right], _TELLING.index(right.resource.type), right))


def _slug(text: str) -> str:
    found = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:50].rstrip("-")
    return found if SLUG.fullmatch(found) else "proposed"


def phase_of(right: Right, survey: Survey, systems: Mapping[str, Kind]) -> Phase:
    """From when a role gives a right: reading from discovery, triage and secrets from tooling setup, writing later."""
    type_, level = right.resource.type, right.level
    if systems[right.resource.system] is Kind.VAULT or level == "triage":
        return Phase.TOOLING_SETUP
    writes = level == "push" or right.resource in survey.writing or (type_ == "project" and not _READS.search(level))
    return Phase.RAMP_UP if writes else Phase.DISCOVERY


# What guardrails and systems ask for


def _founded(role: ProposedRole, survey: Survey, systems: Mapping[str, Kind]) -> ProposedRole:
    """The role without the lines that rest on something that its people don't share."""
    bases = {(line.right.resource.system, line.right.resource.type, _org(line.right.resource)) for line in role.lines}

    def rests(line: Line) -> bool:
        resource, kind = line.right.resource, systems[line.right.resource.system]
        if kind is Kind.GITHUB and resource.type in ("team", "repo"):
            outside = AccountKind.OUTSIDE_COLLABORATOR in survey.kinds.get(resource, ()) and resource.type == "repo"
            return outside or (resource.system, "org", _org(resource)) in bases
        if kind is Kind.VAULT and resource.type == "group":
            return any((system, type_) == (resource.system, "login") for system, type_, _ in bases)
        return True

    return replace(role, lines=tuple(line for line in role.lines if rests(line)))


def _with_base(line: Line, lines: Iterable[Line]) -> Line:
    """The line, needing also what the organisation or login needs that it may rest on."""
    system = line.right.resource.system
    bases = [x for x in lines if x.right.resource.type in FOUNDATIONS and x.right.resource.system == system]
    return replace(line, needs=tuple(sorted({*line.needs, *(need for base in bases for need in base.needs)})))


def _org(resource: Resource) -> str:
    return resource.name.partition("/")[0].casefold()


def _ruled(
    roles: Collection[ProposedRole], survey: Survey, base: Policy
) -> tuple[tuple[ProposedRole, ...], dict[Right, str]]:
    """The roles with what guardrails need for each line, and by right the rule that always forbids it."""
    if not roles:
        return (), {}
    policy = _policy(roles, survey, base)
    facts = sorted(name for name, spec in base.facts.items() if not spec.milestone)
    forbidden: dict[Right, str] = {}
    ruled = []
    for role in roles:
        case = best_case(policy, policy.roles[role.name], Phase.FULL_OPERATION)
        always = _refused(policy, case, facts)
        forbidden |= always
        lacking = {name: _refused(policy, case, [fact for fact in facts if fact != name]) for name in facts}
        lines = tuple(
            replace(line, needs=tuple(name for name in facts if line.right in lacking[name]))
            for line in role.lines
            if line.right not in always
        )
        ruled.append(
            _founded(replace(role, lines=tuple(_with_base(line, lines) for line in lines)), survey, base.systems)
        )
    return tuple(role for role in ruled if role.lines), forbidden


def _refused(policy: Policy, case: Case, facts: Iterable[str]) -> dict[Right, str]:
    """What guardrails forbid somebody in the last phase who has these facts on record, and the rule."""
    trial = play(policy, replace(case, facts=MappingProxyType(dict.fromkeys(facts)), on_call=True))
    return {Right(refusal.grant.resource, refusal.grant.level): refusal.rule for refusal in trial.refusals}


def _leftovers(survey: Survey, roles: Iterable[ProposedRole], forbidden: Mapping[Right, str]) -> tuple[Leftover, ...]:
    given = {person: role.rights for role in roles for person in role.people}
    rest = [
        Leftover(
            person, right, f"guardrail {forbidden[right]}" if right in forbidden else "not shared by enough people"
        )
        for person, held in survey.held.items()
        for right in held - given.get(person, frozenset())
    ]
    return tuple(sorted([*survey.leftovers, *rest]))
