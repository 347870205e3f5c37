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
from onboard.model import Assignment, Engagement, Grant, Proof, Resource, Vendor, Warrant
from onboard.policy.beside import RuleException
from onboard.policy.catalogue import Policy
from onboard.policy.desired import RegisterView
from onboard.policy.rules.cedar import Rule
from onboard.policy.rules.judging import Judge, What, Who
from onboard.policy.rules.question import Place, Principal, Terms, day_number, duties_of, thing_of
from onboard.rota import on_call_until

#: What a rule forbids, for which warrant, and what went wrong where it could not be evaluated.
_Forbidden = tuple[Grant, Warrant, Who, What, Rule, str]


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
    return Guard(policy, register, today).check(grants)


class Guard:
    """Guardrails as they stand over one register on one day; what was answered once is not asked again."""

    def __init__(self, policy: Policy, register: RegisterView, today: date) -> None:
        self._policy = policy
        self._register = register
        self._today = today
        self.judge = Judge(policy.guardrails)
        self._whats: dict[tuple[Resource, str, str, str], What] = {}
        self._lets: dict[tuple[Resource, str], frozenset[str]] = {}

    def check(self, grants: Iterable[Grant]) -> tuple[Refusal, ...]:
        """As the function `check`."""
        refusals: dict[tuple[str, str, str, str], Refusal] = {}
        for grant, warrant, who, what, rule, failure in self._all(grants):
            key = (rule.id, grant.person, str(grant.resource), grant.level)
            if key not in refusals and not self._exception(rule, grant, warrant, failure):
                refusals[key] = _refusal(who, what, rule, failure, grant)
        return tuple(refusals[key] for key in sorted(refusals))

    def lifted(self, grants: Iterable[Grant]) -> tuple[tuple[RuleException, Grant], ...]:
        """The exceptions on which these grants rest: without them a rule would refuse each."""
        found = (
            (self._exception(rule, grant, w, failure), grant) for grant, w, _, _, rule, failure in self._all(grants)
        )
        return tuple(dict.fromkeys((exception, grant) for exception, grant in found if exception is not None))

    def _exception(self, rule: Rule, grant: Grant, warrant: Warrant, failure: str) -> RuleException | None:
        """What lifts a rule for a warrant today. A rule that can't be evaluated isn't lifted, nor an absolute one."""
        if failure or rule.absolute:
            return None
        inforce = (one for one in self._policy.exceptions if one.holds(self._today))
        return next((x for x in inforce if x.covers(rule.id, grant.person, grant.resource, warrant)), None)

    def _all(self, grants: Iterable[Grant]) -> Iterator[_Forbidden]:
        held: dict[str, list[Grant]] = defaultdict(list)
        for grant in grants:
            held[grant.person].append(grant)
        for person, theirs in held.items():
            yield from self._forbidden(person, theirs)

    def _forbidden(self, person: str, grants: list[Grant]) -> Iterator[_Forbidden]:
        principal, proofs = self._principal(person, grants), self._proofs(person, grants)
        whos: dict[str, Who] = {}
        forbidding = self.judge.forbidding
        for grant in grants:
            proof = proofs[grant.resource.system]
            for warrant in grant.warrants:
                name = warrant.engagement
                who = whos.get(name)
                if who is None:
                    who = whos[name] = self.judge.who(principal, self._place(person, warrant))
                what = self._what(grant, warrant, proof)
                for rule, failure in forbidding(who, what, day_number(warrant.limit.until)):
                    yield grant, warrant, who, what, rule, failure

    def _principal(self, person: str, grants: list[Grant]) -> Principal:
        guardrails, engagements = self._policy.guardrails, self._register.engagements
        theirs = (assignment.engagement for assignment in self._register.assignments(person))
        vendors = frozenset(engagements[name].vendor for name in theirs if name in engagements)
        holds = duties = frozenset[str]()
        if guardrails.reads("principal", "holds"):
            holds = frozenset(f"{grant.resource} {grant.level}" for grant in grants)
        if guardrails.reads("principal", "duties"):
            duties = frozenset(duty for grant in grants for duty in self._duties(grant.resource, grant.level))
        return Principal(person if person in guardrails.people else "", bool(vendors), vendors, holds, duties)

    def _proofs(self, person: str, grants: list[Grant]) -> dict[str, str]:
        """How each account was shown to be theirs, by system; not looked up where no rule asks."""
        systems = {grant.resource.system for grant in grants}
        if not self._policy.guardrails.reads("context", "proof"):
            return dict.fromkeys(systems, "")
        return {system: self._register.proof(person, system) for system in systems}

    def _place(self, person: str, warrant: Warrant) -> Place:
        register = self._register
        engagement = register.engagements.get(warrant.engagement)
        if engagement is None:
            raise OnboardError(f"guardrails were asked about {warrant.engagement}, which isn't on record")
        mine = (a for a in register.assignments(person) if a.engagement == engagement.id)
        facts = {name for name, fact in register.facts(person).items() if fact.holds(self._today)}
        reached = facts | register.milestones(person, engagement.id).keys()
        vendor = register.vendors.get(engagement.vendor)
        return place_of(engagement, vendor, next(mine, None), warrant.role, frozenset(reached), person, self._today)

    def _what(self, grant: Grant, warrant: Warrant, proof: str) -> What:
        key = (grant.resource, grant.level, warrant.phase.value, proof)
        what = self._whats.get(key)
        if what is None:
            spec = self._policy.resources.get(grant.resource)
            if spec is None:
                raise OnboardError(f"guardrails were asked about {grant.resource}, which isn't declared")
            terms = Terms(grant.level, warrant.phase.value, self._duties(grant.resource, grant.level), proof)
            kind = self._policy.systems[grant.resource.system].value
            what = self._whats[key] = self.judge.what(thing_of(spec, kind), terms)
        return what

    def _duties(self, resource: Resource, level: str) -> frozenset[str]:
        duties = self._lets.get((resource, level))
        if duties is None:
            spec = self._policy.resources.get(resource)
            duties = self._lets[resource, level] = duties_of(spec, level) if spec is not None else frozenset()
        return duties


