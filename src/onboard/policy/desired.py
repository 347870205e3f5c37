"""Which grants people should hold today: policy lines whose conditions the register's facts meet, each with its why.

One function says what stands against a line. `desired` takes the lines that nothing stands against, and `why_not`
shows what does: an explanation can't differ from the decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from onboard.extras import Extra
from onboard.lasting import Limit
from onboard.levels import Scale
from onboard.model import (
    Assignment,
    Classification,
    Engagement,
    Entitlement,
    Fact,
    Grant,
    Phase,
    Resource,
    Source,
    Vendor,
    Warrant,
)
from onboard.policy.catalogue import Policy
from onboard.policy.terms import Role, fits
from onboard.rota import next_shift, on_call_until

POLICY_MAXIMUM = "policy maximum"
#: Where a grant belongs among a person's: by resource, and on an open scale by level.
Slot = tuple[int, str]
#: A role's line with its slot, and whether its resource is restricted.
_Line = tuple[Slot, Entitlement, bool]


class RegisterView(Protocol):
    """What policy needs to know from the register, as it stood at one moment."""

    @property
    def engagements(self) -> Mapping[str, Engagement]:
        """Every engagement, by id."""
        ...

    @property
    def vendors(self) -> Mapping[str, Vendor]:
        """Every vendor, by id."""
        ...

    def assignments(self, person: str) -> tuple[Assignment, ...]:
        """The person's assignments, those that ended included."""
        ...

    def facts(self, person: str) -> Mapping[str, Fact]:
        """Facts about the person, by name: prerequisites such as nda_signed."""
        ...

    def milestones(self, person: str, engagement: str) -> Mapping[str, Fact]:
        """Facts about the person's work in one engagement, by name: first_merge, knowledge_transfer_done…"""
        ...

    def started(self, person: str, engagement: str) -> Fact | None:
        """When the assignment began."""
        ...

    def left(self, person: str) -> Fact | None:
        """That the person left altogether."""
        ...

    def proof(self, person: str, system: str) -> str:
        """How the person's account on a system was shown to be theirs: one of `model.Proof`."""
        ...

    def extras(self, person: str) -> tuple[Extra, ...]:
        """What the person asked for, or took, beside their role; also what is over."""
        ...


@dataclass(frozen=True, slots=True)
class _Work:
    """An assignment with everything that decides about it. `shift` is the last day on call, None while off call."""

    assignment: Assignment
    engagement: Engagement
    vendor: Vendor
    role: Role
    phase: Phase
    facts: Mapping[str, Fact]
    milestones: Mapping[str, Fact]
    started: Fact | None
    shift: date | None

    @property
    def person(self) -> str:
        """Whose it is."""
        return self.assignment.person


def desired(
    policy: Policy, register: RegisterView, people: Iterable[str], today: date, now: datetime | None = None
) -> tuple[Grant, ...]:
    """The grants that these people should hold today, sorted by person and resource; with `now` extras too.

    An extra that gives more than the role is a grant of its own, beside that of the role.
    On a closed scale a person has one grant for a resource, at the highest level warranted; on an open one (the roles
    of a Jira project) one for each level. A grant's warrants come with those of the highest level first. Nothing is
    granted without a line in a role and a resource in resources.yaml.
    """
    derivation = _Derivation(policy, register, today, now)
    return tuple(grant for person in sorted(set(people)) for grant in derivation.grants(person))


def why_not(
    policy: Policy,
    register: RegisterView,
    person: str,
    resource: Resource,
    today: date,
    now: datetime | None = None,
) -> tuple[str, ...]:
    """What stands between a person and more of a resource: for each level that their roles carry and they lack.

    Empty if they hold all that their roles carry, or hold something as an extra.
    """
    if resource not in policy.resources:
        return (f"{resource} is not declared in resources.yaml",)
    gone = register.left(person)
    if gone is not None:
        return (f"{person} left on {gone.at:%Y-%m-%d}",)
    assignments = register.assignments(person)
    if not assignments:
        return ("no assignment is recorded",)
    derived = _Derivation(policy, register, today, now).grants(person)
    held = {grant.level for grant in derived if grant.resource == resource}
    found = [reason for each in assignments for reason in _reasons(policy, register, each, resource, held, today)]
    return tuple(dict.fromkeys(found))


def _reasons(
    policy: Policy, register: RegisterView, assignment: Assignment, resource: Resource, held: set[str], today: date
) -> Iterator[str]:
    """What stands against an assignment's lines on a resource, for levels above what is held."""
    role, work = policy.roles.get(assignment.role), _work(policy, register, assignment, today)
    lines = [line for line in role.entitlements if line.resource == resource] if role is not None else []
    missing = [line for line in lines if not _met(policy.scale(resource), line.level, held)]
    if held and not missing:
        return
    if isinstance(work, str):
        yield work
    elif not lines:
        yield f"role {work.role.name} ({work.role.source.file}) carries nothing on {resource}"
    else:
        yield from _against_work(work, register, today)
        for line in missing:
            against = _against(line, work, policy, today)
            yield from (f"{line.level}: {reason} ({line.source})" for reason in against)


