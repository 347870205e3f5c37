"""`onboard import`: what is on the systems today, proposed as policies and manifests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboard.cli import context, output, render
from onboard.cli.output import Json

if TYPE_CHECKING:
    from onboard.adopt.importing import Import

app = typer.Typer()

#: Lines of one sort that are shown; more are counted.
FEW = 10


@app.command("import")
def import_(
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="The new folder.", file_okay=False)] = Path(
        "imported"
    ),
    system: Annotated[
        list[str] | None, typer.Option("--system", metavar="NAME", help="Only this system; may be given again.")
    ] = None,
    min_people: Annotated[int, typer.Option("--min-people", metavar="N", min=2, help="Fewest people for a role.")] = 2,
    own: Annotated[
        list[str] | None,
        typer.Option("--own", metavar="DOMAIN", help="The company's own e-mail domain; may be given again."),
    ] = None,
    sponsor: Annotated[
        str | None, typer.Option("--sponsor", metavar="PERSON", help="Who answers for proposed engagements.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose resources, roles and engagements from what people hold now, as files in a new folder.

    Reads the systems; changes neither them nor the register. Exit 4 where somebody outsourced administers something,
    5 where a part couldn't be read and was left out.
    """
    from onboard.adopt import importing

    importing.require_free(into)
    with context.services() as services:
        answers = context.person(services, sponsor) if sponsor else None
        found = importing.survey_and_propose(services, system or (), own or (), answers, min_people)
    files = found.files
    importing.write(into, files)
    if as_json:
        output.emit_json(_json(found, into, sorted(files)))
    else:
        _show(found, into)
    output.leave(found.exit_code)


def _show(found: Import, into: Path) -> None:
    survey, proposed = found.survey, found.proposed
    placed = sum(len(role.people) for role in proposed.roles)
    people = output.count(len(survey.held), "outsourced person", "outsourced people")
    output.say(f"{people} on record: {placed} have a proposed role, which gives {_share(found)}.")
    if survey.company or survey.staffed:
        output.say(f"Left alone: {survey.company} of the company, {survey.staffed} who work in an engagement already.")
    rows = [
        (role.name, output.count(len(role.people), "person", "people"), output.count(len(role.lines), "grant"))
        for role in proposed.roles
    ]
    _section("Roles", rows, ("role", "for", "gives"))
    _section("Left over: held, and in no proposed role", _left_over(found))
    admin = [(render.short(person, survey.held), str(r.resource), r.level) for person, r in survey.administration]
    _section("Administration, which no role gives: take it away, or say why not", admin)
    strangers = [(s.system, s.handle, output.count(s.rights, "grant")) for s in survey.strangers]
    _section("Accounts bound to nobody: onboard person add NAME --email ADDRESS --SYSTEM HANDLE", strangers)
    besides = [(f"{system}:{type_}", str(count)) for (system, type_), count in sorted(survey.besides.items())]
    kept = [("accounts that are never changed", str(survey.kept_out))] if survey.kept_out else []
    names = [(str(resource), "its name can't stand in a policy") for resource in sorted(survey.unnameable)]
    _section("Not imported", [*kept, *besides, *names])
    _section("Unknown, and left out", survey.unknown)
    output.say()
    output.say(f"Wrote {into}/: policies, {output.count(len(found.engagements), 'engagement')}, REPORT.md.")
    output.next_step(_next(found, into))


def _share(found: Import) -> str:
    covered, held = found.proposed.covered, found.proposed.held
    return f"{covered} of {output.count(held, 'right')} that they hold"


def _left_over(found: Import) -> list[tuple[str, ...]]:
    return [
        (render.short(person, found.survey.held), str(right.resource), right.level, reason)
        for person, right, reason in found.proposed.leftovers
    ]


def _section(heading: str, rows: Sequence[tuple[str, ...]], headings: tuple[str, ...] = ()) -> None:
    if not rows:
        return
    output.say()
    output.say(heading, style="bold")
    output.table(rows[:FEW], headings)
    if len(rows) > FEW:
        output.say(f"  … and {len(rows) - FEW} more: see REPORT.md, or --json")


def _next(found: Import, into: Path) -> str:
    if not found.survey.held:
        return "enter the people first (onboard person import ROSTER.csv), then import into another folder"
    if found.proposed.roles and not found.engagements:
        return "onboard import --sponsor PERSON --into DIR, to have engagements proposed too"
    return f"read {into}/REPORT.md, then: onboard policy check {into}/policies"


def _json(found: Import, into: Path, files: list[str]) -> dict[str, Any]:
    survey, proposed = found.survey, found.proposed

    def right(person: str, held: Any, **more: str) -> dict[str, str]:
        return {"person": person, "resource": str(held.resource), "level": held.level, **more}

    return {
        "into": str(into),
        "files": files,
        "policies": proposed.policy.hash,
        "exit_code": found.exit_code,
        "people": {"outsourced": len(survey.held), "company": survey.company, "staffed": survey.staffed},
        "own": survey.own,
        "rights": {"held": proposed.held, "covered": proposed.covered},
        "roles": [
            {
                "role": role.name,
                "people": role.people,
                "grants": [
                    {"resource": str(x.right.resource), "level": x.right.level, "phase": x.phase, "needs": x.needs}
                    for x in role.lines
                ],
            }
            for role in proposed.roles
        ],
        "leftovers": [right(person, held, reason=reason) for person, held, reason in proposed.leftovers],
        "administration": [right(person, held) for person, held in survey.administration],
        "strangers": [stranger._asdict() for stranger in survey.strangers],
        "not_imported": {
            "kept_out": survey.kept_out,
            "besides": {f"{system}:{type_}": count for (system, type_), count in survey.besides.items()},
            "unnameable": sorted(map(str, survey.unnameable)),
        },
        "unknown": [{"what": what, "reason": reason} for what, reason in survey.unknown],
    }
