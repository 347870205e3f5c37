"""Threads: others' faults stop nobody, and the beat stops with the work."""

from __future__ import annotations

import contextvars
import threading

import pytest

from onboard.engine.parallel import attempts, beating, each
from onboard.errors import Waiting


def inverse(number: int) -> float:
    return 1 / number


def test_a_fault_is_raised_after_everything_else_ended() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        inverse(number)
        done.append(number)

    with pytest.raises(ZeroDivisionError):
        each(work, [0, 1, 2, 3])
    assert sorted(done) == [1, 2, 3]


def test_results_come_in_their_items_order() -> None:
    assert each(inverse, [4, 2, 1]) == [0.25, 0.5, 1.0]
    assert each(inverse, []) == []


def test_attempts_give_the_results_and_the_faults() -> None:
    results, faults = attempts(inverse, [1, 0, 2])

    assert results == [1.0, 0.5]
    assert [type(fault) for fault in faults] == [ZeroDivisionError]
    assert attempts(inverse, []) == ([], [])


def test_context_follows_the_work() -> None:
    here: contextvars.ContextVar[str] = contextvars.ContextVar("here")
    here.set("the run")

    assert each(lambda _: here.get(), [1, 2]) == ["the run"] * 2


def test_a_beat_goes_on_until_the_work_ends() -> None:
    beats, third = 0, threading.Event()

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 3:
            third.set()

    with beating(beat, every=0.001):
        assert third.wait(10)
    assert "onboard-beat" not in {thread.name for thread in threading.enumerate()}


def test_a_beat_that_is_refused_beats_no_more() -> None:
    beats, refused = 0, threading.Event()

    def beat() -> None:
        nonlocal beats
        beats += 1
        refused.set()
        raise Waiting("taken over")

    with beating(beat, every=0.001):
        assert refused.wait(10)
    assert beats == 1
