"""What a failure means for the caller, whatever the vendor."""

from __future__ import annotations

import socket
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from urllib.error import URLError

import pytest
import requests
import stamina

from onboard.connectors.http import (
    LONGEST_WAIT,
    PerThread,
    Rejected,
    Unreachable,
    reading,
    retry_after,
    side_by_side,
    status_failure,
    transport,
    transport_failure,
)
from onboard.errors import SystemFailed, SystemRefused

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_a_closed_port_is_unreachable_and_nothing_was_sent() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/secret-path"

        with pytest.raises(Unreachable) as failure, transport("github", "read something"):
            requests.get(address, timeout=1)

    assert not failure.value.uncertain
    assert "secret-path" not in str(failure.value)


def test_an_answer_that_never_comes_is_uncertain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"

        with pytest.raises(SystemFailed, match="no answer in time") as failure, transport("github", "change something"):
            requests.put(address, timeout=0.2)

    assert failure.value.uncertain
    assert not isinstance(failure.value, Unreachable)


def test_a_name_that_does_not_resolve_and_a_refused_connection_of_urllib_are_unreachable_too() -> None:
    for cause in (socket.gaierror(-2, "Name or service not known"), ConnectionRefusedError(111, "refused")):
        assert isinstance(transport_failure("slack", "send", URLError(cause)), Unreachable)


@pytest.mark.parametrize(
    ("status", "kind", "uncertain"),
    [
        (500, SystemFailed, True),
        (503, SystemFailed, True),
        (429, SystemFailed, False),
        (401, Rejected, False),
        (403, SystemRefused, False),
        (422, SystemRefused, False),
    ],
)
def test_a_status_says_whether_the_write_may_have_taken_effect(
    status: int, kind: type[SystemFailed], uncertain: bool
) -> None:
    failure = status_failure("jira", "add to group x", status, {}, NOW)

    assert type(failure) is kind
    assert failure.uncertain is uncertain
    assert str(status) in failure.reason


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_understood_in_seconds_and_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, NOW) == seconds
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_a_read_is_tried_again_for_what_may_pass_and_never_for_a_definite_no() -> None:
    def calls(failure: SystemFailed) -> int:
        made: list[None] = []

        def call() -> None:
            made.append(None)
            raise failure

        with stamina.set_testing(True, attempts=3), pytest.raises(type(failure)):
            reading(call)
        return len(made)

    assert calls(SystemFailed("jira", "answered 500.")) == 3
    assert calls(SystemFailed("jira", "limit", retry_after=1)) == 3
    assert calls(SystemFailed("jira", "limit", retry_after=LONGEST_WAIT + 1)) == 1
    assert calls(SystemRefused("jira", "answered 403.")) == 1


def test_every_thread_has_a_client_of_its_own_and_keeps_it() -> None:
    client = PerThread(object)
    together = threading.Barrier(8)
    seen: list[tuple[object, object]] = []

    def use() -> None:
        together.wait()
        seen.append((client(), client()))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(first is second for first, second in seen)
    assert len({id(first) for first, _ in seen}) == 8


def test_a_retried_read_writes_nothing_and_is_never_uncertain(capfd: pytest.CaptureFixture[str]) -> None:
    def call() -> None:
        raise SystemFailed("jira", "answered 500.", uncertain=True, retry_after=0)

    with pytest.raises(SystemFailed) as failed:
        reading(call)

    assert not failed.value.uncertain
    assert capfd.readouterr() == ("", "")


def test_what_is_done_side_by_side_keeps_its_order_and_the_callers_context() -> None:
    who = ContextVar("who", default="nobody")
    who.set("marta")
    together = threading.Barrier(4, timeout=5)

    def work(number: int) -> tuple[int, str]:
        together.wait()
        return number, who.get()

    assert side_by_side(work, range(4), workers=4) == [(number, "marta") for number in range(4)]


def test_after_a_failure_side_by_side_begins_nothing_more() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        raise SystemRefused("vault", "answered 403.")

    with pytest.raises(SystemRefused):
        side_by_side(work, range(1000), workers=2)

    assert len(begun) < 1000
