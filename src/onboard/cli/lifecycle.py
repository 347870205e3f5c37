"""What happens to people: start, advance, record, change-role, offboard, cutoff, restore.

Removals always run in this process. Where a Prefect API is configured, starting and advancing go through their
deployment; everything else runs here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, output, preview
from onboard.cli.output import Json

if TYPE_CHECKING:
    from onboard.ledger import Register
    from onboard.lifecycle.offboarding import CutOff
    from onboard.lifecycle.reconciling import Report
    from onboard.wiring import Services

app = typer.Typer()

#: Seconds that a dispatched run is followed.
FOLLOW = 600.0

Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="A person: the beginning of their id, their name, or their e-mail.")
]
Engagement = Annotated[
    str | None, typer.Option("--engagement", metavar="ENGAGEMENT", help="Which engagement, where there are several.")
]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="A role of the policies, such as qa-engineer.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


@app.command("start")
def start(
    person: Annotated[
        str | None, typer.Argument(metavar="PERSON", help="A person; without one, everybody of the engagement.")
    ] = None,
    engagement: Engagement = None,
    as_json: Json = False,
) -> None:
    """Start a person, or everybody of an engagement. Discovery begins; read-only access is proposed."""
    from onboard.errors import BadInput
    from onboard.lifecycle import discovery

    if person is None and engagement is None:
        raise BadInput.one("Say whom to start: onboard start PERSON, or onboard start --engagement ENGAGEMENT")
    if person is None:
        run(lambda services: discovery.start_everyone(services, engagement or "", context.actor(services)), as_json)
    else:
        _phase("discovery", person, engagement, as_json, discovery.start)


@app.command("advance")
def advance(person: Person, engagement: Engagement = None, as_json: Json = False) -> None:
    """Bring a person into the next phase, if its gate is open. Exit 6 with what is missing if it isn't."""
    from onboard.lifecycle import gates

    flow = _next_flow(person, engagement) if context.prefect_api() else None
    _phase(flow, person, engagement, as_json, gates.advance)


def _next_flow(person: str, engagement: str | None) -> str | None:
    """The flow that leads out of the phase that a person is in; None where nothing is to be run for it.

    Raises Waiting where the gate is shut, as taking the step here would.
    """
    from onboard.lifecycle.gates import assignment_of, require_open
    from onboard.lifecycle.standing import register_of
    from onboard.model import Phase

    flows = {None: "discovery", Phase.DISCOVERY: "tooling-setup", Phase.TOOLING_SETUP: "ramp-up"}
    with context.services() as services:
        register = register_of(services)
        assignment = assignment_of(register, context.person(services, person), engagement)
        if assignment.phase is Phase.FULL_OPERATION:
            return None
        require_open(services, register, assignment)
    return flows.get(assignment.phase, "ramp-up")


def _phase(flow: str | None, person: str, engagement: str | None, as_json: bool, step: Callable[..., Report]) -> None:
    """Take a step through its flow's deployment where a Prefect API is configured, else in this process."""
    if flow is None or not context.prefect_api():
        run(lambda s: step(s, context.person(s, person), engagement, context.actor(s)), as_json)
        return
    from onboard.flows.dispatch import dispatch

    with context.services() as services:
        who, actor = context.person(services, person), context.actor(services).id
    parameters = {"person": who, "engagement": engagement, "requested_by": actor}
    code, message = dispatch(flow, parameters, timeout=FOLLOW, say=lambda text: output.say(text, stderr=True))
    plans = _open_plans(who)
    if as_json:
        output.emit_json({"person": who, "message": message, "open": plans, "exit_code": code})
    else:
        output.say(message)
        for digest in plans[:1]:
            output.next_step(f"onboard approve {digest[:8]}")
    output.leave(code)


def _open_plans(person: str) -> list[str]:
    """The digests of a person's open plans."""
    from onboard.cli import render

    with context.ledger() as ledger:
        return [proposal.digest for proposal in render.register(ledger).open_proposals() if proposal.person == person]


