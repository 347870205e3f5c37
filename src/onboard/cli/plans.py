"""Plans and their approvals: plan, plans, inbox, approve, refuse, apply."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboard.cli import context, output, render
from onboard.cli.output import Json
from onboard.lasting import moment

if TYPE_CHECKING:
    from onboard.ledger import Proposal, Register
    from onboard.model import Actor
    from onboard.wiring import Services

app = typer.Typer()

Digest = Annotated[
    str, typer.Argument(metavar="PLAN", help="The beginning of a plan's digest, at least four characters.")
]


@app.command("plan")
def plan(
    person: Annotated[str | None, typer.Option(help="One person.")] = None,
    engagement: Annotated[str | None, typer.Option(help="Everybody of an engagement.")] = None,
    vendor: Annotated[str | None, typer.Option(help="Everybody of a vendor.")] = None,
    as_json: Json = False,
) -> None:
    """Show what would change, and why. Reads the systems; changes none. Without an option, for everybody."""
    from onboard.cli import lifecycle
    from onboard.lifecycle import reconciling
    from onboard.lifecycle.standing import register_of, waiting_for

    with context.services() as services:
        people = _people(services, person, engagement, vendor)
        found = reconciling.plan(services, people, context.actor(services))
        register = register_of(services)
        present = [who for who in people if register.left(who) is None]
        waiting = tuple((who, fact) for who in present for fact in waiting_for(services, register, who))
        lifecycle.conclude(services, reconciling.Report(found, waiting=waiting), as_json)


def _people(services: Services, person: str | None, engagement: str | None, vendor: str | None) -> list[str]:
    from onboard.errors import BadInput
    from onboard.lifecycle.standing import register_of

    register = register_of(services)
    if person is not None:
        return [context.person(services, person)]
    for given, known, noun in ((engagement, register.engagements, "engagement"), (vendor, register.vendors, "vendor")):
        if given is not None and given not in known:
            raise BadInput.one(f"No {noun} {given!r}. Known: {', '.join(sorted(known)) or 'none'}")
    chosen = [e.id for e in register.engagements.values() if engagement in (None, e.id) and vendor in (None, e.vendor)]
    return sorted({someone for name in chosen for someone in register.staffed(name)})


@app.command("plans")
def plans(as_json: Json = False) -> None:
    """The open plans: proposed, and neither applied nor refused."""
    from onboard.lifecycle.standing import register_of

    with context.services() as services:
        register = register_of(services)
        _show(services, register, register.open_proposals(), as_json, "No plan is open.")


@app.command("inbox")
def inbox(as_json: Json = False) -> None:
    """The open plans that wait for me, by my own Vault login."""
    from onboard.lifecycle import approvals
    from onboard.lifecycle.standing import register_of

    with context.services() as services:
        actor = approvals.authenticate(services, context.vault_token())
        mine = approvals.inbox(services, actor)
        _show(services, register_of(services), mine, as_json, "Nothing waits for you.", lines=True)


def _show(
    services: Services,
    register: Register,
    proposals: Iterable[Proposal],
    as_json: bool,
    none: str,
    *,
    lines: bool = False,
) -> None:
    """A table of plans, and with `lines` what each of them would change."""
    found = list(proposals)
    if as_json:
        output.emit_json([_json(services, register, proposal) for proposal in found])
        return
    if not found:
        output.say(none)
        return
    name = context.names(services)
    rows = [_row(services, register, proposal, name) for proposal in found]
    output.table(rows, ("plan", "person", "changes", "proposed", "waits for"))
    for proposal in found if lines else ():
        output.say()
        _show_lines(proposal, name)
    output.next_step(_step(register, found[0]))


def _row(
    services: Services, register: Register, proposal: Proposal, name: Callable[[str], str]
) -> tuple[str, str, str, str, str]:
    from onboard.lifecycle.capacities import overdue
    from onboard.lifecycle.reconciling import lacking

    lacks = lacking(register, proposal.digest)
    waits = "; ".join(lacks) or "its application"
    late = " (overdue)" if lacks and overdue(services, proposal) else ""
    changes, at = str(len(proposal.changes)), moment(proposal.at)
    return (proposal.digest[:8], name(proposal.person), changes, at, waits + late)


def _show_lines(proposal: Proposal, name: Callable[[str], str]) -> None:
    """What a plan on record would change."""
    from onboard.lifecycle.story import proposed

    output.say(f"Plan {proposal.digest[:8]} for {name(proposal.person)}:")
    output.table([row.cells() for row in proposed(proposal)])


def _step(register: Register, proposal: Proposal) -> str:
    """The command by which a proposal goes on; hazards that somebody may accept have to be named."""
    from onboard.lifecycle.reconciling import acceptable, lacking

    if not lacking(register, proposal.digest):
        return f"onboard apply {proposal.digest[:8]}"
    hazards = proposal.terms["hazards"]
    if len(acceptable(hazards)) < len(hazards):
        return f"onboard plan --person {render.short(proposal.person, register.people)}"
    return " ".join([f"onboard approve {proposal.digest[:8]}", *(f"--accept {name}" for name in hazards)])


def _json(services: Services, register: Register, proposal: Proposal) -> dict[str, Any]:
    from onboard.lifecycle.capacities import overdue
    from onboard.lifecycle.reconciling import lacking

    waits = list(lacking(register, proposal.digest))
    late = bool(waits) and overdue(services, proposal)
    return {
        **proposal.terms,
        "digest": proposal.digest,
        "proposed_at": proposal.at,
        "lacks": waits,
        "overdue": late,
    }


@app.command("approve")
def approve(
    digest: Digest,
    accept: Annotated[list[str] | None, typer.Option(metavar="HAZARD", help="A hazard to accept by its name.")] = None,
    as_json: Json = False,
) -> None:
    """Approve a plan, as whoever your own Vault login says you are. Applies nothing yet."""
    from onboard.lifecycle import approvals
    from onboard.lifecycle.reconciling import lacking
    from onboard.lifecycle.standing import register_of

    with context.services() as services:
        actor = approvals.authenticate(services, context.vault_token())
        if not as_json:
            _show_lines(register_of(services).proposal(digest), context.names(services))
        proposal = approvals.approve(services, digest, actor, accept or ())
        context.announce(services)
        waits = lacking(register_of(services), proposal.digest)
        if as_json:
            output.emit_json(_decision(proposal, actor, "approved", waits))
            return
        short, name = proposal.digest[:8], context.names(services)
        output.say()
        output.say(f"{name(actor.id)} approved plan {short} for {name(proposal.person)}.")
        if waits:
            output.say(f"It still lacks {' and '.join(waits)}.")
        else:
            output.next_step(f"onboard apply {short}")


@app.command("refuse")
def refuse(digest: Digest, as_json: Json = False) -> None:
    """Refuse a plan, as whoever your own Vault login says you are."""
    from onboard.lifecycle import approvals

    with context.services() as services:
        actor = approvals.authenticate(services, context.vault_token())
        proposal = approvals.refuse(services, digest, actor)
        context.announce(services)
        if as_json:
            output.emit_json(_decision(proposal, actor, "refused", ()))
            return
        name = context.names(services)
        output.say(f"{name(actor.id)} refused plan {proposal.digest[:8]} for {name(proposal.person)}: nothing of it")
        output.say("is granted. What policy gives is proposed again when it is planned again.")
        output.next_step(f"onboard plan --person {context.short(services, proposal.person)}")


def _decision(proposal: Proposal, actor: Actor, word: str, lacks: Iterable[str]) -> dict[str, Any]:
    return {
        "digest": proposal.digest,
        "person": proposal.person,
        "decision": word,
        "by": actor.id,
        "lacks": list(lacks),
        "exit_code": 0,
    }


@app.command("apply")
def apply(digest: Digest, as_json: Json = False) -> None:
    """Carry out an approved plan, exactly as it was approved. Reads again first; interrupted, it goes on."""
    from onboard.cli import lifecycle
    from onboard.lifecycle import approvals

    lifecycle.run(lambda s: approvals.apply_digest(s, digest, context.actor(s)), as_json)
