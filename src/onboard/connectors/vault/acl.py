"""Vault's ACL policies as rules, and what rules add up to on a path. Pure; policies are HCL or JSON texts.

Rests on the documented semantics: an exact path wins; else the pattern whose first wildcard stands furthest right, then
the one that doesn't end in `*`, with fewer `+`, longer, and later in the alphabet. The same pattern in several policies
adds up, and `deny` takes everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
    |(?P<text>"(?:\\.|[^"\\])*")
    |(?P<mark>[{}\[\]=,:])
    |(?P<word>[\w.+*-]+)
    |<<-?[ ]*(?P<end>\w+)\n(?P<lines>.*?)\n[ \t]*(?P=end)(?=\s|$)""",
    re.DOTALL | re.VERBOSE,
)
_SHORTHANDS = {
    "deny": ("deny",),
    "read": ("read", "list"),
    "write": ("create", "read", "update", "delete", "list"),
    "sudo": ("create", "read", "update", "delete", "list", "sudo"),
}
_TEMPLATE = re.compile(r"\{\{\s*([^}]+?)\s*\}\}")


class Unparsable(ValueError):
    """The text is no policy."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a policy gives on a path, where `*` at the end is any rest and `+` any one segment.

    Limits on parameters are left aside, so that a rule never says less than the policy gives.
    """

    path: str
    capabilities: frozenset[str]
    policy: str

    def covers(self, path: str) -> bool:
        """Whether the rule is about this path."""
        pattern = re.escape(self.path.removesuffix("*")).replace(r"\+", "[^/]+")
        return re.fullmatch(pattern + (".*" if self.path.endswith("*") else ""), path, re.DOTALL) is not None

    @property
    def weight(self) -> tuple[bool, int, bool, int, int, str]:
        """The higher, the more it counts among the rules that cover a path."""
        wild = [at for at in (self.path.find("+"), self.path.find("*")) if at >= 0]
        first, pluses = min(wild, default=len(self.path)), self.path.count("+")
        return not wild, first, not self.path.endswith("*"), -pluses, len(self.path), self.path


def capabilities_on(rules: Iterable[Rule], path: str) -> frozenset[str]:
    """What the rules add up to on a path; empty for nothing."""
    covering = [rule for rule in rules if rule.covers(path)]
    if not covering:
        return frozenset()
    heaviest = max(rule.weight for rule in covering)
    together = frozenset(c for rule in covering if rule.weight == heaviest for c in rule.capabilities)
    return frozenset() if "deny" in together else together


def rules_of(policy: str, text: str, names: Mapping[str, str]) -> tuple[Rule, ...]:
    """The rules of a policy. `names` fills its templates (`identity.entity.id` …); a rule with another one is left out.

    Raises Unparsable.
    """
    return tuple(
        Rule(filled, frozenset(capabilities), policy)
        for path, capabilities in _paths(text)
        if (filled := _filled(path.removeprefix("/"), names)) is not None
    )


def _filled(path: str, names: Mapping[str, str]) -> str | None:
    if any(name not in names for name in _TEMPLATE.findall(path)):
        return None
    return _TEMPLATE.sub(lambda match: names[match[1]], path)


def _paths(text: str) -> Iterator[tuple[str, Sequence[str]]]:
    for path, body in _json(text) if text.lstrip().startswith("{") else _Hcl(text).paths():
        given = body.get("capabilities")
        capabilities = _SHORTHANDS.get(str(body.get("policy")), ()) if given is None else given
        if not isinstance(capabilities, Sequence) or isinstance(capabilities, str):
            raise Unparsable("capabilities are no list")
        yield path, [str(capability) for capability in capabilities]


def _json(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise Unparsable("it is no JSON") from error
    paths = whole.get("path", {})
    for block in paths if isinstance(paths, list) else [paths]:
        if not isinstance(block, dict):
            raise Unparsable("path holds no paths")
        for path, body in block.items():
            yield from ((path, part) for part in (body if isinstance(body, list) else [body]))


class _Hcl:
    """The part of HCL that policies are written in: blocks with a label, assignments, lists, maps, here-documents."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def paths(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The label and the body of every block called `path`."""
        while self._at < len(self._tokens):
            word, label = self._next(), self._next()
            if label == "=":
                self._value()
                continue
            body = self._block() if self._peek() == "{" else self._value_after_equals()
            if word == "path" and isinstance(body, dict):
                yield label, body

    def _block(self) -> dict[str, Any]:
        self._expect("{")
        found: dict[str, Any] = {}
        while self._peek() != "}":
            name = self._next()
            found[name] = self._block() if self._peek() == "{" else self._value_after_equals()
            if self._peek() == ",":
                self._at += 1
        self._expect("}")
        return found

    def _value_after_equals(self) -> Any:
        if self._next() not in ("=", ":"):
            raise Unparsable("a name has no value")
        return self._value()

    def _value(self) -> Any:
        if self._peek() == "{":
            return self._block()
        if self._peek() != "[":
            return self._next()
        self._expect("[")
        found = []
        while self._peek() != "]":
            found.append(self._value())
            if self._peek() == ",":
                self._at += 1
        self._expect("]")
        return found

    def _expect(self, mark: str) -> None:
        if self._next() != mark:
            raise Unparsable(f"{mark} is missing")

    def _peek(self) -> str:
        if self._at >= len(self._tokens):
            raise Unparsable("it ends too early")
        return self._tokens[self._at]

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unparsable(f"it can't be read from its character {at} on")
        at = match.end()
        if match["text"] is not None:
            yield re.sub(r"\\(.)", r"\1", match["text"][1:-1])
        elif match["skip"] is None:
            yield match["lines"] if match["end"] else match[0]
