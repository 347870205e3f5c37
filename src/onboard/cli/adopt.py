"""`onboard import`, `onboard engagement adopt`: what is on the systems today, proposed as files, and taken on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboard.cli import context, output, render
from onboard.cli.output import Json
from onboard.cli.preview import confirm_name
from onboard.errors import BadInput
from onboard.lasting import moment

if TYPE_CHECKING:
    from onboard.adopt.importing import Import
    from onboard.adopt.owning import Adoption
    from onboard.adopt.suggesting import Suggestions, Use
    from onboard.ledger.records import ChangeRecord
    from onboard.wiring import Services

app = typer.Typer()

#: Lines of one sort that are shown; more are counted.
FEW = 10
#: Days for which GitHub lists what was done.
LONGEST = 365


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


def adopt(
    engagement: Annotated[str, typer.Argument(metavar="ENGAGEMENT", help="Its id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Without asking.")] = False,
    as_json: Json = False,
) -> None:
    """Take on what an engagement's people held before: what policy gives them and they hold is ours from then on.

    No system is written to. From then on it is taken away like what onboard granted, once policy doesn't give it.
    """
    from onboard.adopt import owning
    from onboard.lifecycle.standing import register_of

    with context.services() as services:
        register = register_of(services)
        if engagement not in register.engagements:
            known = ", ".join(sorted(register.engagements)) or "none"
            raise BadInput.one(f"No engagement {engagement!r} is on record. Known: {known}")
        people, actor = register.staffed(engagement), context.actor(services)
        found = owning.adoptable(services, people, actor)
        if not as_json:
            _show_adoption(services, found, engagement)
        if found.rights and not yes:
            confirm_name(engagement)
        if found.rights:
            found = owning.adopt(services, people, actor)
        waiting = any(register.started(person, engagement) is None for person in people)
    code = 5 if found.unknown else 0
    if as_json:
        output.emit_json({"engagement": engagement, **_adoption_json(found), "exit_code": code})
    elif found.rights:
        output.say(f"Adopted: {output.count(len(found.rights), 'right')}, on record as ours from now on.")
        output.next_step(f"onboard plan --engagement {engagement}")
    elif waiting:
        output.next_step(f"onboard start --engagement {engagement}")
    output.leave(code)


def _show_adoption(services: Services, found: Adoption, engagement: str) -> None:
    name = context.names(services)
    rows = [(name(change.person), str(change.resource), change.before or "") for change in found.rights]
    if rows:
        output.say("Held already, and given by policy:", style="bold")
        output.table(rows)
    else:
        output.prose(
            f"Nothing to adopt in {engagement}: its people hold nothing that policy gives them now and isn't ours yet.",
            indent=0,
        )
    above = [(name(change.person), str(change.resource), change.before or "") for change in found.above]
    _section("Held above what policy gives, and not adopted", above)
    _section("Unknown, and not adopted", [(str(resource), reason) for resource, reason in found.unknown])


def _adoption_json(found: Adoption) -> dict[str, Any]:
    def rights(changes: Sequence[ChangeRecord]) -> list[dict[str, str | None]]:
        return [{"person": c.person, "resource": str(c.resource), "level": c.before} for c in changes]

    unknown = [{"resource": str(resource), "reason": reason} for resource, reason in found.unknown]
    return {"adopted": rights(found.rights), "above": rights(found.above), "unknown": unknown}


def suggest(
    unused_for: Annotated[str, typer.Option("--unused-for", metavar="DAYS", help="Like 30d; at most 365d.")] = "30d",
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="A new folder for the narrower policies.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose narrower roles: lines that let people write to repositories, and that nobody used for so long.

    What no system tells is unknown, and unknown is never unused. Exit 5 where a system that could tell didn't answer.
    """
    from onboard.adopt import importing
    from onboard.adopt.suggesting import suggest as found_unused

    days = re.fullmatch(r"(\d{1,3})d", unused_for)
    if days is None or not 1 <= int(days[1]) <= LONGEST:
        raise BadInput.one(f"--unused-for is {unused_for!r}; write days from 1d to {LONGEST}d.")
    if write is not None:
        importing.require_free(write)
    with context.services() as services:
        folder = services.settings.policies.name if services.settings.policies else "policies"
        found = found_unused(services, services.clock() - timedelta(days=int(days[1])), folder)
    if write is not None and found.diff:
        importing.write(write, found.files)
    if as_json:
        output.emit_json(_suggestions_json(found))
    else:
        _show_suggestions(found, unused_for, write if found.diff else None)
    output.leave(found.exit_code)


def _show_suggestions(found: Suggestions, unused_for: str, written: Path | None) -> None:
    known = [use for use in found.uses if use.unknown is None]
    rows = [(use.role, str(use.resource), use.level, _used(use)) for use in known]
    _section(f"Writing, as GitHub tells it for the last {unused_for}", rows, ("role", "on", "level", "used by"))
    unknown = Counter(use.unknown for use in found.uses if use.unknown)
    _section("Unknown, and so left as it is", [(why, output.count(n, "line")) for why, n in sorted(unknown.items())])
    stuck = [(str(s.use.source), f"unused, but {s.use.resource} needs it") for s in found.suggestions if s.stuck]
    _section("Unused, and for you to settle: the policies wouldn't hold together without it", stuck)
    output.say()
    if not found.diff:
        output.say("Nothing to suggest: of no line is it known that nobody used it.")
        return
    output.say(found.diff.rstrip("\n"))
    if written:
        output.next_step(f"onboard policy test {written}")
    else:
        output.next_step(f"onboard policy suggest --unused-for {unused_for} --write DIR")


def _used(use: Use) -> str:
    last = f", last {moment(use.last)}" if use.last else ""
    return f"{use.used} of {use.holders}{last}"


def _suggestions_json(found: Suggestions) -> dict[str, Any]:
    return {
        "lines": [
            {
                "role": use.role,
                "resource": str(use.resource),
                "level": use.level,
                "source": str(use.source),
                "holders": use.holders,
                "used": None if use.unknown and not use.used else use.used,
                "last": use.last,
                "unknown": use.unknown,
            }
            for use in found.uses
        ],
        "suggestions": [
            {"source": str(s.use.source), "resource": str(s.use.resource), "level": s.level, "stuck": s.stuck}
            for s in found.suggestions
        ],
        "diff": found.diff,
        "exit_code": found.exit_code,
    }
