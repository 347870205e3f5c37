"""The second of the two steps that every lifecycle event is: a fact was recorded, now reconcile.

Removals run at once. Grants run where their approval is on record, else they are proposed and wait. Running it again
changes nothing the second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from onboard.engine.diff import Subject
from onboard.engine.parallel import attempts
from onboard.engine.perform import Outcome, Tools
from onboard.engine.plan import Authority, Change, Part, Plan
from onboard.engine.reconcile import Certificate, apply, complete, verify
from onboard.engine.settle import settle, write_off
from onboard.errors import Refused, StalePlan, Waiting
from onboard.ledger import Lease, Proposal, Record, Register, owner_here, records
from onboard.ledger.projections.register import TURNS
from onboard.ledger.records import Result
from onboard.lifecycle.needs import by_rule
from onboard.lifecycle.proposing import alone, authorised, counts, lapse, look, proposed, subjects_of
from onboard.lifecycle.remains import Remains, look_again
from onboard.lifecycle.standing import note, register_of, subject_of, waiting_for
from onboard.lifecycle.tasks import Tally, keep
from onboard.model import Actor, Grant
from onboard.wiring import Services


@dataclass(frozen=True, slots=True)
class Report:
    """What one reconciliation found and did. `waiting` names prerequisites that lack: (person, fact).

    `held` are the people to whom nothing was granted, because something that they have to lose is not gone yet.
    `remains` is what was left of those who are out, read by every route, and `tally` what people have to do about it.
    """

    plan: Plan
    removed: tuple[Outcome, ...] = ()
    granted: tuple[Outcome, ...] = ()
    certificate: Certificate | None = None
    waiting: tuple[tuple[str, str], ...] = ()
    held: frozenset[str] = frozenset()
    remains: Remains = field(default_factory=Remains)
    tally: Tally = field(default_factory=Tally)

    @property
    def open(self) -> tuple[Part, ...]:
        """The parts of which something was proposed and not applied now."""
        tried = {(o.change.person, str(o.change)) for o in (*self.removed, *self.granted)}
        return tuple(p for p in self.plan.parts if any((p.person, str(change)) not in tried for change in p.changes))

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The writes that failed, or may have."""
        return tuple(o for o in (*self.removed, *self.granted) if o.result is not Result.DONE)

    @property
    def unverified(self) -> tuple[Grant, ...]:
        """What was granted now and wasn't there, nor its invitation, when it was read back."""
        done = {(o.change.person, o.change.resource) for o in self.granted if o.result is Result.DONE}
        absent = self.certificate.absent if self.certificate else ()
        return tuple(grant for grant in absent if (grant.person, grant.resource) in done)

    @property
    def lingering(self) -> tuple[Change, ...]:
        """What should be gone by now and was still there when it was read back; not what waits for somebody."""
        waits = {(part.person, str(change)) for part in self.open for change in part.changes}
        remaining = self.certificate.remaining if self.certificate else ()
        return tuple(change for change in remaining if (change.person, str(change)) not in waits)

    @property
    def exit_code(self) -> int:
        """The first that applies: 5 failed or unknown, 3 refused, 4 not verified, 6 waiting, 0 done."""
        certificate, remains = self.certificate, self.remains
        if self.failed or self.plan.unknown or (certificate and certificate.unknown):
            return 5
        if remains.failed or remains.unknown:
            return 5
        if any(part.blocked for part in self.open):
            return 3
        if self.unverified or self.lingering or remains.lingering:
            return 4
        return 6 if self.open or self.waiting or self.plan.missing or self.tally.open else 0


def plan(services: Services, people: Sequence[str], actor: Actor) -> Plan:
    """What would change for these people. Binds handles that answer now and records proposals; changes no system."""
    _keep_policy(services, actor)
    with alone(services, people):
        subjects = subjects_of(services, people, actor)
        lapse(services, register_of(services), people, actor)
        found = proposed(services, register_of(services), subjects, actor, anew=True)
        _settled(services, found, subjects, actor)
        return found


