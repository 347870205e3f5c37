"""The terms that proposals are made in, as frozen values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from onboard.model import Phase, Resource


class Right(NamedTuple):
    """A level on a resource: what a line of a role gives."""

    resource: Resource
    level: str


class Leftover(NamedTuple):
    """A right that a person holds and that no proposed role gives them, and why."""

    person: str
    right: Right
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a proposed role: from which phase it is carried, and the prerequisites that guardrails ask for."""

    right: Right
    phase: Phase
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedRole:
    """A role for people who all hold what its lines give. The lines are in the order of their phases."""

    name: str
    title: str
    people: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def rights(self) -> frozenset[Right]:
        """What it gives once the last phase is reached."""
        return frozenset(line.right for line in self.lines)


def in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines as a role's file has them."""
    return tuple(sorted(lines, key=lambda line: (line.phase.rank, line.right)))
