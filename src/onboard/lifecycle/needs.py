"""Whose word a plan needs: the sponsor's, for what is high-risk its owner's too; or the word a rule gave for good."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from onboard.engine.plan import Change, Hazard, Need
from onboard.extras import Extra, ExtraKind
from onboard.ledger import Register
from onboard.lifecycle.company import of_the_company, person_is
from onboard.model import PERSON_ID, Classification, Engagement, Resource, Warrant
from onboard.policy.rules.authority import Rule
from onboard.policy.rules.deeds import Action, GrantIs, Question, ResourceIs
from onboard.policy.terms import ResourceSpec
from onboard.wiring import Services

#: How a need is called that a rule answers for: `rule reading-in-discovery`.
BY_RULE = "rule "
#: How the approval of a rule's owner came about.
RULE = "policy rule"
#: The tag by which a resource is high-risk though it isn't restricted.
HIGH_RISK = "high-risk"


def needs_of(services: Services, register: Register, person: str, changes: Sequence[Change]) -> tuple[Need, ...]:
    """The sponsor of each engagement that warrants a grant; for what is high-risk the owner or somebody else as well.

    Where rules pre-approve every grant, their owners instead. Removals rest on a fact: where they carry a hazard, any
    one of those who answer for the person's engagements accepts it, since the sponsor may be who left.
    """
    if any(change.removes for change in changes):
        named = [register.engagements[a.engagement] for a in register.assignments(person)]
        people = {p for e in named for p in e.answering if register.left(p) is None}
        return (Need("sponsor, product owner or company lead", tuple(sorted(people))),)
    rules = _glass(services, register, person, changes) or _pre_approved(services, register, person, changes)
    if rules:
        return rules
    asked = {extra.asked_by.id for extra in _extras(register, person, changes)}
    warranting = {warrant.engagement for change in changes for warrant in change.warrants}
    firsts = {_first(register.engagements[name], asked) for name in warranting}
    return tuple(sorted(firsts | _seconds(services, register, person, changes, asked)))


def _first(engagement: Engagement, asked: Collection[str]) -> Need:
    """The sponsor's word; where the sponsor asked for it, another's who answers for the engagement."""
    sponsor = Need(f"sponsor of {engagement.id}", (engagement.sponsor,))
    return (second_approver(engagement, asked) or sponsor) if engagement.sponsor in asked else sponsor


def _extras(register: Register, person: str, changes: Iterable[Change]) -> tuple[Extra, ...]:
    """The extras on which changes rest."""
    entries = {w.source.line for change in changes for w in change.warrants if w.extra}
    return tuple(extra for extra in register.extras(person) if extra.entry in entries) if entries else ()


def _glass(services: Services, register: Register, person: str, changes: Sequence[Change]) -> tuple[Need, ...]:
    """The word of the rules by which the glass was broken, as long as they are there with somebody who answers."""
    extras = _extras(register, person, changes)
    if not extras or any(extra.kind is not ExtraKind.BREAK_GLASS for extra in extras):
        return ()
    rules = {rule.id: rule for rule in services.policy.authority.permits(Action.BREAK_GLASS)}
    answering = all(x.rule in rules and x.owner in owners_of(register, rules[x.rule], person) for x in extras)
    return tuple(sorted({Need(f"{BY_RULE}{x.rule}", (x.owner,)) for x in extras})) if answering else ()


def by_rule(need: Need) -> bool:
    """Whether a rule gives this word, without anybody being asked."""
    return need.role.startswith(BY_RULE)


def _seconds(
    services: Services, register: Register, person: str, changes: Iterable[Change], asked: Collection[str]
) -> set[Need]:
    """Of each high-risk resource the team that owns it; where nobody gives its word, each engagement's second."""
    found: set[Need | None] = set()
    for change, spec in _high_risk(services, changes):
        engagements = [register.engagements[warrant.engagement] for warrant in change.warrants]
        people = _team(register, spec.owner, person, {*asked, *(engagement.sponsor for engagement in engagements)})
        owners: set[Need | None] = {Need(f"owner {spec.owner}", people)} if people else set()
        found |= owners or {second_approver(engagement, asked) for engagement in engagements}
    return {need for need in found if need is not None}


