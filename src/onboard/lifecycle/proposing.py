"""Plans on record: what would be done is proposed once, and stands until it isn't needed any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from onboard.engine.diff import Subject
from onboard.engine.parallel import beating, each
from onboard.engine.plan import Authority, Part, Plan
from onboard.engine.reconcile import authorise, propose
from onboard.errors import StalePlan
from onboard.ledger import Lease, Proposal, Register, owner_here, records
from onboard.lifecycle.accounts import bind, settled
from onboard.lifecycle.needs import BY_RULE, RULE, by_rule
from onboard.lifecycle.standing import Unbound, limits_of, note, protected_by, register_of, rules_of, subject_of
from onboard.model import Actor, Kind
from onboard.wiring import Services

#: Seconds that a person's lease lives without being renewed, and that another worker on the same person waits for it.
PERSON_TTL = 40.0
PERSON_WAIT = 50.0
#: People whose handles are looked up under one lease.
BATCH = 50


@contextmanager
def alone(services: Services, people: Sequence[str]) -> Iterator[Lease]:
    """Hold these people's leases, renewed as long as the work takes. Raises Waiting where another worker has one."""
    keys = [f"person:{person}" for person in people]
    with (
        services.ledger.leases.hold(keys, owner_here(), ttl=PERSON_TTL, wait=PERSON_WAIT) as lease,
        beating(lease.renew, every=PERSON_TTL / 4),
    ):
        yield lease


def subjects_of(services: Services, people: Sequence[str], actor: Actor) -> list[Subject]:
    """These people as the engine sees them, having bound what handles answer now. Call it under their leases."""
    before = register_of(services)
    unbound = each(lambda person: bind(services, before, person, actor), people)
    after = register_of(services)
    return [subject_of(services, after, person, why) for person, why in zip(people, unbound, strict=True)]


def bind_everybody(services: Services, actor: Actor, system: str | None = None) -> None:
    """Bind whoever was entered and whose handles (on that system, or on any) answer to an account by now."""
    register = register_of(services)
    for person, profile in services.ledger.people.all().items():
        handles = [
            pair for pair in profile.handles.items() if system in (None, pair[0]) and pair[0] in services.readers
        ]
        if not all(settled(services, register, person, *pair) for pair in handles):
            with alone(services, [person]):
                bind(services, register_of(services), person, actor)


def bind_entered(services: Services, people: Sequence[str], actor: Actor) -> dict[str, Unbound]:
    """Bind the handles of people just entered, so that who takes one over later inherits nothing; by person, why not.

    Vault is left for later: its names are the company's own to give, and its accounts come with the first grant.
    Raises Waiting where another worker has one of these people.
    """
    systems = frozenset(name for name, reader in services.readers.items() if reader.kind is not Kind.VAULT)
    unbound: dict[str, Unbound] = {}
    for start in range(0, len(people), BATCH):
        batch = people[start : start + BATCH]
        with alone(services, batch):
            register = register_of(services)
            found = each(partial(_bind_on, services, register, actor, systems), batch)
        unbound |= dict(zip(batch, found, strict=True))
    return unbound


def _bind_on(services: Services, register: Register, actor: Actor, systems: frozenset[str], person: str) -> Unbound:
    return bind(services, register, person, actor, systems)


def look(services: Services, register: Register, subjects: Sequence[Subject], *, in_turn: bool = False) -> Plan:
    """A plan for these people as things stand. Reads the systems; writes nothing there.

    `in_turn` is for looking at everybody again and again: see `engine.reconcile.observe`.
    """
    return propose(
        subjects,
        rules=rules_of(services, register),
        owned=register.owned(),
        readers=services.readers,
        limits=limits_of(services),
        protected=lambda account: protected_by(services, account),
        now=services.clock(),
        in_turn=in_turn,
    )


def proposed(services: Services, register: Register, subjects: Sequence[Subject], actor: Actor, *, anew: bool) -> Plan:
    """A plan, each part under the proposal on record that covers it, or else proposed now.

    Proposals that it has no part for any more are withdrawn. What was refused is proposed again only if asked `anew`.
    """
    found = look(services, register, subjects)
    parts = [
        _on_record(services, register, found, person, authority, actor, anew)
        for person in found.people
        for authority in Authority
    ]
    found = replace(found, parts=tuple(part for part in parts if part is not None))
    _give_rules_word(services, found)
    return found