def place_of(
    engagement: Engagement,
    vendor: Vendor | None,
    assignment: Assignment | None,
    role: str,
    facts: frozenset[str],
    person: str,
    today: date,
) -> Place:
    """An assignment as guardrails see it. A location that isn't stated is allowed only where none is asked for."""
    agreement = vendor.data_processing_agreement if vendor is not None else None
    location = (assignment.location if assignment is not None else None) or ""
    return Place(
        role=role,
        model=engagement.model.value,
        engagement=engagement.id,
        sensitivity=engagement.classification.rank,
        facts=facts,
        dpa=agreement is not None and today <= agreement,
        location=location,
        location_allowed=not engagement.locations or location in engagement.locations,
        on_call=on_call_until(engagement.rota, person, today) is not None,
        engagement_ends=day_number(engagement.ends),
        today=day_number(today),
    )


def _refusal(who: Who, what: What, rule: Rule, failure: str, grant: Grant) -> Refusal:
    why = f"it could not be evaluated ({failure}), so it refuses" if failure else rule.because
    message = (
        f"guardrail {rule.id} ({rule.source}) forbids {grant.level} on {grant.resource}: {why}"
        f" [{rule.control}]. {_way_out(who.place, what.terms, rule, grant)}"
    )
    return Refusal(rule.id, rule.because, rule.control, grant, message)


def _way_out(place: Place, terms: Terms, rule: Rule, grant: Grant) -> str:
    asks = {name for variable, name in rule.reads if variable == "context"}
    if "proof" in asks and terms.proof == Proof.CLAIMED:
        return f"Confirm the account: onboard person confirm {grant.person[:10]} --system {grant.resource.system}"
    if "dpa" in asks and not place.dpa:
        return "Sign one, and state its last day in the vendor's manifest: data_processing_agreement."
    if "location_allowed" in asks and not place.location_allowed:
        return f"They work from {place.location or 'a place that nobody stated'}: see locations in {place.engagement}."
    if "on_call" in asks and not place.on_call:
        return f"Put them on the rota of {place.engagement}, or wait for their shift."
    lines = ", ".join(sorted({str(warrant.source) for warrant in grant.warrants}))
    return f"Granted by {lines}; change that line, or have the rule changed."
