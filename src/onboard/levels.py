"""How far access goes: the levels of each type of resource, and which of them is the higher."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from onboard.model import Kind, Resource


@dataclass(frozen=True, slots=True)
class Scale:
    """The levels of one type of resource, lowest first. An open scale takes any name, and a person may hold several."""

    levels: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether any level name is valid and several may be held at once (Jira project roles)."""
        return not self.levels

    def rank(self, level: str | None) -> int:
        """-1 for nothing held; a name that the scale doesn't know counts above all it knows, to be safe."""
        if level is None:
            return -1
        return self.levels.index(level) if level in self.levels else len(self.levels)

    def includes(self, held: str, wanted: str) -> bool:
        """Whether who holds the one level has what the other gives; on an open scale only the same does."""
        return held == wanted or (not self.open and self.rank(wanted) <= self.rank(held))

    def join(self, levels: Iterable[str]) -> str:
        """The highest of `levels`."""
        return max(levels, key=self.rank)


SCALES: Mapping[tuple[Kind, str], Scale] = MappingProxyType(
    {
        (Kind.GITHUB, "org"): Scale(("member", "admin")),
        (Kind.GITHUB, "team"): Scale(("member", "maintainer")),
        (Kind.GITHUB, "repo"): Scale(("pull", "triage", "push", "maintain", "admin")),
        (Kind.JIRA, "group"): Scale(("member",)),
        (Kind.JIRA, "project"): Scale(),
        (Kind.SLACK, "channel"): Scale(("member",)),
        (Kind.SLACK, "usergroup"): Scale(("member",)),
        (Kind.VAULT, "login"): Scale(("enabled",)),
        (Kind.VAULT, "group"): Scale(("member",)),
    }
)

_BY_TYPE = MappingProxyType({kind_and_type[1]: scale for kind_and_type, scale in SCALES.items()})


def scale_of(resource: Resource) -> Scale:
    """The scale of a resource's type (no type stands under two kinds); open for a type that isn't known."""
    return _BY_TYPE.get(resource.type, Scale())


#: What everything else on that system rests on: granted first, and, since it is the coarsest lever, revoked first.
FOUNDATIONS = frozenset({"org", "login"})
