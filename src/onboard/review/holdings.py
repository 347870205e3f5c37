"""Who holds what now, read from the systems, each with the grant that policy gives for it, if it gives one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from onboard.connectors.base import Reader, Scope
from onboard.engine.parallel import each
from onboard.errors import BadInput
from onboard.ledger import Proposal, Register
from onboard.ledger.projections.effects import Intended
from onboard.ledger.projections.facts import Binding
from onboard.ledger.projections.register import Episode
from onboard.levels import scale_of
from onboard.lifecycle.accounts import resolved
from onboard.lifecycle.standing import register_of, rules_of, subject_of
from onboard.model import Fact, Grant, Holding, Reading, Resource
from onboard.policy.desired import why_not
from onboard.policy.whatif.counterfactual import Answers, counterfactuals
from onboard.wiring import Services


@dataclass(frozen=True, slots=True)
class Held:
    """A holding as read, whose it is (None: an account bound to nobody), and the grant that covers it."""

    holding: Holding
    person: str | None
    grant: Grant | None


@dataclass(frozen=True, slots=True)
class Holdings:
    """What was read, and what could not be: resource or system, and the reason."""

    held: tuple[Held, ...]
    unknown: tuple[tuple[str, str], ...]


def held_by(services: Services, person: str) -> Holdings:
    """Everything that a person's accounts hold, on every resource of every system."""
    register = register_of(services)
    known = [resolved(services, a) for a in subject_of(services, register, person).everything]
    accounts = {(a.system, a.external_id) for a in known}
    systems = sorted({system for system, _ in accounts} & services.readers.keys())
    observed = each(lambda system: services.readers[system].read(Scope(None)), systems)
    wanted = rules_of(services, register).desired([person])
    held = tuple(
        Held(holding, person, _covering(wanted, person, holding))
        for observation in observed
        for reading in observation.readings.values()
        for holding in reading.holdings
        if (observation.system, holding.account) in accounts
    )
    unknown = [(o.system, o.unknown) for o in observed if o.unknown is not None]
    parts = [(str(r.resource), r.unknown) for o in observed for r in o.readings.values() if r.unknown is not None]
    return Holdings(held, (*unknown, *parts))


def held_on(services: Services, resource: Resource) -> Holdings:
    """Everybody who holds something on a resource. Raises BadInput for a system that isn't configured."""
    reader = services.readers.get(resource.system)
    if reader is None:
        raise BadInput.one(f"No system {resource.system!r} is configured. Known: {', '.join(sorted(services.readers))}")
    register = register_of(services)
    reading = _read(reader, resource)
    people = services.ledger.people
    held = []
    for holding in reading.holdings:
        account = people.account_by_external(resource.system, holding.account)
        person = people.account(account).person if account else None
        wanted = rules_of(services, register).desired([person]) if person else ()
        held.append(Held(holding, person, _covering(wanted, person, holding)))
    unknown = () if reading.unknown is None else ((str(resource), reading.unknown),)
    return Holdings(tuple(held), unknown)


def _read(reader: Reader, resource: Resource) -> Reading:
    """What holds a resource by every route. Only a complete reading tells who has a repository through a team."""
    whole = reader.read(Scope(None, fresh=frozenset({resource})))
    if whole.unknown is None and resource not in whole.readings:
        return reader.read(Scope(frozenset({resource}))).of(resource)
    return whole.of(resource)


def _covering(wanted: Iterable[Grant], person: str | None, holding: Holding) -> Grant | None:
    scale = scale_of(holding.resource)
    for grant in wanted:
        same = (grant.person, grant.resource) == (person, holding.resource)
        if same and scale.includes(grant.level, holding.level):
            return grant
    return _covering_route(wanted, person, holding)


def _covering_route(wanted: Iterable[Grant], person: str | None, holding: Holding) -> Grant | None:
    """The grant of the team or group by which a right comes: it is that grant that gives it, and takes it along."""
    kind, _, name = holding.via.partition(" ")
    org = f"{holding.resource.name.partition('/')[0]}/" if kind == "team" else ""
    route = Resource(holding.resource.system, kind, f"{org}{name}")
    return next((grant for grant in wanted if (grant.person, grant.resource) == (person, route)), None)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a person holds, or doesn't hold, something on a resource.

    `held` is what was read; `grants` what policy gives; `against` what stands in the way of what it doesn't; `needs`
    the prerequisites that the grants rest on; `history` every attempt to change it, with the approvals behind each;
    `binding` the account there, and how it was shown to be the person's; `answers` what would change what policy gives;
    `revision` the git commit of the policies; `pending` the plans about it that wait for somebody's word.
    """

    person: str
    resource: Resource
    held: tuple[Holding, ...]
    unknown: str | None
    grants: tuple[Grant, ...]
    against: tuple[str, ...]
    needs: Mapping[str, Fact]
    history: tuple[Episode, ...]
    binding: Binding | None
    answers: Answers
    revision: str | None
    pending: tuple[Proposal, ...]

    @property
    def granted(self) -> Intended | None:
        """The last write that gave something here, if one did."""
        given = [e.intent for e in self.history if e.intent.change.after is not None and e.intent.outcome]
        return given[-1] if given else None


def explain(services: Services, person: str, resource: Resource) -> Explanation:
    """The whole chain from policy line to receipt. Raises BadInput for a resource that nothing declares."""
    register: Register = register_of(services)
    if resource not in services.policy.resources:
        raise BadInput.one(f"{resource} is not declared in resources.yaml. Resources: onboard policy check --json")
    today: date = services.clock().date()
    theirs = [a for a in subject_of(services, register, person).everything if a.system == resource.system]
    ids = {resolved(services, account).external_id for account in theirs}
    reading = _read(services.readers[resource.system], resource)
    facts = register.facts(person)
    grants = tuple(g for g in rules_of(services, register).desired([person]) if g.resource == resource)
    return Explanation(
        person=person,
        resource=resource,
        held=tuple(h for h in reading.holdings if h.account in ids),
        unknown=reading.unknown,
        grants=grants,
        against=why_not(services.policy, register, person, resource, today, services.clock()),
        needs={name: facts[name] for grant in grants for w in grant.warrants for name in w.needs if name in facts},
        history=register.grant_history(person, resource),
        binding=register.bindings(person).get(resource.system),
        answers=counterfactuals(services.policy, register, person, resource, today),
        revision=services.policy_revision(),
        pending=tuple(p for p in register.open_proposals() if p.person == person and _about(p, resource)),
    )


def _about(proposal: Proposal, resource: Resource) -> bool:
    return any(change["resource"] == str(resource) for change in proposal.terms["changes"])