def _met(scale: Scale, level: str, held: set[str]) -> bool:
    """Whether what is held includes the level."""
    return any(scale.includes(other, level) for other in held)


def _work(policy: Policy, register: RegisterView, assignment: Assignment, today: date) -> _Work | str:
    """The assignment with what decides about it, or why it decides nothing."""
    name = assignment.engagement
    engagement = register.engagements.get(name)
    vendor = register.vendors.get(engagement.vendor) if engagement is not None else None
    role = policy.roles.get(assignment.role)
    if assignment.ended:
        return f"the assignment to {name} ended"
    if engagement is None:
        return f"engagement {name} is not recorded"
    if vendor is None:
        return f"vendor {engagement.vendor} is not recorded"
    if role is None:
        return f"role {assignment.role} is not in the policies"
    if assignment.phase is None:
        return f"the assignment to {name} has not started"
    person = assignment.person
    facts, milestones = register.facts(person), register.milestones(person, name)
    started = register.started(person, name)
    shift = on_call_until(engagement.rota, person, today)
    return _Work(assignment, engagement, vendor, role, assignment.phase, facts, milestones, started, shift)


class _Derivation:
    """Derives grants of many people. Which lines somebody carries depends on little, so it is worked out once for all
    who are alike in that; the dates by which their grants end are their own.
    """

    def __init__(self, policy: Policy, register: RegisterView, today: date, now: datetime | None) -> None:
        self._policy = policy
        self._register = register
        self._today = today
        self._now = now
        self._resources = sorted(policy.resources)
        self._order = {resource: number for number, resource in enumerate(self._resources)}
        self._lines: dict[tuple[object, ...], tuple[_Line, ...]] = {}

    def grants(self, person: str) -> Iterator[Grant]:
        """What the person should hold today, sorted by resource and level."""
        if self._register.left(person) is not None:
            return
        found: dict[tuple[Slot, str], list[tuple[str, Warrant]]] = {}
        everything = (_work(self._policy, self._register, a, self._today) for a in self._register.assignments(person))
        works = [
            w for w in everything if not isinstance(w, str) and not any(_against_work(w, self._register, self._today))
        ]
        for work in works:
            for slot, level, warrant in (*self._warrants(work), *self._extras(work)):
                found.setdefault((slot, warrant.extra), []).append((level, warrant))
        roles: dict[Slot, Grant] = {}
        for slot, extra in sorted(found):
            grant = self._joined(person, self._resources[slot[0]], found[slot, extra])
            by_role = roles.setdefault(slot, grant)
            if by_role is grant or self._above(grant, by_role):
                yield grant

    def _warrants(self, work: _Work) -> Iterator[tuple[Slot, str, Warrant]]:
        """A warrant for every line that the assignment carries. How long one lasts depends on few things together."""
        name, role, ends = work.engagement.id, work.role.name, dict[tuple[object, ...], Limit]()
        for slot, line, restricted in self._carried(work):
            kind = (line.needs, line.on_call, restricted)
            if kind not in ends:
                ends[kind] = min(_limits(line, work, restricted=restricted))
            yield slot, line.level, Warrant(name, role, line.phase, line.source, line.needs, line.after, ends[kind])

    def _extras(self, work: _Work) -> Iterator[tuple[Slot, str, Warrant]]:
        """A warrant for each extra in this assignment that lasts; none without what its role's lines need as well."""
        if self._now is None:
            return
        for extra in self._register.extras(work.person):
            if extra.engagement == work.engagement.id and extra.holds(self._now) and extra.resource in self._order:
                needs = needs_beside(work.role, extra.resource)
                if all(need in work.facts and work.facts[need].holds(self._today) for need in needs):
                    slot = (self._order[extra.resource], extra.level if self._policy.scale(extra.resource).open else "")
                    yield slot, extra.level, _extra_warrant(extra, work, needs)

    def _carried(self, work: _Work) -> tuple[_Line, ...]:
        """The lines that nothing stands against; the key holds all that `_against` looks at."""
        held = frozenset(name for name, fact in work.facts.items() if fact.holds(self._today))
        ended, on_call = _agreement_ended(work.vendor, self._today), work.shift is not None
        key = (work.role.name, work.engagement.model, work.phase, held, frozenset(work.milestones), ended, on_call)
        if key not in self._lines:
            carried = (line for line in work.role.entitlements if line.resource in self._order)
            free = (line for line in carried if not any(_against(line, work, self._policy, self._today)))
            self._lines[key] = tuple((self._slot(line), line, _restricted(line, self._policy)) for line in free)
        return self._lines[key]

    def _slot(self, line: Entitlement) -> Slot:
        return self._order[line.resource], line.level if self._policy.scale(line.resource).open else ""

    def _above(self, grant: Grant, by_role: Grant) -> bool:
        """Whether an extra gives more than the role does (where that comes first, by its empty name)."""
        scale = self._policy.scale(grant.resource)
        return bool(by_role.warrants[0].extra) or scale.rank(grant.level) > scale.rank(by_role.level)

    def _joined(self, person: str, resource: Resource, warrants: list[tuple[str, Warrant]]) -> Grant:
        if len(warrants) == 1:
            ((level, warrant),) = warrants
            return Grant(person, resource, level, (warrant,))
        scale = self._policy.scale(resource)
        ranked = sorted(warrants, key=lambda entry: (-scale.rank(entry[0]), -_lasting(entry[1].limit)))
        return Grant(person, resource, ranked[0][0], tuple(warrant for _, warrant in ranked))


