"""The command line: `onboard`. Nothing heavy is imported here or in the command modules before a command runs."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import onboard
from onboard.cli import (
    access,
    adopt,
    delegate,
    demo,
    doctor,
    engagement,
    export,
    extras,
    init,
    ledger,
    lifecycle,
    listening,
    output,
    person,
    plans,
    policy,
    rights,
    sandbox,
    tasks,
)
from onboard.errors import OnboardError

REPORT_TO = "the people who maintain onboard for you, or its issue tracker"


class Commands(TyperGroup):
    """Turns our own errors into a message on stderr and their exit code, whoever runs the application."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises typer.Exit with the code that errors.py gives the error."""
        try:
            return super().invoke(ctx)
        except OnboardError as error:
            if type(error) is OnboardError:
                raise
            output.complain(error)
            raise typer.Exit(error.exit_code) from None


app = typer.Typer(
    cls=Commands,
    name="onboard",
    help="Gives outsourced engineers exactly the access they need on GitHub, Jira, Slack and Vault, and takes it back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"onboard {onboard.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What is taken before any command."""


app.add_typer(init.app)
app.add_typer(doctor.app)
app.add_typer(lifecycle.app)
app.add_typer(plans.app)
app.add_typer(access.app)
app.add_typer(adopt.app)
person.app.add_typer(rights.app)
app.add_typer(person.app, name="person")
engagement.app.command("adopt")(adopt.adopt)
app.add_typer(engagement.app, name="engagement")
policy.app.command("suggest")(adopt.suggest)
app.add_typer(policy.app, name="policy")
app.add_typer(ledger.app, name="ledger")
app.add_typer(delegate.app, name="delegate")
app.add_typer(extras.app)
app.add_typer(tasks.app, name="tasks")
app.add_typer(listening.app)
app.add_typer(export.app, name="export")
app.command("demo")(demo.demo)
app.command("sandbox")(sandbox.sandbox)


def main() -> None:
    """Run the command line and end the process with its exit code.

    What isn't an error of ours is a fault: exit code 1, how to report it, and the traceback in a file (on the screen
    with ONBOARD_DEBUG=1).
    """
    try:
        app(prog_name="onboard")
    except Exception as error:  # noqa: BLE001 - the last line of defence; the whole traceback is kept
        sys.exit(_fault(error))


def _fault(error: Exception) -> int:
    text = "".join(traceback.format_exception(error))
    if os.environ.get("ONBOARD_DEBUG") == "1":
        sys.stderr.write(text)
        return 1
    handle, path = tempfile.mkstemp(prefix="onboard-fault-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"onboard {onboard.__version__}, Python {sys.version}\n\n{text}")
    what = str(error) if isinstance(error, OnboardError) else type(error).__name__
    sys.stderr.write(
        f"onboard failed unexpectedly: {what}\nThat is a fault of onboard's, or of what it was left with, not yours.\n"
        f"Details are in {Path(path)} (read by you only; look through it for names before passing it on).\n"
        f"Please report it with that file to {REPORT_TO}. Running the same command again is safe.\n"
    )
    return 1