def reconcile(
    services: Services,
    people: Sequence[str],
    actor: Actor,
    *,
    digest: str | None = None,
    suspect: Collection[str] = (),
) -> Report:
    """Make so what should be so for these people, as far as facts and approvals on record allow.

    Of those who are out every account is read again by every route; what no lever of ours removes becomes a task.
    `suspect` are the accounts of which a lever failed.

    With `digest` the proposal of that digest has to be what is applied: raises Refused where it lacks an approval,
    StalePlan where a new reading finds something else to do than what was approved; removals have run by then.
    A fault in one person's work doesn't stop the others'; it is raised at the end.
    """
    _keep_policy(services, actor)
    with alone(services, people) as lease:
        subjects = subjects_of(services, people, actor)
        lapse(services, register_of(services), people, actor)
        register = register_of(services)
        found = proposed(services, register, subjects, actor, anew=False)
        _settled(services, found, subjects, actor)
        work = _Work(services, register, actor, lease, lease.check)
        removals = [_free(register, part) for part in found.removals]
        removed, faults = work.apply(removals)
        held = _held(found, removals, removed)
        grants, refusal = _granting(register, register_of(services), found, digest)
        giving = replace(work, check=lambda: _unturned(services, register, people, lease))
        granted, more = giving.apply([part for part in grants if part.person not in held])
        faults += more
        waiting = [(p, name) for p in people if register.left(p) is None for name in waiting_for(services, register, p)]
        report = Report(found, removed, granted, waiting=tuple(waiting), held=held)
        if removed or granted or faults or any(s.leaving for s in subjects) or register_of(services).unread & {*people}:
            report = _verified(services, subjects, report, actor, suspect)
    for error in (*faults, *refusal):
        raise error
    return report


def _settled(services: Services, found: Plan, subjects: Sequence[Subject], actor: Actor) -> None:
    """Resolve by what was just read what dead processes left open, and what has gone by itself."""
    accounts = {a.id: a for subject in subjects for a in subject.everything if not subject.untellable(a)}
    journal, clock = services.ledger.journal, services.clock
    settle(found.observed, accounts, register_of(services), journal, clock, actor)
    write_off(found.observed, accounts, found.wanted, register_of(services), journal, clock, actor)


def _unturned(services: Services, register: Register, people: Collection[str], lease: Lease) -> None:
    """Raises Waiting where the lease is lost, or somebody has left or moved since: then nothing more is granted."""
    lease.check()
    for entry in services.ledger.journal.entries(after=register.seq, kinds={"fact"}):
        if entry.subject in people and entry.body["name"] in TURNS:
            turn = str(entry.body["name"]).replace("_", " ")
            raise Waiting(f"{turn} was recorded while this ran, so nothing more was granted. Look again: onboard plan")


def _free(register: Register, part: Part) -> Part:
    """A removal part as far as it may run: no hazard stands in its way there, or each was accepted for this digest."""
    accepted = part.under is not None and not lacking(register, part.under)
    return replace(part, changes=part.free(accepted=accepted), under=part.digest)


def _held(found: Plan, removals: Iterable[Part], outcomes: Collection[Outcome]) -> frozenset[str]:
    """Who is granted nothing now: a removal of theirs failed, waits for somebody, or can't be told to be needless."""
    ran = {part.person: len(part.changes) for part in removals}
    waits = {part.person for part in found.removals if len(part.changes) > ran[part.person]}
    done = Counter(o.change.person for o in outcomes if o.result is Result.DONE)
    failed = {person for person, tried in ran.items() if done[person] < tried}
    return frozenset(waits | failed | {unknown.person for unknown in found.unknown if unknown.owed})


def _granting(
    register: Register, now: Register, found: Plan, digest: str | None
) -> tuple[list[Part], tuple[Refused, ...]]:
    """The grants whose approval is on record, or just those of the demanded digest; and why those may not be made.

    `register` is from before anything was proposed: what it has, may have been withdrawn since, or approved by a rule.
    """
    if digest is None:
        return [part for part in found.grants if _approved(now, part)], ()
    ruled = [part for part in found.grants if part.digest == digest and all(map(by_rule, part.needs))]
    if ruled and _approved(now, ruled[0]):
        return ruled, ()
    try:
        demanded = _demanded(register, found, digest)
    except Refused as refusal:
        return [], (refusal,)
    return [demanded] if demanded else [], ()


def _approved(register: Register, part: Part) -> bool:
    proposal = register.approved_proposal(part.person, part.authority)
    covered = proposal is not None and proposal.digest == part.digest
    return covered and not part.blocked and not lacking(register, part.digest)


def _demanded(register: Register, found: Plan, digest: str) -> Part | None:
    """The grants that the given digest authorises, or None where nothing is left to do. Raises Refused, StalePlan."""
    proposal = register.proposal(digest)
    part = found.part(proposal.person, Authority(proposal.authority))
    if proposal.applied or (part is None and register.intents(digest)):
        return None
    require_clear(register, proposal)
    if part is None or proposal.authority == Authority.FACT:
        return None
    todo = authorised(register, found, part, proposal)
    return replace(todo, under=proposal.digest) if todo else None


