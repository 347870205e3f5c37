"""Who may speak on a plan, and in which of the capacities that it needs: asked of the rules of authority."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from onboard.errors import NotAuthorised
from onboard.ledger import Proposal, Register
from onboard.lifecycle.authentication import AUTHENTICATED
from onboard.lifecycle.authority import UNTOUCHED, about, actor_is, why_not
from onboard.lifecycle.company import person_is
from onboard.lifecycle.needs import BY_RULE, high_risk
from onboard.model import Actor, Classification, Resource
from onboard.policy.rules.authority import Answer
from onboard.policy.rules.deeds import Action, Plan, Question
from onboard.wiring import Services

#: What a plan without any need is asked about: it rests on a fact.
_NOBODY: Mapping[str, Any] = {"role": "", "people": ()}


@dataclass(frozen=True, slots=True)
class Capacity:
    """In which role of a plan's an actor may speak, and by which rule; `for_whom`: as whose delegate.

    `own`: the plan names the actor for it; otherwise they stand in for whom it names.
    """

    role: str
    rule: str
    own: bool
    for_whom: str | None = None


def capacities(
    services: Services, register: Register, proposal: Proposal, actor: Actor, action: Action = Action.APPROVE
) -> tuple[Capacity, ...]:
    """In which of the capacities that a proposal needs this actor may speak. Raises NotAuthorised for none."""
    if actor.authenticated_by not in AUTHENTICATED:
        raise NotAuthorised(f"An approval needs your own Vault login. {UNTOUCHED}")
    found: list[Capacity] = []
    answers: list[Answer] = []
    for need in proposal.terms["needs"] or (_NOBODY,):
        handed = _delegator(services, register, proposal, need, actor)
        own = actor.id in need["people"]
        answer = services.policy.authority.ask(_question(services, register, proposal, actor, action, need, handed))
        answers.append(answer)
        if answer.allowed and need["role"]:
            found.append(Capacity(need["role"], answer.rules[0].id, own, None if own else handed))
    if not found:
        raise NotAuthorised(_refusal(services, proposal, actor, action, answers))
    _hold_invariant(register, proposal, actor)
    return _apart(register, proposal, actor, found)


def _question(
    services: Services,
    register: Register,
    proposal: Proposal,
    actor: Actor,
    action: Action,
    need: Mapping[str, Any],
    handed: str | None,
) -> Question:
    specs = [services.policy.resources.get(Resource.parse(change["resource"])) for change in proposal.changes]
    classes = [spec.classification if spec else Classification.RESTRICTED for spec in specs]
    asked = Plan(
        need=_kind(need["role"]),
        named=actor.id in need["people"],
        delegate=handed is not None,
        overdue=bool(need["role"]) and overdue(services, proposal),
        high_risk=any(map(high_risk, specs)),
        sensitivity=max((one.rank for one in classes), default=0),
    )
    context = about(register, actor, proposal.person, asked)
    return Question(action, actor_is(register, actor), person_is(register, proposal.person), context)


def _kind(role: str) -> str:
    """A need's capacity, as rules name it."""
    kinds = {"sponsor of ": "sponsor", "product owner of ": "product-owner", "company lead of ": "company-lead"}
    kinds |= {"owner ": "owner", BY_RULE: "rule"}
    return next((kind for start, kind in kinds.items() if role.startswith(start)), "answerable" if role else "")


def _delegator(
    services: Services, register: Register, proposal: Proposal, need: Mapping[str, Any], actor: Actor
) -> str | None:
    """Of whom the plan names for a need the first who is here and made the actor their delegate; chains end there."""
    today = services.clock().date()
    engagements = frozenset(w["engagement"] for change in proposal.changes for w in change["warrants"])
    for person in need["people"]:
        held = (d for d in register.delegations(person) if d.to == actor.id and d.covers(engagements, today))
        if register.left(person) is None and any(held):
            return str(person)
    return None


def _refusal(services: Services, proposal: Proposal, actor: Actor, action: Action, answers: Iterable[Answer]) -> str:
    """Why the actor may not speak on this plan at all."""
    short, refused = proposal.digest[:8], [answer for answer in answers if not answer.allowed]
    forbidden = next((answer for answer in refused if answer.rules or answer.failure), None)
    if forbidden:
        why = why_not(services.policy.authority, action, actor, forbidden)
        return f"{why} It is about plan {short}. {UNTOUCHED}"
    wanted = " and ".join(need["role"] for need in proposal.terms["needs"]) or "nobody: it rests on a fact"
    rules = ", ".join(rule.id for rule in services.policy.authority.permits(action)) or "none at all"
    return (
        f"Plan {short} is approved by: {wanted}. You are none of them, and no rule permits you ({rules}). {UNTOUCHED}"
    )


def _hold_invariant(register: Register, proposal: Proposal, actor: Actor) -> None:
    """Raises NotAuthorised for the person concerned and their vendor's people, though a policy permitted it."""
    same = register.worked_for(actor.id) & register.worked_for(proposal.person)
    if actor.id == proposal.person or same:
        never = "Nobody approves their own access, nor for their own vendor"
        raise NotAuthorised(f"{never}: that holds whatever policies/authority permits. {UNTOUCHED}")
    sources = {w["source"] for change in proposal.changes for w in change["warrants"]}
    if any(f"ledger:{x.entry}" in sources and x.asked_by.id == actor.id for x in register.extras(proposal.person)):
        raise NotAuthorised(f"You asked for it, so somebody else approves it: plan {proposal.digest[:8]}. {UNTOUCHED}")


def _apart(register: Register, proposal: Proposal, actor: Actor, found: Iterable[Capacity]) -> tuple[Capacity, ...]:
    """Whoever stands in for others doesn't give the sponsor's word and the second one both. Raises NotAuthorised.

    What the plan itself names somebody for they always may, unless they stood in for the other side before.
    """
    everything = tuple(found)
    named = {need["role"] for need in proposal.terms["needs"] if actor.id in need["people"]}
    given = [a.as_role for a in register.approvals(proposal.digest) if a.actor.id == actor.id]
    stood_in = {_first(role) for role in given if role not in named}
    kept = [c for c in everything if c.own and stood_in <= {_first(c.role)}]
    sides = {_first(role) for role in (*given, *(c.role for c in kept))}
    for capacity in everything:
        if not capacity.own and sides <= {_first(capacity.role)}:
            kept.append(capacity)
            sides.add(_first(capacity.role))
    if not kept:
        why = f"You have given the other word on plan {proposal.digest[:8]} already"
        raise NotAuthorised(f"{why}; this one is for somebody else. {UNTOUCHED}")
    return tuple(kept)


def _first(role: str) -> bool:
    """Whether it is a sponsor's word, and not the second one besides."""
    return role.startswith("sponsor of ")


def overdue(services: Services, proposal: Proposal) -> bool:
    """Whether a proposal has waited for longer than the settings allow, so that others may step in."""
    waits = timedelta(days=services.settings.approvals.escalate_after_days)
    return proposal.at + waits < services.clock()
