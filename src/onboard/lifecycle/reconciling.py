"""The second of the two steps that every lifecycle event is: a fact was recorded, now reconcile.

Removals run at once. Grants run where their approval is on record, else they are proposed and wait. Running it again
changes nothing the second time.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace

from onboard.engine.diff import Subject
from onboard.engine.parallel import each
from onboard.engine.perform import Outcome, Tools
from onboard.engine.plan import Authority, Part, Plan
from onboard.engine.reconcile import Certificate, apply, authorise, complete, propose, verify
from onboard.engine.settle import settle
from onboard.errors import Refused, StalePlan
from onboard.ledger import Proposal, Record, Register, records
from onboard.ledger.records import Result
from onboard.lifecycle.accounts import bind
from onboard.lifecycle.standing import limits_of, note, protected_by, register_of, rules_of, subject_of, waiting_for
from onboard.model import Actor
from onboard.wiring import Services

#: Seconds that a person's lease lives, and that another worker on the same person waits for it.
PERSON_TTL = 120.0
PERSON_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What one reconciliation found and did. `waiting` names prerequisites that lack: (person, fact)."""

    plan: Plan
    removed: tuple[Outcome, ...] = ()
    granted: tuple[Outcome, ...] = ()
    certificate: Certificate | None = None
    waiting: tuple[tuple[str, str], ...] = ()

    @property
    def open(self) -> tuple[Part, ...]:
        """The parts that were proposed and not applied now."""
        touched = {(o.change.person, o.change.removes) for o in (*self.removed, *self.granted)}
        return tuple(p for p in self.plan.parts if (p.person, p.authority is Authority.FACT) not in touched)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The writes that failed, or may have."""
        return tuple(o for o in (*self.removed, *self.granted) if o.result is not Result.DONE)

    @property
    def exit_code(self) -> int:
        """The first that applies: 5 failed or unknown, 3 refused, 4 not verified, 6 waiting, 0 done."""
        certificate = self.certificate
        if self.failed or self.plan.unknown or (certificate and certificate.unknown):
            return 5
        if any(part.blocked for part in self.open):
            return 3
        if certificate and certificate.remaining:
            return 4
        return 6 if self.open or self.waiting or self.plan.missing else 0


def worker() -> str:
    """This process's name on leases."""
    return f"{socket.gethostname()}:{os.getpid()}"


def plan(services: Services, people: Sequence[str], actor: Actor) -> Plan:
    """What would change for these people. Binds handles that answer now and records proposals; changes no system."""
    _keep_policy(services, actor)
    subjects = _subjects(services, people, actor)
    return _proposed(services, subjects, actor)


def reconcile(services: Services, people: Sequence[str], actor: Actor, *, digest: str | None = None) -> Report:
    """Make so what should be so for these people, as far as facts and approvals on record allow.

    With `digest` the proposal of that digest has to be what is applied: raises Refused where it lacks an approval,
    StalePlan where a new reading finds something else to do than what was approved.
    """
    _keep_policy(services, actor)
    leases = services.ledger.leases
    with leases.hold([f"person:{person}" for person in people], worker(), ttl=PERSON_TTL, wait=PERSON_WAIT):
        subjects = _subjects(services, people, actor)
        found = _proposed(services, subjects, actor)
        register = register_of(services)
        accounts = {account.id: account for subject in subjects for account in subject.accounts.values()}
        settle(found, accounts, register, services.ledger.journal, services.clock, actor)
        removed = _apply(services, [(p, p.digest) for p in found.removals if _cleared(register, p)], actor)
        failed = {o.change.person for o in removed if o.result is not Result.DONE}
        ready = [] if digest is None else [_demanded(register, found, digest)]
        ready += [
            _ready(register, found, part) for part in found.grants if digest is None and part.person not in failed
        ]
        granted = _apply(services, [pair for pair in ready if pair and pair[0].person not in failed], actor)
        waiting = tuple(
            (p, name) for p in people if register.left(p) is None for name in waiting_for(services, register, p)
        )
        report = Report(found, removed, granted, waiting=waiting)
        leaving = any(subject.leaving for subject in subjects)
        return _verified(services, people, report, actor) if removed or granted or leaving else report


def _subjects(services: Services, people: Sequence[str], actor: Actor) -> list[Subject]:
    before = register_of(services)
    missing = dict(zip(people, each(lambda person: bind(services, before, person, actor), people), strict=True))
    after = register_of(services)
    return [subject_of(services, after, person, missing[person]) for person in people]


def _proposed(services: Services, subjects: Sequence[Subject], actor: Actor) -> Plan:
    """A plan, its parts on record as proposals; proposals that it has no part for any more are withdrawn."""
    found = look(services, subjects)
    register = register_of(services)
    for person in found.people:
        unclear = any(unknown.person == person for unknown in found.unknown)
        for authority in Authority:
            part = found.part(person, authority)
            latest = register.latest_proposal(person, authority)
            if part is None and latest is not None and latest.settled is None and not unclear:
                over = records.applied if register.intents(latest.digest) else records.withdrawn
                note(services, over(latest.digest), actor)
            elif part is not None and (latest is None or latest.settled or latest.digest != part.digest):
                note(services, records.proposed(part.digest, part.terms()), actor)
    return found


