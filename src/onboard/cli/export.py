"""`onboard export …`: complete populations for auditors and SIEMs. From the ledger; no system is asked."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from onboard.cli import context, output
from onboard.cli.past import AsOf, moment_of
from onboard.errors import BadInput

if TYPE_CHECKING:
    from onboard.ledger import Ledger, People
    from onboard.review.exports import Row

app = typer.Typer(help="Everything that was held, or changed, for whoever audits it.", no_args_is_help=True)


class Form(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSONL = "jsonl"


class Events(StrEnum):
    """How changes are written."""

    CSV = "csv"
    JSONL = "jsonl"
    OCSF = "ocsf"


Names = Annotated[bool, typer.Option("--names", help="Add people's names and e-mail addresses to their ids.")]
File = Annotated[Path | None, typer.Option("--output", "-o", help="Write here; not over what exists.")]


@app.command("access")
def access(
    as_of: AsOf = "",
    form: Annotated[Form, typer.Option("--format", help="Comma-separated, or a JSON object a line.")] = Form.CSV,
    names: Names = False,
    file: File = None,
) -> None:
    """Every right that onboard had given and not taken back: now, or with --as-of at the end of a day."""
    from onboard.review import exports

    at = moment_of(as_of) if as_of else context.clock()
    kinds = context.settings().kinds
    with context.ledger() as ledger:
        _write(ledger, exports.held(ledger, kinds, at), form.value, names, file)


@app.command("changes")
def changes(
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="From the beginning of that day on (UTC).")] = "",
    until: Annotated[str, typer.Option("--to", metavar="DATE", help="Up to the end of that day (UTC).")] = "",
    form: Annotated[Events, typer.Option("--format", help="ocsf: an OCSF event a line, for a SIEM.")] = Events.CSV,
    names: Names = False,
    file: File = None,
) -> None:
    """Every attempt to give or take access, with who approved it, under which policy, and what the system answered."""
    from onboard.review import exports

    if names and form is Events.OCSF:
        raise BadInput.one("OCSF events carry ids, no names. Leave --names out, or choose csv or jsonl.")
    start, end = _day(since, datetime(1970, 1, 1, tzinfo=UTC)), _day(until, context.clock())
    end = end + timedelta(days=1) if until else end
    with context.ledger() as ledger:
        rows = exports.changes(ledger, start, end)
        _write(ledger, map(exports.ocsf, rows) if form is Events.OCSF else rows, form.value, names, file)


def _day(text: str, otherwise: datetime) -> datetime:
    if not text:
        return otherwise
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadInput.one(f"Expected a day like 2026-03-31, not {text!r}.") from None


def _write(ledger: Ledger, rows: Iterable[Row], form: str, names: bool, file: Path | None) -> None:
    """Write the rows, and say on stderr how many there are and which state of the ledger they are."""
    if names:
        rows = (_with_names(ledger.people, row) for row in rows)
    with output.new_file(file) if file else nullcontext(sys.stdout) as to:
        count = _as_csv(rows, to) if form == "csv" else _as_lines(rows, to)
    head = ledger.journal.head()
    told = f"{output.count(count, 'row')}: all there are, in the ledger up to entry {head.seq} ({head.hash[:12]}…)."
    output.say(f"Wrote {file}, {told}" if file else f"Wrote {told}", stderr=True)


def _as_lines(rows: Iterable[Row], to: TextIO) -> int:
    return sum(1 for row in rows if to.write(json.dumps(row, ensure_ascii=False) + "\n"))


def _as_csv(rows: Iterable[Row], to: TextIO) -> int:
    """RFC 4180, with a line of headings where there is a row."""
    count, writer = 0, None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(to, list(row))
            writer.writeheader()
        writer.writerow({name: _inert(value) for name, value in row.items()})
        count += 1
    return count


def _inert(value: str | int | None) -> str | int | None:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _with_names(people: People, row: Row) -> Row:
    """The row with its person's name and address; once erased, there are none."""
    try:
        profile = people.get(str(row["person"]))
    except BadInput:
        return {"name": None, "email": None, **row}
    return {"name": profile.name, "email": profile.email, **row}
