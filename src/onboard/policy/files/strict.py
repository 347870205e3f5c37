"""Strict reading of small YAML files: every problem at once, each with its line.

It walks the composed node tree rather than constructed values: nodes keep their line, every duplicate key is seen (not
the first one only), and a date like 2027-02-30 is a problem with a line instead of an exception without one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import TypeGuard, TypeVar

from onboard.errors import BadInput, Problem
from onboard.model import SLUG, Source
from onboard.policy.files.nodes import (
    TAG,
    MappingNode,
    MarkedYAMLError,
    Node,
    ScalarNode,
    SequenceNode,
    YAMLError,
    composed,
)

Choice = TypeVar("Choice", bound=StrEnum)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NAMES = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false", "timestamp": "a date"}


class Notes:
    """The problems met so far in one set of files. `folder` is put before each file's name."""

    def __init__(self, folder: str = "") -> None:
        self._folder = folder
        self._problems: set[Problem] = set()

    def add(self, source: Source, message: str) -> None:
        """Note a problem at a line; the message says what is wrong and the way out."""
        self._problems.add(Problem(self._file(source), source.line, message))

    def _file(self, source: Source) -> str:
        return f"{self._folder}/{source.file}" if self._folder else source.file

    def any_at(self, source: Source) -> bool:
        """Whether a problem was noted at a line."""
        return any((problem.file, problem.line) == (self._file(source), source.line) for problem in self._problems)

    def raise_all(self) -> None:
        """Raises BadInput with every problem noted, if there is any."""
        if self._problems:
            raise BadInput(self._problems)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean X?` where a known word is close, else all of them where they are few, else nothing."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]}?"
    return f" There is {', '.join(names)}." if 0 < len(names) <= 8 else ""


def _found(node: Node) -> str:
    """What a node is, in words."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    kind = str(node.tag).removeprefix(TAG)
    return "nothing" if kind == "null" else f"{_NAMES.get(kind, kind)} ({node.value!r})"


def _is(node: Node, kind: str) -> TypeGuard[ScalarNode]:
    return isinstance(node, ScalarNode) and str(node.tag) == TAG + kind


@dataclass(frozen=True, slots=True)
class Item:
    """A value and the line on which it stands."""

    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class Block:
    """A YAML mapping, read strictly. Anything missing or wrong is noted and read as empty, so that reading goes on."""

    what: str
    source: Source
    notes: Notes
    nodes: Mapping[str, Node] = field(default_factory=lambda: MappingProxyType({}))
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __contains__(self, key: str) -> bool:
        return key in self.nodes

    def __iter__(self) -> Iterator[Item]:
        """The keys, in order, with their lines."""
        return (Item(key, self.at(key)) for key in self.nodes)

    def is_mapping(self, key: str) -> bool:
        """Whether a mapping stands at the key."""
        return isinstance(self.nodes.get(key), MappingNode)

    def at(self, key: str) -> Source:
        """Where a key stands; where the block begins, if the key is missing."""
        return Source(self.source.file, self.lines.get(key, self.source.line))

    def note(self, key: str, message: str) -> None:
        """Note a problem at a key's line."""
        self.notes.add(self.at(key), message)

    def only(self, *known: str) -> Block:
        """This block, after noting every key that isn't among `known`."""
        for key in self.nodes.keys() - set(known):
            self.note(key, f"{self.what} has no setting {key!r}.{did_you_mean(key, known)}")
        return self

    def _get(self, key: str, kind: str, expected: str, required: bool) -> ScalarNode | None:
        node = self.nodes.get(key)
        if node is None:
            if required:
                self.note(key, f"{self.what} lacks {key!r}: add {key}: with {expected}.")
            return None
        if not _is(node, kind):
            self.note(key, f"{key!r} of {self.what} is {_found(node)}; write {expected}.")
            return None
        return node

    def text(self, key: str, *, required: bool = True) -> str:
        """A text; empty where it is missing or wrong."""
        node = self._get(key, "str", "a text (quoted, if it looks like a date)", required)
        if node is not None and not node.value.strip():
            self.note(key, f"{key!r} of {self.what} is empty; write a text.")
        return str(node.value).strip() if node is not None else ""

    def slug(self, key: str, *, required: bool = True) -> str:
        """A short name of lower-case letters, digits and hyphens; empty where it is missing or wrong."""
        value = self.text(key, required=required)
        if value and not SLUG.fullmatch(value):
            self.note(key, f"{key!r} is {value!r}; use lower-case letters, digits and hyphens only, at most 63.")
            return ""
        return value

    def flag(self, key: str) -> bool:
        """A truth value; False where it is missing."""
        node = self._get(key, "bool", "true or false", required=False)
        return node is not None and str(node.value).lower() == "true"

    def number(self, key: str, *, required: bool = True) -> int | None:
        """A whole number above zero; None where it is missing or wrong."""
        node = self._get(key, "int", "a whole number above 0", required)
        if node is None:
            return None
        if not node.value.isdecimal() or int(node.value) == 0:
            self.note(key, f"{key!r} of {self.what} is {node.value}; write a whole number above 0.")
            return None
        return int(node.value)

    def day(self, key: str, *, required: bool = True) -> date | None:
        """A day, written 2027-03-31; None where it is missing or wrong."""
        node = self.nodes.get(key)
        text = node.value if isinstance(node, ScalarNode) else ""
        if node is None:
            if required:
                self.note(key, f"{self.what} lacks {key!r}: add {key}: with a day like 2027-03-31.")
            return None
        try:
            return date.fromisoformat(text if _DAY.fullmatch(text) else "")
        except ValueError:
            self.note(key, f"{key!r} is {text or _found(node)}, which is no day; write one like 2027-03-31.")
            return None

    def choice(self, key: str, choices: type[Choice]) -> Choice | None:
        """One of the enumeration's values; None where it is missing or wrong."""
        value = self.text(key)
        return chosen(Item(value, self.at(key)), choices, key, self.notes) if value else None

    def items(self, key: str, *, required: bool = False) -> tuple[Item, ...]:
        """A list of texts, each with its line; duplicates are noted."""
        found: dict[str, Item] = {}
        for node in self._sequence(key, "a list of texts, like [a, b]", required):
            item = Item(str(node.value), Source(self.source.file, node.start_mark.line + 1))
            if not _is(node, "str"):
                self.notes.add(item.source, f"{key!r} of {self.what} lists {_found(node)}; write texts only.")
            elif item.text in found:
                self.notes.add(item.source, f"{key!r} of {self.what} lists {item.text} twice. Remove one.")
            else:
                found[item.text] = item
        return tuple(found.values())

    def blocks(self, key: str, what: str, *, required: bool = False) -> tuple[Block, ...]:
        """A list of mappings."""
        nodes = self._sequence(key, "a list of mappings, like - {name: value}", required)
        return tuple(block(node, what, self.source.file, self.notes) for node in nodes)

    def block(self, key: str, what: str, *, required: bool = True) -> Block:
        """A mapping; one without keys where it is missing or wrong."""
        node = self.nodes.get(key)
        if node is None:
            if required:
                self.note(key, f"{self.what} lacks {key!r}: add {key}: with {what} under it.")
            return Block(what, self.at(key), self.notes)
        return block(node, what, self.source.file, self.notes, self.at(key))

    def _sequence(self, key: str, expected: str, required: bool) -> list[Node]:
        node = self.nodes.get(key)
        if node is None:
            if required:
                self.note(key, f"{self.what} lacks {key!r}: add {key}: with {expected}.")
            return []
        if not isinstance(node, SequenceNode):
            self.note(key, f"{key!r} of {self.what} is {_found(node)}; write {expected}.")
            return []
        return list(node.value)


def chosen(item: Item, choices: type[Choice], what: str, notes: Notes) -> Choice | None:
    """The enumeration's value that an item names; None, noted, where it names none."""
    names: Collection[str] = [choice.value for choice in choices]
    if item.text in names:
        return choices(item.text)
    notes.add(item.source, f"{what!r} is {item.text!r}; it can be {', '.join(names)}.{_close(item.text, names)}")
    return None


def _close(word: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def block(node: Node, what: str, file: str, notes: Notes, source: Source | None = None) -> Block:
    """The mapping at `node`. Notes duplicate keys, keys that are no text, and anything that is no mapping."""
    source = source or Source(file, node.start_mark.line + 1)
    if not isinstance(node, MappingNode):
        notes.add(source, f"{what} is {_found(node)}; write a mapping, like name: value.")
        return Block(what, source, notes)
    nodes: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = Source(file, key.start_mark.line + 1)
        if not _is(key, "str"):
            notes.add(line, f"{what} has a key that is {_found(key)}; write a plain name.")
        elif key.value in nodes:
            notes.add(line, f"{key.value!r} stands twice, first in line {lines[key.value]}. Remove one.")
        else:
            nodes[key.value], lines[key.value] = value, line.line
    return Block(what, source, notes, nodes, lines)


def read(text: str, file: str, what: str, notes: Notes) -> Block | None:
    """The mapping that a YAML file holds; None, noted, for a file that is empty or no YAML."""
    try:
        node = composed(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else 1
        notes.add(
            Source(file, line), f"this is not YAML: {error.problem or error.context}. Nothing else in it was read."
        )
        return None
    except YAMLError as error:
        notes.add(Source(file, 1), f"this is not YAML: {str(error).splitlines()[0]}. Nothing in it was read.")
        return None
    if node is None:
        notes.add(Source(file, 1), f"the file is empty; write {what} or delete it.")
        return None
    return block(node, what, file, notes, Source(file, 1))
