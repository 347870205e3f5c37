"""`onboard delegate …`: letting a colleague give one's word for a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboard.cli import context, output
from onboard.cli.output import Json

if TYPE_CHECKING:
    from onboard.ledger.projections.delegations import Delegation

app = typer.Typer(help="Let a colleague give your word for a while.", no_args_is_help=True)

Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="Whose word it is: an id or its beginning, an e-mail address or name.")
]
To = Annotated[str, typer.Option("--to", metavar="PERSON", help="Who may give it as well.")]


@app.command("add")
def add(
    person: Person,
    to: To,
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The last day on which they may.")
    ],
    within: Annotated[
        str | None, typer.Option("--for", metavar="ENGAGEMENT", help="In one engagement only; without it, in all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make somebody a person's delegate until a day, by your own Vault login. They don't hand it on."""
    from onboard.lifecycle import delegates

    with context.services() as services:
        who, delegate, actor = context.person(services, person), context.person(services, to), context.actor(services)
        made = delegates.add(services, who, delegate, until.date(), within, actor)
        if as_json:
            output.emit_json(_json(made))
            return
        name, where = context.names(services), f" in {within}" if within else ""
        output.say(f"{name(delegate)} may approve for {name(who)}{where} until {made.until}, and that day.")
        back = f"onboard delegate end {context.short(services, who)} --to {context.short(services, delegate)}"
        output.say(f"To take it back: {back}")


@app.command("end")
def end(person: Person, to: To, as_json: Json = False) -> None:
    """Take it back: from now on they don't give that person's word any more."""
    from onboard.lifecycle import delegates

    with context.services() as services:
        who, delegate, actor = context.person(services, person), context.person(services, to), context.actor(services)
        ended = delegates.end(services, who, delegate, actor)
        if as_json:
            output.emit_json([_json(one) for one in ended])
            return
        name = context.names(services)
        output.say(f"{name(delegate)} is no delegate of {name(who)} any more.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Who may give whose word now, and until when."""
    from onboard.lifecycle import delegates
    from onboard.lifecycle.standing import register_of

    with context.services() as services:
        found = delegates.standing(services, register_of(services))
        if as_json:
            output.emit_json([_json(one) for one in found])
        elif found:
            output.table(_rows(found, context.names(services)), ("word of", "delegate", "until", "engagement"))
        else:
            output.say("Nobody is anybody's delegate now.")
            output.next_step("onboard delegate add PERSON --to PERSON --until YYYY-MM-DD")


def _rows(found: tuple[Delegation, ...], name: Callable[[str], str]) -> list[tuple[str, ...]]:
    return [(name(d.person), name(d.to), d.until.isoformat(), d.within or "all") for d in found]


def _json(delegation: Delegation) -> dict[str, Any]:
    return {
        "person": delegation.person,
        "to": delegation.to,
        "until": delegation.until,
        "engagement": delegation.within,
        "entry": delegation.entry,
    }
