"""What fails on GitHub: unknown is not absent, a lost answer is uncertain, a no is a no."""

from __future__ import annotations

from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.github.reader import GitHubReader
from onboard.connectors.github.writer import GitHubWriter
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, HoldingState, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.github.support import ORG, REPO, TEAM, answer, held, now, on, vendor


@pytest.fixture
def reader(sandbox: SandboxClient) -> GitHubReader:
    github = sandbox.github
    return GitHubReader("github", github["base_url"], github["org"], SecretStr(github["read_token"]), now)


@pytest.fixture
def writer(sandbox: SandboxClient) -> GitHubWriter:
    github = sandbox.github
    return GitHubWriter("github", github["base_url"], github["org"], SecretStr(github["token"]), now)


@pytest.fixture
def marta(reader: GitHubReader) -> Account:
    account = reader.find_account("marta-nw")
    assert account is not None
    return account


def test_a_host_that_is_down_makes_everything_unknown_and_no_write_uncertain(marta: Account) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
    reader = GitHubReader("github", address, "acme", SecretStr("t"), now)
    writer = GitHubWriter("github", address, "acme", SecretStr("t"), now)

    observed = reader.read(Scope(frozenset({ORG, REPO})))

    assert observed.unknown is not None
    assert observed.readings == {}
    assert observed.of(REPO).unknown == observed.unknown
    with pytest.raises(SystemFailed):
        reader.find_account("marta-nw")
    with pytest.raises(SystemFailed) as failure:
        writer.grant(marta, REPO, "push")
    assert not failure.value.uncertain
    assert not writer.health().reachable


def test_a_wrong_token_makes_everything_unknown(sandbox: SandboxClient) -> None:
    reader = GitHubReader("github", sandbox.github["base_url"], "acme", SecretStr("ghp_wrong"), now)

    observed = reader.read(Scope(frozenset({ORG, REPO})))

    assert observed.unknown is not None
    assert "token" in observed.unknown
    assert reader.health().problem


def test_a_lost_answer_is_uncertain_was_sent_once_and_took_effect(
    sandbox: SandboxClient, reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    sandbox.fault("github", "drop-after", method="PUT", times=1)

    with pytest.raises(SystemFailed) as failure:
        writer.grant(marta, REPO, "push")

    assert failure.value.uncertain
    assert len(sandbox.writes("github")) == 1
    assert held(reader, REPO) == [("push", HoldingState.INVITED)]
    assert not writer.grant(marta, REPO, "push").changed


def test_a_server_error_on_a_write_is_uncertain_and_never_repeated(
    sandbox: SandboxClient, writer: GitHubWriter, marta: Account
) -> None:
    sandbox.fault("github", "500", method="POST", path="^/orgs/acme/invitations$")

    with pytest.raises(SystemFailed) as failure:
        writer.grant(marta, ORG, "member")

    assert failure.value.uncertain
    assert len(sandbox.writes("github")) == 1


def test_a_rate_limit_says_how_long_to_wait_and_is_certain(
    sandbox: SandboxClient, writer: GitHubWriter, marta: Account
) -> None:
    sandbox.fault("github", "429", method="POST", path="^/orgs/acme/invitations$", retry_after=7)

    with pytest.raises(SystemFailed) as failure:
        writer.grant(marta, ORG, "member")

    assert not isinstance(failure.value, SystemRefused)
    assert failure.value.retry_after == 7
    assert not failure.value.uncertain
    assert len(sandbox.writes("github")) == 1


def test_a_secondary_limit_told_by_403_is_no_refusal(marta: Account) -> None:
    def limited(request: BaseHTTPRequestHandler) -> None:
        answer(request, 403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(now().timestamp()) + 60)})

    with vendor(limited) as address, pytest.raises(SystemFailed) as failure:
        GitHubWriter("github", address, "acme", SecretStr("t"), now).grant(marta, ORG, "member")

    assert not isinstance(failure.value, SystemRefused)
    assert 50 <= (failure.value.retry_after or 0) <= 61