def _team(register: Register, team: str, person: str, besides: Iterable[str]) -> tuple[str, ...]:
    """Who gives a team's word on a person: those of the company who are still here, but for these."""
    people = set(register.teams.get(team, ())) - {person, *besides}
    return tuple(sorted(one for one in people if of_the_company(register, one)))


def second_hazards(services: Services, register: Register, person: str, changes: Sequence[Change]) -> Iterable[Hazard]:
    """Engagements in which nobody but the sponsor could give the second word on something high-risk."""
    for change, spec in _high_risk(services, changes):
        engagements = [register.engagements[warrant.engagement] for warrant in change.warrants]
        if _team(register, spec.owner, person, {engagement.sponsor for engagement in engagements}):
            continue
        for engagement in engagements:
            if second_approver(engagement) is None:
                way = (
                    f"name another product owner or company lead, or somebody for {spec.owner} (engagements/teams.yaml)"
                )
                message = f"nobody but the sponsor answers for {engagement.id}; {way}"
                yield Hazard(f"second-approver:{engagement.id}", message, blocking=True)


def second_approver(engagement: Engagement, besides: Collection[str] = ()) -> Need | None:
    """Who gives a second word in an engagement: the product owner, or if that's the sponsor the company lead."""
    others = (("product owner", engagement.product_owner), ("company lead", engagement.company_lead))
    found = ((what, person) for what, person in others if person not in (engagement.sponsor, *besides))
    return next((Need(f"{what} of {engagement.id}", (person,)) for what, person in found), None)


def high_risk(spec: ResourceSpec | None) -> bool:
    """Whether a resource is high-risk: restricted, tagged so, or not declared."""
    return spec is None or spec.classification is Classification.RESTRICTED or HIGH_RISK in spec.tags


def _high_risk(services: Services, changes: Iterable[Change]) -> list[tuple[Change, ResourceSpec]]:
    specs = ((change, services.policy.resources.get(change.resource)) for change in changes)
    return [(change, spec) for change, spec in specs if spec is not None and high_risk(spec)]


def _pre_approved(services: Services, register: Register, person: str, changes: Sequence[Change]) -> tuple[Need, ...]:
    """The owners of the rules that pre-approve these grants; empty unless every one of them is pre-approved."""
    if not services.policy.authority.permits(Action.PRE_APPROVE) or any(
        w.extra for c in changes for w in c.warrants[:1]
    ):
        return ()
    answers: dict[Question, Need | None] = {}
    for question in (_question(services, register, person, c, warrant) for c in changes for warrant in c.warrants):
        if question not in answers:
            answers[question] = _owner(services, register, question)
    found = {need for need in answers.values() if need is not None}
    return tuple(sorted(found)) if all(answers.values()) else ()


def _owner(services: Services, register: Register, question: Question) -> Need | None:
    """Who answers for the rule that pre-approves this; None where none does, or nobody of the company can."""
    answer = services.policy.authority.ask(question)
    for rule in answer.rules if answer.allowed else ():
        people = owners_of(register, rule, question.principal.id)
        if people:
            return Need(f"{BY_RULE}{rule.id}", people[:1])
    return None


def owners_of(register: Register, rule: Rule, person: str) -> tuple[str, ...]:
    """A rule's owner, or its team's people, as far as they may speak for this person."""
    owner = rule.owner or ""
    if not PERSON_ID.fullmatch(owner):
        return _team(register, owner, person, ())
    return (owner,) if owner != person and of_the_company(register, owner) else ()


def _question(services: Services, register: Register, person: str, change: Change, warrant: Warrant) -> Question:
    engagement = register.engagements[warrant.engagement]
    grant = GrantIs(
        change.after or "",
        warrant.role,
        warrant.phase.value,
        warrant.phase.rank,
        engagement.model.value,
        engagement.id,
        engagement.classification.rank,
    )
    return Question(Action.PRE_APPROVE, person_is(register, person), resource_is(services, change.resource), grant)


def resource_is(services: Services, resource: Resource) -> ResourceIs:
    """A resource as rules of authority see it; one that isn't declared any more is restricted."""
    spec = services.policy.resources.get(resource)
    classification = spec.classification if spec else Classification.RESTRICTED
    kind = services.policy.systems.get(resource.system)
    return ResourceIs(
        str(resource),
        resource.system,
        kind.value if kind else "",
        resource.type,
        spec.owner if spec else "",
        classification.value,
        classification.rank,
        spec.tags if spec else frozenset(),
        high_risk(spec),
    )
