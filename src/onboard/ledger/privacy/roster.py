"""People from a CSV file: columns `name` and `email`, and one for each system on which handles are given."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

from onboard.errors import BadInput, Problem
from onboard.ledger.privacy.people import EMAIL, Profile
from onboard.model import Kind

REQUIRED = ("name", "email")


def read_roster(path: Path, systems: Collection[str] = tuple(Kind)) -> tuple[Profile, ...]:
    """The people of a roster, in its order; an empty cell means no handle there, an empty line nothing.

    `systems` are the names of the configured systems, which are the columns allowed besides `name` and `email`. Raises
    BadInput with every problem of the file and its line; then nobody is to be entered.
    """
    lines = list(_lines(path))
    problems = list(_header_problems(path, lines[0][1] if lines else [], systems))
    if problems:
        raise BadInput(problems)
    header = lines[0][1]
    rows = [(number, dict(zip(header, cells, strict=False)), len(cells)) for number, cells in lines[1:]]
    if not rows:
        raise BadInput.one("It names nobody; expected a line for each person below the header.", str(path), 1)
    problems = [problem for number, row, count in rows for problem in _row_problems(path, number, row, count, header)]
    problems += _doubles(path, header, [(number, row) for number, row, _ in rows])
    if problems:
        raise BadInput(problems)
    return tuple(_profile(row) for _, row, _ in rows)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that aren't empty, trimmed, each with the number of its first line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader, started = csv.reader(file, strict=True), 1
            try:
                for cells in reader:
                    if any(cell.strip() for cell in cells):
                        yield started, [cell.strip() for cell in cells]
                    started = reader.line_num + 1
            except csv.Error as error:
                raise BadInput.one(f"It is no CSV from here on: {error}.", str(path), started) from error
    except OSError as error:
        raise BadInput.one(f"The roster cannot be read: {error.strerror}.", str(path)) from error
    except UnicodeDecodeError as error:
        raise BadInput.one("The roster isn't UTF-8; save it as CSV in UTF-8.", str(path)) from error


def _header_problems(path: Path, header: Sequence[str], systems: Collection[str]) -> Iterator[Problem]:
    allowed = (*REQUIRED, *systems)
    expected = f"expected name,email and any of {', '.join(systems)}"
    for column in REQUIRED:
        if column not in header:
            yield Problem(str(path), 1, f"The column {column!r} is missing from the first line; {expected}.")
    for column in dict.fromkeys(header):
        if column not in allowed:
            yield Problem(str(path), 1, f"The column {column!r} is unknown; {expected}.")
        if header.count(column) > 1:
            yield Problem(str(path), 1, f"The column {column!r} stands twice.")


def _row_problems(path: Path, number: int, row: dict[str, str], count: int, header: Sequence[str]) -> Iterator[Problem]:
    if count != len(header):
        yield Problem(str(path), number, f"It has {count} cells; expected {len(header)}, as in the first line.")
        return
    if not row["name"]:
        yield Problem(str(path), number, "The name is missing.")
    if not EMAIL.fullmatch(row["email"]):
        yield Problem(str(path), number, f"{row['email']!r} is no e-mail address; expected one like ada@example.com.")
    for column, cell in row.items():
        if column not in REQUIRED and any(character.isspace() for character in cell):
            yield Problem(str(path), number, f"The {column} handle {cell!r} has a space in it.")


def _doubles(path: Path, header: Iterable[str], rows: Iterable[tuple[int, dict[str, str]]]) -> Iterator[Problem]:
    """E-mail addresses and handles that stand on more than one line."""
    seen: dict[tuple[str, str], int] = {}
    columns = [column for column in header if column != "name"]
    for number, row in rows:
        for column in columns:
            value = row.get(column, "")
            first = seen.setdefault((column, value.casefold()), number) if value else number
            if first != number:
                yield Problem(str(path), number, f"The {column} {value!r} stands on line {first} already.")


def _profile(row: dict[str, str]) -> Profile:
    handles = {column: cell for column, cell in row.items() if column not in REQUIRED and cell}
    return Profile(row["name"], row["email"], MappingProxyType(handles))
