"""Which grants people should hold today: policy lines whose conditions the register's facts meet, each with its why.

One function says what stands against a line. `desired` takes the lines that nothing stands against, and `why_not`
shows what does: an explanation can't differ from the decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from onboard.levels import Scale
from onboard.model import Assignment, Engagement, Entitlement, Fact, Grant, Limit, Phase, Resource, Vendor, Warrant
from onboard.policy.catalogue import Policy
from onboard.policy.terms import Role

POLICY_MAXIMUM = "policy maximum"


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


@dataclass(frozen=True, slots=True)
class _Work:
    """An assignment with everything that decides about it."""

    assignment: Assignment
    engagement: Engagement
    vendor: Vendor
    role: Role
    phase: Phase
    facts: Mapping[str, Fact]
    milestones: Mapping[str, Fact]
    started: Fact | None


def desired(policy: Policy, register: RegisterView, people: Iterable[str], today: date) -> tuple[Grant, ...]:
    """The grants that these people should hold today, sorted by person and resource.

    On a closed scale a person has one grant for a resource, at the highest level warranted; on an open one (the roles
    of a Jira project) one for each level. A grant's warrants come with those of the highest level first. Nothing is
    granted without a line in a role and a resource in resources.yaml.
    """
    grants = (grant for person in sorted(set(people)) for grant in _grants(policy, register, person, today))
    return tuple(grants)


def why_not(policy: Policy, register: RegisterView, person: str, resource: Resource, today: date) -> tuple[str, ...]:
    """What stands between a person and more of a resource: for each level that their roles carry and they lack.

    Empty if they hold all that their roles carry.
    """
    if resource not in policy.resources:
        return (f"{resource} is not declared in resources.yaml",)
    gone = register.left(person)
    if gone is not None:
        return (f"{person} left on {gone.at:%Y-%m-%d}",)
    assignments = register.assignments(person)
    if not assignments:
        return ("no assignment is recorded",)
    held = {grant.level for grant in _grants(policy, register, person, today) if grant.resource == resource}
    found = [reason for each in assignments for reason in _reasons(policy, register, each, resource, held, today)]
    return tuple(dict.fromkeys(found))


def _reasons(
    policy: Policy, register: RegisterView, assignment: Assignment, resource: Resource, held: set[str], today: date
) -> Iterator[str]:
    """What stands against an assignment's lines on a resource, for levels above what is held."""
    role, work = policy.roles.get(assignment.role), _work(policy, register, assignment)
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
            yield from (f"{line.level}: {reason} ({line.source})" for reason in _against(line, work, today))


def _met(scale: Scale, level: str, held: set[str]) -> bool:
    """Whether what is held includes the level."""
    return level in held or (not scale.open and any(scale.rank(level) <= scale.rank(other) for other in held))


def _work(policy: Policy, register: RegisterView, assignment: Assignment) -> _Work | str:
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
    return _Work(assignment, engagement, vendor, role, assignment.phase, facts, milestones, started)


def _grants(policy: Policy, register: RegisterView, person: str, today: date) -> Iterator[Grant]:
    if register.left(person) is not None:
        return
    found: dict[tuple[Resource, str], list[tuple[str, Warrant]]] = defaultdict(list)
    for assignment in register.assignments(person):
        work = _work(policy, register, assignment)
        if isinstance(work, str) or any(_against_work(work, register, today)):
            continue
        for line in work.role.entitlements:
            if line.resource in policy.resources and not any(_against(line, work, today)):
                level = line.level if policy.scale(line.resource).open else ""
                found[line.resource, level].append((line.level, _warrant(line, work)))
    for (resource, _), warrants in sorted(found.items(), key=lambda entry: entry[0]):
        yield _joined(policy, person, resource, warrants)


def _joined(policy: Policy, person: str, resource: Resource, warrants: list[tuple[str, Warrant]]) -> Grant:
    scale = policy.scale(resource)
    ranked = sorted(warrants, key=lambda entry: (-scale.rank(entry[0]), -entry[1].limit.until.toordinal()))
    return Grant(person, resource, ranked[0][0], tuple(warrant for _, warrant in ranked))


def _warrant(line: Entitlement, work: _Work) -> Warrant:
    limit = min(_limits(line, work))
    return Warrant(work.engagement.id, work.role.name, line.phase, line.source, line.needs, line.after, limit)


def _limits(line: Entitlement, work: _Work) -> Iterator[Limit]:
    """Everything that ends a line's grant, of what has an end."""
    yield from _work_limits(work)
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


def _against(line: Entitlement, work: _Work, today: date) -> Iterator[str]:
    """What stands against one line of an assignment's role."""
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
