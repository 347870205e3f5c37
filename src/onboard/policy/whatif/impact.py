"""What a change of policy does: to people on record, and to roles in their phases, whoever has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from onboard.levels import Scale, scale_of
from onboard.model import Entitlement, Grant, Phase, Resource
from onboard.policy.catalogue import Policy
from onboard.policy.desired import RegisterView, desired
from onboard.policy.rules.guardrails import Refusal, check
from onboard.policy.trials.cases import play
from onboard.policy.trials.proposals import best_case


class Verb(StrEnum):
    """What becomes of a right."""

    GAINS = "gains"
    RAISED = "raised"
    LOSES = "loses"
    LOWERED = "lowered"
    SOONER = "ends sooner"
    LATER = "ends later"
    UNDER_OTHER_CONDITIONS = "under other conditions"

    @property
    def grants(self) -> bool:
        """Whether somebody would hold more, which needs an approval."""
        return self in (Verb.GAINS, Verb.RAISED)


def _verb(resource: Resource, before: str | None, after: str | None) -> Verb | None:
    """How two levels compare; None for the same."""
    if before == after:
        return None
    if before is None or after is None:
        return Verb.GAINS if before is None else Verb.LOSES
    scale = scale_of(resource)
    return Verb.RAISED if scale.rank(after) > scale.rank(before) else Verb.LOWERED


@dataclass(frozen=True, slots=True)
class Shift:
    """One right of one person: what each policy gives, None for nothing."""

    person: str
    resource: Resource
    before: Grant | None
    after: Grant | None

    @property
    def verb(self) -> Verb | None:
        """What becomes of it; None where nothing does that the person would feel."""
        before, after = self.before, self.after
        found = _verb(self.resource, before.level if before else None, after.level if after else None)
        if found is None and before and after and before.limit.until != after.limit.until:
            return Verb.SOONER if after.limit.until < before.limit.until else Verb.LATER
        return found


@dataclass(frozen=True, slots=True)
class Impact:
    """What becomes of people: their rights, and what guardrails newly forbid, or forbid no more."""

    people: int
    shifts: tuple[Shift, ...]
    refused: tuple[Refusal, ...]
    permitted: tuple[Refusal, ...]


def impact(base: Policy, head: Policy, register: RegisterView, people: Iterable[str], today: date) -> Impact:
    """What a change of policy would do to these people today, by `desired` and `check` themselves."""
    people = sorted(set(people))
    before, after = (desired(policy, register, people, today) for policy in (base, head))
    forbidden, forbidding = _refusals(base, before, register, today), _refusals(head, after, register, today)
    return Impact(
        len(people),
        tuple(_shifts(before, after)),
        tuple(refusal for key, refusal in forbidding.items() if key not in forbidden),
        tuple(refusal for key, refusal in forbidden.items() if key not in forbidding),
    )


def _shifts(before: Iterable[Grant], after: Iterable[Grant]) -> Iterator[Shift]:
    old, new = _by_right(before), _by_right(after)
    for key in sorted(old.keys() | new.keys()):
        shift = Shift(key[0], key[1], old.get(key), new.get(key))
        if shift.verb is not None:
            yield shift


def _by_right(grants: Iterable[Grant]) -> dict[tuple[str, Resource, str], Grant]:
    """Grants by person and resource; where several levels may be held at once, each is a right of its own."""
    return {(g.person, g.resource, g.level if scale_of(g.resource).open else ""): g for g in grants}


def _refusals(
    policy: Policy, grants: tuple[Grant, ...], register: RegisterView, today: date
) -> Mapping[tuple[str, str, str, str], Refusal]:
    refusals = check(policy, grants, register, today)
    return {(r.rule, r.grant.person, str(r.grant.resource), r.grant.level): r for r in refusals}


@dataclass(frozen=True, slots=True)
class StageShift:
    """What becomes of a role's right in these phases, for somebody who has all that either policy asks for.

    `before` and `after` are levels with their conditions, in words.
    """

    role: str
    phases: tuple[Phase, ...]
    resource: Resource
    before: str | None
    after: str | None
    verb: Verb


@dataclass(frozen=True, slots=True)
class RoleImpact:
    """What becomes of roles, and which guardrail newly forbids what of a role in which phases."""

    shifts: tuple[StageShift, ...]
    refused: tuple[tuple[str, tuple[Phase, ...], Refusal], ...]
    limits: tuple[tuple[str, int | None, int | None], ...]
    files: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether neither policy can be told from the other by what stands in their files."""
        return not self.files


