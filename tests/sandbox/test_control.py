"""Faults, the request log, the clock and the reset: what the control API does to every system."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import hvac
import pytest
import requests

from onboard.errors import SystemFailed
from onboard.sandbox.client import SandboxClient


def invite(sandbox: SandboxClient, login: str = "marta-nw") -> requests.Response:
    return requests.put(
        f"{sandbox.github['base_url']}/repos/acme/docs/collaborators/{login}",
        headers={"Authorization": f"token {sandbox.github['token']}"},
        json={"permission": "pull"},
        timeout=10,
    )


def test_drop_after_commits_and_never_answers(sandbox: SandboxClient) -> None:
    sandbox.fault("github", "drop-after", method="PUT", path="/collaborators/", times=1)

    with pytest.raises(requests.ConnectionError):
        invite(sandbox)

    assert [line["state"] for line in sandbox.holdings("marta")] == ["invited"]
    (entry,) = sandbox.requests("github")
    assert (entry["status"], entry["fault"], entry["write"], entry["token"]) == (None, "drop-after", True, "write")


def test_drop_before_happens_before_anything_else(sandbox: SandboxClient) -> None:
    sandbox.fault("github", "drop-before", times=1)

    with pytest.raises(requests.ConnectionError):
        invite(sandbox)

    assert sandbox.holdings("marta") == []
    assert invite(sandbox).status_code == 201


def test_a_fault_skips_then_strikes_then_is_spent(sandbox: SandboxClient) -> None:
    sandbox.fault("github", "429", skip=1, times=2, retry_after=7)

    answers = [invite(sandbox) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [201, 429, 429, 201]
    assert answers[1].headers["Retry-After"] == "7"
    assert "secondary rate limit" in answers[1].json()["message"]


@pytest.mark.parametrize(
    ("system", "path", "kind", "status", "words"),
    [
        ("github", "/user", "forbidden", 403, "not accessible"),
        ("jira", "/rest/api/3/serverInfo", "500", 500, "errorMessages"),
        ("jira-data-center", "/rest/api/2/serverInfo", "429", 429, "errorMessages"),
        ("slack", "/api/auth.test", "429", 429, "ratelimited"),
        ("vault", "/v1/sys/auth", "forbidden", 403, "permission denied"),
    ],
)
def test_each_vendor_words_its_faults_itself(
    sandbox: SandboxClient, system: str, path: str, kind: str, status: int, words: str
) -> None:
    addresses = {
        name: sandbox.ready[name.replace("-", "_")] for name in ("github", "jira", "jira-data-center", "slack")
    }
    url = sandbox.vault["addr"] if system == "vault" else addresses[system]["base_url"].removesuffix("/api/")
    sandbox.fault(system, kind)

    answer = requests.get(url + path, timeout=10)

    assert answer.status_code == status
    assert words in answer.text


def test_partial_fails_from_the_second_page_on(sandbox: SandboxClient) -> None:
    sandbox.fault("github", "partial")
    members = f"{sandbox.github['base_url']}/orgs/acme/members?per_page=2"
    headers = {"Authorization": f"token {sandbox.github['read_token']}"}

    first = requests.get(members, headers=headers, timeout=10)
    second = requests.get(first.links["next"]["url"], headers=headers, timeout=10)

    assert (first.status_code, second.status_code) == (200, 500)


def test_cleared_faults_strike_no_more(sandbox: SandboxClient) -> None:
    sandbox.fault("github", "500")
    sandbox.clear_faults()

    assert invite(sandbox).status_code == 201


def test_the_request_log_says_whose_token_it_was_and_whether_it_wrote(sandbox: SandboxClient) -> None:
    base = sandbox.github["base_url"]
    for token in (sandbox.person("marta").github["token"], sandbox.github["read_token"], "nonsense"):
        requests.get(f"{base}/user", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    invite(sandbox)

    log = sandbox.requests("github")

    assert [entry["token"] for entry in log] == ["person:marta", "read", "none", "write"]
    assert [entry["write"] for entry in log] == [False, False, False, True]
    assert [entry["n"] for entry in sandbox.requests(since=3)] == [4]


def test_the_clock_moves_and_says_that_vaults_does_not(sandbox: SandboxClient) -> None:
    later = datetime.now(UTC) + timedelta(days=3)

    assert datetime.fromisoformat(sandbox.advance(days=3)) >= later
    clock = requests.get(f"{sandbox.ready['control']}/_sandbox/clock", timeout=10).json()
    assert "can't be moved" in clock["vault"]


def test_a_reset_gives_back_the_starting_state_of_every_system(sandbox: SandboxClient) -> None:
    before = sandbox.holdings()
    vault = {"X-Vault-Token": sandbox.vault["token"]}
    invite(sandbox)
    requests.post(
        f"{sandbox.vault['addr']}/v1/identity/group/name/payments-dev", json={"policies": []}, headers=vault, timeout=10
    )
    sandbox.delete_accounts("piet", "github", "jira", "jira-data-center", "slack", "vault")
    sandbox.fault("slack", "500")
    sandbox.advance(days=30)

    sandbox.reset()

    group = requests.get(f"{sandbox.vault['addr']}/v1/identity/group/name/payments-dev", headers=vault, timeout=10)
    assert sandbox.holdings() == before
    assert group.json()["data"]["policies"] == ["outsourced-payments-dev"]
    assert datetime.fromisoformat(sandbox.advance(seconds=0)) < datetime.now(UTC) + timedelta(minutes=1)
    assert [entry["system"] for entry in sandbox.requests()] == ["vault"]


def test_another_world_comes_with_credentials_for_its_people(sandbox: SandboxClient) -> None:
    token = sandbox.github["token"]
    zoe = {"name": "Zoe", "email": "z@x.example", "github": {"login": "zoe", "id": 5}, "vault": {"username": "zoe"}}

    sandbox.reset({"people": {"zoe": zoe}})

    who = sandbox.person("zoe")
    login = f"{sandbox.vault['addr']}/v1/auth/userpass/login/zoe"
    assert requests.post(login, json={"password": who.vault["password"]}, timeout=10).ok
    assert sandbox.github["token"] == token
    sandbox.reset()
    assert set(sandbox.ready["people"]) >= {"ada", "marta"}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("people/nobody/accept", {}, "Nobody here is called 'nobody'"),
        ("people/marta/accept", {"systems": ["gitlab"]}, "no system 'gitlab'"),
        ("people/marta/delete", {}, "Say where"),
        ("people/marta/rename", {"github": "ada"}, "taken by ada"),
        ("clock", {"now": "2026-01-01T00:00:00"}, "timezone"),
        ("faults", {"system": "github", "kind": "earthquake"}, "kind"),
        ("reset", {"world": {"github": {"owners": ["zed"]}}}, "nobody is called 'zed'"),
    ],
)
def test_wrong_input_is_refused_by_name(sandbox: SandboxClient, path: str, body: dict[str, object], words: str) -> None:
    answer = requests.post(f"{sandbox.ready['control']}/_sandbox/{path}", json=body, timeout=10)

    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_the_client_passes_a_refusal_on_in_the_sandboxes_words(sandbox: SandboxClient) -> None:
    with pytest.raises(SystemFailed, match="Nobody here is called 'nobody'"):
        sandbox.accept("nobody")


def test_the_control_routes_answer_on_every_port(sandbox: SandboxClient) -> None:
    for url in (sandbox.github["base_url"], sandbox.vault["addr"], sandbox.jira["base_url"]):
        assert requests.get(f"{url}/_sandbox/clock", timeout=10).ok
    assert sandbox.requests() == []


def test_everything_returns_to_a_snapshot_vaults_identities_with_their_ids_too(sandbox: SandboxClient) -> None:
    assert invite(sandbox).status_code == 201
    identity = vault(sandbox).secrets.identity
    group = identity.read_group_by_name("payments-dev")["data"]
    kept = identity.create_or_update_entity_by_name("kept", {"team": "x"}, ["payments-dev"])["data"]["id"]
    before, asked = sandbox.holdings(), identity.read_entity(kept)["data"]
    snapshot = sandbox.snapshot()

    login = identity.create_or_update_entity_by_name("made-since")["data"]["id"]
    identity.update_entity(kept, disabled=True, policies=[])
    identity.update_group(group["id"], "payments-dev", "internal", {}, [], [], [login])
    made = vault(sandbox).auth.token.create()["auth"]["client_token"]
    sandbox.accept("marta")
    sandbox.advance(days=3)
    sandbox.fault("github", "500")

    for _ in range(2):
        sandbox.restore(snapshot)
        now = identity.read_group_by_name("payments-dev")["data"]
        assert sandbox.holdings() == before
        assert {**identity.read_entity(kept)["data"], "last_update_time": ""} == {**asked, "last_update_time": ""}
        assert (now["id"], now["policies"], now["member_entity_ids"] or []) == (group["id"], group["policies"], [])
        assert vault(sandbox).secrets.identity.list_entities_by_name()["data"]["keys"] == ["kept"]
        assert not hvac.Client(url=sandbox.vault["addr"], token=made).is_authenticated()
        assert sandbox.writes() == []


def test_rate_limits_begin_anew_with_a_snapshot(sandbox: SandboxClient) -> None:
    snapshot, first = sandbox.snapshot(), invite(sandbox)
    sandbox.restore(snapshot)

    assert invite(sandbox).headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]


def test_a_snapshot_ends_with_the_next_reset(sandbox: SandboxClient) -> None:
    snapshot = sandbox.snapshot()
    sandbox.reset()

    with pytest.raises(SystemFailed, match=f"no snapshot {snapshot} since the last reset"):
        sandbox.restore(snapshot)


def vault(sandbox: SandboxClient) -> Any:
    return hvac.Client(url=sandbox.vault["addr"], token=sandbox.vault["root_token"])
