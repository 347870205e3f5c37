from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from onboard.errors import Waiting
from onboard.ledger import Leases, Ledger, owner_here
from tests.ledger.conftest import Clock, Workers


@pytest.fixture
def leases(ledger: Ledger) -> Leases:
    return ledger.leases


def patient(ledger: Ledger, clock: Clock, meanwhile: Callable[[], object]) -> Leases:
    """Leases whose waiting is the given action."""

    def pause(_: float) -> None:
        meanwhile()

    return Leases(ledger.database, clock, pause)


def test_what_is_held_is_refused_naming_the_holder_and_until_when(leases: Leases) -> None:
    with (
        leases.hold(["person:p-1", "person:p-2"], "host:7", ttl=90, wait=0),
        pytest.raises(Waiting, match=r"person:p-2 is held by host:7 until 2026-11-23 09:01:30 UTC at the latest"),
        leases.hold(["person:p-2", "person:p-3"], "host:8", ttl=90, wait=0),
    ):
        pytest.fail("held by two")


def test_all_keys_are_held_or_none(leases: Leases) -> None:
    with leases.hold(["b"], "one", ttl=90, wait=0):
        with pytest.raises(Waiting), leases.hold(["a", "b"], "two", ttl=90, wait=0):
            pytest.fail("held by two")

        with leases.hold(["a"], "three", ttl=90, wait=0) as free:
            free.check()


def test_a_lease_is_free_after_its_block_even_where_that_failed(leases: Leases) -> None:
    with pytest.raises(ZeroDivisionError), leases.hold(["a"], "one", ttl=90, wait=0):
        raise ZeroDivisionError

    with leases.hold(["a"], "two", ttl=90, wait=0) as lease:
        lease.check()


def test_waiting_ends_when_the_holder_lets_go(ledger: Ledger, clock: Clock) -> None:
    first = ledger.leases.hold(["a"], "one", ttl=90, wait=0)
    first.__enter__()

    with patient(ledger, clock, lambda: first.__exit__(None, None, None)).hold(["a"], "two", ttl=90, wait=5) as second:
        second.check()


def test_an_expired_lease_is_taken_over_and_its_late_holder_finds_out(leases: Leases, clock: Clock) -> None:
    with leases.hold(["a"], "slow", ttl=90, wait=0) as slow:
        clock.forward(90)
        with pytest.raises(Waiting, match="The lease on a ran out"):
            slow.check()
        with leases.hold(["a"], "next", ttl=90, wait=0) as following:
            assert following.tokens["a"] > slow.tokens["a"]
            with pytest.raises(Waiting, match="a was taken over by next"):
                slow.check()
            with pytest.raises(Waiting, match="a was taken over by next"):
                slow.renew()
            slow.release()
            following.check()


def test_tokens_grow_from_holder_to_holder(leases: Leases) -> None:
    tokens = []
    for _ in range(3):
        with leases.hold(["a"], "one", ttl=90, wait=0) as lease:
            tokens.append(lease.tokens["a"])

    assert tokens == [1, 2, 3]


def test_a_renewed_lease_lives_its_whole_time_again(leases: Leases, clock: Clock) -> None:
    with leases.hold(["a"], "one", ttl=90, wait=0) as lease:
        clock.forward(60)
        lease.renew()
        clock.forward(60)
        lease.check()


def test_another_process_is_kept_out_until_the_lease_of_one_that_was_killed_has_expired(
    leases: Leases, clock: Clock, worker: Workers
) -> None:
    process = worker("hold", "a", clock().isoformat())
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.wait()

    clock.forward(599)
    with pytest.raises(Waiting, match="a is held by the other worker"), leases.hold(["a"], "me", ttl=9, wait=0):
        pytest.fail("held by two")

    clock.forward(1)
    with leases.hold(["a"], "me", ttl=9, wait=0) as lease:
        assert lease.tokens["a"] == 2


def test_of_several_processes_only_one_holds_a_key_at_a_time(worker: Workers, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")

    processes = [worker("count_up", str(counter), "8") for _ in range(4)]

    assert [process.wait(120) for process in processes] == [0, 0, 0, 0]
    assert counter.read_text() == "32"


def test_what_a_process_of_this_machine_left_behind_is_free_at_once(leases: Leases) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = f"{socket.gethostname()}:{int(ended.stdout)}"
    leases.hold(["a"], dead, ttl=90, wait=0).__enter__()

    with leases.hold(["a"], "two", ttl=90, wait=0) as lease:
        lease.check()


@pytest.mark.parametrize("owner", [owner_here(), "elsewhere:1", "one"], ids=["here", "elsewhere", "nameless"])
def test_what_a_live_process_or_one_on_another_machine_holds_is_waited_for(leases: Leases, owner: str) -> None:
    with (
        leases.hold(["a"], owner, ttl=90, wait=0),
        pytest.raises(Waiting),
        leases.hold(["a"], "two", ttl=90, wait=0),
    ):
        pytest.fail("held by two")
