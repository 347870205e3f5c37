"""`make crash`: every story struck at every one of its points, on all cores.

`python -m tests.crash.matrix [--story NAME]… [--workers N] [--every N] [--minutes N]`: with `--every 3` only each
third point, with `--minutes` no more is begun after that time. Prints what was found and covered of each story and
kind, and last one line of JSON. Exit code 1 where a disturbed run didn't end as the undisturbed one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from onboard import wiring
from onboard.sandbox.client import SandboxProcess
from onboard.settings import Settings
from tests.crash.bomb import Kind, Moment, Point
from tests.crash.laboratory import Laboratory
from tests.crash.stories import STORIES

#: Points that a worker takes at a time.
BATCH = 20


@dataclass(frozen=True)
class Case:
    """What came of one disturbed run."""

    story: str
    point: Point
    what: str
    reached: bool
    problems: tuple[str, ...]
    seconds: float


@cache
def laboratory() -> Laboratory:
    """This worker's, made when it is first needed. Its sandbox ends with the worker."""
    sandbox = SandboxProcess().client
    settings = Settings.load({**sandbox.env, "ONBOARD_LEDGER_URL": "sqlite:////nowhere"}, Path("/"))
    folder = Path(tempfile.mkdtemp(prefix="onboard-crash-"))
    return Laboratory(sandbox, wiring.load_policy(settings), folder)


def measure(name: str) -> list[Point]:
    """The points of a story."""
    return laboratory().prepare(name, STORIES[name]).points


def strike(name: str, points: list[Point]) -> list[Case]:
    """A story disturbed at each of these points."""
    return [_case(name, point) for point in points]


def _case(name: str, point: Point) -> Case:
    began, prepared = time.monotonic(), laboratory().prepare(name, STORIES[name])
    try:
        verdict = laboratory().disturb(prepared, point)
        reached, problems = verdict.reached, verdict.problems
    except Exception as error:  # noqa: BLE001 - one case that can't be judged is a problem, not the end
        reached, problems = True, (f"the case itself failed: {error!r}",)
    return Case(name, point, prepared.what(point), reached, problems, time.monotonic() - began)


@dataclass
class Tally:
    """What was found and what was covered."""

    found: dict[str, list[Point]] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)

    def add(self, cases: Iterable[Case]) -> None:
        """More cases; those that went wrong are told at once."""
        for case in cases:
            self.cases.append(case)
            for problem in case.problems:
                _say(f"{case.story}, {case.point}: {case.what}\n    {problem}")

    def lines(self) -> Iterator[str]:
        """A table: of each story and kind how many points were struck, of how many."""
        sorts = [
            f"{kind} {moment}" for kind in Kind for moment in Moment if kind is Kind.WRITE or moment != Moment.LOST
        ]
        yield f"{'':32}" + "".join(f"{sort:>24}" for sort in sorts)
        for name, points in self.found.items():
            there, struck = Counter(map(_sort, points)), Counter(_sort(c.point) for c in self._struck(name))
            yield f"{name:32}" + "".join(f"{f'{struck[sort]} of {there[sort]}':>24}" for sort in sorts)

    def _struck(self, name: str | None = None) -> list[Case]:
        return [case for case in self.cases if case.reached and name in (None, case.story)]

    def summary(self, seconds: float) -> dict[str, float]:
        """Counts, for one line of JSON; `ms_per_case` is a worker's time."""
        spent = sum(case.seconds for case in self.cases)
        return {
            "stories": len(self.found),
            "points": sum(map(len, self.found.values())),
            "tried": len(self.cases),
            "struck": len(self._struck()),
            "not_reached": len(self.cases) - len(self._struck()),
            "wrong": sum(bool(case.problems) for case in self.cases),
            "ms_per_case": round(1000 * spent / max(1, len(self.cases))),
            "seconds": round(seconds),
        }


def _sort(point: Point) -> str:
    return f"{point.kind} {point.moment}"


def run(names: Iterable[str], workers: int, every: int, minutes: float) -> Tally:
    """Measure each story, then strike it at each point (or each `every`th)."""
    tally, end = Tally(), time.monotonic() + 60 * minutes
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for name in names:
            if time.monotonic() > end:
                break
            points = tally.found[name] = pool.submit(measure, name).result()
            chosen = points[::every]
            batches = [chosen[at : at + BATCH] for at in range(0, len(chosen), BATCH)]
            _gather(tally, [pool.submit(strike, name, batch) for batch in batches], end)
            _say(f"{name}: {len(points)} points, {len(chosen)} tried")
    return tally


def _gather(tally: Tally, futures: list[Future[list[Case]]], end: float) -> None:
    for future in as_completed(futures):
        if not future.cancelled():
            tally.add(future.result())
        if time.monotonic() > end:
            for waiting in futures:
                waiting.cancel()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(prog="make crash")
    options.add_argument("--story", action="append", choices=list(STORIES))
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--every", type=int, default=1)
    options.add_argument("--minutes", type=float, default=24 * 60)
    given = options.parse_args()
    began = time.monotonic()
    tally = run(given.story or list(STORIES), given.workers, given.every, given.minutes)
    _say("\n".join(tally.lines()))
    summary = tally.summary(time.monotonic() - began)
    _say(json.dumps(summary))
    return 1 if summary["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
