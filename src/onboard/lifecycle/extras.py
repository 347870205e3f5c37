"""What somebody holds beside their role for hours: asked for and approved, or taken at once; and its end.

Each is a fact on record. All else is reconciling: it is wanted until its end, and no longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from onboard.errors import BadInput, NotAuthorised, Problem, Refused
from onboard.extras import Extra, ExtraKind
from onboard.lasting import moment
from onboard.ledger import Record, Register, records, task_id
from onboard.ledger.projections.extras import announced, glass_broken, requested, withdrawn
from onboard.levels import scale_of
from onboard.lifecycle.authentication import VAULT_LOGIN
from onboard.lifecycle.authority import UNTOUCHED, about, permitted, require
from onboard.lifecycle.gates import assignment_of
from onboard.lifecycle.needs import high_risk, owners_of
from onboard.lifecycle.proposing import alone
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import note, register_of, rules_of
from onboard.lifecycle.tasks import REVIEW
from onboard.model import AccountKind, Actor, Kind, Resource
from onboard.policy.files.strict import did_you_mean
from onboard.policy.rules.authority import Rule
from onboard.policy.rules.deeds import Action
from onboard.policy.rules.deeds import Extra as Asking
from onboard.policy.terms import ResourceSpec
from onboard.wiring import Services

_WANTED = "a note that says what was done with it, and by whom it was looked through"


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for: a level on a resource, for how long, why, and in which engagement where there are several."""

    resource: str
    level: str
    lasting: timedelta
    because: str
    engagement: str | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: the report on those whose extras are over, None where nobody had any left."""

    report: Report | None
    people: tuple[str, ...]


def request(services: Services, person: str, ask: Ask, actor: Actor) -> tuple[Extra, Report]:
    """Put on record that this is asked for, and propose it. Asked again while it lasts, it is the same request.

    Raises BadInput with everything that is wrong with it, NotAuthorised for whoever may not ask.
    """
    return _taken(services, person, ask, actor, ExtraKind.REQUEST)


def break_glass(services: Services, person: str, ask: Ask, actor: Actor) -> tuple[Extra, Report]:
    """Grant this at once to whom a rule permits it, and open the task to review it. Run again, it goes on.

    Guardrails hold as for everything else. Raises BadInput as `request`, and NotAuthorised for anybody but the person.
    """
    if actor.authenticated_by != VAULT_LOGIN or actor.id != person:
        raise NotAuthorised(f"Nobody breaks the glass for somebody else: it takes their own Vault login. {UNTOUCHED}")
    return _taken(services, person, ask, actor, ExtraKind.BREAK_GLASS)


def _taken(services: Services, person: str, ask: Ask, actor: Actor, kind: ExtraKind) -> tuple[Extra, Report]:
    with alone(services, [person]):
        extra = _extra(services, register_of(services), person, ask, actor, kind)
    return extra, reconcile(services, [person], actor)


def _extra(services: Services, register: Register, person: str, ask: Ask, actor: Actor, kind: ExtraKind) -> Extra:
    """The one on record already, or a new one."""
    assignment = assignment_of(register, person, ask.engagement)
    spec = _checked(services, register, person, ask, kind)
    rules = _permitted(services, register, person, ask, actor, kind, spec)
    now, mine = services.clock(), (kind, assignment.engagement, spec.resource, ask.level, actor.id)
    for x in register.extras(person):
        same = (x.kind, x.engagement, x.resource, x.level, x.asked_by.id) == mine
        if same and x.holds(now) and abs(x.ends - x.at - ask.lasting) <= timedelta(minutes=1):
            return x
    owner = _owner(register, rules, person) if kind is ExtraKind.BREAK_GLASS else None
    reason, ends = services.ledger.people.note(person, ask.because.strip()), (now + ask.lasting).replace(microsecond=0)
    where = (person, assignment.engagement, spec.resource, ask.level, ends)
    fact = requested(*where) if owner is None else glass_broken(*where, rule=owner[0].id, owner=owner[1])
    review = [] if owner is None else [_task(services, register, person, ask, owner[1])]
    services.ledger.journal.append_many([fact.noted(reason), *review], actor=actor, at=now)
    return register_of(services).extras(person)[-1]


def _task(services: Services, register: Register, person: str, ask: Ask, owner: str) -> Record:
    """The task to review a broken glass; it is on record together with that, or neither is."""
    now, system = services.clock(), ask.resource.partition(":")[0]
    what = f"{REVIEW}: {ask.level} on {ask.resource}"
    due = now.date() + timedelta(days=services.settings.tasks.due_days)
    id_ = task_id(person, system, what, register.seq)
    return records.task_opened(id_, person, system, what, owner, due, _WANTED)


def _checked(services: Services, register: Register, person: str, ask: Ask, kind: ExtraKind) -> ResourceSpec:
    """The resource that is asked for. Raises BadInput with everything that is wrong."""
    resource = Resource.parse(ask.resource)
    spec = services.policy.resources.get(resource)
    if spec is None:
        hint = did_you_mean(ask.resource, map(str, services.policy.resources))
        raise BadInput.one(f"{ask.resource} is not declared in resources.yaml.{hint if 'Did' in hint else ''}")
    wrong = [Problem("", 0, text) for text in _wrong(services, register, person, ask, kind, spec)]
    if wrong:
        raise BadInput(wrong)
    return spec


def _wrong(
    services: Services, register: Register, person: str, ask: Ask, kind: ExtraKind, spec: ResourceSpec
) -> Iterator[str]:
    resource, scale, allowed = spec.resource, scale_of(spec.resource), services.policy.allowed
    levels = spec.levels if scale.open else scale.levels
    if spec.decoy:
        yield f"{resource} is a decoy: nobody is granted it."
    if ask.level not in levels:
        yield f"{resource} has no level {ask.level!r}; it has {', '.join(levels)}."
    most = allowed.break_glass if kind is ExtraKind.BREAK_GLASS else allowed.requests.get(spec.classification)
    if most is None:
        yield f"Policy doesn't allow this at all on what is {spec.classification}: see extras.yaml."
    elif ask.lasting > timedelta(hours=most):
        yield f"It may last {most} h at most on what is {spec.classification}, by extras.yaml: --for {most}h"
    if ask.lasting <= timedelta():
        yield "Say for how long, like --for 4h."
    if not ask.because.strip():
        yield "Say why: --because TEXT. Whoever approves or reviews it reads that."
    held = {grant.resource for grant in rules_of(services, register).desired([person])}
    below = _foundation(services.policy.systems[resource.system], spec)
    if below and not any(str(one).startswith(below) for one in held):
        yield f"{resource} rests on {below.rstrip(':')}, which they aren't to hold. Ask for that first."


def _foundation(kind: Kind, spec: ResourceSpec) -> str:
    """How the name of what a resource rests on begins; empty where it stands by itself."""
    resource = spec.resource
    if kind is Kind.VAULT and resource.type == "group":
        return f"{resource.system}:login:"
    outside = AccountKind.OUTSIDE_COLLABORATOR in spec.admits
    if kind is Kind.GITHUB and resource.type in ("team", "repo") and not outside:
        return f"{resource.system}:org:{resource.name.partition('/')[0]}"
    return ""


def _permitted(
    services: Services, register: Register, person: str, ask: Ask, actor: Actor, kind: ExtraKind, spec: ResourceSpec
) -> tuple[Rule, ...]:
    """The rules of authority that permit it. Raises NotAuthorised."""
    action = Action.BREAK_GLASS if kind is ExtraKind.BREAK_GLASS else Action.REQUEST
    asking = Asking(
        resource=ask.resource,
        owner=spec.owner,
        level=ask.level,
        tags=spec.tags,
        high_risk=high_risk(spec),
        sensitivity=spec.classification.rank,
        minutes=int(ask.lasting.total_seconds() // 60),
    )
    context = about(register, actor, person, asking)
    return permitted(services.policy.authority, register, action, actor, person, context)


def _owner(register: Register, rules: tuple[Rule, ...], person: str) -> tuple[Rule, str]:
    """A rule and who answers for it. Raises Refused where nobody of the company does."""
    for rule in rules:
        owners = owners_of(register, rule, person)
        if owners:
            return rule, owners[0]
    names = ", ".join(f"{rule.id} ({rule.source})" for rule in rules)
    raise Refused(f"Nobody of the company answers for {names}: name its @owner's people. {UNTOUCHED}")


def withdraw(services: Services, entry: int, actor: Actor) -> Report:
    """What was asked for isn't wanted any more, and what of it was granted goes. Run again, it goes on.

    Raises BadInput, NotAuthorised, Refused where its time is over.
    """
    register = register_of(services)
    extra = next((x for x in everybodys(register) if x.entry == entry), None)
    if extra is None:
        raise BadInput.one(f"No request {entry}. See onboard requests.")
    if actor.id not in (extra.person, extra.asked_by.id):
        require(services, register, Action.OFFBOARD, actor, extra.person)
    if extra.withdrawn is None:
        if not extra.holds(services.clock()):
            raise Refused(f"Request {entry} is over since {moment(extra.over)}.")
        record = withdrawn(extra.person, entry)
        note(services, record, actor)
    return reconcile(services, [extra.person], actor)


def everybodys(register: Register) -> tuple[Extra, ...]:
    """Every extra that was ever asked for or taken, the latest first."""
    found = (extra for person in register.people for extra in register.extras(person))
    return tuple(sorted(found, key=lambda extra: -extra.entry))


def sweep(services: Services, actor: Actor) -> Swept:
    """Take away what is over and still held, as far as the ledger knows; look at nobody else."""
    register = register_of(services)
    open_ = {intent.change.person for intent in register.unresolved()} | register.unread
    anybody = sorted(person for person in register.people if register.extras(person))
    people = tuple(person for person in anybody if person in open_ or _due(services, register, person))
    return Swept(reconcile(services, people, actor) if people else None, people)


def _due(services: Services, register: Register, person: str) -> bool:
    """Whether an extra of theirs is over and something of it still stands: a right, or an open plan."""
    extras, now = register.extras(person), services.clock()
    over = {extra.resource for extra in extras if not extra.holds(now)}
    if _unserved(register, [x for x in extras if x.holds(now)], person):
        return True
    wanted: dict[Resource, set[str]] = {}
    for grant in rules_of(services, register).desired([person]) if over else ():
        wanted.setdefault(grant.resource, set()).add(grant.level)
    owned = ((resource, levels) for (who, _, resource), levels in register.owned().items() if who == person)
    return any(_beyond(resource, levels, wanted.get(resource, set())) for resource, levels in owned if resource in over)


def _unserved(register: Register, lasting: Sequence[Extra], person: str) -> bool:
    """Whether a plan is open for something that is over."""
    plans = (register.latest_proposal(person, kind.value) for kind in ExtraKind)
    entries = {extra.entry for extra in lasting}
    sources = {w["source"] for p in plans if p and p.settled is None for c in p.changes for w in c["warrants"]}
    return any(source.startswith("ledger:") and int(source[7:]) not in entries for source in sources)


def _beyond(resource: Resource, owned: frozenset[str], wanted: set[str]) -> bool:
    scale = scale_of(resource)
    if scale.open or not wanted:
        return bool(owned - wanted)
    return any(scale.rank(level) > scale.rank(scale.join(wanted)) for level in owned)


def tell(services: Services, actor: Actor) -> tuple[tuple[Extra, ...], tuple[str, ...]]:
    """Announce each broken glass that nobody was told of yet: those announced, and what failed.

    What failed is told again by the next sweep. Without anybody to tell (alarms.tell) nothing is.
    """
    from onboard.alarms import alarm

    told: list[Extra] = []
    failed: list[str] = []
    broken = (x for x in everybodys(register_of(services)) if x.kind is ExtraKind.BREAK_GLASS and not x.announced)
    for extra in broken if services.settings.alarms.tell else ():
        failures = alarm(services, announcement(extra))
        failed += failures
        if not failures:
            record = announced(extra.person, extra.entry)
            note(services, record, actor)
            told.append(extra)
    return tuple(told), tuple(failed)


def announcement(extra: Extra) -> str:
    """What people are told: ids only, no names and not the reason."""
    ends = f"until {moment(extra.ends)}"
    by = f"by rule {extra.rule}, for which {extra.owner[:10]} answers"
    return f"Glass broken: {extra.person[:10]} took {extra.level} on {extra.resource} {ends} {by}. onboard requests"
