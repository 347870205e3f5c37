"""The policy tests that are missing: few of them, each noticing as many of the surviving mutants as one can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from onboard.model import Classification, EngagementModel, Phase, Source
from onboard.policy.cases import granted, play, wrong
from onboard.policy.catalogue import Policy
from onboard.policy.mutants import Mutant
from onboard.policy.reading import DEFAULT_DAY
from onboard.policy.terms import Case, Holds, Role


@dataclass(frozen=True, slots=True)
class Proposal:
    """A test that says what the policy comes to today, and the mutants that it would notice."""

    case: Case
    notices: tuple[Mutant, ...]

    def yaml(self) -> str:
        """The test as it is written into a file in tests/."""
        case = self.case
        given = [f"role: {case.role}", f"phase: {case.phase}", f"facts: [{', '.join(case.facts)}]"]
        given += [f"milestones: [{', '.join(case.milestones)}]"] if case.milestones else []
        given += [f"on: {case.on}, started: {case.started}"] if case.started else []
        lines = [f"- name: {case.name}", f"  given: {{{', '.join(given)}}}"]
        lines += ["  expect:", *(f"    - {holds}" for holds in case.expect)] if case.expect else ["  expect: []"]
        return "\n".join(lines)


def proposals(policy: Policy, surviving: Sequence[Mutant]) -> tuple[tuple[Proposal, ...], tuple[Mutant, ...]]:
    """The tests to add, and the mutants that none of them would notice.

    Those are the guardrails that are never seen refusing, which need a test of somebody's own making, and what makes
    no difference to anybody: a line that adds nothing.
    """
    found: list[Proposal] = []
    for role in policy.roles.values():
        theirs = [mutant for mutant in surviving if mutant.role is not None and mutant.role.name == role.name]
        found += _for_role(policy, role, theirs) if theirs else []
    noticed = {id(mutant) for proposal in found for mutant in proposal.notices}
    return tuple(found), tuple(mutant for mutant in surviving if id(mutant) not in noticed)


def _for_role(policy: Policy, role: Role, surviving: Iterable[Mutant]) -> Iterator[Proposal]:
    left = list(surviving)
    candidates = [case for case in _candidates(policy, role) if not play(policy, case).wrong]
    telling = [(case, [mutant for mutant in left if _tells(mutant.of(policy), case)]) for case in candidates]
    while left and telling:
        case, notices = max(telling, key=lambda pair: sum(mutant in left for mutant in pair[1]))
        new = tuple(mutant for mutant in notices if mutant in left)
        if not new:
            return
        yield Proposal(case, new)
        left = [mutant for mutant in left if mutant not in new]


def _tells(changed: Policy, case: Case) -> bool:
    return bool(wrong(case, granted(changed, case), ()))


def best_case(policy: Policy, role: Role, phase: Phase) -> Case:
    """Somebody in that phase who has everything that the role asks for."""
    return _case(policy, role, phase, *_asked(role))


def _asked(role: Role) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The prerequisites and milestones that a role's lines ask for."""
    needs = dict.fromkeys(need for line in role.entitlements for need in line.needs)
    afters = dict.fromkeys(line.after for line in role.entitlements if line.after)
    return tuple(needs), tuple(afters)


def _candidates(policy: Policy, role: Role) -> Iterator[Case]:
    """The best case in each phase, and somebody who lacks one thing of it."""
    needs, afters = _asked(role)
    for phase in Phase:
        yield best_case(policy, role, phase)
        for need in needs:
            yield _case(policy, role, phase, tuple(n for n in needs if n != need), afters, f", without {need}")
        for after in afters:
            yield _case(policy, role, phase, needs, tuple(a for a in afters if a != after), f", before {after}")
    if role.max_days is not None:
        full = _case(policy, role, Phase.FULL_OPERATION, needs, afters, f", after {role.max_days} days")
        yield _expecting(policy, replace(full, started=full.on - timedelta(days=role.max_days + 1)))


def _case(
    policy: Policy, role: Role, phase: Phase, facts: Iterable[str], milestones: tuple[str, ...], but: str = ""
) -> Case:
    return _expecting(
        policy,
        Case(
            name=f"{role.name} in {phase}{but}",
            role=role.name,
            phase=phase,
            model=EngagementModel.STAFF_AUGMENTATION,
            classification=Classification.RESTRICTED,
            on=DEFAULT_DAY,
            expect=(),
            refused=(),
            source=role.source,
            facts=MappingProxyType(dict.fromkeys(facts)),
            milestones=milestones,
        ),
    )


def _expecting(policy: Policy, case: Case) -> Case:
    """The case, expecting what the policy gives."""
    expect = (Holds(grant.resource, grant.level, Source("", 0)) for grant in granted(policy, case))
    return replace(case, expect=tuple(expect))
