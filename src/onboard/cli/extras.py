"""Beside the role, for hours: request, requests, break-glass, and the sweep that takes it back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboard.cli import context, output
from onboard.cli.output import Json
from onboard.lasting import moment

if TYPE_CHECKING:
    from onboard.extras import Extra
    from onboard.ledger import Register
    from onboard.lifecycle.extras import Ask
    from onboard.lifecycle.reconciling import Report
    from onboard.wiring import Services

app = typer.Typer()

_LASTING = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,4})m)?")

Person = Annotated[str, typer.Argument(metavar="PERSON", help="A person: the beginning of their id, name or e-mail.")]
ResourceName = Annotated[str, typer.Argument(metavar="RESOURCE", help="Such as github:repo:acme/payments-api.")]
Level = Annotated[str, typer.Option("--level", help="The level, such as push.")]
Lasting = Annotated[str, typer.Option("--for", metavar="TIME", help="For how long: 4h, 90m or 1h30m.")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why. Kept under the person's key.")]
Engagement = Annotated[
    str | None, typer.Option("--engagement", metavar="ENGAGEMENT", help="Which engagement, where there are several.")
]


@app.command("request")
def request(
    person: Annotated[str | None, typer.Argument(metavar="PERSON", help="Who is to have it.")] = None,
    resource: Annotated[str | None, typer.Argument(metavar="RESOURCE", help="What, as in resources.yaml.")] = None,
    level: Level = "",
    lasting: Lasting = "",
    because: Because = "",
    engagement: Engagement = None,
    withdraw: Annotated[int | None, typer.Option(metavar="ID", help="Withdraw a request, by its id.")] = None,
    as_json: Json = False,
) -> None:
    """Ask for more than a role gives, for hours. The time runs from now; granted once it is approved."""
    from onboard.errors import BadInput
    from onboard.lifecycle import approvals, extras

    if (withdraw is None) == (person is None or resource is None):
        raise BadInput.one("Say who and what: onboard request PERSON RESOURCE …, or onboard request --withdraw ID")
    with context.services(regardless=withdraw is not None) as services:
        actor = approvals.authenticate(services, context.vault_token())
        if withdraw is not None:
            _conclude(services, None, extras.withdraw(services, withdraw, actor), as_json)
            return
        ask = _ask(resource or "", level, lasting, because, engagement)
        made, report = extras.request(services, context.person(services, person or ""), ask, actor)
        _conclude(services, made, report, as_json)


@app.command("break-glass")
def break_glass(
    person: Person,
    resource: ResourceName,
    level: Level,
    because: Because,
    lasting: Lasting = "1h",
    engagement: Engagement = None,
    as_json: Json = False,
) -> None:
    """Take access at once, by your own Vault login, where a rule permits it. It is announced, and reviewed later."""
    from onboard.lifecycle import approvals, extras

    with context.services() as services:
        actor = approvals.authenticate(services, context.vault_token())
        ask = _ask(resource, level, lasting, because, engagement)
        made, report = extras.break_glass(services, context.person(services, person), ask, actor)
        _, failed = extras.tell(services, actor)
        _conclude(services, made, report, as_json, failed)


@app.command("sweep")
def sweep(as_json: Json = False) -> None:
    """Take away the extras that are over, and announce what wasn't yet. A flow does this every few minutes."""
    from onboard.cli import view
    from onboard.lifecycle import extras
    from onboard.lifecycle.standing import register_of

    with context.services(regardless=True) as services:
        actor = context.actor(services)
        swept = extras.sweep(services, actor)
        told, failed = extras.tell(services, actor)
        code = output.first(swept.report.exit_code if swept.report else 0, 5 if failed else 0)
        if as_json:
            report = view.report_json(swept.report) if swept.report else None
            announced = [extra.entry for extra in told]
            output.emit_json({"swept": report, "announced": announced, "failed": failed, "exit_code": code})
        else:
            if swept.report:
                view.View(swept.report, register_of(services), context.names(services)).show()
            else:
                output.say("Nothing that is over is held any more.")
            _say_failed(failed)
        output.leave(code)


