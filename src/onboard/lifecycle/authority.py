"""Asking the rules of authority whether an actor may do something to a person, and saying no in their words.

Two things hold whatever the rules say. Nobody gives a word on their own access or on a vendor's of theirs; and nobody
of the company who is logged in is kept from a cut-off.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TypeVar

from onboard.errors import NotAuthorised
from onboard.ledger import Register
from onboard.lifecycle.authentication import AUTHENTICATED
from onboard.lifecycle.company import outsourced, person_is
from onboard.model import OPERATOR, Actor
from onboard.policy.rules.authority import Answer, Authority, Rule
from onboard.policy.rules.deeds import About, Action, ActorIs, Question
from onboard.wiring import Services

_About = TypeVar("_About", bound=About)
UNTOUCHED = "Nothing was changed."
_DOING = {
    Action.CUTOFF: "cut somebody off",
    Action.OFFBOARD: "offboard somebody",
    Action.RESTORE: "restore somebody",
    Action.CHANGE_ROLE: "change a role",
    Action.RECORD: "record what happened",
    Action.EDIT_PEOPLE: "enter or change people",
    Action.ERASE: "erase somebody",
    Action.DELEGATE: "name a delegate for this person",
    Action.REQUEST: "request this",
    Action.BREAK_GLASS: "break the glass",
}


def require(services: Services, register: Register, action: Action, actor: Actor, *people: str) -> None:
    """Raises NotAuthorised unless the actor may do this to each of these people, or to somebody not entered yet."""
    for person in people or ("",):
        permit(services.policy.authority, register, action, actor, person)


def permit(authority: Authority, register: Register, action: Action, actor: Actor, person: str = "") -> None:
    """The same of one person, without the systems. Raises NotAuthorised."""
    permitted(authority, register, action, actor, person, about(register, actor, person, About()))


def permitted(
    authority: Authority, register: Register, action: Action, actor: Actor, person: str, context: About
) -> tuple[Rule, ...]:
    """The rules that permit it, things being so. Raises NotAuthorised."""
    who = actor_is(register, actor)
    if action is Action.CUTOFF and who.kind == "person" and not (who.outsourced or who.left):
        return ()
    answer = authority.ask(Question(action, who, person_is(register, person), context))
    if not answer.allowed:
        raise NotAuthorised(f"{why_not(authority, action, actor, answer)} {UNTOUCHED}")
    return answer.rules


def why_not(authority: Authority, action: Action, actor: Actor, answer: Answer) -> str:
    """A no in words: the rule that forbids it, or that none permits it, and what does for others."""
    if answer.failure:
        return (
            f"The rules of authority could not be asked ({answer.failure}), so nobody may. Correct policies/authority."
        )
    if answer.rules:
        rule = answer.rules[0]
        return f"{rule.because} (rule {rule.id}, {rule.source})."
    permits = authority.permits(action)
    if not permits:
        return f"No rule permits anybody to {_DOING[action]}. Add one to policies/authority, or restore those shipped."
    others = "; ".join(f"{rule.id}: {rule.because} ({rule.source})" for rule in permits)
    way = " Log in first (vault login)." if actor == OPERATOR else ""
    return f"No rule permits you to {_DOING[action]}.{way} What would: {others}."


def actor_is(register: Register, actor: Actor) -> ActorIs:
    """An actor as rules see them. Whoever no login named is an operator or, told by Prefect, the scheduler."""
    if actor.authenticated_by not in AUTHENTICATED:
        kind = "operator" if actor.authenticated_by == OPERATOR.authenticated_by else "scheduler"
        return ActorIs(actor.id, kind, actor.authenticated_by)
    return ActorIs(
        actor.id,
        "person",
        actor.authenticated_by,
        outsourced(register, actor.id),
        register.worked_for(actor.id),
        register.left(actor.id) is not None,
        frozenset(team for team, people in register.teams.items() if actor.id in people),
    )


def about(register: Register, actor: Actor, person: str, context: _About) -> _About:
    """A context with how the actor stands to the person filled in."""
    engagements = [register.engagements[a.engagement] for a in register.assignments(person)] if person else []
    leads = {"sponsor": "sponsor", "product_owner": "product-owner", "company_lead": "company-lead"}
    held = {name for e in engagements for field, name in leads.items() if getattr(e, field) == actor.id}
    same = bool(register.worked_for(actor.id) & register.worked_for(person)) if person else False
    rest = {f.name: getattr(context, f.name) for f in fields(context)}
    rest |= {"is_self": actor.id == person, "same_vendor": same, "capacities": frozenset(held)}
    return type(context)(**rest)
