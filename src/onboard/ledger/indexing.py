"""Growing an index without touching the one it grows from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

T = TypeVar("T")


def extended(known: Mapping[str, tuple[T, ...]], more: Mapping[str, Iterable[T]]) -> Mapping[str, tuple[T, ...]]:
    """Every key's values, the further ones after those already known."""
    return MappingProxyType({**known, **{key: (*known.get(key, ()), *values) for key, values in more.items()}})
