"""Policies with one mistake in them, made on purpose: a policy test has to notice each, or it could slip in unseen.

A mutant is made on values in memory, and only the tests that can see it are played again: those of its role whose
grants it changes. A rule that is dropped changes no grant, so what the others said of each test is judged anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

from onboard.model import Entitlement, Phase, Source
from onboard.policy.catalogue import Policy
from onboard.policy.files.strict import Notes, did_you_mean
from onboard.policy.terms import Role
from onboard.policy.trials.cases import Trial, granted, play, wrong


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: where, in words, and the role as it would be then, or the guardrail that would be missing."""

    source: Source
    what: str
    role: Role | None = None
    rule: str = ""

    @property
    def name(self) -> str:
        """What it is called in words, as `survives:` in a tests file names it."""
        return f"{self.role.name}: {self.what}" if self.role is not None else self.what

    def of(self, policy: Policy) -> Policy:
        """The policy with this mistake in a role."""
        if self.role is None:
            return policy
        return replace(policy, roles=MappingProxyType({**policy.roles, self.role.name: self.role}))


def mutants(policy: Policy) -> Iterator[Mutant]:
    """Every mutant of a policy, in the order of files and lines within roles, then guardrails."""
    for role in policy.roles.values():
        for line in role.entitlements:
            yield from _of_line(policy, role, line)
        yield from _of_role(role)
    for rule in policy.guardrails.rules:
        yield Mutant(rule.source, f"guardrail {rule.id} is dropped", rule=rule.id)


def survivors(policy: Policy, trials: Iterable[Trial]) -> tuple[Mutant, ...]:
    """The mutants that no test notices. The trials are the policy's own, each of them passed."""
    trials = tuple(trials)
    return tuple(mutant for mutant in mutants(policy) if not any(_notices(policy, trial, mutant) for trial in trials))


def unspared(policy: Policy, surviving: Iterable[Mutant]) -> tuple[Mutant, ...]:
    """The survivors that no tests file lists under `survives:`.

    Raises BadInput for each line there that names no survivor, be it wrong or noticed by a test meanwhile.
    """
    surviving = tuple(surviving)
    names, notes = {mutant.name for mutant in surviving}, Notes("policies")
    for line in policy.spared:
        if line.mutant not in names:
            hint = did_you_mean(line.mutant, names)
            notes.add(
                line.source, f"{line.mutant!r} is no mutant that survives.{hint} Delete this line, or correct it."
            )
    notes.raise_all()
    spared = {line.mutant for line in policy.spared}
    return tuple(mutant for mutant in surviving if mutant.name not in spared)


def _notices(policy: Policy, trial: Trial, mutant: Mutant) -> bool:
    if mutant.rule:
        left = [refusal for refusal in trial.refusals if refusal.rule != mutant.rule]
        return bool(wrong(trial.case, trial.grants, left))
    if mutant.role is None or mutant.role.name != trial.case.role:
        return False
    changed, case = mutant.of(policy), trial.case
    grants = granted(changed, case)
    if grants == trial.grants:
        return False
    unexpected = not case.refused and wrong(case, grants, ())
    return bool(unexpected or play(changed, case).wrong)


def _of_line(policy: Policy, role: Role, line: Entitlement) -> Iterator[Mutant]:
    grant = f"{line.resource} {line.level}"
    yield _with(role, line, None, f"{grant} is dropped")
    wider = _wider(policy, line)
    if wider is not None:
        yield _with(role, line, replace(line, level=wider), f"{grant} is widened to {wider}")
    for need in (name for name in line.needs if name not in role.common_needs):
        needs = tuple(name for name in line.needs if name != need)
        yield _with(role, line, replace(line, needs=needs), f"{grant} needs no {need}")
    if line.after is not None:
        yield _with(role, line, replace(line, after=None), f"{grant} doesn't wait for {line.after}")
    if line.on_call:
        yield _with(role, line, replace(line, on_call=False), f"{grant} doesn't wait for a shift")
    if line.models:
        yield _with(role, line, replace(line, models=frozenset()), f"{grant} is for engagements of every model")
    if line.phase.rank:
        phase = list(Phase)[line.phase.rank - 1]
        yield _with(role, line, replace(line, phase=phase), f"{grant} begins in {phase} already")


def _with(role: Role, line: Entitlement, changed: Entitlement | None, what: str) -> Mutant:
    lines = ((changed if other is line else other) for other in role.entitlements)
    return Mutant(line.source, what, replace(role, entitlements=tuple(entry for entry in lines if entry is not None)))


def _wider(policy: Policy, line: Entitlement) -> str | None:
    """The next level of the resource's scale, or of its own list where the system has no scale; None after the last."""
    scale = policy.scale(line.resource)
    levels = policy.resources[line.resource].levels if scale.open else scale.levels
    return next(iter(levels[levels.index(line.level) + 1 :]), None)


def _of_role(role: Role) -> Iterator[Mutant]:
    for need in sorted(role.common_needs):
        free = (replace(line, needs=tuple(n for n in line.needs if n != need)) for line in role.entitlements)
        yield Mutant(role.source, f"nothing needs {need}", replace(role, entitlements=tuple(free)))
    for phase in sorted({line.phase for line in role.entitlements}, key=lambda phase: phase.rank):
        left = tuple(line for line in role.entitlements if line.phase is not phase)
        yield Mutant(role.source, f"{phase} gives nothing new", replace(role, entitlements=left))
    if role.max_days is not None:
        yield Mutant(role.source, "there are no max_days", replace(role, max_days=None))
