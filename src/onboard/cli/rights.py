"""`onboard person export, erase, hold, release`: what the people who are kept here may ask for, and what forbids it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onboard.cli import context, output, preview, render
from onboard.cli.lifecycle import Person, Yes
from onboard.cli.output import Json

app = typer.Typer()


@app.command("export")
def export(
    person: Person,
    folder: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the two files go.", file_okay=False)
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Everything that is held about a person, as JSON and as a page to read. Answers a subject-access request."""
    from onboard.review.subject_access import dossier, page

    with context.ledger() as ledger:
        who = render.resolve(ledger.people, person)
        found = dossier(ledger, who, context.clock())
        if as_json:
            output.emit_json(found)
            return
        data, read = folder / f"{who[:10]}.json", folder / f"{who[:10]}.html"
        with output.new_file(data) as json, output.new_file(read) as html:
            json.write(output.as_json(found))
            html.write(page(found))
    output.say(f"Wrote {data} and {read}: everything that is held about {found.name}.")
    output.say("They hold personal data, and only you may read them. Delete them once they are handed over.")


@app.command("erase")
def erase(person: Person, yes: Yes = False) -> None:
    """Forget a person for good: their key is destroyed. Refused while they hold access or a legal hold is on them."""
    from onboard.lifecycle import erasure

    with context.services() as services:
        who = render.resolve(services.ledger.people, person)
        name = context.name(services, who)
        if not yes:
            output.say(f"Forgets {name} for good. The journal stays whole; nobody can say any more who {who[:10]} was.")
            preview.confirm(services, who)
        erasure.erase(services, who, context.actor(services))
    output.say(f"Erased. {who[:10]} stands for nobody any more, and the journal is as whole as before.")
    output.say(
        "Backups of the ledger can't tell it either. Answers and exports handed out earlier can: have them deleted."
    )


@app.command("hold")
def hold(
    person: Person,
    because: Annotated[str, typer.Option(help="Why, such as the case's number. Kept under the person's key.")],
) -> None:
    """Put a legal hold on a person: nothing about them is erased until it is released."""
    from onboard.lifecycle import erasure

    with context.services() as services:
        who = context.person(services, person)
        erasure.hold(services, who, because, context.actor(services))
        output.say(f"A legal hold is on {context.name(services, who)} now.")


@app.command("release")
def release(person: Person) -> None:
    """Take the legal hold from a person."""
    from onboard.lifecycle import erasure

    with context.services() as services:
        who = context.person(services, person)
        erasure.release(services, who, context.actor(services))
        output.say(f"No legal hold is on {context.name(services, who)} any more.")


@app.command("retain")
def retain(as_json: Json = False) -> None:
    """Erase what has been kept for as long as the settings say ([retention]). The nightly review does it, too."""
    from onboard.lifecycle import erasure

    with context.services() as services:
        erased = erasure.retain(services, context.actor(services))
        kept = services.settings.retention
    if as_json:
        output.emit_json({"erased": erased})
        return
    if not (kept.left_days or kept.notes_days):
        output.say("Nothing ends by itself: set left_days or notes_days under [retention] in onboard.toml.")
    else:
        output.say(f"Erased {output.count(len(erased), 'person', 'people')}.")