def _lasting(limit: Limit) -> float:
    """By which ends compare: all of a day come after the moments in it."""
    return limit.until.toordinal() + (limit.at.timestamp() % 86400 / 86400 if limit.at else 1)


def needs_beside(role: Role, resource: Resource) -> tuple[str, ...]:
    """What an extra needs: what each line of the role does, and the role's lines on that resource."""
    there = (line.needs for line in role.entitlements if line.resource == resource)
    return tuple(sorted(role.common_needs.union(*there)))


def _extra_warrant(extra: Extra, work: _Work, needs: tuple[str, ...]) -> Warrant:
    ends = [work.facts[need].until for need in needs]
    limits = [*_work_limits(work), *(Limit(day, need) for day, need in zip(ends, needs, strict=True) if day)]
    limit = min([extra.limit, *limits], key=_lasting)
    source = Source("ledger", extra.entry)
    return Warrant(extra.engagement, work.role.name, work.phase, source, needs, None, limit, extra.kind.value)


def _restricted(line: Entitlement, policy: Policy) -> bool:
    return policy.resources[line.resource].classification is Classification.RESTRICTED


def _agreement_ended(vendor: Vendor, today: date) -> bool:
    """Whether the vendor's data-processing agreement is over. That there never was one is for guardrails to refuse."""
    agreement = vendor.data_processing_agreement
    return agreement is not None and today > agreement


def _limits(line: Entitlement, work: _Work, *, restricted: bool) -> Iterator[Limit]:
    """Everything that ends a line's grant, of what has an end."""
    yield from _work_limits(work)
    if line.on_call and work.shift is not None:
        yield Limit(work.shift, "on call")
    if restricted and work.vendor.data_processing_agreement is not None:
        yield Limit(work.vendor.data_processing_agreement, "data-processing agreement")
    for need in line.needs:
        fact = work.facts.get(need)
        if fact is not None and fact.until is not None:
            yield Limit(fact.until, need)


def _work_limits(work: _Work) -> Iterator[Limit]:
    yield Limit(work.vendor.contract_ends, "contract")
    yield Limit(work.engagement.ends, "engagement")
    if work.assignment.ends is not None:
        yield Limit(work.assignment.ends, "assignment")
    if work.role.max_days is not None and work.started is not None:
        yield Limit(work.started.at.date() + timedelta(days=work.role.max_days), POLICY_MAXIMUM)


def _against_work(work: _Work, register: RegisterView, today: date) -> Iterator[str]:
    """What stands against every line of an assignment."""
    engagement = work.engagement
    gone = register.left(engagement.sponsor)
    if gone is not None:
        yield f"{engagement.id} has no sponsor since {gone.at:%Y-%m-%d}; name another in its manifest"
    if work.role.max_days is not None and work.started is None:
        yield f"role {work.role.name} is limited to {work.role.max_days} days, and no start is recorded"
    names = {
        "contract": f"the contract of {work.vendor.id}",
        "engagement": f"engagement {engagement.id}",
        "assignment": f"the assignment to {engagement.id}",
        POLICY_MAXIMUM: f"the {work.role.max_days} days that role {work.role.name} allows",
    }
    for limit in _work_limits(work):
        if today > limit.until:
            yield f"{names[limit.what]} ended on {limit.until}"
    for what, starts in (
        ("contract", work.vendor.contract_starts),
        ("engagement", engagement.starts),
        ("assignment", work.assignment.starts),
    ):
        if starts is not None and today < starts:
            yield f"{names[what]} starts on {starts}"


def _against(line: Entitlement, work: _Work, policy: Policy, today: date) -> Iterator[str]:
    """What stands against one line of an assignment's role."""
    engagement, vendor = work.engagement, work.vendor
    if not fits(line, engagement.model):
        yield f"carried in {' and '.join(sorted(line.models))} engagements; {engagement.id} is {engagement.model}"
    if line.on_call and work.shift is None:
        following = next_shift(engagement.rota, work.person, today)
        shift = f"the next shift begins {following}" if following else "no shift is to come"
        yield f"only while on call; {shift} on the rota of {engagement.id}"
    if _agreement_ended(vendor, today) and _restricted(line, policy):
        yield f"the data-processing agreement of {vendor.id} ended on {vendor.data_processing_agreement}"
    if not work.phase.reaches(line.phase):
        yield f"carried from {line.phase}; the assignment to {work.engagement.id} is in {work.phase}"
    for need in line.needs:
        fact = work.facts.get(need)
        if fact is None:
            yield f"{need} is not recorded"
        elif not fact.holds(today):
            yield f"{need} lapsed on {fact.until}"
    if line.after is not None and line.after not in work.milestones:
        yield f"waits for {line.after}"
