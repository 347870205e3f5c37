"""Looking up handles as they are entered, so that a name which changes hands later brings nobody anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from onboard.cli import context, output, render
from onboard.errors import BadInput, SystemFailed, Waiting

if TYPE_CHECKING:
    from onboard.lifecycle.standing import Unbound

#: People told of one by one; more are counted.
FEW = 10


def look_up(entered: Mapping[str, Mapping[str, str]]) -> None:
    """Bind the accounts of people whose handles (by system) were just entered.

    They are entered whatever comes of it: what couldn't be looked up is said on stderr, and is looked up again when
    somebody next works on them.
    """
    configured = context.settings().systems
    people = [person for person, handles in entered.items() if configured.keys() & handles.keys()]
    if not people:
        return
    from onboard.lifecycle.proposing import bind_entered

    try:
        with context.services() as services:
            unbound = bind_entered(services, people, context.actor(services))
    except (BadInput, SystemFailed, Waiting) as failure:
        output.say(f"Entered, but the accounts couldn't be looked up yet: {failure}", stderr=True)
        return
    told = [line for person in people for line in _lines(person, unbound[person])]
    for line in told[:FEW]:
        output.say(line, stderr=True)
    if len(told) > FEW:
        output.say(f"… and {len(told) - FEW} more accounts that aren't bound yet.", stderr=True)


def _lines(person: str, unbound: Unbound) -> list[str]:
    reasons = sorted({**unbound.missing, **unbound.unclear}.items())
    return [f"{render.short(person)} {system}: not bound yet: {reason}" for system, reason in reasons]
