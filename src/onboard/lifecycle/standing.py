"""What register and policy say of people at this moment, put in the engine's terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from onboard.engine.diff import Subject
from onboard.engine.plan import Change, Hazard, Need
from onboard.engine.reconcile import Limits, Rules
from onboard.errors import Findings, OnboardError
from onboard.lasting import moment
from onboard.ledger import Entry, Record, Register
from onboard.lifecycle.needs import needs_of, second_hazards
from onboard.model import Account, AccountKind, Actor, Grant, Kind, Resource
from onboard.policy.beside import RuleException
from onboard.policy.desired import desired
from onboard.policy.rules.guardrails import Guard
from onboard.policy.terms import fits
from onboard.wiring import Services

GUESTS = frozenset({AccountKind.GUEST, AccountKind.SINGLE_CHANNEL_GUEST})


@dataclass(frozen=True, slots=True)
class Unbound:
    """Why handles of a person's have no account, by system: `missing` is certain, `unclear` could not be looked up."""

    missing: Mapping[str, str] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)


def register_of(services: Services) -> Register:
    """The register as the journal stands now."""
    return services.ledger.register()


def salvaged_register(services: Services) -> Register:
    """The register as far as the journal can be read, whoever tampered with it: for a cut-off, which stops at nothing.

    Raises Findings where not even that can be told.
    """
    try:
        return register_of(services)
    except OnboardError:
        return _salvaged(services)


def _salvaged(services: Services) -> Register:
    try:
        return Register.replay(services.ledger.journal.salvaged())
    except OnboardError as unreadable:
        raise Findings(
            f"The journal is broken: {unreadable}. See onboard ledger verify; until then, cut them off by hand."
        ) from None


def note(services: Services, record: Record, actor: Actor) -> Entry:
    """Put something on record: this actor, now."""
    return services.ledger.journal.record(record, actor=actor, at=services.clock())


def rules_of(services: Services, register: Register) -> Rules:
    """The policy in force, as the engine asks it."""
    policy, now = services.policy, services.clock()
    guard = Guard(policy, register, now.date())

    def exclusive(resource: Resource) -> bool:
        spec = policy.resources.get(resource)
        return spec is not None and spec.exclusive

    def hazards(person: str, changes: Sequence[Change], wanted: Sequence[Grant]) -> tuple[Hazard, ...]:
        refusals = guard.check(wanted)
        forbidden = [Hazard(f"guardrail:{refusal.rule}", refusal.message, blocking=True) for refusal in refusals]
        kinds = dict.fromkeys(
            (*_kinds(services, register, changes), *second_hazards(services, register, person, changes))
        )
        changed = {change.resource for change in changes}
        lifted = dict.fromkeys(x for x, grant in guard.lifted(wanted) if grant.resource in changed)
        return (*forbidden, *(Hazard(f"exception:{x.rule}", _excepted(x)) for x in lifted), *kinds)

    def needs(person: str, changes: Sequence[Change]) -> tuple[Need, ...]:
        return needs_of(services, register, person, changes)

    return Rules(
        hash=policy.hash,
        resources=frozenset(policy.resources),
        desired=lambda people: desired(policy, register, people, now.date(), now),
        exclusive=exclusive,
        hazards=hazards,
        needs=needs,
    )


def _excepted(exception: RuleException) -> str:
    what = f"{exception.rule} doesn't hold on {exception.resource} for {exception.whom} until {exception.ends}"
    return f"{what}: {exception.because} ({exception.source}, {exception.owner} answers; {exception.control})"


def _kinds(services: Services, register: Register, changes: Iterable[Change]) -> Iterable[Hazard]:
    """Kinds of account that the resource doesn't admit: what the account is, and what its engagement says it is."""
    for change in changes:
        system, spec = change.resource.system, services.policy.resources.get(change.resource)
        engagements = [register.engagements[warrant.engagement] for warrant in change.warrants]
        declared = {e.account_kinds[system] for e in engagements if system in e.account_kinds}
        kinds = declared | ({change.account.kind} & GUESTS)
        for kind in sorted(kinds - spec.admits if spec else ()):
            message = f"{change.resource} admits no {kind} account; make the account a full member first"
            yield Hazard(f"account-kind:{change.resource}", message, blocking=True)


def subject_of(services: Services, register: Register, person: str, unbound: Unbound | None = None) -> Subject:
    """A person as the engine sees them: bound accounts, whether they have left, and why what they lose is lost."""
    accounts = [
        Account(binding.account, binding.system, *_identity(services, binding.account), person=person)
        for binding in register.accounts(person)
    ]
    current = {account.system: account for account in accounts}
    return Subject(
        person=person,
        accounts=current,
        former=tuple(account for account in accounts if account is not current[account.system]),
        leaving=register.left(person) is not None,
        outsourced=bool(register.assignments(person)),
        because=_because(services, register, person),
        missing=unbound.missing if unbound else {},
        unclear=unbound.unclear if unbound else {},
    )


def _identity(services: Services, account: str) -> tuple[str | None, str]:
    _, _, external_id, handle = services.ledger.people.account(account)
    return external_id, handle


def _because(services: Services, register: Register, person: str) -> str:
    """The fact that explains what a person loses now, in a few words."""
    left = register.left(person)
    if left is not None:
        return f"{left.name.replace('_', ' ')} on {moment(left.at)}"
    lacking = waiting_for(services, register, person)
    if lacking:
        return f"{' and '.join(lacking)}: lapsed, or not on record"
    removal = register.last_removal(person)
    ended = [x for x in register.extras(person) if not x.holds(services.clock())]
    last = max(ended, key=lambda x: x.over, default=None)
    if last is not None and (removal is None or removal.at < last.over):
        return f"{last.kind} {last.entry} ended on {moment(last.over)}"
    if removal is not None:
        return f"{removal.name.replace('_', ' ')} on {moment(removal.at)}"
    return "no longer carried by role, phase, prerequisites or dates"


def limits_of(services: Services) -> Limits:
    """The removal limits from the settings."""
    limits = services.settings.limits
    return Limits(limits.removals, limits.fraction, limits.fraction_from)


def protected_by(services: Services, account: Account) -> bool:
    """Whether the settings name this account, by handle or immutable id, as never to be changed.

    What a Jira account that nobody has bound shows is a display name, which everybody gives themselves: it protects
    nothing.
    """
    system = services.settings.systems.get(account.system)
    names = {name.lower() for name in system.protected} if system else set()
    shown = system is not None and system.kind is Kind.JIRA and not account.id
    return (not shown and account.handle.lower() in names) or (account.external_id or "").lower() in names


def waiting_for(services: Services, register: Register, person: str) -> tuple[str, ...]:
    """The prerequisites that the person's roles need in their phases, and that aren't recorded or have lapsed."""
    policy, today = services.policy, services.clock().date()
    facts = register.facts(person)
    needed: dict[str, None] = {}
    for assignment in register.assignments(person):
        if assignment.ended or assignment.phase is None or assignment.role not in policy.roles:
            continue
        model = register.engagements[assignment.engagement].model
        for line in policy.roles[assignment.role].carried(assignment.phase):
            needed |= dict.fromkeys(line.needs if fits(line, model) else ())
    return tuple(name for name in needed if name not in facts or not facts[name].holds(today))