def look(services: Services, subjects: Sequence[Subject]) -> Plan:
    """A plan for these people as things stand. Reads the systems; writes nothing anywhere."""
    register = register_of(services)
    return propose(
        subjects,
        rules=rules_of(services, register),
        owned=register.owned(),
        readers=services.readers,
        limits=limits_of(services),
        protected=lambda account: protected_by(services, account),
        now=services.clock(),
    )


def _cleared(register: Register, part: Part) -> bool:
    """Whether a removal may run: no hazard stands in its way, or each has been accepted for this digest."""
    return not part.hazards or (not part.blocked and not lacking(register, part.digest))


def _ready(register: Register, found: Plan, part: Part) -> tuple[Part, str] | None:
    """A grant part with the digest of the approval that covers it, where there is one."""
    proposal = register.approved_proposal(part.person)
    if proposal is None or part.blocked or lacking(register, proposal.digest):
        return None
    try:
        return _authorised(register, found, part, proposal)
    except StalePlan:
        return None


def _demanded(register: Register, found: Plan, digest: str) -> tuple[Part, str] | None:
    """The part that the given digest authorises, or None where nothing is left to do. Raises Refused, StalePlan."""
    proposal = register.proposal(digest)
    part = found.part(proposal.person, Authority(proposal.authority))
    if proposal.authority == Authority.FACT or proposal.applied or (part is None and register.intents(digest)):
        return None
    require_clear(register, proposal)
    return _authorised(register, found, part, proposal) if part else None


def _authorised(register: Register, found: Plan, part: Part, proposal: Proposal) -> tuple[Part, str] | None:
    begun = [intent.change for intent in register.intents(proposal.digest)]
    unreadable = {unknown.resource for unknown in found.unknown if unknown.person == part.person}
    todo = authorise(proposal.terms, part, begun, unreadable)
    return (todo, proposal.digest) if todo else None


def require_clear(register: Register, proposal: Proposal) -> None:
    """Raises Refused unless every approval that the proposal needs is on record, and every hazard accepted."""
    short = proposal.digest[:8]
    if proposal.refused:
        raise Refused(f"Plan {short} was refused. Ask who refused it, then plan again: onboard plan")
    waits = lacking(register, proposal.digest)
    if waits:
        raise Refused(f"Plan {short} lacks {' and '.join(waits)}. Next: onboard approve {short}")


def lacking(register: Register, digest: str) -> tuple[str, ...]:
    """What is still missing before a proposal may be applied, in words; empty when it may."""
    approvals = register.approvals(digest)
    given = {approval.as_role for approval in approvals}
    accepted = {name for approval in approvals for name in approval.accepts}
    terms = register.proposal(digest).terms
    roles = [f"approval by the {need['role']}" for need in terms["needs"] if need["role"] not in given]
    return (*roles, *(f"acceptance of {name}" for name in terms["hazards"] if name not in accepted))


def _apply(services: Services, todo: Sequence[tuple[Part, str]], actor: Actor) -> tuple[Outcome, ...]:
    """Apply parts side by side, a person each; one that is wholly done spends its approvals."""
    if not todo:
        return ()
    tools = Tools(services.readers, services.writers(), services.ledger, services.clock, worker())

    def one(work: tuple[Part, str]) -> tuple[Outcome, ...]:
        part, digest = work
        outcomes = apply(part, actor, tools, digest=digest)
        begun = [intent.change for intent in register_of(services).intents(digest)]
        if all(o.result is Result.DONE for o in outcomes) and complete(
            register_of(services).proposal(digest).terms, begun
        ):
            note(services, records.applied(digest), actor)
        return outcomes

    return tuple(outcome for outcomes in each(one, todo) for outcome in outcomes)


def _verified(services: Services, people: Sequence[str], report: Report, actor: Actor) -> Report:
    """Read everything again, and put on record what was found."""
    register = register_of(services)
    subjects = [subject_of(services, register, person) for person in people]
    again = look(services, subjects)
    certificate = verify(again, subjects)
    for person in people:
        note(services, _reading(certificate, report, person), actor)
    return replace(report, certificate=certificate)


def _reading(certificate: Certificate, report: Report, person: str) -> Record:
    """What was read of one person, as the journal keeps it: counts, and the opaque names of what remains or is unknown."""
    remaining = [change for change in certificate.remaining if change.person == person]
    taken = [o for o in report.removed if o.change.person == person and o.result is Result.DONE]
    return records.verified(
        person,
        gone=len(taken),
        held=sum(grant.person == person for grant in (*certificate.held, *certificate.invited)),
        remaining=[change.record().json() for change in remaining],
        unknown=sorted({str(u.resource) for u in certificate.unknown if u.person == person}),
    )


def _keep_policy(services: Services, actor: Actor) -> None:
    """Keep the policy's files by hash, and note the change where another was in force."""
    policy = services.policy
    if register_of(services).policy != policy.hash:
        services.ledger.bundles.keep(policy.hash, policy.files)
        note(services, records.policy_in_force(policy.hash), actor)
