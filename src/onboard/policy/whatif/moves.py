"""What could happen to somebody that may give them more of a resource, or end what they have of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from onboard.model import Assignment, Engagement, Fact, Grant, Phase, Proof, Resource, Vendor, Warrant
from onboard.policy.catalogue import Policy
from onboard.policy.whatif.supposing import (
    Move,
    Supposed,
    with_departure,
    with_engagement,
    with_fact,
    with_milestone,
    with_role,
    with_vendor,
    with_work,
)
from onboard.rota import Shift, on_call_until

#: How long what is supposed to begin would last: longer than anything else.
_AGES = timedelta(days=3650)
_DAY = timedelta(days=1)


def _fact(name: str, today: date) -> Fact:
    return Fact(name, datetime.combine(today, time(), UTC), 0)


def openings(policy: Policy, register: Supposed, resource: Resource, today: date) -> Iterator[Move]:
    """What may give somebody more of a resource in the roles they have."""
    person, system = register.person, resource.system
    gone = register.left(person)
    if gone is not None:
        yield Move("they come back", ("left",), partial(with_departure, person, None), 0)
    for spec in policy.facts.values():
        fact = register.held.get(spec.name)
        if not spec.milestone and (fact is None or not fact.holds(today)):
            verb = "recorded" if fact is None else "renewed"
            make = partial(with_fact, spec.name, _fact(spec.name, today))
            yield Move(f"{spec.name} is {verb}", ("fact", spec.name), make)
    if register.proof(person, system) in (Proof.NONE, Proof.CLAIMED, Proof.HANDED_OVER):
        yield Move(
            f"the {system} account is confirmed by a code to the work e-mail", ("proof",), partial(_proven, system)
        )
    for work in register.works:
        engagement = register.engagements.get(work.engagement)
        vendor = register.vendors.get(engagement.vendor) if engagement else None
        if engagement is not None and vendor is not None:
            yield from _openings_of_work(policy, register, work, today)
            yield from _openings_of_terms(register, work, engagement, vendor, today)


def _proven(system: str, register: Supposed) -> Supposed:
    return replace(register, proofs={**register.proofs, system: Proof.WORK_EMAIL})


def other_roles(policy: Policy, register: Supposed, resource: Resource) -> Iterator[Move]:
    """The roles that carry something on a resource, for each assignment that has another."""
    for work in register.works:
        for role in policy.roles.values():
            if role.name != work.role and any(line.resource == resource for line in role.entitlements):
                words = f"the role in {work.engagement} becomes {role.name}"
                yield Move(words, ("role", work.engagement), partial(with_role, work.engagement, role.name))


def _openings_of_work(policy: Policy, register: Supposed, work: Assignment, today: date) -> Iterator[Move]:
    name, over = work.engagement, _days_are_over(policy, register, work, today)
    if work.ended or work.phase is None or over:
        again = "start again" if work.ended or over else "start"
        yield Move(f"they {again} in {name}", ("begun", name), partial(_begun, name, today), 0)
    for phase in Phase:
        if phase.rank > (work.phase.rank if work.phase else 0):
            make = partial(with_work, name, partial(_advanced, phase))
            yield Move(f"they reach {phase} in {name}", ("phase", name), make, 2)
    for spec in policy.facts.values():
        if spec.milestone and spec.name not in register.reached.get(name, {}):
            make = partial(with_milestone, name, _fact(spec.name, today))
            yield Move(f"{spec.name} is recorded in {name}", ("milestone", name, spec.name), make, 2)


def _days_are_over(policy: Policy, register: Supposed, work: Assignment, today: date) -> bool:
    role, start = policy.roles.get(work.role), register.begun.get(work.engagement)
    if role is None or role.max_days is None or start is None:
        return False
    return today > start.at.date() + timedelta(days=role.max_days)


def _begun(engagement: str, today: date, register: Supposed) -> Supposed:
    changed = replace(register, begun={**register.begun, engagement: _fact("started", today)})
    return with_work(engagement, lambda w: replace(w, ended=False, phase=w.phase or Phase.DISCOVERY), changed)


def _advanced(phase: Phase, work: Assignment) -> Assignment:
    return replace(work, phase=phase) if work.phase is not None else work


def _openings_of_terms(
    register: Supposed, work: Assignment, engagement: Engagement, vendor: Vendor, today: date
) -> Iterator[Move]:
    name, later = engagement.id, today + _AGES
    if not vendor.contract_starts <= today <= vendor.contract_ends:
        words = f"the contract of {vendor.id} {'begins' if today < vendor.contract_starts else 'is extended'}"
        make = partial(with_vendor, vendor.id, lambda v: replace(v, contract_starts=today, contract_ends=later))
        yield Move(words, ("contract", vendor.id), make)
    if not engagement.starts <= today <= engagement.ends:
        words = f"engagement {name} {'begins' if today < engagement.starts else 'is extended'}"
        make_longer = partial(with_engagement, name, lambda e: replace(e, starts=today, ends=later))
        yield Move(words, ("dates", name), make_longer)
    if (work.starts and today < work.starts) or (work.ends and today > work.ends):
        words = f"the assignment to {name} {'begins' if work.starts and today < work.starts else 'is extended'}"
        yield Move(words, ("assigned", name), partial(with_work, name, lambda w: replace(w, starts=None, ends=None)))
    if register.left(engagement.sponsor) is not None:
        yield Move(f"{name} is given a sponsor", ("sponsor", name), partial(with_departure, engagement.sponsor, None))
    agreement = vendor.data_processing_agreement
    if agreement is None or today > agreement:
        signed = partial(with_vendor, vendor.id, lambda v: replace(v, data_processing_agreement=later))
        yield Move(f"{vendor.id} has a data-processing agreement", ("agreement", vendor.id), signed)
    if engagement.locations and work.location not in engagement.locations:
        place = engagement.locations[0]
        words = f"they work from {' or '.join(engagement.locations)}, by the manifest of {name}"
        yield Move(words, ("location", name), partial(with_work, name, lambda w: replace(w, location=place)))
    if on_call_until(engagement.rota, work.person, today) is None:
        shift = Shift(work.person, today, later)
        begun = partial(with_engagement, name, lambda e: replace(e, rota=(*e.rota, shift)))
        yield Move(f"they are on call, by the rota of {name}", ("shift", name), begun)


def endings(register: Supposed, grants: tuple[Grant, ...], today: date) -> Iterator[Move]:
    """What may end or lower what somebody is given."""
    person, left = register.person, _fact("left", today)
    warrants = [warrant for grant in grants for warrant in grant.warrants]
    for need in dict.fromkeys(need for warrant in warrants for need in warrant.needs):
        fact = register.held.get(need)
        on = f" (after {fact.until})" if fact and fact.until else ""
        yield Move(f"{need} lapses{on}", ("fact", need), partial(with_fact, need, None))
    yield Move("they leave", ("left",), partial(with_departure, person, left))
    for name in dict.fromkeys(warrant.engagement for warrant in warrants):
        yield from _endings_in(register, name, [w for w in warrants if w.engagement == name], today)


def _endings_in(register: Supposed, name: str, warrants: list[Warrant], today: date) -> Iterator[Move]:
    engagement, yesterday = register.engagements[name], today - _DAY
    vendor = register.vendors[engagement.vendor]
    over = partial(with_work, name, lambda w: replace(w, ended=True))
    yield Move(f"the assignment to {name} ends", ("assigned", name), over)
    yield Move(f"the role in {name} changes to one without it", ("role", name), partial(with_role, name, ""))
    for phase in sorted({w.phase for w in warrants if w.phase.rank}, key=lambda phase: -phase.rank):
        before = list(Phase)[phase.rank - 1]
        words = f"they step back to {before} in {name}"
        yield Move(words, ("phase", name), partial(with_work, name, partial(_advanced, before)))
    ended = partial(with_engagement, name, lambda e: replace(e, ends=yesterday))
    yield Move(f"engagement {name} ends (after {engagement.ends})", ("dates", name), ended)
    out = partial(with_vendor, vendor.id, lambda v: replace(v, contract_ends=yesterday))
    yield Move(f"the contract of {vendor.id} ends (after {vendor.contract_ends})", ("contract", vendor.id), out)
    gone = partial(with_departure, engagement.sponsor, _fact("left", today))
    yield Move(f"the sponsor of {name} leaves", ("sponsor", name), gone)
    if vendor.data_processing_agreement is not None:
        void = partial(with_vendor, vendor.id, lambda v: replace(v, data_processing_agreement=yesterday))
        words = f"the data-processing agreement of {vendor.id} ends (after {vendor.data_processing_agreement})"
        yield Move(words, ("agreement", vendor.id), void)
    shift = on_call_until(engagement.rota, register.person, today)
    if shift is not None:
        off = partial(with_engagement, name, lambda e: replace(e, rota=()))
        yield Move(f"their shift on the rota of {name} ends (after {shift})", ("shift", name), off)
    yield Move(f"the days that the role allows in {name} are over", ("begun", name), partial(_long_ago, name, today))


def _long_ago(engagement: str, today: date, register: Supposed) -> Supposed:
    return replace(register, begun={**register.begun, engagement: _fact("started", today - _AGES)})
