"""`onboard ledger …`: the record itself, for whoever has to trust it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, ledger_upkeep, output
from onboard.cli.output import Json
from onboard.errors import BadInput, Findings

if TYPE_CHECKING:
    from onboard.ledger import Head
    from onboard.ledger.proof.checkpoints import Taken
    from onboard.ledger.proof.proofs import Checkpoint, Verdict

app = typer.Typer(help="Sign, verify and export the journal.", no_args_is_help=True)
app.add_typer(ledger_upkeep.app)

Known = Annotated[
    str,
    typer.Option("--head", metavar="SEQ:HASH", help="A head noted earlier; shows whether newer entries were cut off."),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", dir_okay=False, help="A public key (PEM) kept elsewhere: no other may have signed."),
]
Witnesses = Annotated[
    list[Path] | None,
    typer.Option("--witness", dir_okay=False, help="A witness's file, or what was copied from a channel or ticket."),
]


@app.command("verify")
def verify(
    export: Annotated[
        Path | None, typer.Option("--export", help="Verify this export instead of the ledger.", dir_okay=False)
    ] = None,
    key: Keys = None,
    witness: Witnesses = None,
    known: Known = "",
    as_json: Json = False,
) -> None:
    """Follow the journal's chain, check its checkpoints and what is remembered of it. Exit 4 at what was changed."""
    from onboard.ledger.proof import proofs

    doubts: tuple[str, ...] = ()
    head, keys = _head(known), proofs.public_keys(key or ())
    seen = proofs.witnesses(witness or _own_witnesses(offline=export is not None))
    if export:
        try:
            with export.open("rb") as lines:
                verdict = proofs.verify(proofs.load(lines), keys, seen, head)
        except OSError as error:
            raise BadInput.one(f"{export} can't be read: {error.strerror}.") from None
    else:
        with context.ledger() as ledger:
            verdict = proofs.verify(ledger.journal.rows(), keys, seen, head)
            doubts = () if verdict.problem else ledger.corrected()
    if as_json:
        output.emit_json({**_plain(verdict), "pinned": bool(keys), "remembered": doubts})
        output.leave(4 if verdict.problem or doubts else 0)
    else:
        _show(verdict, doubts, pinned=bool(keys))


def _own_witnesses(*, offline: bool) -> list[Path]:
    """The witness files of the settings, as far as they are there; none when an export is verified."""
    from onboard import vouching

    return [] if offline else [file for file in vouching.witness_files(context.settings()) if file.exists()]


def _plain(verdict: Verdict) -> dict[str, object]:
    """The verdict for JSON: a checkpoint as an object, and how many entries rest on the database alone."""
    seen = {name: told._asdict() for name, told in verdict.seen.items()}
    sealed = verdict.sealed._asdict() if verdict.sealed else None
    plain = {"count": verdict.count, "head": verdict.head, "problem": verdict.problem}
    return {**plain, "sealed": sealed, "witnesses": seen, "unsealed": verdict.unsealed}


def _show(verdict: Verdict, doubts: tuple[str, ...], *, pinned: bool) -> None:
    if verdict.problem:
        before = f"{output.count(verdict.count, 'entry', 'entries')} before it continue each other"
        raise Findings(f"The journal is broken at {verdict.problem}. {before}. Compare with an export kept elsewhere.")
    output.say(
        f"The journal is whole: {output.count(verdict.count, 'entry', 'entries')}, head {verdict.count}:{verdict.head}"
    )
    output.table(_proofs(verdict, pinned=pinned))
    if verdict.sealed is None:
        output.say("Nothing but this database vouches for it. Sign it: onboard ledger checkpoint. Or note the head.")
    if doubts:
        raise Findings(
            f"But {', and '.join(doubts)}: somebody changed that in the database. It is forgotten now, and made anew "
            "when it is next needed. Look at what was done since the last verification."
        )


def _proofs(verdict: Verdict, *, pinned: bool) -> Iterator[tuple[str, str, str]]:
    """What is proven by what, and what isn't."""
    if verdict.sealed:
        whose = "the key given" if pinned else f"key {verdict.sealed.key}; hold it against one kept elsewhere (--key)"
        yield "signed", f"to entry {verdict.sealed.size}", f"{_when(verdict.sealed)}, by {whose}"
    for name, told in verdict.seen.items():
        yield "witnessed", f"to entry {told.size}", f"{_when(told)}, in {name}"
    if verdict.sealed and not verdict.seen:
        yield "witnessed", "nothing", "whoever has the signing key could rewrite it all; see --witness"
    if verdict.sealed and verdict.unsealed:
        alone = f"the last {verdict.unsealed}" if verdict.unsealed > 1 else "the last"
        yield "unsigned", alone, "only this database vouches for it, until the next checkpoint"


def _when(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.at[:10]} {checkpoint.at[11:16]} UTC"


@app.command("checkpoint")
def checkpoint(as_json: Json = False) -> None:
    """Sign how far the journal goes, and publish it to the witnesses. Exit 5 if one of them wasn't reached."""
    from onboard import vouching
    from onboard.ledger.proof import checkpoints

    actor = context.caller()
    with context.ledger() as ledger:
        notary = vouching.notary(context.settings(), context.clock)
        taken = checkpoints.take(ledger.journal, notary, actor, context.clock)
    if as_json:
        failed = dict(taken.failed)
        output.emit_json({**taken.checkpoint._asdict(), "fresh": taken.fresh, "told": taken.told, "failed": failed})
    else:
        _tell(taken)
    output.leave(5 if taken.failed else 0)


def _tell(taken: Taken) -> None:
    what = "Signed" if taken.fresh else "Nothing has happened since the last checkpoint"
    size = output.count(taken.checkpoint.size, "entry", "entries")
    output.say(f"{what}: {size}, root {taken.checkpoint.root}, by key {taken.checkpoint.key}")
    output.table([*(("told", name) for name in taken.told), *(("FAILED", reason) for _, reason in taken.failed)])
    if taken.failed:
        output.say("What wasn't told is told when this is run again.")
    elif not taken.told:
        output.say("No witness is configured: whoever has the signing key could rewrite it all. See [checkpoints].")


@app.command("key")
def key() -> None:
    """Print the public key that checkpoints are signed for (PEM). Keep it elsewhere, for verify --key."""
    from onboard import vouching
    from onboard.ledger.proof import checkpoints

    notary = vouching.notary(context.settings(), context.clock)
    sys.stdout.write(checkpoints.pem(notary.signer.public_key()))


@app.command("export")
def export(
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write here; not over what exists.")] = None,
) -> None:
    """Write the journal as JSON Lines, to stdout or a file. It holds no personal data."""
    from onboard.ledger.proof import proofs

    with context.ledger() as ledger:
        lines = proofs.export(ledger.journal.entries())
        if file is None:
            sys.stdout.writelines(lines)
            return
        with output.new_file(file) as written:
            written.writelines(lines)
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
