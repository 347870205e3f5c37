"""What `onboard person list` and `person show` say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onboard.cli import output, render
from onboard.lasting import moment

if TYPE_CHECKING:
    from onboard.ledger import Ledger, Register
    from onboard.ledger.projections.facts import Binding
    from onboard.model import Assignment, Fact


def everybody(ledger: Ledger, *, as_json: bool) -> None:
    """Everybody who was ever entered, by name, with their assignments; the erased by id."""
    register = render.register(ledger)
    profiles = ledger.people.all()
    ids = sorted(register.people | set(profiles), key=lambda person: (render.name(ledger.people, person), person))
    if as_json:
        output.emit_json([_facts(ledger, register, person) for person in ids])
        return
    rows = [(render.short(person, ids), render.name(ledger.people, person), _where(register, person)) for person in ids]
    if rows:
        output.table(rows, ("id", "name", "assignments"))
    else:
        output.say("Nobody has been entered yet.")
        output.next_step("onboard person add NAME --email ADDRESS --github LOGIN …")


def one(ledger: Ledger, person: str, *, as_json: bool) -> None:
    """Accounts, assignments and facts of one person."""
    register = render.register(ledger)
    known = _facts(ledger, register, person)
    if as_json:
        output.emit_json(known)
        return
    output.say(f"{known['name']} <{known['email']}>" if known["email"] else "(erased)", style="bold")
    output.say(f"  {person}")
    left = register.left(person)
    if left:
        output.say(f"  {_words(left.name)} {moment(left.at)}")
    _section("accounts", [_account_row(a) for a in known["accounts"]])
    _section("assignments", [_assignment_row(a) for a in register.assignments(person)])
    _section("facts", [_fact_row(fact) for fact in register.facts(person).values()])
    for assignment in register.assignments(person):
        reached = register.milestones(person, assignment.engagement).values()
        _section(f"reached in {assignment.engagement}", [_fact_row(fact) for fact in reached])


def _facts(ledger: Ledger, register: Register, person: str) -> dict[str, Any]:
    profile = ledger.people.all().get(person)
    handles: Mapping[str, str] = profile.handles if profile else {}
    bound = register.bindings(person)
    return {
        "id": person,
        "name": profile.name if profile else None,
        "email": profile.email if profile else None,
        "accounts": [
            {"system": system, "handle": handles.get(system), **_binding(bound.get(system))}
            for system in sorted({*handles, *bound})
        ],
        "assignments": register.assignments(person),
        "facts": register.facts(person),
        "milestones": {a.engagement: register.milestones(person, a.engagement) for a in register.assignments(person)},
        "left": register.left(person),
    }


def _binding(binding: Binding | None) -> dict[str, Any]:
    """The account, and how it was shown to be theirs."""
    return {
        "account": binding.account if binding else None,
        "proof": binding.proof if binding else "none",
        "proven": binding.proven if binding else None,
    }


def _account_row(account: Mapping[str, Any]) -> tuple[str, ...]:
    if account["account"] is None:
        return (account["system"], account["handle"], "not bound yet")
    return (account["system"], account["handle"] or "", render.proof(account["proof"], account["proven"]))


def _section(title: str, rows: list[tuple[str, ...]]) -> None:
    if rows:
        output.say()
        output.say(f"  {title}")
        output.table(rows, indent=4)


def _where(register: Register, person: str) -> str:
    left = register.left(person)
    if left:
        return f"{_words(left.name)} {left.at:%Y-%m-%d}"
    current = [a for a in register.assignments(person) if not a.ended]
    return ", ".join(f"{a.role} in {a.engagement} ({a.phase or 'not started'})" for a in current) or "none"


def _assignment_row(assignment: Assignment) -> tuple[str, ...]:
    state = "ended" if assignment.ended else str(assignment.phase or "not started")
    return (assignment.engagement, assignment.role, state, render.until(assignment.ends) if assignment.ends else "")


def _fact_row(fact: Fact) -> tuple[str, ...]:
    return (_words(fact.name), moment(fact.at), render.until(fact.until), f"entry {fact.entry}")


def _words(name: str) -> str:
    return name.replace("_", " ")