def require_clear(register: Register, proposal: Proposal) -> None:
    """Raises Refused unless every approval that the proposal needs is on record and counts, hazards accepted."""
    short = proposal.digest[:8]
    if proposal.refused:
        raise Refused(f"Plan {short} was refused. Ask who refused it, then plan again: onboard plan")
    if proposal.settled == "withdrawn":
        raise Refused(f"Plan {short} was replaced, or is no longer needed. See what there is now: onboard plans")
    waits = lacking(register, proposal.digest)
    if waits:
        over = register.expiry(proposal.digest)
        why = f" What was given before expired on {over:%Y-%m-%d}." if over else ""
        raise Refused(f"Plan {short} lacks {' and '.join(waits)}.{why} Next: onboard approve {short}")
    if not counts(register, proposal):
        raise StalePlan(
            f"Plan {short} was approved before its person left, changed role or was restored: that approval is void."
            " Nothing of it was granted. Look at the new plan (onboard plan) and have it approved."
        )


def lacking(register: Register, digest: str) -> tuple[str, ...]:
    """What is still missing before a proposal may be applied, in words; empty when it may."""
    approvals = register.approvals(digest)
    given = {approval.as_role for approval in approvals}
    accepted = {name for approval in approvals for name in approval.accepts}
    terms = register.proposal(digest).terms
    roles = [f"approval by the {need['role']}" for need in terms["needs"] if need["role"] not in given]
    return (*roles, *(f"acceptance of {name}" for name in acceptable(terms["hazards"]) if name not in accepted))


def acceptable(hazards: Iterable[str]) -> tuple[str, ...]:
    """Of these hazards those that somebody may accept by name; the others are for the policy to remove."""
    return tuple(name for name in hazards if name.startswith(("limit:", "exception:")))


@dataclass(frozen=True)
class _Work:
    """Applying parts side by side, a person each, under their lease; `check` raises Waiting where it must stop."""

    services: Services
    register: Register
    actor: Actor
    lease: Lease
    check: Callable[[], None]

    def apply(self, parts: Iterable[Part]) -> tuple[tuple[Outcome, ...], list[BaseException]]:
        """The outcomes, and the faults that ended a person's work early."""
        services, todo = self.services, [part for part in parts if part.changes]
        if not todo:
            return (), []
        tools = Tools(
            services.readers,
            services.writers(),
            services.ledger,
            services.clock,
            owner_here(),
            self.check,
            under=(self.lease,),
        )
        theirs: dict[str, list[Part]] = {}
        for part in todo:
            theirs.setdefault(part.person, []).append(part)
        done, faults = attempts(lambda parts: self._each(parts, tools), list(theirs.values()))
        return tuple(outcome for outcomes in done for outcome in outcomes), faults

    def _each(self, parts: Iterable[Part], tools: Tools) -> tuple[Outcome, ...]:
        """Apply one person's parts, one after the other."""
        return tuple(outcome for part in parts for outcome in self._one(part, tools))

    def _one(self, part: Part, tools: Tools) -> tuple[Outcome, ...]:
        """Apply one part; once the whole proposal is done, its approvals are spent."""
        outcomes = apply(part, self.actor, tools)
        register = register_of(self.services)
        begun = [intent.change for intent in register.intents(part.digest)]
        if all(o.result is Result.DONE for o in outcomes) and complete(register.proposal(part.digest).terms, begun):
            note(self.services, records.applied(part.digest), self.actor)
        return outcomes


def _verified(
    services: Services, before: Sequence[Subject], report: Report, actor: Actor, suspect: Collection[str]
) -> Report:
    """Read everything again, put on record what was found, and what people have to do about what is left."""
    register = register_of(services)
    subjects = [replace(subject_of(services, register, s.person), unclear=s.unclear) for s in before]
    again = look(services, register, subjects)
    _settled(services, again, subjects, actor)
    certificate = verify(again, subjects)
    found = [_reading(certificate, report, subject.person) for subject in subjects]
    services.ledger.journal.append_many(found, actor=actor, at=services.clock())
    leaving = [subject for subject in subjects if subject.leaving]
    if not leaving:
        return replace(report, certificate=certificate)
    remains = look_again(services, register, leaving, again.observed, suspect, actor)
    return replace(report, certificate=certificate, remains=remains, tally=keep(services, remains, suspect, actor))


def _reading(certificate: Certificate, report: Report, person: str) -> Record:
    """What was read of one person, as the journal keeps it: counts, and opaque names of what remains or is unknown."""
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
        note(services, records.policy_in_force(policy.hash, services.policy_revision()), actor)
