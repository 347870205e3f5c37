"""`onboard ledger …`: the record itself, for whoever has to trust it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, output
from onboard.cli.output import Json
from onboard.errors import BadInput, Findings

if TYPE_CHECKING:
    from onboard.ledger import Head
    from onboard.ledger.proofs import Verdict

app = typer.Typer(help="Verify and export the journal.", no_args_is_help=True)

Known = Annotated[
    str,
    typer.Option("--head", metavar="SEQ:HASH", help="A head noted earlier; shows whether newer entries were cut off."),
]


@app.command("verify")
def verify(
    export: Annotated[
        Path | None, typer.Option("--export", help="Verify this export instead of the ledger.", dir_okay=False)
    ] = None,
    known: Known = "",
    as_json: Json = False,
) -> None:
    """Follow the journal's chain from its first entry. Exit 4 at the first that was changed, removed or moved."""
    from onboard.ledger import proofs

    head = _head(known)
    if export:
        try:
            with export.open(encoding="utf-8") as lines:
                verdict = proofs.verify(proofs.load(lines), known=head)
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput.one(
                f"{export} can't be read: {getattr(error, 'strerror', None) or 'it is no text'}."
            ) from None
    else:
        with context.ledger() as ledger:
            verdict = proofs.verify(ledger.journal.entries(), known=head)
    _show(verdict, as_json=as_json)


def _show(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        output.emit_json(verdict)
        output.leave(4 if verdict.problem else 0)
    elif verdict.problem:
        proven = f"{output.count(verdict.count, 'entry', 'entries')} before it are proven"
        raise Findings(f"The journal is broken at {verdict.problem}. {proven}. Compare with an export kept elsewhere.")
    else:
        entries = output.count(verdict.count, "entry", "entries")
        output.say(f"The journal is whole: {entries}, head {verdict.count}:{verdict.head}")
        output.say("Note the head somewhere else; with --head it shows later that nothing was cut off.")


@app.command("export")
def export(
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write here; not over what exists.")] = None,
) -> None:
    """Write the journal as JSON Lines, to stdout or a file. It holds no personal data."""
    from onboard.ledger import proofs

    with context.ledger() as ledger:
        lines = proofs.export(ledger.journal.entries())
        if file is None:
            sys.stdout.writelines(lines)
            return
        try:
            with file.open("x", encoding="utf-8", newline="") as written:
                written.writelines(lines)
        except FileExistsError:
            raise BadInput.one(f"{file} exists already and isn't overwritten. Name another file.") from None
        except OSError as error:
            raise BadInput.one(f"{file} can't be written: {error.strerror}.") from None
    output.say(f"Wrote {file}.")
    output.next_step(f"onboard ledger verify --export {file}")


def _head(known: str) -> Head | None:
    from onboard.ledger import Head

    if not known:
        return None
    number, _, digest = known.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise BadInput.one(f"--head: expected SEQ:HASH as onboard ledger verify prints it, and found {known!r}.")
    return Head(int(number), digest.lower())
