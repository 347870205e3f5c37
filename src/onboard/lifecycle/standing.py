"""What register and policy say of people at this moment, put in the engine's terms. Reads the ledger, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from onboard.engine.diff import Subject
from onboard.engine.plan import Change, Hazard, Need
from onboard.engine.reconcile import Limits, Rules
from onboard.ledger import Entry, Record, Register
from onboard.model import Account, AccountKind, Actor, Classification, Grant, Resource
from onboard.policy.desired import desired
from onboard.policy.guardrails import check
from onboard.wiring import Services

GUESTS = frozenset({AccountKind.GUEST, AccountKind.SINGLE_CHANNEL_GUEST})


def register_of(services: Services) -> Register:
    """The register as the journal stands now."""
    return Register.replay(services.ledger.journal.entries())


def note(services: Services, record: Record, actor: Actor) -> Entry:
    """Put something on record: this actor, now."""
    return services.ledger.journal.record(record, actor=actor, at=services.clock())


def rules_of(services: Services, register: Register) -> Rules:
    """The policy in force, as the engine asks it."""
    policy, today = services.policy, services.clock().date()

    def exclusive(resource: Resource) -> bool:
        spec = policy.resources.get(resource)
        return spec is not None and spec.exclusive

    def hazards(person: str, changes: Sequence[Change], wanted: Sequence[Grant]) -> tuple[Hazard, ...]:
        refusals = check(policy, wanted, register, today)
        forbidden = [Hazard(f"guardrail:{refusal.rule}", refusal.message, blocking=True) for refusal in refusals]
        return (*forbidden, *_guests(services, changes))

    def needs(person: str, changes: Sequence[Change]) -> tuple[Need, ...]:
        return _needs(services, register, person, changes)

    return Rules(
        hash=policy.hash,
        resources=frozenset(policy.resources),
        desired=lambda people: desired(policy, register, people, today),
        exclusive=exclusive,
        hazards=hazards,
        needs=needs,
    )


def _guests(services: Services, changes: Iterable[Change]) -> Iterable[Hazard]:
    """A guest account where the resource admits none: the vendor would refuse it, or policy does."""
    for change in changes:
        spec = services.policy.resources.get(change.resource)
        if spec and change.account.kind in GUESTS and change.account.kind not in spec.admits:
            message = f"{change.resource} admits no {change.account.kind} account; make the account a full member first"
            yield Hazard(f"account-kind:{change.resource}", message, blocking=True)


def _needs(services: Services, register: Register, person: str, changes: Iterable[Change]) -> tuple[Need, ...]:
    """The sponsor of each engagement that warrants a change; for restricted resources its product owner as well.

    Removals need an approval only where they carry a hazard: then the sponsors of the person's engagements.
    """
    needs: set[Need] = set()
    for change in changes:
        spec = services.policy.resources.get(change.resource)
        restricted = spec is not None and spec.classification is Classification.RESTRICTED
        ids = {w.engagement for w in change.warrants} or {a.engagement for a in register.assignments(person)}
        for engagement in (register.engagements[name] for name in ids if name in register.engagements):
            needs.add(Need(f"sponsor of {engagement.id}", (engagement.sponsor,)))
            if restricted and not change.removes:
                needs.add(Need(f"product owner of {engagement.id}", (engagement.product_owner,)))
    return tuple(sorted(needs))


def subject_of(
    services: Services, register: Register, person: str, missing: Mapping[str, str] | None = None
) -> Subject:
    """A person as the engine sees them: bound accounts, whether they have left, and why what they lose is lost."""
    accounts = {
        binding.system: Account(binding.account, binding.system, *_identity(services, binding.account), person=person)
        for binding in register.bindings(person).values()
        if binding.system in services.readers
    }
    return Subject(
        person=person,
        accounts=accounts,
        leaving=register.left(person) is not None,
        outsourced=bool(register.assignments(person)),
        because=_because(register, person),
        missing=missing or {},
    )


def _identity(services: Services, account: str) -> tuple[str | None, str]:
    _, _, external_id, handle = services.ledger.people.account(account)
    return external_id, handle


def _because(register: Register, person: str) -> str:
    """The fact that explains what a person loses now, in a few words."""
    left = register.left(person)
    if left is not None:
        return f"{left.name.replace('_', ' ')} on {left.at:%Y-%m-%d %H:%M} UTC"
    removal = register.last_removal(person)
    if removal is not None:
        return f"{removal.name.replace('_', ' ')} on {removal.at:%Y-%m-%d %H:%M} UTC"
    return "no longer carried by role, phase, prerequisites or dates"


def limits_of(services: Services) -> Limits:
    """The removal limits from the settings."""
    limits = services.settings.limits
    return Limits(limits.removals, limits.fraction, limits.fraction_from)


def protected_by(services: Services, account: Account) -> bool:
    """Whether the settings name this account, by handle or immutable id, as never to be changed."""
    names = {name.lower() for name in services.settings.systems[account.system].protected}
    return account.handle.lower() in names or (account.external_id or "").lower() in names


def waiting_for(services: Services, register: Register, person: str) -> tuple[str, ...]:
    """The prerequisites that the person's roles need in their phases, and that aren't recorded or have lapsed."""
    policy, today = services.policy, services.clock().date()
    facts = register.facts(person)
    needed: dict[str, None] = {}
    for assignment in register.assignments(person):
        if assignment.ended or assignment.phase is None or assignment.role not in policy.roles:
            continue
        for line in policy.roles[assignment.role].carried(assignment.phase):
            needed |= dict.fromkeys(line.needs)
    return tuple(name for name in needed if name not in facts or not facts[name].holds(today))
