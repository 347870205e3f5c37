"""What no system lets onboard do, and people have to: the list, and what shows that it was done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onboard.cli import context, output
from onboard.cli.output import Json

app = typer.Typer(invoke_without_command=True, help="What people have to do by hand, since no system lets onboard.")


@app.callback()
def tasks(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that are closed, too.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Read the systems first: what they show to be done is closed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The open tasks, the most urgent first: what, for whom, by when, and what will show it done."""
    if ctx.invoked_subcommand is None:
        _listed(everything=everything, check=check, as_json=as_json)


def _listed(*, everything: bool, check: bool, as_json: bool) -> None:
    from onboard.cli import remains_view
    from onboard.lifecycle import tasks as work
    from onboard.lifecycle.standing import register_of

    with context.services() as services:
        closed = work.look(services, context.actor(services)) if check else ()
        register, now, names = register_of(services), services.clock(), context.names(services)
        found = register.tasks() if everything else work.standing(register)
        if as_json:
            output.emit_json([remains_view.task_json(task, now) for task in found])
            return
        for task in closed:
            output.prose(f"Task {task.id} closed by re-reading: {task.what}", indent=0)
        if not found:
            output.say("No task is open." if not everything else "There never was a task.")
            return
        remains_view.show_tasks(found, register, names, now)
        waiting = [task for task in found if task.done is None]
        if waiting:
            output.next_step(f"onboard tasks done {waiting[0].id} --evidence FILE")


@app.command("done")
def done(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The beginning of a task's id.")],
    evidence: Annotated[
        Path, typer.Option("--evidence", metavar="FILE", help="What shows it; its sha256 is kept.", dir_okay=False)
    ],
    as_json: Json = False,
) -> None:
    """Put on record that a task was done. Refused while the system, read again, still shows what should be gone."""
    from onboard.cli import remains_view
    from onboard.lifecycle import tasks as work

    with context.services() as services:
        closed = work.done(services, task, evidence, context.actor(services))
        if as_json:
            output.emit_json(remains_view.task_json(closed, services.clock()))
            return
        how = "and the system, read again, shows nothing of it" if closed.readable else "by that evidence alone"
        output.prose(f"Task {closed.id} is closed, {how}: {closed.what}", indent=0)
        output.say(f"Evidence sha256 {closed.evidence}")
