"""Several calls for one purpose, writing or reading: what it means when some of them fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any, Generic, TypeVar

from onboard.connectors.base import Hold, Residue, Unverifiable
from onboard.connectors.http import MALFORMED, malformed, side_by_side
from onboard.errors import SystemFailed, SystemRefused, Waiting
from onboard.model import Holding, Receipt, Resource

T = TypeVar("T")
R = TypeVar("R")

#: Calls at once while one person is cut off and read again: every wave of them costs a round trip.
AT_ONCE = 32

Lever = Callable[[], Sequence[Receipt]]
#: Reads one route by which an account may hold access, and finds what it still holds there.
Route = Callable[[], Iterable[Holding]]


def pull(system: str, levers: Sequence[Lever]) -> list[Receipt]:
    """The receipts of all levers, pulled in order whatever happened to those before.

    Raises one failure after the last lever, where any failed: it names them all. It is a SystemRefused only where
    every answer was a definite no and nothing took effect, else a SystemFailed, uncertain where something may have.
    """
    return settled(system, [pulled(lever) for lever in levers])


def pull_together(system: str, levers: Iterable[Lever]) -> list[Receipt]:
    """The same for levers that don't wait for each other: side by side, receipts in the levers' order."""
    return settled(system, side_by_side(pulled, levers, AT_ONCE))


def pull_first(system: str, first: Lever, others: Iterable[Lever]) -> list[Receipt]:
    """The coarsest lever by itself, then the others side by side, whatever became of the first."""
    return settled(system, [pulled(first), *side_by_side(pulled, others, AT_ONCE)])


def pulled(lever: Lever) -> Sequence[Receipt] | SystemFailed:
    """A lever's receipts, or how it failed."""
    try:
        return lever()
    except SystemFailed as failure:
        return failure


def settled(system: str, ended: Iterable[Sequence[Receipt] | SystemFailed]) -> list[Receipt]:
    """The receipts of levers that were pulled. Raises as `pull` does where any failed."""
    receipts: list[Receipt] = []
    failures: list[SystemFailed] = []
    for each in ended:
        if isinstance(each, SystemFailed):
            failures.append(each)
        else:
            receipts += each
    if failures:
        raise _together(system, failures, any(receipt.changed for receipt in receipts))
    return receipts


@contextmanager
def after(system: str, done: str) -> Iterator[None]:
    """What fails inside follows a write that took effect: so it is uncertain, and no plain refusal."""
    try:
        yield
    except SystemFailed as failure:
        raise SystemFailed(
            system, f"{done}, but: {failure.reason}", uncertain=True, retry_after=failure.retry_after
        ) from None


@contextmanager
def holding(hold: Hold, container: Resource) -> Iterator[Callable[[], None]]:
    """Hold a container as base.Writer says. Raises SystemFailed where it can't be held, or isn't any more."""
    try:
        with hold(container) as still:
            yield still
    except Waiting as waiting:
        raise SystemFailed(container.system, f"{container} wasn't changed: {waiting}") from None


def gather(at: datetime, routes: Mapping[str, Route], *unverifiable: Callable[[], Iterable[Unverifiable]]) -> Residue:
    """What is found on the routes and told by `unverifiable`, all read side by side.

    A route that fails keeps what it had found, and is unknown. Raises nothing for what a system does.
    """
    told: dict[str, tuple[list[Holding], str]] = {}
    beyond: dict[int, tuple[list[Unverifiable], str]] = {}

    def read(name: str) -> None:
        told[name] = _all_of(name, routes[name])

    def tell(number: int) -> None:
        beyond[number] = _all_of("what can't be verified", unverifiable[number])

    tasks = [*(partial(read, name) for name in routes), *(partial(tell, number) for number in range(len(unverifiable)))]
    side_by_side(lambda task: task(), tasks, AT_ONCE)
    found = [(name, *told[name]) for name in routes]
    others = [beyond[number] for number in range(len(unverifiable))]
    return Residue(
        at,
        routes=tuple(name for name, _, why in found if not why),
        remaining=tuple(dict.fromkeys(holding for _, holdings, _ in found for holding in holdings)),
        unverifiable=tuple(each for lines, _ in others for each in lines),
        unknown=(
            *((name, why) for name, _, why in found if why),
            *(("what can't be verified", why) for _, why in others if why),
        ),
    )


def every(read: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """What reading brings for each item, all read at once. The first failure is raised after all that came."""

    def attempt(item: T) -> R | SystemFailed:
        try:
            return read(item)
        except SystemFailed as failure:
            return failure

    told = side_by_side(attempt, items, AT_ONCE)
    yield from (each for each in told if not isinstance(each, SystemFailed))
    for each in told:
        if isinstance(each, SystemFailed):
            raise each


class Once(Generic[T]):
    """Does its work when first asked, though several threads ask at once; a failure is raised, and it is tried anew."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._lock = Lock()
        self._done: list[T] = []

    def __call__(self) -> T:
        """What the work brought."""
        with self._lock:
            if not self._done:
                self._done.append(self._work())
            return self._done[0]


class _Shared:
    """What was read, by what it is; each once, though many ask."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[tuple[str, ...], Once[Any]] = {}

    def get(self, key: tuple[str, ...], work: Callable[[], Any]) -> Once[Any]:
        """The same for the same key."""
        with self._lock:
            return self._kept.setdefault(key, Once(work))


_SHARED: ContextVar[_Shared | None] = ContextVar("onboard_shared", default=None)


@contextmanager
def sharing() -> Iterator[None]:
    """Cut-offs of many people inside read what is the same for all of them once, when the first needs it.

    What comes up after that is missed by them, and found by reading again afterwards, as ever.
    """
    token = _SHARED.set(_Shared())
    try:
        yield
    finally:
        _SHARED.reset(token)


def shared(key: tuple[str, ...], work: Callable[[], T]) -> Once[T]:
    """The work, done once for everybody inside `sharing`; outside of it once for whoever holds what this returns."""
    all_of_them = _SHARED.get()
    return all_of_them.get(key, work) if all_of_them else Once(work)


def is_shared() -> bool:
    """Whether `sharing` is around this."""
    return _SHARED.get() is not None


def _all_of(name: str, ask: Callable[[], Iterable[T]]) -> tuple[list[T], str]:
    """All that it yields, or what it had yielded before it failed, and why it did."""
    found: list[T] = []
    try:
        for each in ask():
            found.append(each)  # noqa: PERF402 - one by one, so that what came before a failure is kept
    except SystemFailed as failure:
        return found, failure.reason
    except MALFORMED:
        return found, malformed(name)
    return found, ""


def _together(system: str, failures: Sequence[SystemFailed], changed: bool) -> SystemFailed:
    reason = "; ".join(dict.fromkeys(failure.reason for failure in failures))
    if not changed and all(isinstance(failure, SystemRefused) for failure in failures):
        return SystemRefused(system, reason)
    waits = [failure.retry_after for failure in failures if failure.retry_after is not None]
    uncertain = changed or any(failure.uncertain for failure in failures)
    return SystemFailed(system, reason, uncertain=uncertain, retry_after=max(waits, default=None))