@app.command("record")
def record(
    person: Person,
    fact: Annotated[
        str, typer.Argument(metavar="FACT", help="A fact that policy knows (facts.yaml), such as nda_signed.")
    ],
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The last day on which it holds."),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="The document that shows it; its sha256 is kept.", dir_okay=False)
    ] = None,
    engagement: Engagement = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Record what happened to a person, and let access follow. What has ended already has to be confirmed."""
    from onboard.lifecycle import facts

    day = until.date() if until else None
    with context.services(regardless=True) as services:
        who = context.person(services, person)
        if day is not None and day < services.clock().date() and not yes:
            preview.before_lapsing(services, who, fact, day)
            preview.confirm(services, who)
        report = facts.record(
            services, who, fact, context.actor(services), engagement=engagement, until=day, evidence=evidence
        )
        conclude(services, report, as_json)


@app.command("change-role")
def change_role(person: Person, role: Role, engagement: Engagement = None, as_json: Json = False) -> None:
    """Give a person another role. What the old one gave goes at once, what the new one gives waits for approval."""
    from onboard.lifecycle.role_change import change_role as change

    with context.services(regardless=True) as services:
        who = context.person(services, person)
        conclude(services, change(services, who, engagement, role, context.actor(services)), as_json)


@app.command("offboard")
def offboard(person: Person, engagement: Engagement = None, yes: Yes = False, as_json: Json = False) -> None:
    """Take everything from a person who leaves, and read it back. With --engagement, only what that one gave."""
    from onboard.lifecycle import offboarding

    with context.services(regardless=True) as services:
        who = context.person(services, person)
        if not yes:
            preview.before_offboarding(services, who, engagement)
            preview.confirm(services, who)
        conclude(services, offboarding.offboard(services, who, engagement, context.actor(services)), as_json)


@app.command("cutoff")
def cutoff(
    person: Annotated[str | None, typer.Argument(metavar="PERSON", help="A person; or give a vendor.")] = None,
    vendor: Annotated[str | None, typer.Option("--vendor", metavar="VENDOR", help="Everybody of a vendor.")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Cut a person, or everybody of a vendor, off everywhere at once. Then take away what is left, and verify."""
    from onboard.cli import view
    from onboard.errors import BadInput
    from onboard.lifecycle.standing import register_of

    if (person is None) == (vendor is None):
        raise BadInput.one("Say whom to cut off: onboard cutoff PERSON, or onboard cutoff --vendor VENDOR")
    with context.services(regardless=True) as services:
        cut = _cut_vendor(services, vendor, yes=yes) if vendor else _cut_person(services, person or "", yes=yes)
        if as_json:
            output.emit_json({"levers": cut.levers, **view.report_json(cut.report), "exit_code": cut.exit_code})
        else:
            view.show_cut_off(cut, register_of(services), context.names(services))
        output.leave(cut.exit_code)


def _cut_person(services: Services, person: str, *, yes: bool) -> CutOff:
    """Cut one person off; the preview reads no system."""
    from onboard.lifecycle import offboarding

    who = context.person(services, person)
    if not yes:
        preview.before_cutting_off(services, who)
        preview.confirm(services, who)
    return offboarding.cut_off(services, who, context.actor(services))


def _cut_vendor(services: Services, vendor: str, *, yes: bool) -> CutOff:
    """Cut everybody of a vendor off; the preview reads every system once."""
    from onboard.lifecycle import offboarding

    if not yes:
        preview.before_cutting_off_vendor(services, vendor)
        preview.confirm_name(vendor)
    return offboarding.cut_off_vendor(services, vendor, context.actor(services))


@app.command("restore")
def restore(person: Person, as_json: Json = False) -> None:
    """Undo the last removal (left, cut off, role changed). With your Vault login as its sponsor, at once."""
    from onboard.lifecycle import approvals, offboarding

    with context.services() as services:
        who, actor = context.person(services, person), context.actor(services)
        report = offboarding.restore(services, who, actor)
        conclude(services, approvals.approve_and_apply(services, report, actor), as_json)


def run(step: Callable[[Services], Report], as_json: bool) -> None:
    """Open the services, take the step, show what came of it and leave with its exit code."""
    with context.services() as services:
        conclude(services, step(services), as_json)


def conclude(services: Services, report: Report, as_json: bool) -> None:
    """Show a report and leave with its exit code."""
    from onboard.cli import view
    from onboard.lifecycle.standing import register_of

    if as_json:
        output.emit_json(view.report_json(report))
    else:
        register = register_of(services)
        gate = _gate(services, register, report.plan.people)
        view.View(report, register, context.names(services), gate).show()
    context.announce(services)
    output.leave(report.exit_code)


def _gate(services: Services, register: Register, people: Sequence[str]) -> tuple[str, ...] | None:
    """The facts that the next phase of one person's one assignment lacks; None where there is no such phase."""
    from onboard.lifecycle.gates import missing_facts

    live = [a for person in people for a in register.assignments(person) if a.phase and not a.ended]
    if len(people) != 1 or len(live) != 1:
        return None
    (assignment,) = live
    if assignment.phase is None or assignment.phase.next is None or assignment.role not in services.policy.roles:
        return None
    return missing_facts(services, register, assignment)
