"""`onboard ledger init`, `upgrade`, `backup`, `restore`: what a ledger needs to live long."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, output
from onboard.errors import Findings

if TYPE_CHECKING:
    from onboard.ledger.proof.proofs import Verdict

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
    from onboard.ledger.storage.migrations import REVISIONS

    was, place = wiring.upgrade_ledger(context.settings(), context.clock)
    now = REVISIONS[-1]
    output.say(
        f"The ledger at {place} is up to date ({now})."
        if was == now
        else f"The ledger at {place} was brought from {was} to {now}."
    )


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="The file to make; one that exists isn't overwritten.", dir_okay=False)],
) -> None:
    """Copy the whole ledger, as it is at this moment, to a new SQLite file, and verify the copy."""
    from onboard.keyrings import keyring as keyring_of
    from onboard.ledger.storage import backup as backups

    settings = context.settings()
    keyring = keyring_of(settings, context.clock)
    verdict = backups.back_up(settings.ledger_url.get_secret_value(), keyring, file)
    _told(verdict, f"Wrote {file}")
    output.say(f"People's keys are not in it; they are in the keyring at {keyring.place}.")
    output.say("Keep that safe elsewhere, its newest copy only: whoever is erased would live on in an older one.")


@app.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(help="What onboard ledger backup wrote.", exists=True, dir_okay=False)],
) -> None:
    """Begin the ledger from a backup, where the settings say it is and none is."""
    from onboard.keyrings import keyring as keyring_of
    from onboard.ledger.storage import backup as backups

    settings = context.settings()
    keyring = keyring_of(settings, context.clock)
    restored = backups.restore(file, keyring, settings.ledger_url.get_secret_value(), context.clock())
    _told(restored.verdict, f"Restored from {file}")
    if restored.forgotten:
        people = output.count(restored.forgotten, "person", "people")
        output.say(f"Not in it any more: {people} whose key the keyring at {keyring.place} doesn't have.")
        output.say("They are on record as erased. If that is wrong, restore once more with the keyring's newest copy.")
    output.next_step("onboard ledger verify, against the witness or a head that was noted; then onboard review")


def _told(verdict: Verdict, what: str) -> None:
    """Say what was copied. A broken journal is copied too, since it is evidence, and told as what it is."""
    if verdict.problem:
        raise Findings(f"{what}, but the journal in it is broken at {verdict.problem}. See onboard ledger verify.")
    output.say(f"{what}: {output.count(verdict.count, 'entry', 'entries')}, head {verdict.count}:{verdict.head}")
