"""The policy tests that are missing: few of them, each noticing as many of the surviving mutants as one can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from onboard.model import Classification, EngagementModel, Phase, Source
from onboard.policy.catalogue import Policy
from onboard.policy.files.reading import DEFAULT_DAY
from onboard.policy.terms import Case, Holds, Role
from onboard.policy.trials.cases import granted, play, wrong
from onboard.policy.trials.mutants import Mutant

#: How long a line of a proposed test may be.
WIDTH = 110


@dataclass(frozen=True, slots=True)
class Proposal:
    """A test that says what the policy comes to today, and the mutants that it would notice.

    None where it is proposed only because its role isn't tested in its phase.
    """

    case: Case
    notices: tuple[Mutant, ...]

    def yaml(self) -> str:
        """The test as it is written into a file in tests/."""
        case = self.case
        given = [f"role: {case.role}", f"phase: {case.phase}", f"facts: [{', '.join(case.facts)}]"]
        given += [f"milestones: [{', '.join(case.milestones)}]"] if case.milestones else []
        given += [f"on: {case.on}", f"started: {case.started}"] if case.started else []
        given += ["on_call: true"] if case.on_call else []
        given += [f"model: {case.model}"] if case.model is not EngagementModel.STAFF_AUGMENTATION else []
        one_line = f"  given: {{{', '.join(given)}}}"
        lines = [one_line] if len(one_line) <= WIDTH else ["  given:", *(f"    {line}" for line in given)]
        lines = [f"- name: {case.name}", *lines]
        lines += ["  expect:", *(f"    - {holds}" for holds in case.expect)] if case.expect else ["  expect: []"]
        return "\n".join(lines)


def proposals(
    policy: Policy, surviving: Sequence[Mutant], untested: Iterable[tuple[str, Phase]] = ()
) -> tuple[tuple[Proposal, ...], tuple[Mutant, ...]]:
    """The tests to add, one at least for each `untested` stage, and the mutants that none notices.

    Those are the guardrails that are never seen refusing, which need a test of somebody's own making, and what makes
    no difference to anybody: a line that adds nothing.
    """
    found: list[Proposal] = []
    for role in policy.roles.values():
        theirs = [mutant for mutant in surviving if mutant.role is not None and mutant.role.name == role.name]
        found += _for_role(policy, role, theirs) if theirs else []
    found_stages = {(proposal.case.role, proposal.case.phase) for proposal in found}
    left = [stage for stage in untested if stage not in found_stages]
    found += [Proposal(best_case(policy, policy.roles[role], phase), ()) for role, phase in left]
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
    """Somebody in that phase who has everything that the role asks for, on augmented staff."""
    lines = role.entitlements
    case = Case(
        name=f"{role.name} in {phase}",
        role=role.name,
        phase=phase,
        model=EngagementModel.STAFF_AUGMENTATION,
        classification=Classification.RESTRICTED,
        on=DEFAULT_DAY,
        expect=(),
        refused=(),
        source=role.source,
        facts=MappingProxyType(dict.fromkeys(need for line in lines for need in line.needs)),
        milestones=tuple(dict.fromkeys(line.after for line in lines if line.after)),
        on_call=any(line.on_call for line in lines),
    )
    return _expecting(policy, case)


def _candidates(policy: Policy, role: Role) -> Iterator[Case]:
    """The best case in each phase, and somebody who lacks one thing of it; in each model, where that matters."""
    several = any(line.models for line in role.entitlements)
    for phase in Phase:
        best = best_case(policy, role, phase)
        for model in EngagementModel if several else (best.model,):
            named = best.name if model is best.model else f"{best.name}, {model}"
            case = replace(best, model=model, name=named)
            yield from (_expecting(policy, one) for one in (case, *_lacking(case)))
    if role.max_days is not None:
        full = best_case(policy, role, Phase.FULL_OPERATION)
        started = full.on - timedelta(days=role.max_days + 1)
        yield _expecting(policy, replace(full, name=f"{full.name}, after {role.max_days} days", started=started))


def _lacking(case: Case) -> Iterator[Case]:
    for need in case.facts:
        facts = {name: until for name, until in case.facts.items() if name != need}
        yield replace(case, name=f"{case.name}, without {need}", facts=MappingProxyType(facts))
    for after in case.milestones:
        milestones = tuple(name for name in case.milestones if name != after)
        yield replace(case, name=f"{case.name}, before {after}", milestones=milestones)
    if case.on_call:
        yield replace(case, name=f"{case.name}, off call", on_call=False)


def _expecting(policy: Policy, case: Case) -> Case:
    """The case, expecting what the policy gives."""
    expect = (Holds(grant.resource, grant.level, Source("", 0)) for grant in granted(policy, case))
    return replace(case, expect=tuple(expect))
