"""What somebody is about to lose, shown before it is taken; and the question whether that is meant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import typer

from onboard.cli import context, output
from onboard.errors import BadInput

if TYPE_CHECKING:
    from onboard.review.holdings import Held
    from onboard.wiring import Services


def before_offboarding(services: Services, person: str, engagement: str | None) -> None:
    """On stderr, all that a person holds now, whoever granted it; of one engagement, what rests on that alone."""
    from onboard.review.holdings import held_by

    found = held_by(services, person)
    name = context.name(services, person)
    direct = [
        one for one in found.held if one.holding.via == "direct"
    ]  # the rest follows from these and goes with them
    held = [one for one in direct if engagement is None or _rests_on(one, engagement)]
    what = f"what {engagement} gave" if engagement else "everything, whoever granted it"
    output.say(f"Takes from {name} {what}: {output.count(len(held), 'right')} now.", stderr=True)
    output.table(_rows(held), stderr=True)
    for where, reason in found.unknown:
        output.say(f"  ? {where}: could not be read ({reason})", stderr=True)


def before_lapsing(services: Services, person: str, fact: str, day: date) -> None:
    """On stderr, that a fact ended before today, so that what rests on it goes at once."""
    name = context.name(services, person)
    output.say(f"{fact} until {day} has ended already: what rests on it is taken from {name} at once.", stderr=True)


def before_cutting_off(services: Services, person: str) -> None:
    """On stderr, the accounts that will be cut off, and how much the ledger knows there. Reads no system."""
    from onboard.lifecycle.standing import salvaged_register, subject_of

    register = salvaged_register(services)
    name = context.name(services, person)
    output.say(f"Cuts {name} off on every system now, whatever their accounts hold there:", stderr=True)
    owned = [resource for someone, _, resource in register.owned() if someone == person]
    accounts = subject_of(services, register, person).accounts
    output.table(
        [
            (system, account.handle, f"{output.count(sum(r.system == system for r in owned), 'grant')} on record")
            for system, account in sorted(accounts.items())
        ],
        stderr=True,
    )


def before_cutting_off_vendor(services: Services, vendor: str) -> None:
    """On stderr, how many people lose how much on which systems. What can't be counted is said, and goes all the same.

    Raises BadInput for a vendor that isn't known, or for whom nobody works.
    """
    from onboard.lifecycle.offboarding import people_of
    from onboard.lifecycle.stake import stakes
    from onboard.lifecycle.standing import salvaged_register

    register = salvaged_register(services)
    people = people_of(register, vendor)
    found = stakes(services, register, people)
    totals = (
        output.count(sum(stake.grants for stake in found), "grant"),
        output.count(sum(stake.invitations for stake in found), "pending invitation"),
        output.count(sum(stake.tokens for stake in found), "live token"),
    )
    who, where = output.count(len(people), "person", "people"), output.count(len(found), "system")
    output.say(f"Cuts off {who} of {register.vendors[vendor].name} on {where}: {', '.join(totals)}.", stderr=True)
    rows = [(s.system, *map(str, (s.accounts, s.grants, s.invitations, s.tokens)), s.unknown) for s in found]
    output.table(rows, ("system", "accounts", "grants", "invitations", "tokens", ""), stderr=True)
    names = context.names(services)
    for person in people:
        others = sorted(register.vendors_of(person) - {vendor})
        if others:
            output.say(f"  ! {names(person)} works for {', '.join(others)} too, and loses that as well", stderr=True)


def confirm(services: Services, person: str) -> None:
    """Have the person's name typed. Raises BadInput where it isn't, or where nobody can be asked."""
    confirm_name(context.name(services, person))


def confirm_name(expected: str) -> None:
    """Have a name typed. Raises BadInput where it isn't, or where nobody can be asked."""
    try:
        typed = typer.prompt(f"Type {expected} to go on", err=True)
    except typer.Abort:
        typer.echo(err=True)
        raise BadInput.one("Nobody confirmed. Nothing was changed. Where nobody can be asked, add --yes.") from None
    if typed.strip() != expected:
        raise BadInput.one(f"{typed.strip()} isn't {expected}. Nothing was changed.")


def _rests_on(held: Held, engagement: str) -> bool:
    return held.grant is not None and {warrant.engagement for warrant in held.grant.warrants} == {engagement}


def _rows(held: Iterable[Held]) -> list[tuple[str, ...]]:
    from onboard.lifecycle.story import what

    rows: list[tuple[str, ...]] = []
    for one in sorted(held, key=lambda one: (one.holding.resource, one.holding.level)):
        holding = one.holding
        state = "" if holding.state == "active" else holding.state
        origin = one.grant.warrants[0].source.short if one.grant else "not by policy"
        rows.append((holding.resource.system, what(holding.resource), holding.level, state, origin))
    return rows
