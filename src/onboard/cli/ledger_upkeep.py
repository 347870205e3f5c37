"""`onboard ledger init`, `upgrade`, `backup`: what a ledger needs to live long."""

from __future__ import annotations

import typer

from onboard.cli import context, output

app = typer.Typer()


@app.command("init")
def init() -> None:
    """Begin a new ledger where the settings say it is; one that is there is left as it is."""
    with context.begun_ledger() as ledger:
        entries = output.count(ledger.journal.head().seq, "entry", "entries")
        output.say(f"The ledger at {ledger.database.place} has {entries}.")
    output.next_step("onboard person add, or onboard person import for a whole roster")


@app.command("upgrade")
def upgrade() -> None:
    """Bring a ledger that an older onboard made up to date. An SQLite file is brought so by itself."""
    from onboard import wiring
    from onboard.ledger.migrations import REVISIONS

    was, place = wiring.upgrade_ledger(context.settings())
    now = REVISIONS[-1]
    output.say(
        f"The ledger at {place} is up to date ({now})."
        if was == now
        else f"The ledger at {place} was brought from {was} to {now}."
    )