def _give_rules_word(services: Services, found: Plan) -> None:
    """Put on record the approval of what rules pre-approve, each by the rule's owner."""
    ruled = [part for part in found.grants if part.needs and not part.hazards and all(map(by_rule, part.needs))]
    if not ruled:
        return
    register = register_of(services)
    for part in ruled:
        latest = register.latest_proposal(part.person, part.authority)
        if latest is None or latest.digest != part.digest or latest.settled is not None:
            continue
        given = {approval.as_role for approval in register.approvals(part.digest)}
        for need in part.needs:
            if need.role not in given:
                rule = {"id": need.role.removeprefix(BY_RULE), "policy": part.policy}
                note(services, records.approved(part.digest, need.role, rule=rule), Actor(need.people[0], RULE))


def _on_record(
    services: Services,
    register: Register,
    found: Plan,
    person: str,
    authority: Authority,
    actor: Actor,
    anew: bool,
) -> Part | None:
    part, latest = found.part(person, authority), register.latest_proposal(person, authority)
    live = latest if latest and latest.settled is None else None
    if part is None:
        if live and not any(unknown.person == person for unknown in found.unknown):
            note(
                services, (records.applied if register.intents(live.digest) else records.withdrawn)(live.digest), actor
            )
        return None
    approved = register.approved_proposal(person, authority) if authority is not Authority.FACT else None
    known = (p for p in (approved, live) if p and counts(register, p) and _covers(register, found, p, part))
    standing = next(known, None)
    if live and (standing is None or standing.digest != live.digest):
        note(services, records.withdrawn(live.digest), actor)
    if standing:
        return replace(part, under=standing.digest)
    if anew or not (latest and latest.refused and latest.digest == part.digest):
        note(services, records.proposed(part.digest, part.terms()), actor)
    return part


def lapse(services: Services, register: Register, people: Sequence[str], actor: Actor) -> bool:
    """Put on record which approvals of plans for these people weren't spent in time; whether there were any."""
    before = services.clock() - timedelta(days=services.settings.approvals.expires_days)
    known = [
        proposal
        for person in people
        for proposal in (
            *(register.approved_proposal(person, authority) for authority in Authority),
            *(register.latest_proposal(person, authority) for authority in Authority),
        )
    ]
    digests = {proposal.digest for proposal in known if proposal is not None}
    old = sorted(digest for digest in digests if any(given.at < before for given in register.approvals(digest)))
    services.ledger.journal.append_many(map(records.expired, old), actor=actor, at=services.clock())
    return bool(old)


def counts(register: Register, proposal: Proposal) -> bool:
    """Whether the approvals given to a proposal, if there are any, still count: no fact about its person undid them."""
    if proposal.authority == Authority.FACT or not register.approvals(proposal.digest):
        return True
    approved = register.approved_proposal(proposal.person, proposal.authority)
    return approved is not None and approved.digest == proposal.digest


def authorised(register: Register, found: Plan, part: Part, proposal: Proposal) -> Part | None:
    """What is still to do of a part under a proposal; None where nothing is left. Raises StalePlan as `authorise`."""
    begun = [intent.change for intent in register.intents(proposal.digest)]
    unreadable = {unknown.resource for unknown in found.unknown if unknown.person == part.person}
    return authorise(proposal.terms, part, begun, unreadable)


def _covers(register: Register, found: Plan, proposal: Proposal, part: Part) -> bool:
    """Whether a proposal still says what is to be done. Nobody could approve one that is blocked by what is over."""
    blocked = {name for name in proposal.terms["hazards"] if not name.startswith(("limit:", "exception:"))}
    over = blocked - {hazard.name for hazard in part.hazards}
    if over and not any(unknown.person == part.person for unknown in found.unknown):
        return False
    try:
        authorised(register, found, part, proposal)
    except StalePlan:
        return False
    return True