@app.command("requests")
def requests(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: Json = False,
) -> None:
    """What is asked for or held beside the roles: by whom, until when, why, and what it waits for."""
    from onboard.lifecycle.extras import everybodys
    from onboard.lifecycle.standing import register_of

    with context.services() as services:
        register, now = register_of(services), services.clock()
        found = [extra for extra in everybodys(register) if everything or extra.holds(now)]
        if as_json:
            output.emit_json([_json(services, register, extra) for extra in found])
            return
        if not found:
            output.say("Nothing was ever asked for." if everything else "Nothing is asked for or held beside a role.")
            return
        name = context.names(services)
        for extra in found:
            output.say(f"{extra.entry}  {name(extra.person)}: {extra.level} on {extra.resource}")
            asked = f"{name(extra.asked_by.id)} ({extra.asked_by.authenticated_by})"
            rows = [(str(extra.kind), _state(services, register, extra)), ("asked by", asked)]
            output.table([*rows, ("because", _because(services, extra))], indent=4)
        waiting = [x for x in found if x.holds(now) and _digest(register, x)]
        if waiting:
            output.next_step(f"onboard approve {_digest(register, waiting[0])[:8]}")


def _ask(resource: str, level: str, lasting: str, because: str, engagement: str | None) -> Ask:
    from onboard.errors import BadInput, Problem
    from onboard.lifecycle.extras import Ask

    matched = _LASTING.fullmatch(lasting.strip())
    hours, minutes = (int(part or 0) for part in matched.groups()) if matched else (0, 0)
    missing = [option for option, given in (("--level", level), ("--because", because.strip())) if not given]
    problems = [Problem("", 0, f"{option} is missing.") for option in missing]
    if not hours and not minutes:
        problems.append(Problem("", 0, f"--for is {lasting!r}; write a time like 4h, 90m or 1h30m."))
    if problems:
        raise BadInput(problems)
    return Ask(resource, level, timedelta(hours=hours, minutes=minutes), because, engagement)


def _conclude(
    services: Services, made: Extra | None, report: Report, as_json: bool, failed: tuple[str, ...] = ()
) -> None:
    """Show what came of it; the id by which it is withdrawn comes first."""
    from onboard.cli import view
    from onboard.lifecycle.standing import register_of
    from onboard.lifecycle.tasks import REVIEW

    register = register_of(services)
    code = output.first(report.exit_code, 5 if failed else 0)
    if as_json:
        extra = _json(services, register, made) if made else None
        output.emit_json({**view.report_json(report), "extra": extra, "failed": failed, "exit_code": code})
    else:
        if made:
            output.say(f"{str(made.kind).capitalize()} {made.entry}: {made.level} on {made.resource},")
            output.say(f"until {moment(made.ends)}. Take it back: onboard request --withdraw {made.entry}")
        view.View(report, register, context.names(services)).show()
        for task in register.open_tasks() if made and made.owner else ():
            if made and task.person == made.person and task.what.startswith(REVIEW):
                output.prose(f"Task {task.id}, until {task.due}, {context.name(services, task.owner)}: {task.what}")
        _say_failed(failed)
    output.leave(code)


def _say_failed(failed: tuple[str, ...]) -> None:
    for line in failed:
        output.prose(f"{line}. onboard sweep tries again.", indent=0)


def _digest(register: Register, extra: Extra) -> str:
    """The open plan that waits for an extra; empty where none does."""
    plan = register.latest_proposal(extra.person, extra.kind.value)
    if plan is None or plan.settled is not None:
        return ""
    sources = {warrant["source"] for change in plan.changes for warrant in change["warrants"]}
    return plan.digest if f"ledger:{extra.entry}" in sources else ""


def _state(services: Services, register: Register, extra: Extra) -> str:
    if not extra.holds(services.clock()):
        return f"over since {moment(extra.over)}"
    digest = _digest(register, extra)
    waits = f", waits for approval of plan {digest[:8]}" if digest else ""
    return f"until {moment(extra.ends)}{waits}"


def _because(services: Services, extra: Extra) -> str:
    from onboard.errors import BadInput

    try:
        return services.ledger.people.text_of(extra.note or "")
    except BadInput:
        return "not kept any more"


def _json(services: Services, register: Register, extra: Extra) -> dict[str, Any]:
    return {
        "id": extra.entry,
        "kind": extra.kind,
        "person": extra.person,
        "engagement": extra.engagement,
        "resource": str(extra.resource),
        "level": extra.level,
        "at": extra.at,
        "until": extra.ends,
        "holds": extra.holds(services.clock()),
        "over": extra.withdrawn,
        "asked_by": extra.asked_by.id,
        "authenticated_by": extra.asked_by.authenticated_by,
        "because": _because(services, extra),
        "rule": extra.rule or None,
        "owner": extra.owner or None,
        "plan": _digest(register, extra) or None,
    }
