"""What workers draw of a vendor's limit: together never more than there is, whoever is killed, and removals first."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from onboard.ledger import Ledger
from onboard.ledger.budgets import SLOTS, Budgets, Rest, Want

MINUTE = 60_000_000
START = 1_760_000_000_000_000
WORKER = Path(__file__).with_name("budget_worker.py")


@pytest.fixture
def budgets(ledger: Ledger) -> Budgets:
    return Budgets(ledger.database)


def want(tokens: int = 1, *, allowed: int = 80, kept: int = 8, urgent: bool = False, **more: tuple[int, int]) -> Want:
    return Want("content", tokens, allowed, MINUTE, kept, urgent, **more)


def spend(budgets: Budgets, now: int, **asked: object) -> int:
    """What is drawn at one moment until nothing more is to be had."""
    total = 0
    while taken := budgets.draw("github", [want(**asked)], now)[0].tokens:  # type: ignore[arg-type]
        total += taken
    return total


def test_no_minute_holds_more_than_the_limit_however_it_is_drawn(budgets: Budgets) -> None:
    dice, drawn, now = random.Random(7), [], START
    for _ in range(600):
        now += dice.randrange(2_000_000)
        drawn.append((now, budgets.draw("github", [want(dice.randint(1, 5), urgent=dice.random() < 0.2)], now)[0]))
    for end, _ in drawn:
        assert sum(slice_.tokens for at, slice_ in drawn if end - MINUTE < at <= end) <= 80


def test_what_is_free_again_is_said_and_is_so(budgets: Budgets) -> None:
    spend(budgets, START, kept=0)

    refused = budgets.draw("github", [want(kept=0)], START)[0]

    assert refused.tokens == 0
    assert START < refused.until <= START + MINUTE + MINUTE // SLOTS
    assert budgets.draw("github", [want(kept=0)], refused.until - 1)[0].tokens == 0
    assert budgets.draw("github", [want(kept=0)], refused.until)[0].tokens > 0


def test_a_removal_finds_what_is_kept_for_it_when_all_else_is_gone(budgets: Budgets) -> None:
    assert spend(budgets, START) == 72

    assert spend(budgets, START, urgent=True) == 8


def test_what_is_kept_is_not_drawn_by_the_slice(budgets: Budgets) -> None:
    spend(budgets, START, allowed=900, kept=90)

    assert budgets.draw("github", [want(5, allowed=900, kept=90, urgent=True)], START)[0].tokens == 5


def test_others_stand_back_while_a_removal_waits_and_go_on_after_it(budgets: Budgets) -> None:
    spend(budgets, START, urgent=True)
    waits = budgets.draw("github", [want(urgent=True)], START)[0].until

    other = budgets.draw("github", [want()], waits)[0]

    assert other.tokens == 0
    assert other.until > waits
    assert budgets.draw("github", [want(urgent=True)], waits)[0].tokens > 0
    assert budgets.draw("github", [want()], other.until)[0].tokens > 0


def test_what_a_worker_did_not_use_is_there_for_the_others(budgets: Budgets) -> None:
    first = budgets.draw("github", [want(allowed=400, kept=0)], START)[0]
    assert first.tokens == 10

    budgets.give_back("github", [want(allowed=400, kept=0, back=(first.slot, 7))])

    assert spend(budgets, START, allowed=400, kept=0) == 397


def test_an_earlier_slice_is_given_back_with_the_next_drawing(budgets: Budgets) -> None:
    first = budgets.draw("github", [want(kept=0)], START)[0]
    later = START + 2 * MINUTE // SLOTS

    budgets.draw("github", [want(kept=0, back=(first.slot, first.tokens))], later)

    assert spend(budgets, later, kept=0) == 78


def test_a_vendors_word_holds_for_all_and_is_never_shortened(budgets: Budgets) -> None:
    budgets.rest("github", "points", Rest(asleep=START + 50))
    budgets.rest("github", "points", Rest(asleep=START + 20, low=START + 90))

    assert budgets.resting("github", START) == {"points": Rest(START + 50, START + 90)}
    assert budgets.resting("github", START + 90) == {}
    assert budgets.resting("jira", START) == {}


def test_a_clock_that_was_an_hour_ahead_stops_nobody(budgets: Budgets) -> None:
    spend(budgets, START + 60 * MINUTE)

    assert budgets.draw("github", [want()], START)[0].tokens > 0


def test_processes_together_draw_exactly_what_there_is(url: str, budgets: Budgets) -> None:
    arguments = [sys.executable, str(WORKER), "drain", url, str(START)]
    workers = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    drawn = [int(worker.communicate(timeout=60)[0]) for worker in workers]

    assert sum(drawn) == 720
    assert budgets.draw("github", [want(allowed=800, kept=80)], START)[0].tokens == 0


def test_what_a_killed_worker_had_drawn_is_lost_for_a_window_and_no_longer(url: str, budgets: Budgets) -> None:
    killed = subprocess.run(
        [sys.executable, str(WORKER), "die", url, str(START)], capture_output=True, check=False, timeout=60
    )
    assert killed.returncode == -9

    assert spend(budgets, START, allowed=800, kept=0) == 780
    assert spend(budgets, START + MINUTE + MINUTE // SLOTS, allowed=800, kept=0) == 800