def test_what_is_forbidden_is_refused_and_names_no_one(
    sandbox: SandboxClient, writer: GitHubWriter, marta: Account
) -> None:
    sandbox.fault("github", "forbidden", method="PUT")
    sandbox.fault("github", "forbidden", method="POST", path="^/orgs/acme/invitations$")

    for resource in (ORG, TEAM, REPO):
        with pytest.raises(SystemRefused) as failure:
            writer.grant(marta, resource, "member")
        assert not failure.value.uncertain
        assert "marta" not in str(failure.value)
        assert sandbox.github["token"] not in str(failure.value)


def test_the_reading_token_cannot_write(sandbox: SandboxClient, marta: Account) -> None:
    token = SecretStr(sandbox.github["read_token"])
    writer = GitHubWriter("github", sandbox.github["base_url"], "acme", token, now)

    with pytest.raises(SystemRefused):
        writer.grant(marta, ORG, "member")
    assert "admin:org" in " ".join(writer.health().missing)


@pytest.mark.parametrize("status", [301, 307])
def test_a_repository_that_moved_is_neither_read_nor_written_under_its_old_name(status: int, marta: Account) -> None:
    paths: list[str] = []

    def moved(request: BaseHTTPRequestHandler) -> None:
        paths.append(request.path)
        if request.path.startswith("/user/"):
            return answer(request, 200, body=b'{"login": "marta-nw", "id": 90001}')
        return answer(request, status, {"location": f"http://{request.headers['host']}/repositories/1/elsewhere"})

    with vendor(moved) as address:
        reading = on(GitHubReader("github", address, "acme", SecretStr("t"), now), REPO)
        with pytest.raises(SystemRefused, match="renamed or moved"):
            GitHubWriter("github", address, "acme", SecretStr("t"), now).revoke(marta, REPO, "push")

    assert "renamed or moved" in (reading.unknown or "")
    assert not any("elsewhere" in path for path in paths)


def test_an_answer_of_another_form_is_unknown_and_no_crash(marta: Account) -> None:
    with vendor(lambda request: answer(request, 200, body=b'[{"surprise": true}]')) as address:
        observed = GitHubReader("github", address, "acme", SecretStr("t"), now).read(Scope(frozenset({ORG, REPO})))
        with pytest.raises(SystemFailed):
            GitHubWriter("github", address, "acme", SecretStr("t"), now).grant(marta, ORG, "member")

    assert observed.of(ORG).unknown is not None
    assert observed.of(REPO).unknown is not None


def test_what_does_not_exist_or_is_not_ours_is_unknown_and_the_rest_is_read(reader: GitHubReader) -> None:
    missing = Resource("github", "repo", "acme/no-such-repo")
    foreign = Resource("github", "repo", "elsewhere/docs")
    malformed = Resource("github", "repo", "acme/..")
    unsupported = Resource("github", "gist", "acme/x")
    slack = Resource("slack", "channel", "docs")

    observed = reader.read(Scope(frozenset({missing, foreign, malformed, unsupported, slack, REPO})))

    assert "404" in (observed.of(missing).unknown or "")
    assert "isn't in acme" in (observed.of(foreign).unknown or "")
    assert "isn't a GitHub resource" in (observed.of(malformed).unknown or "")
    assert "isn't a GitHub resource" in (observed.of(unsupported).unknown or "")
    assert slack not in observed.readings
    assert observed.of(REPO).unknown is None
    assert not observed.complete


def test_an_unfit_resource_is_never_written(sandbox: SandboxClient, writer: GitHubWriter, marta: Account) -> None:
    for name in ("elsewhere/docs", "acme/../x", "acme"):
        with pytest.raises(SystemRefused):
            writer.grant(marta, Resource("github", "repo", name), "push")
    with pytest.raises(SystemRefused, match="isn't bound"):
        writer.grant(replace(marta, external_id=None), REPO, "push")
    assert sandbox.writes("github") == []


def test_a_passing_failure_of_a_read_is_tried_again(sandbox: SandboxClient, reader: GitHubReader) -> None:
    sandbox.fault("github", "500", method="GET", path="/collaborators", times=1)
    sandbox.fault("github", "429", method="GET", path="/repos/acme/docs/invitations", times=1, retry_after=0)

    assert on(reader, REPO).unknown is None
