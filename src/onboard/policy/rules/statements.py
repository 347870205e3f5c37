"""Cedar files, cut into statements and checked one by one; what guardrails and authority share.

Cedar reports no positions, so a file is cut first and each statement checked by itself: a problem then names the line
where its rule begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Protocol

import cedarpy

from onboard.model import SLUG, Source
from onboard.policy.files.strict import Notes

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|;')
_OPERATOR = re.compile(r"\|\||&&|[-+*.]|\belse\b")
#: How deep brackets may nest, and how many operators a rule may have. Far beyond, Cedar's parser overflows the stack.
DEEPEST = 100
MOST = 2000


@dataclass(frozen=True, slots=True)
class Statement:
    """One rule: its annotations, stripped, its effect ("permit" or "forbid"), and what Cedar made of it."""

    text: str
    source: Source
    effect: str
    annotations: Mapping[str, str]
    json: Mapping[str, Any] = field(repr=False)


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def source(self) -> Source: ...


def schema_of(text: str | None, file: str, what: str, notes: Notes) -> cedarpy.Schema | None:
    """The schema that a file holds; None, noted, where it is missing or none. `what` names the rules it is for."""
    source = Source(file, 1)
    if text is None:
        notes.add(source, f"there are {what} but no schema to check them by. Restore the one that onboard ships.")
        return None
    if _too_deep(text):
        notes.add(source, f"this schema nests brackets more than {DEEPEST} deep. Restore the one that onboard ships.")
        return None
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        notes.add(source, f"this is no Cedar schema: {error}. None of the {what} was read.")
        return None


def statements(files: Mapping[str, str], schema: cedarpy.Schema, notes: Notes) -> Iterator[Statement]:
    """The statements of these files that type-check, in the order of files and lines; the others are noted."""
    for name in sorted(files):
        for text, source in _cut(files[name], name):
            statement = _checked(text, source, schema, notes)
            if statement is not None:
                yield statement


def _cut(text: str, file: str) -> Iterator[tuple[str, Source]]:
    """The statements of a file, each with the line on which it begins."""
    begin = 0
    ends = [match.end() for match in _TOKEN.finditer(text) if match.group() == ";"]
    for end in (*ends, len(text)):
        statement = _TOKEN.sub(lambda match: "" if match.group().startswith("//") else match.group(), text[begin:end])
        if statement.strip():
            blank = len(statement) - len(statement.lstrip())
            line = text.count("\n", 0, begin) + statement.count("\n", 0, blank) + 1
            yield text[begin:end], Source(file, line)
        begin = end


def _checked(text: str, source: Source, schema: cedarpy.Schema, notes: Notes) -> Statement | None:
    if _too_deep(text) or len(_OPERATOR.findall(_bare(text))) > MOST:
        limits = f"nests brackets more than {DEEPEST} deep, or has more than {MOST} operators"
        notes.add(source, f"this rule {limits}. Write several rules, or a set: [a, b].contains(c).")
        return None
    checked = cedarpy.validate_policies(text, schema)
    if not checked:
        for error in checked.errors:
            notes.add(source, f"this rule is wrong: {re.sub('^for policy `.*?`, ', '', error.error)}.")
        return None
    policies = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    if len(policies) != 1:
        notes.add(source, "this is a template, which decides nothing by itself. Write a plain rule.")
        return None
    (policy,) = policies.values()
    annotations = {name: (value or "").strip() for name, value in policy.get("annotations", {}).items()}
    return Statement(text, source, policy["effect"], annotations, policy)


def _bare(text: str) -> str:
    """A text without its strings and comments."""
    return _TOKEN.sub("", text)


def _too_deep(text: str) -> bool:
    depth = accumulate((mark in "([{") - (mark in ")]}") for mark in _bare(text))
    return max(depth, default=0) > DEEPEST


def annotated(statement: Statement, names: Iterable[str], notes: Notes) -> bool:
    """Whether a statement has these annotations, and an @id that is one; what is wrong is noted."""
    missing = ", ".join(f"@{name}" for name in names if not statement.annotations.get(name))
    if missing:
        before = f'write it before {statement.effect}, like @id("no-standing-admin")'
        notes.add(statement.source, f"this rule lacks {missing}: {before}.")
        return False
    if not SLUG.fullmatch(statement.annotations["id"]):
        wrong = statement.annotations["id"]
        notes.add(statement.source, f"@id is {wrong!r}; use lower-case letters, digits and hyphens only.")
        return False
    return True


def names_differ(rules: Collection[_Named], notes: Notes) -> None:
    """Notes every @id that stands twice."""
    first: dict[str, _Named] = {}
    for rule in rules:
        other = first.setdefault(rule.id, rule)
        if other is not rule:
            notes.add(rule.source, f"@id {rule.id} is taken by {other.source}. Choose another.")
