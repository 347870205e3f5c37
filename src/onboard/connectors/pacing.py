"""What a client asks before each call, so that all workers together keep below a system's limits.

A connector knows what a call costs and hears what the vendor says; who counts, and for how many workers, is behind
`Pace`. A removal is urgent: it waits for nobody, and a part of each limit is kept for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3_600.0, 86_400.0

_URGENT: ContextVar[bool] = ContextVar("onboard_urgent", default=False)
_PATIENCE: ContextVar[float | None] = ContextVar("onboard_patience", default=None)


@dataclass(frozen=True, slots=True)
class Limit:
    """So much in any `seconds`; without `amount` only what the vendor says in its answers counts.

    `title` goes into a sentence ("the budget of … is used up"). `burst` is the most at once where that is less than
    `amount`. `each_credential`: what reads and what writes has its own. `kept`: whether a part is kept for removals,
    which a limit that no removal draws on doesn't need. `unsaid` seconds are waited where a vendor says "too many" and
    not for how long.
    """

    title: str
    amount: int | None
    seconds: float
    burst: int | None = None
    each_credential: bool = False
    kept: bool = True
    unsaid: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call takes of a limit; `of` is what has that limit by itself: a method, an endpoint, a repository."""

    limit: str
    amount: int = 1
    of: str = ""


class Pace(Protocol):
    """Asked before each call, and told what came of it. Safe from several threads."""

    def take(self, costs: Sequence[Cost]) -> None:
        """Wait until all of it is free, and take it. Whatever an `urgent` block makes is served first.

        Raises SystemFailed with `retry_after`, having taken nothing, where that would be a long time.
        """
        ...

    def give_back(self, costs: Sequence[Cost]) -> None:
        """The call turned out not to cost this."""
        ...

    def limited(self, cost: Cost, wait: float | None) -> None:
        """The vendor answered "too many": nothing more of this for `wait` seconds, from any worker."""
        ...

    def left(self, cost: Cost, remaining: int, limit: int, reset: float) -> None:
        """The vendor says what is left of a limit that begins anew in `reset` seconds."""
        ...


class Unpaced:
    """The pace where nobody counts: none."""

    def take(self, costs: Sequence[Cost]) -> None:
        """At once."""

    def give_back(self, costs: Sequence[Cost]) -> None:
        """Nothing was taken."""

    def limited(self, cost: Cost, wait: float | None) -> None:
        """Whoever called is told by the answer itself."""

    def left(self, cost: Cost, remaining: int, limit: int, reset: float) -> None:
        """Nobody keeps it."""


UNPACED = Unpaced()


@contextmanager
def urgent() -> Iterator[None]:
    """The calls inside take something away, or read whether it is gone: they wait behind no other."""
    token = _URGENT.set(True)
    try:
        yield
    finally:
        _URGENT.reset(token)


def urgently(method: Callable[P, R]) -> Callable[P, R]:
    """The whole method is `urgent`."""

    @wraps(method)
    def hurried(*args: P.args, **kwargs: P.kwargs) -> R:
        with urgent():
            return method(*args, **kwargs)

    return hurried


def is_urgent() -> bool:
    """Whether an `urgent` block is around this."""
    return _URGENT.get()


@contextmanager
def patient_for(seconds: float) -> Iterator[None]:
    """Each call inside waits for its turn so long at most, as one must whose lease would run out meanwhile."""
    token = _PATIENCE.set(seconds)
    try:
        yield
    finally:
        _PATIENCE.reset(token)


def patience() -> float | None:
    """What `patient_for` allows here; None outside of it."""
    return _PATIENCE.get()
