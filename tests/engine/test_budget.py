"""One budget for all threads and workers: never too much, removals first, long waits said, the vendor's word kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onboard.connectors.pacing import DAY, HOUR, MINUTE, SECOND, Cost, Limit, patient_for, urgent
from onboard.engine.budget import LONGEST_WAIT, Budget
from onboard.engine.parallel import each
from onboard.errors import SystemFailed
from onboard.ledger import Ledger
from onboard.ledger.budgets import Budgets

START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LIMITS = {
    "content": Limit("content writes a minute", 80, MINUTE),
    "points": Limit("REST requests an hour", None, HOUR, each_credential=True),
    "invitations": Limit("invitations a day", 50, DAY, kept=False),
    "reads": Limit("reads a second", 100, SECOND),
    "users": Limit("changes of users a minute", 180, MINUTE, burst=20),
}
CONTENT, POINTS, INVITATION = Cost("content"), Cost("points"), Cost("invitations")


class Time:
    """A clock that only sleeping moves: to the latest moment that anybody sleeps to."""

    def __init__(self) -> None:
        self.now = START
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += timedelta(seconds=seconds)

    @property
    def passed(self) -> float:
        return (self.now - START).total_seconds()


Worker = Callable[..., Budget]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def worker(tmp_path: Path, time: Time, said: list[str]) -> Iterator[Worker]:
    """Makes the budget of another worker on the same ledger, with a connection of its own."""
    url, opened = f"sqlite:///{tmp_path / 'ledger.db'}", []

    def make(sleep: Callable[[float], None] = time.sleep, limits: Mapping[str, Limit] = LIMITS) -> Budget:
        ledger = Ledger.begin(url, time)
        opened.append(ledger)
        return Budget("github", limits, Budgets(ledger.database), time, sleep, said.append)

    yield make
    for ledger in opened:
        ledger.close()


def take(budget: Budget, *costs: Cost, times: int = 1, credential: str = "writing") -> None:
    for _ in range(times):
        budget.take(credential, costs)


def taken_at_once(budget: Budget, *costs: Cost) -> int:
    """How many calls go before one would have to wait."""
    count = 0
    with patient_for(0):
        while True:
            try:
                take(budget, *costs)
            except SystemFailed:
                return count
            count += 1


# Removals first


def test_a_removal_goes_at_once_where_grants_have_used_up_theirs(worker: Worker, time: Time) -> None:
    budget = worker()
    assert taken_at_once(budget, CONTENT) == 72

    with urgent():
        take(budget, CONTENT, times=8)

    assert time.passed == 0


def test_a_waiting_removal_is_served_before_grants_that_waited_longer(worker: Worker, time: Time) -> None:
    served: list[str] = []
    asleep, go_on = threading.Semaphore(0), threading.Event()

    def sleep(seconds: float) -> None:
        asleep.release()
        assert go_on.wait(30)
        time.sleep(seconds)

    budget = worker(sleep)
    with urgent():
        assert taken_at_once(budget, CONTENT) == 80

    def call(what: str) -> None:
        if what == "removal":
            with urgent():
                take(budget, CONTENT)
        else:
            take(budget, CONTENT)
        served.append(what)

    with ThreadPoolExecutor(12) as pool:
        for what in [*["grant"] * 8, *["removal"] * 4]:
            pool.submit(call, what)
            assert asleep.acquire(timeout=30)
        go_on.set()

    assert served.count("removal") == 4
    assert set(served[:4]) == {"removal"}


def test_a_removal_goes_before_another_workers_grants(worker: Worker, time: Time) -> None:
    removing, granting = worker(), worker()
    with urgent():
        taken_at_once(granting, CONTENT)
    with pytest.raises(SystemFailed), urgent(), patient_for(0):
        take(removing, CONTENT)

    time.sleep(63)

    assert taken_at_once(granting, CONTENT) == 0
    with urgent():
        take(removing, CONTENT, times=5)
    assert time.passed == 63


def test_reads_go_on_while_writes_wait_for_a_limit_of_their_own(worker: Worker, time: Time) -> None:
    asleep, go_on = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        asleep.set()
        assert go_on.wait(30)
        time.sleep(seconds)

    budget = worker(sleep)
    taken_at_once(budget, CONTENT)
    with ThreadPoolExecutor(1) as pool:
        write = pool.submit(take, budget, CONTENT, POINTS)
        assert asleep.wait(30)
        take(budget, POINTS, times=100)
        assert not write.done()
        go_on.set()


# Never too much


def test_threads_and_workers_together_never_pass_the_limit_in_any_minute(worker: Worker, time: Time) -> None:
    budgets, calls = [worker(), worker()], []

    def call(number: int) -> None:
        if number % 5 == 0:
            with urgent():
                take(budgets[number % 2], CONTENT)
        else:
            take(budgets[number % 2], CONTENT)
        calls.append(time())

    each(call, range(400))

    assert len(calls) == 400
    for end in calls:
        assert (
            sum(end - timedelta(seconds=MINUTE) < at <= end for at in calls) <= 80 + 8
        )  # those between taking and noting


def test_a_long_queue_goes_nearly_as_fast_as_the_limit_allows(worker: Worker, time: Time) -> None:
    with urgent():
        take(worker(), CONTENT, times=400)

    assert time.passed <= 4 * MINUTE * 1.06


def test_what_a_worker_gives_back_at_its_end_is_the_others(worker: Worker) -> None:
    first, second = worker(), worker()
    take(first, CONTENT)

    first.close()

    assert taken_at_once(second, CONTENT) == 71


def test_what_cost_nothing_after_all_can_be_used_again(worker: Worker) -> None:
    budget = worker()
    for _ in range(60):
        take(budget, INVITATION)
        budget.give_back("writing", [INVITATION])

    assert taken_at_once(budget, INVITATION) == 50


def test_each_repository_has_its_own(worker: Worker) -> None:
    budget = worker()

    assert taken_at_once(budget, Cost("invitations", of="acme/docs")) == 50
    assert taken_at_once(budget, Cost("invitations", of="acme/api")) == 50


def test_no_more_than_a_burst_goes_at_once(worker: Worker, time: Time) -> None:
    budget = worker()

    with urgent():
        assert taken_at_once(budget, Cost("users")) == 20
        take(budget, Cost("users"), times=160)

    assert 8 * 20 / 3 < time.passed <= MINUTE


def test_of_a_seconds_limit_each_worker_keeps_below_half(worker: Worker) -> None:
    with urgent():
        assert [taken_at_once(budget, Cost("reads")) for budget in (worker(), worker())] == [50, 50]


def test_a_call_that_costs_more_than_there_is_goes_alone(worker: Worker) -> None:
    budget = worker(limits={"points": Limit("points a minute", 3, MINUTE)})

    assert taken_at_once(budget, Cost("points", 5)) == 1


# Long waits


def test_a_wait_longer_than_a_minute_fails_and_says_until_when(worker: Worker, time: Time, said: list[str]) -> None:
    budget = worker()
    taken_at_once(budget, INVITATION)
    said.clear()
    time.sleep(1)

    with pytest.raises(SystemFailed) as failed:
        take(budget, INVITATION)

    assert failed.value.retry_after > LONGEST_WAIT  # type: ignore[operator]
    assert not failed.value.uncertain
    assert str(failed.value) == (
        "github: nothing was sent: the budget of invitations a day is used up: it resumes at 2026-11-23 03:36:00 UTC."
    )


def test_a_removal_that_must_wait_long_says_so_too(worker: Worker, said: list[str]) -> None:
    budget = worker()
    budget.limited("writing", POINTS, wait=600)

    with pytest.raises(SystemFailed) as failed, urgent():
        take(budget, POINTS)

    assert failed.value.retry_after == pytest.approx(600, abs=1)
    assert said == [
        "github: by its own word github has nothing left of REST requests an hour, until 2026-11-22 03:10:00 UTC."
    ]


def test_a_wait_is_said_once_and_not_by_every_thread(worker: Worker, said: list[str]) -> None:
    budget = worker()
    taken_at_once(budget, CONTENT)
    said.clear()

    each(lambda _: take(budget, CONTENT), range(8))

    assert said in (
        [],
        ["github: the budget of content writes a minute is used up: it resumes at 2026-11-22 03:01:03 UTC."],
    )


def test_whoever_holds_a_lease_is_not_kept_waiting_beyond_it(worker: Worker, time: Time) -> None:
    budget = worker()
    taken_at_once(budget, CONTENT)

    with pytest.raises(SystemFailed) as failed, patient_for(10):
        take(budget, CONTENT)

    assert time.passed <= 10
    assert failed.value.retry_after == pytest.approx(63, abs=1)


# The vendor's word


def test_a_limit_that_one_worker_ran_into_stops_the_others_before_they_do(worker: Worker, time: Time) -> None:
    first, second = worker(), worker()
    take(second, POINTS)
    first.limited("writing", POINTS, wait=30)
    time.sleep(0.25)

    take(second, POINTS)

    assert 30 <= time.passed < 31


def test_what_little_is_left_by_the_vendors_count_is_for_removals(worker: Worker, time: Time) -> None:
    first, second = worker(), worker()
    first.left("writing", POINTS, remaining=500, limit=5000, reset=1800)

    with pytest.raises(SystemFailed, match="only left what is kept for removals"):
        take(second, POINTS)
    with urgent():
        take(second, POINTS)
    assert time.passed == 0


def test_when_nothing_is_left_not_even_removals_go(worker: Worker) -> None:
    first, second = worker(), worker()
    first.left("writing", POINTS, remaining=0, limit=5000, reset=1800)

    with pytest.raises(SystemFailed), urgent():
        take(second, POINTS)


def test_near_its_end_a_limit_is_looked_at_before_every_call(worker: Worker) -> None:
    first, second = worker(), worker()
    for budget in (first, second):
        budget.left("writing", POINTS, remaining=900, limit=5000, reset=1800)
        take(budget, POINTS)

    first.left("writing", POINTS, remaining=0, limit=5000, reset=1800)

    with pytest.raises(SystemFailed):
        take(second, POINTS)


def test_what_reads_is_stopped_by_its_own_credentials_limit_only(worker: Worker, time: Time) -> None:
    budget = worker()
    budget.limited("reading", POINTS, wait=3000)

    take(budget, POINTS, credential="writing")

    assert time.passed == 0


def test_without_a_time_the_vendors_no_stops_nobody_unless_it_is_known_how_long(worker: Worker, time: Time) -> None:
    budget = worker()
    budget.limited("writing", POINTS, wait=None)

    take(budget, POINTS)

    assert time.passed == 0
