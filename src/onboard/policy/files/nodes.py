"""YAML 1.2 as a tree of nodes with their lines, by libyaml where PyYAML was built with it: some 20 times faster.

PyYAML by itself reads YAML 1.1, in which `no` is false and `12:30` a number. Here a plain scalar is what YAML 1.2's
core schema says (https://yaml.org/spec/1.2.2/#103-core-schema), plus days, which policies are full of. Nothing is
merged.
"""

from __future__ import annotations

import re

from yaml import MarkedYAMLError, Node, SafeLoader, YAMLError, compose, parse
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

try:
    from yaml import CSafeLoader as _Parser
except ImportError:  # PyYAML without libyaml: the same, slower
    _Parser = SafeLoader  # type: ignore[misc,assignment]

__all__ = ["TAG", "MappingNode", "MarkedYAMLError", "Node", "ScalarNode", "SequenceNode", "YAMLError", "composed"]

TAG = "tag:yaml.org,2002:"

#: How deep a file may nest. Far deeper, composing it would overflow the stack and end the process.
DEEPEST = 100
#: Characters up to which no file nests so deep that it would.
_SHORT = 10_000

#: What a plain scalar is, by the characters it may begin with; "" is an empty one. The first that fits counts.
_PLAIN = (
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    ("bool", r"true|True|TRUE|false|False|FALSE", tuple("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", tuple("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        tuple("-+.0123456789"),
    ),
    ("timestamp", r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", tuple("0123456789")),
)


class _Loader(_Parser):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML fills it


for _name, _pattern, _first in _PLAIN:
    _Loader.add_implicit_resolver(TAG + _name, re.compile(rf"(?:{_pattern})\Z"), list(_first))


def composed(text: str) -> Node | None:
    """The root node; None for a text without content. Raises YAMLError, with a mark where it can tell the place."""
    if len(text) > _SHORT:
        _require_shallow(text)
    found: Node | None = compose(text, Loader=_Loader)
    return found


def _require_shallow(text: str) -> None:
    depth = 0
    for event in parse(text, Loader=_Loader):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            problem, mark = f"it nests more than {DEEPEST} deep", event.start_mark
            raise MarkedYAMLError(problem=problem, problem_mark=mark)  # type: ignore[arg-type]  # libyaml's Mark