def role_impact(base: Policy, head: Policy) -> RoleImpact:
    """What a change of policy does to roles, whoever has them. Nobody is needed for it, and no register."""
    roles = sorted(base.roles.keys() | head.roles.keys())
    limits = ((name, _max_days(base, name), _max_days(head, name)) for name in roles)
    files = base.files.keys() | head.files.keys()
    return RoleImpact(
        tuple(shift for name in roles for shift in _stage_shifts(name, base, head)),
        tuple(refusal for name in roles for refusal in _stage_refusals(name, base, head)),
        tuple((name, before, after) for name, before, after in limits if before != after),
        tuple(sorted(name for name in files if base.files.get(name) != head.files.get(name))),
    )


def _max_days(policy: Policy, role: str) -> int | None:
    return policy.roles[role].max_days if role in policy.roles else None


def _stage_shifts(name: str, base: Policy, head: Policy) -> Iterator[StageShift]:
    phases: dict[tuple[Resource, str | None, str | None, Verb], list[Phase]] = defaultdict(list)
    for phase in Phase:
        old, new = _carried(base, name, phase), _carried(head, name, phase)
        for resource, level in sorted(old.keys() | new.keys()):
            before, after = old.get((resource, level)), new.get((resource, level))
            if before == after:
                continue
            levels = before.level if before else None, after.level if after else None
            words = before.words if before else None, after.words if after else None
            verb = _verb(resource, *levels) or Verb.UNDER_OTHER_CONDITIONS
            phases[resource, *words, verb].append(phase)
    for (resource, old_words, new_words, verb), reached in phases.items():
        yield StageShift(name, tuple(reached), resource, old_words, new_words, verb)


@dataclass(frozen=True, slots=True)
class _Carried:
    """The highest level that a role carries on a resource in a phase, and each that matters with what it waits for."""

    level: str
    options: frozenset[tuple[str, frozenset[str]]]

    @property
    def words(self) -> str:
        """`push with nda_signed and first_merge, else triage with nda_signed`."""
        ranked = sorted(self.options, key=lambda option: (option[0] != self.level, option[0], sorted(option[1])))
        said = [f"{level} with {' and '.join(sorted(needs))}" if needs else level for level, needs in ranked]
        return ", else ".join(said)


def _carried(policy: Policy, name: str, phase: Phase) -> dict[tuple[Resource, str], _Carried]:
    role = policy.roles.get(name)
    lines: dict[tuple[Resource, str], list[Entitlement]] = defaultdict(list)
    for line in role.carried(phase) if role else ():
        lines[line.resource, line.level if policy.scale(line.resource).open else ""].append(line)
    scales = {key: policy.scale(key[0]) for key in lines}
    return {
        key: _Carried(scales[key].join(line.level for line in those), frozenset(_options(scales[key], those)))
        for key, those in lines.items()
    }


def _options(scale: Scale, lines: Iterable[Entitlement]) -> Iterator[tuple[str, frozenset[str]]]:
    """Each level with what it waits for, unless as much or more is to be had for no more."""
    options = {(line.level, frozenset((*line.needs, *([line.after] if line.after else ())))) for line in lines}
    for level, needs in options:
        others = options - {(level, needs)}
        if not any(scale.rank(other) >= scale.rank(level) and least <= needs for other, least in others):
            yield level, needs


def _stage_refusals(name: str, base: Policy, head: Policy) -> Iterator[tuple[str, tuple[Phase, ...], Refusal]]:
    phases: dict[tuple[str, str, str], list[Phase]] = defaultdict(list)
    first: dict[tuple[str, str, str], Refusal] = {}
    for phase in Phase:
        known = _stage_refused(base, name, phase)
        for key, refusal in _stage_refused(head, name, phase).items():
            if key not in known:
                phases[key].append(phase)
                first.setdefault(key, refusal)
    yield from ((name, tuple(phases[key]), refusal) for key, refusal in first.items())


def _stage_refused(policy: Policy, name: str, phase: Phase) -> dict[tuple[str, str, str], Refusal]:
    if name not in policy.roles:
        return {}
    trial = play(policy, best_case(policy, policy.roles[name], phase))
    return {(r.rule, str(r.grant.resource), r.grant.level): r for r in trial.refusals}
