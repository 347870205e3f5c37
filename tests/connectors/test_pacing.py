"""Clients ask before they call and pass on what the vendor says: what one worker ran into, no other runs into."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.pace import costs
from onboard.connectors.github.reader import GitHubReader
from onboard.connectors.github.writer import GitHubWriter
from onboard.connectors.jira.client import JiraClient
from onboard.connectors.limits import limits_of
from onboard.connectors.pacing import patient_for, urgent
from onboard.connectors.slack.api import Slack
from onboard.connectors.slack.pace import cost
from onboard.connectors.slack.scim import Scim
from onboard.connectors.vault.api import Vault
from onboard.engine.budget import Budget, Paced
from onboard.errors import SystemFailed
from onboard.ledger import Ledger
from onboard.ledger.budgets import Budgets
from onboard.model import Account, Kind, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.github.support import REPO, answer, vendor
from tests.connectors.github.world import demo

QUERY = "{ rateLimit { remaining } }"
WORKER = Path(__file__).with_name("pacing_worker.py")
ORG = Resource("github", "org", "acme")


class Time:
    """Real time, and what was slept on top of it."""

    def __init__(self) -> None:
        self.slept = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


Worker = Callable[..., Paced]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def worker(url: str, time: Time) -> Iterator[Worker]:
    """The pace of one more worker on the same ledger."""
    opened: list[Ledger] = []

    def make(kind: Kind = Kind.GITHUB, address: str = "http://127.0.0.1", **rates: int) -> Paced:
        opened.append(Ledger.begin(url, time))
        limits = limits_of(kind, address, rates)
        return Budget(str(kind), limits, Budgets(opened[-1].database), time, time.sleep, print).paced("writing")

    yield make
    for ledger in opened:
        ledger.close()


def client(sandbox: SandboxClient, pace: Paced, time: Time) -> GitHubClient:
    return GitHubClient("github", sandbox.github["base_url"], "acme", SecretStr(sandbox.github["token"]), time, pace)


def asked(sandbox: SandboxClient, system: str) -> int:
    return len(sandbox.requests(system))


def members(client: GitHubClient) -> Any:
    return client.call("list the members", "GET", "/orgs/acme/members")


# One worker's limit is every worker's


def test_what_one_worker_was_refused_no_other_asks_for_until_then(
    sandbox: SandboxClient, worker: Worker, time: Time
) -> None:
    sandbox.fault("github", "429", times=1, retry_after=30)
    begun = time()
    first, second = client(sandbox, worker(), time), client(sandbox, worker(), time)
    with pytest.raises(SystemFailed, match="rate limit"):
        members(first)
    before = asked(sandbox, "github")

    with pytest.raises(SystemFailed, match="nothing was sent"), patient_for(10):
        members(second)
    assert asked(sandbox, "github") == before

    assert members(second).status == 200
    assert time() - begun >= timedelta(seconds=29)


def test_an_exhausted_graphql_budget_told_with_200_stops_the_others_queries_and_not_their_rest(
    sandbox: SandboxClient, worker: Worker, time: Time
) -> None:
    sandbox.reset(demo(graphql_points=0))
    first, second = client(sandbox, worker(), time), client(sandbox, worker(), time)
    with pytest.raises(SystemFailed, match="rate limit"):
        first.graphql("ask for the budget", QUERY)
    before = asked(sandbox, "github")

    with pytest.raises(SystemFailed, match="GraphQL points an hour"):
        second.graphql("ask for the budget", QUERY)
    assert asked(sandbox, "github") == before

    assert members(second).status == 200


def test_what_cannot_be_asked_by_graphql_is_read_by_rest(sandbox: SandboxClient, worker: Worker, time: Time) -> None:
    sandbox.reset(demo(graphql_points=0))
    token, base = SecretStr(sandbox.github["read_token"]), sandbox.github["base_url"]

    for _ in range(2):
        observed = GitHubReader("github", base, "acme", token, time, worker()).read(Scope(frozenset({REPO})))
        assert observed.of(REPO).unknown is None


def test_the_last_tenth_of_the_hour_is_for_removals_and_the_vendor_never_has_to_say_no(
    sandbox: SandboxClient, worker: Worker, time: Time
) -> None:
    sandbox.reset(demo(graphql_points=40))
    clients = [client(sandbox, worker(), time) for _ in range(2)]

    for number in range(36):
        clients[number % 2].graphql("ask for the budget", QUERY)
    for each in clients:
        with pytest.raises(SystemFailed, match="kept for removals"):
            each.graphql("ask for the budget", QUERY)
    sent = asked(sandbox, "github")
    with urgent():
        for each in clients:
            each.graphql("ask for the budget", QUERY)

    assert sent == 36
    assert asked(sandbox, "github") == 38


def test_two_processes_together_are_never_refused(sandbox: SandboxClient, url: str, worker: Worker) -> None:
    sandbox.reset(demo(graphql_points=60))
    worker()  # the ledger has to be there
    arguments = [sys.executable, str(WORKER), url, sandbox.github["base_url"], sandbox.github["token"]]
    processes = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    ends = [process.communicate(timeout=60)[0].splitlines() for process in processes]

    assert all("nothing was sent" in lines[-1] for lines in ends), ends
    assert 54 <= sum(int(lines[0]) for lines in ends) <= 57


# What each vendor says


def test_a_secondary_limit_on_content_stops_what_creates_and_not_what_removes(worker: Worker, time: Time) -> None:
    told = b'{"message": "You have exceeded a secondary rate limit for content creation."}'

    def serve(request: Any) -> None:
        answer(request, 403 if request.command == "PUT" else 204, {"Retry-After": "40"}, body=told)

    with vendor(serve) as address:
        github = GitHubClient("github", address, "acme", "t", time, worker())
        with pytest.raises(SystemFailed, match="rate limit"):
            github.call("add", "PUT", "/orgs/acme/memberships/x")

        assert github.call("remove", "DELETE", "/orgs/acme/memberships/x").status == 204
        assert time.slept == 0
        with pytest.raises(SystemFailed, match="content"), patient_for(1):
            github.call("add", "PUT", "/orgs/acme/memberships/x")


def test_a_limit_counts_as_one_where_the_same_status_is_expected(worker: Worker, time: Time) -> None:
    told = b'{"message": "You have exceeded a secondary rate limit."}'
    with vendor(lambda request: answer(request, 403, body=told)) as address:
        github = GitHubClient("github", address, "acme", "t", time, worker())

        with pytest.raises(SystemFailed, match="rate limit"):
            github.call("remove", "DELETE", "/orgs/acme/outside_collaborators/x", expect=[403])


def test_slack_limits_a_method_and_no_other(sandbox: SandboxClient, worker: Worker, time: Time) -> None:
    sandbox.fault("slack", "429", path="usergroups.list", times=1, retry_after=50)
    begun = time()
    token = SecretStr(sandbox.slack["bot_token"])
    first, second = (
        Slack("slack", sandbox.slack["base_url"], token, time, retry=False, pace=worker(Kind.SLACK)) for _ in range(2)
    )
    with pytest.raises(SystemFailed, match="rate limit"):
        first.user_groups()

    assert second.users()
    assert time.slept == 0
    assert second.user_groups()
    assert time() - begun >= timedelta(seconds=49)


def test_a_slack_methods_minute_is_kept_by_all_workers_together(
    sandbox: SandboxClient, worker: Worker, time: Time
) -> None:
    token = SecretStr(sandbox.slack["bot_token"])
    slacks = [
        Slack("slack", sandbox.slack["base_url"], token, time, retry=False, pace=worker(Kind.SLACK, tier_2=20))
        for _ in range(2)
    ]
    for number in range(18):
        slacks[number % 2].user_groups()
    assert time.slept == 0

    slacks[0].user_groups()

    assert time.slept > 50


def test_deactivations_by_scim_go_no_faster_than_twenty_at_once(
    sandbox: SandboxClient, worker: Worker, time: Time
) -> None:
    at = sandbox.slack
    pace = worker(Kind.SLACK, "https://slack.com/api/")
    scim = Scim("slack", at["scim_base_url"], SecretStr(at["admin_token"]), time, pace)

    began = time()
    with urgent():
        for _ in range(21):
            scim.deactivate("U0NOBODY")

    assert time() - began > timedelta(seconds=5)
    assert time.slept < 8


def test_jira_stops_the_endpoint_for_a_burst_and_everything_for_a_quota(worker: Worker, time: Time) -> None:
    reason = ["jira-burst-based"]

    def serve(request: Any) -> None:
        headers = {"Retry-After": "40", "RateLimit-Reason": reason[0]}
        answer(request, 429 if "/project" in request.path else 200, headers, body=b"{}")

    with vendor(serve) as address:
        jira = JiraClient("jira", address, "e@x.example", "t", "cloud", time, worker(Kind.JIRA))
        with pytest.raises(SystemFailed, match="rate limit"):
            jira.call("list", "GET", "project/search")
        jira.call("look", "GET", "user")
        assert time.slept == 0

        reason[0] = "jira-quota-tenant-based"
        time.sleep(41)
        with pytest.raises(SystemFailed, match="rate limit"):
            jira.call("list", "GET", "project/search")
        with pytest.raises(SystemFailed, match="nothing was sent"), patient_for(1):
            jira.call("look", "GET", "user")


def test_vaults_quota_stops_every_worker(sandbox: SandboxClient, worker: Worker, time: Time) -> None:
    sandbox.fault("vault", "429", times=1, retry_after=20)
    begun = time()
    at = sandbox.vault
    first, second = (
        Vault("vault", at["addr"], SecretStr(at["token"]), None, time, retry=False, pace=worker(Kind.VAULT))
        for _ in range(2)
    )
    with pytest.raises(SystemFailed, match="rate limit"):
        first.groups()

    assert second.groups()
    assert time() - begun >= timedelta(seconds=19)


# What a call costs


def test_an_invitation_that_was_none_costs_none(sandbox: SandboxClient, worker: Worker, time: Time) -> None:
    pace = worker(invitations=2)
    github = client(sandbox, pace, time)
    owner = github.call("list", "GET", "/orgs/acme/members", {"role": "admin"}).body[0]["login"]

    states = [
        github.call("keep", "PUT", f"/orgs/acme/memberships/{owner}", body={"role": "admin"}).body["state"]
        for _ in range(5)
    ]

    assert states == ["active"] * 5


def test_a_days_invitations_are_said_to_be_used_up_and_a_removal_goes_on(
    sandbox: SandboxClient, worker: Worker, time: Time
) -> None:
    github, pace = sandbox.github, worker(invitations=1)
    writer = GitHubWriter("github", github["base_url"], "acme", SecretStr(github["token"]), time, pace)
    marta, jonas = Account("a-1", "github", "90001", "marta-nw"), Account("a-2", "github", "90002", "jonas-nw")
    writer.grant(marta, ORG, "member")

    with pytest.raises(SystemFailed, match="invitations to the organisation a day is used up: it resumes at") as failed:
        writer.grant(jonas, ORG, "member")
    writer.revoke(marta, ORG, "member")

    assert 0 < (failed.value.retry_after or 0) <= 86_400 * 1.05
    assert time.slept == 0


def test_a_removal_costs_no_content_and_a_graphql_query_no_rest() -> None:
    assert {each.limit for each in costs("DELETE", "/orgs/acme/memberships/x")} == {
        "requests",
        "points",
        "points_a_minute",
    }
    assert {each.limit for each in costs("POST", "https://api.github.com/graphql")} == {
        "requests",
        "graphql",
        "graphql_a_minute",
    }
    assert {each.limit for each in costs("PUT", "/repos/acme/docs/collaborators/x")} > {
        "content",
        "content_an_hour",
        "repository_invitations",
    }


def test_a_method_that_is_not_listed_counts_as_of_the_narrowest_tier() -> None:
    assert cost("admin.users.session.reset").limit == "tier_2"


@pytest.mark.parametrize(
    ("kind", "address", "limit", "amount"),
    [
        (Kind.GITHUB, "https://api.github.com", "content", 80),
        (Kind.GITHUB, "https://api.acme.ghe.com", "content", 80),
        (Kind.GITHUB, "https://github.acme.example/api/v3", "content", None),
        (Kind.JIRA, "https://acme.atlassian.net", "deletes", 50),
        (Kind.JIRA, "https://jira.acme.example", "deletes", None),
        (Kind.SLACK, "https://slack.com/api/", "tier_2", 20),
        (Kind.SLACK, "http://127.0.0.1:8080/api/", "tier_2", None),
        (Kind.VAULT, "https://vault.acme.example", "requests", None),
    ],
)
def test_the_vendors_own_servers_are_limited_and_one_of_ones_own_is_not(
    kind: Kind, address: str, limit: str, amount: int | None
) -> None:
    assert limits_of(kind, address, {})[limit].amount == amount
