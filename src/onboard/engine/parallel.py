"""The one place that starts threads: SDK clients are one per thread, and context variables follow the work."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: Threads at once. Four systems are read side by side, and people are worked on side by side.
WORKERS = 8


def each(work: Callable[[T], R], items: Iterable[T], *, workers: int = WORKERS) -> list[R]:
    """`work` on every item, side by side; results in the items' order. The first exception is raised after all ended."""
    todo = list(items)
    if len(todo) <= 1:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(max_workers=min(workers, len(todo)), thread_name_prefix="onboard") as pool:
        futures = [pool.submit(contextvars.copy_context().run, work, item) for item in todo]
    return [future.result() for future in futures]
