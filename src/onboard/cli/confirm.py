"""`onboard person confirm`: asking somebody to show that an account is theirs, and recording that they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, output, render
from onboard.cli.output import Json
from onboard.lasting import moment

if TYPE_CHECKING:
    from onboard.lifecycle.proving import Asked
    from onboard.wiring import Services


def confirm(
    person: Annotated[
        str, typer.Argument(metavar="PERSON", help="An id or its beginning, an e-mail address, handle or name.")
    ],
    system: Annotated[
        str | None, typer.Option("--system", metavar="NAME", help="Which account; without it, the one on GitHub.")
    ] = None,
    code: Annotated[str, typer.Option("--code", metavar="CODE", help="The code that the person was sent.")] = "",
    as_json: Json = False,
) -> None:
    """Send somebody a one-time code; with --code, record that the account is theirs."""
    from onboard.lifecycle import proving

    with context.services() as services:
        who, actor = context.person(services, person), context.actor(services)
        account = proving.account_of(services, who, system, actor)
        proof = proving.proof_of(services, account)
        if proof not in proving.WEAK:
            _already(services, who, account.system, proof, as_json=as_json)
        elif code:
            _record(services, proving.confirm(services, account, code, actor), who, account.system, as_json=as_json)
        else:
            _tell(services, proving.ask(services, account), as_json=as_json)


def _already(services: Services, person: str, system: str, proof: str, *, as_json: bool) -> None:
    if as_json:
        output.emit_json({"person": person, "system": system, "proof": proof, "exit_code": 0})
        return
    how = render.proof(proof)
    output.say(f"{context.name(services, person)}'s account on {system} is {how} already; there is nothing to do.")


def _record(services: Services, proof: str, person: str, system: str, *, as_json: bool) -> None:
    """Say it, and let access follow: what policy refused to grant on a claim is proposed now."""
    from onboard.cli.lifecycle import conclude
    from onboard.lifecycle.reconciling import reconcile
    from onboard.lifecycle.standing import register_of

    if not as_json:
        output.say(f"{context.name(services, person)}'s account on {system} is {render.proof(proof)}.")
    if register_of(services).assignments(person):
        conclude(services, reconcile(services, [person], context.actor(services)), as_json)
    elif as_json:
        output.emit_json({"person": person, "system": system, "proof": proof, "exit_code": 0})


def _tell(services: Services, asked: Asked, *, as_json: bool) -> None:
    account, person = asked.account, asked.account.person or ""
    if as_json:
        told = {"person": person, "system": account.system, "handle": account.handle, "id": account.external_id}
        output.emit_json({**told, "sent_to": asked.sent_to, "until": asked.until, "code": asked.code, "exit_code": 0})
        return
    if asked.sent_to:
        output.say(f"A code was sent to {asked.sent_to}.")
    else:
        name, email = context.name(services, person), services.ledger.people.get(person).email
        output.say(f"No mail server is configured, so here is the code, this once: {asked.code}")
        output.prose(
            f"Tell it to {name} and nobody else, by a channel that you know to be theirs: face to face, on the phone"
            f" number on file, or by mail to {email}. Ask whether the account below is theirs.",
            indent=0,
        )
    output.say(f"It is for {account.handle} on {account.system} (id {account.external_id}), counts once, and ends")
    output.say(f"{moment(asked.until)}. Any code asked for before is void.")
    output.next_step(f"onboard person confirm {context.short(services, person)} --system {account.system} --code CODE")
