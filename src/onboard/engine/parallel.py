"""The one place that starts threads: SDK clients are one per thread, and context variables follow the work."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from onboard.errors import OnboardError

T = TypeVar("T")
R = TypeVar("R")

#: Threads at once. Four systems are read side by side, and people are worked on side by side.
WORKERS = 8


def each(work: Callable[[T], R], items: Iterable[T], *, workers: int = WORKERS) -> list[R]:
    """`work` on every item, side by side; results in their order. The first exception is raised after all ended."""
    todo = list(items)
    if len(todo) <= 1:
        return [work(item) for item in todo]
    return [future.result() for future in _ended(work, todo, workers)]


def attempts(
    work: Callable[[T], R], items: Iterable[T], *, workers: int = WORKERS
) -> tuple[list[R], list[BaseException]]:
    """`work` on every item, side by side, whatever becomes of the others: the results, and what was raised."""
    ended = _ended(work, list(items), workers)
    faults = [fault for future in ended if (fault := future.exception()) is not None]
    return [future.result() for future in ended if future.exception() is None], faults


def _ended(work: Callable[[T], R], todo: list[T], workers: int) -> list[Future[R]]:
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(todo))), thread_name_prefix="onboard") as pool:
        return [pool.submit(contextvars.copy_context().run, work, item) for item in todo]


@contextmanager
def beating(beat: Callable[[], None], every: float) -> Iterator[None]:
    """Call `beat` every so many seconds while the block runs, up to the first time that it raises an error of ours.

    That error is told to nobody: whoever relies on what the beat keeps alive checks it before acting.
    """
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every):
            try:
                beat()
            except OnboardError:
                return

    thread = threading.Thread(target=run, name="onboard-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
