"""Changing one grant in a role's file as text, so that everything else stays as it was written, comments too."""

from __future__ import annotations

import re
from collections.abc import Iterator


def edits(text: str, line: int, level: str, lower: str) -> Iterator[tuple[str | None, str]]:
    """The text with the grant that begins in that line (from 1) at the lower level, and without it (None)."""
    lines = text.splitlines(keepends=True)
    begin, end = line - 1, _end(lines, line - 1)
    pattern = re.compile(rf"(\blevel:\s*[\"']?){re.escape(level)}\b")
    for number in range(begin, end):
        changed = pattern.sub(rf"\g<1>{lower}", lines[number], count=1)
        if changed != lines[number]:
            yield lower, "".join([*lines[:number], changed, *lines[number + 1 :]])
            break
    yield None, "".join([*lines[: _headed(lines, begin, end)], *lines[end:]])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _end(lines: list[str], begin: int) -> int:
    """Where the list's item that begins there is over: at the next line that isn't farther in."""
    deeper = (n for n in range(begin + 1, len(lines)) if _indent(lines[n]) <= _indent(lines[begin]))
    return next(deeper, len(lines))


def _headed(lines: list[str], begin: int, end: int) -> int:
    """Where to cut: before the phase's own line, if the item is all that stands under it."""
    alone = end >= len(lines) or _indent(lines[end]) < _indent(lines[begin])
    header = begin > 0 and re.match(r"\s*[\w-]+:\s*(#.*)?$", lines[begin - 1])
    return begin - 1 if alone and header else begin
