"""Guardrails on the whole resulting state: whatever the roles say, these rules have the last word.

The roles say who may hold what, and their default is deny; a guardrail only takes away. It is asked about every grant
that somebody would hold after the change, those that they hold already included, once for each of its warrants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from onboard.errors import OnboardError
from onboard.model import Grant, Proof, Warrant
from onboard.policy.catalogue import Policy
from onboard.policy.cedar import Question, Rule
from onboard.policy.desired import RegisterView


@dataclass(frozen=True, slots=True)
class Refusal:
    """A guardrail's no to one grant: the rule's @id, @because and @control, and a message with the way out."""

    rule: str
    because: str
    control: str
    grant: Grant
    message: str


def check(policy: Policy, grants: Iterable[Grant], register: RegisterView, today: date) -> tuple[Refusal, ...]:
    """The refusals among the grants of a resulting state, one for a rule and grant; none means that it may be.

    A grant that several assignments warrant is refused where a rule forbids it for any of them. Only facts that hold
    today count. A rule that can't be evaluated refuses.
    """
    held: dict[str, list[Grant]] = defaultdict(list)
    for grant in grants:
        held[grant.person].append(grant)
    answers: dict[Question, tuple[tuple[Rule, str], ...]] = {}
    refusals: dict[tuple[str, str, str, str], Refusal] = {}
    for person, theirs in held.items():
        for question, grant in _questions(policy, person, theirs, register, today):
            if question not in answers:
                answers[question] = policy.guardrails.forbidding(question)
            for rule, failure in answers[question]:
                key = (rule.id, person, str(grant.resource), grant.level)
                refusals.setdefault(key, _refusal(question, rule, failure, grant))
    return tuple(refusals[key] for key in sorted(refusals))


def _questions(
    policy: Policy, person: str, grants: list[Grant], register: RegisterView, today: date
) -> Iterator[tuple[Question, Grant]]:
    vendors = _vendors(register, person)
    holds = frozenset(f"{grant.resource} {grant.level}" for grant in grants)
    facts = {name for name, fact in register.facts(person).items() if fact.holds(today)}
    named = person if person in policy.guardrails.people else ""
    for grant in grants:
        for warrant in grant.warrants:
            milestones = register.milestones(person, warrant.engagement)
            about = _About(named, vendors, holds, frozenset(facts | milestones.keys()))
            yield _question(policy, about, grant, warrant, register), grant


@dataclass(frozen=True, slots=True)
class _About:
    """What a question says of the person."""

    person: str
    vendors: frozenset[str]
    holds: frozenset[str]
    facts: frozenset[str]


def _vendors(register: RegisterView, person: str) -> frozenset[str]:
    engagements = register.engagements
    theirs = (assignment.engagement for assignment in register.assignments(person))
    return frozenset(engagements[name].vendor for name in theirs if name in engagements)


def _question(policy: Policy, about: _About, grant: Grant, warrant: Warrant, register: RegisterView) -> Question:
    resource, spec = grant.resource, policy.resources.get(grant.resource)
    engagement = register.engagements.get(warrant.engagement)
    if spec is None or engagement is None:
        raise OnboardError(f"guardrails were asked about {resource} in {warrant.engagement}, which aren't on record")
    return Question(
        person=about.person,
        outsourced=bool(about.vendors),
        vendors=about.vendors,
        holds=about.holds,
        resource=str(resource),
        system=resource.system,
        kind=policy.systems[resource.system].value,
        type=resource.type,
        owner=spec.owner,
        classification=spec.classification.value,
        sensitivity=spec.classification.rank,
        tags=spec.tags,
        exclusive=spec.exclusive,
        level=grant.level,
        role=warrant.role,
        phase=warrant.phase.value,
        model=engagement.model.value,
        engagement=engagement.id,
        engagement_sensitivity=engagement.classification.rank,
        facts=about.facts,
        proof=register.proof(grant.person, resource.system),
    )


def _refusal(question: Question, rule: Rule, failure: str, grant: Grant) -> Refusal:
    why = f"it could not be evaluated ({failure}), so it refuses" if failure else rule.because
    message = (
        f"guardrail {rule.id} ({rule.source}) forbids {grant.level} on {grant.resource}: {why}"
        f" [{rule.control}]. {_way_out(question, rule, grant)}"
    )
    return Refusal(rule.id, rule.because, rule.control, grant, message)


def _way_out(question: Question, rule: Rule, grant: Grant) -> str:
    if rule.asks_for_proof and question.proof == Proof.CLAIMED:
        return f"Confirm the account: onboard person confirm {grant.person[:10]} --system {grant.resource.system}"
    lines = ", ".join(sorted({str(warrant.source) for warrant in grant.warrants}))
    return f"Granted by {lines}; change that line, or have the rule changed."
