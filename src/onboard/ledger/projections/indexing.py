"""Growing an index, and forgetting what it needn't hold, without touching the one it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Protocol, TypeVar


class Told(Protocol):
    """Something that an entry says."""

    @property
    def entry(self) -> int:
        """The entry's number."""
        ...


T = TypeVar("T")
E = TypeVar("E", bound=Told)


def extended(known: Mapping[str, tuple[T, ...]], more: Mapping[str, Iterable[T]]) -> Mapping[str, tuple[T, ...]]:
    """Every key's values, the further ones after those already known."""
    return MappingProxyType({**known, **{key: (*known.get(key, ()), *values) for key, values in more.items()}})


def among(known: Mapping[str, tuple[E, ...]], kept: frozenset[int]) -> Mapping[str, tuple[E, ...]]:
    """Every key's values that stand in one of these entries; keys that are left without any are left out."""
    found = ((key, tuple(value for value in values if value.entry in kept)) for key, values in known.items())
    return MappingProxyType({key: values for key, values in found if values})
