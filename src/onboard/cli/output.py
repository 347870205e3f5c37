"""How commands speak: plain text when piped, colour on a terminal, JSON when asked, errors on stderr.

Nothing printed here is read as markup: what comes from people and systems is shown as it is.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from onboard.errors import BadInput, OnboardError

if TYPE_CHECKING:
    from rich.console import Console

#: What every command that reads takes.
Json = Annotated[bool, typer.Option("--json", help="The same facts as JSON.")]

#: Exit codes in the order in which they win when several apply.
PRECEDENCE = (1, 2, 5, 3, 4, 6)

#: Spaces between two columns.
GAP = 2


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr as it is now; NO_COLOR, COLUMNS and whether it is a terminal are respected."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def say(text: str = "", *, style: str = "", stderr: bool = False) -> None:
    """One line (or several) to stdout or stderr; long ones are left to the terminal, to be copied whole."""
    console(stderr=stderr).print(text, style=style or None, soft_wrap=True)


def next_step(command: str) -> None:
    """The last line of a command: what to do now."""
    say()
    say(f"Next: {command}", style="bold")


def prose(text: str, *, indent: int = 2) -> None:
    """Sentences without a command in them, wrapped between words."""
    table([(text,)], indent=indent)


def table(
    rows: Iterable[Sequence[str]], headings: Sequence[str] = (), *, indent: int = 2, stderr: bool = False
) -> None:
    """Aligned columns without lines, fitted to the width where that breaks no word; each column wraps under itself."""
    from rich.padding import Padding
    from rich.table import Table

    rows = list(rows)
    if not rows:
        return
    lines = console(stderr=stderr)
    widths = _widths([*rows, headings], lines.width - indent)
    grid = Table(box=None, show_header=bool(headings), padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for number, width in enumerate(widths):
        grid.add_column(headings[number] if headings else "", width=width, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    lines.width = max(lines.width, indent + sum(widths) + GAP * len(widths))
    with lines.capture() as captured:
        lines.print(Padding(grid, (0, 0, 0, indent)))
    for line in captured.get().splitlines():
        lines.file.write(f"{line.rstrip()}\n")


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """A width for each column: what it needs; too much in all, the last gives way first, then the widest.

    None becomes narrower than its longest word: a path or a command broken in two can't be read or copied.
    """
    from rich.cells import cell_len

    columns = [[row[n] for row in rows if n < len(row)] for n in range(max(map(len, rows)))]
    widths = [max(cell_len(line) for cell in column for line in cell.splitlines() or [""]) for column in columns]
    words = [max(cell_len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    for number in [len(widths) - 1, *sorted(range(len(widths) - 1), key=lambda n: -widths[n])]:
        over = sum(widths) + GAP * (len(widths) - 1) - room
        widths[number] = max(words[number], widths[number] - max(over, 0))
    return widths


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """A new file that only its owner may read, in a folder that is made if need be; gone again where writing it fails.

    Raises BadInput where it exists already, or can't be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput.one(f"{path} exists already and isn't overwritten. Name another.") from None
    except OSError as error:
        raise BadInput.one(f"{path} can't be written: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise BadInput.one(f"{path} can't be written: {error.strerror}.") from None
        raise


def emit_json(value: object) -> None:
    """One JSON document to stdout: dataclasses as objects, dates in ISO 8601, sets sorted."""
    sys.stdout.write(as_json(value))


def as_json(value: object) -> str:
    """The document as text, as `emit_json` writes it."""
    return json.dumps(value, default=_plain, indent=2, ensure_ascii=False) + "\n"


def _plain(value: object) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Enum():
            return value.value
        case Mapping():
            return {str(key): inner for key, inner in value.items()}
        case AbstractSet():
            return sorted(value, key=str)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return str(value)


def complain(error: OnboardError) -> None:
    """Say on stderr what went wrong and what to do; for bad input every problem, and that nothing was changed."""
    lines = console(stderr=True)
    whole = not lines.is_terminal  # a terminal would wrap in the middle of words
    if not isinstance(error, BadInput):
        lines.print(str(error), soft_wrap=whole)
        return
    for problem in error.problems:
        lines.print(str(problem), soft_wrap=whole)
    if len(error.problems) > 1:
        files = {problem.file for problem in error.problems if problem.file}
        where = f" in {count(len(files), 'file')}" if files else ""
        lines.print(f"{count(len(error.problems), 'problem')}{where}; nothing was changed.")


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 problem, 3 problems."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def first(*codes: int) -> int:
    """The one of these exit codes that wins; 0 if all are 0."""
    return next((code for code in PRECEDENCE if code in codes), 0)


def leave(*codes: int) -> None:
    """End the command with the exit code that wins."""
    if code := first(*codes):
        raise typer.Exit(code)
