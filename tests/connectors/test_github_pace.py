"""GitHub's secondary limits are kept, minute by minute, and nothing waits that needn't."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from onboard.connectors.github_pace import CONTENT, REST, Pace, is_limited


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self) -> Pace:
        return Pace(lambda: self.now, self.sleep)


def test_a_minutes_worth_of_reads_goes_at_once_and_the_next_waits_for_the_minute_to_pass() -> None:
    time = Time()
    pace = time.pace()

    for _ in range(REST):
        pace("GET", "/orgs/acme/members")
    assert time.now == 0
    pace("GET", "/orgs/acme/members")

    assert time.now == 60


def test_a_write_costs_as_much_as_five_reads() -> None:
    time = Time()
    pace = time.pace()

    for _ in range(REST // 5):
        pace("DELETE", "/repos/acme/docs/invitations/1")
    assert time.now == 0
    pace("GET", "/orgs/acme/members")

    assert time.now == 60


def test_a_removal_does_not_wait_where_invitations_have_used_up_theirs() -> None:
    time = Time()
    pace = time.pace()
    for _ in range(CONTENT):
        pace("PUT", "/repos/acme/docs/collaborators/marta-nw")

    pace("DELETE", "/orgs/acme/memberships/marta-nw")
    assert time.now == 0
    pace("PUT", "/repos/acme/docs/collaborators/marta-nw")

    assert time.now == 60


def test_graphql_has_a_budget_of_its_own_and_creates_nothing() -> None:
    time = Time()
    pace = time.pace()
    for _ in range(REST):
        pace("GET", "/orgs/acme/members")

    for _ in range(1000):
        pace("POST", "https://api.github.com/graphql")

    assert time.now == 0


def test_threads_together_spend_no_more_than_there_is() -> None:
    time = Time()
    pace = time.pace()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: pace("GET", "/x"), range(REST)))
    assert time.now == 0
    pace("GET", "/x")

    assert time.now == 60


@pytest.mark.parametrize(
    ("address", "limited"),
    [
        ("https://api.github.com", True),
        ("https://api.acme.ghe.com", True),
        ("https://github.acme.example/api/v3", False),
        ("http://127.0.0.1:8080", False),
    ],
)
def test_github_com_is_limited_and_a_server_of_ones_own_is_not(address: str, limited: bool) -> None:
    assert is_limited(address) is limited
