"""What the benchmarks share: a generated sandbox, and how many requests a piece of work made in what time."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from onboard.sandbox.client import SandboxClient, SandboxProcess


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work took: requests and bytes of answers as the sandbox counted them, wall seconds, finds.

    `scaled` is by how much a smaller measurement was multiplied; 1 for what was measured as it is.
    """

    requests: int
    bytes: int
    seconds: float
    found: int
    scaled: int = 1

    def times(self, factor: int) -> Cost:
        """What so many times as much would take, where everything grows evenly."""
        return Cost(self.requests * factor, self.bytes * factor, self.seconds * factor, self.found * factor, factor)


@contextmanager
def sandbox(sizes: str, latency_ms: int) -> Iterator[SandboxClient]:
    """A sandbox with a generated world."""
    with SandboxProcess(generate=sizes, latency_ms=latency_ms) as client:
        yield client


def measure(client: SandboxClient, system: str, work: Callable[[], int]) -> Cost:
    """Do the work once. It returns how many holdings it found."""
    since = max((entry["n"] for entry in client.requests()), default=0)
    began = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - began
    entries = client.requests(system, since)
    return Cost(len(entries), sum(entry["size"] for entry in entries), round(seconds, 3), found)


def peak_memory_mb() -> int:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def now() -> datetime:
    """The clock that readers are given."""
    return datetime.now(UTC)


def conclude(figures: dict[str, Any]) -> None:
    """The last line of every benchmark: its figures as JSON."""
    print(json.dumps(figures, default=asdict))
