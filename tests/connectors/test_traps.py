"""Traps of the vendors and their SDKs that no other test would fall into. Each is told where it was met first."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest
import requests

from onboard.connectors.base import Scope
from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.writer import GitHubWriter
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.github.support import ORG, REPO, a_writer, answer, bound, now, vendor
from tests.connectors.github.world import demo
from tests.connectors.vault.house import LOGIN, House

ADA = "10001"


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads that change places as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def house(sandbox: SandboxClient) -> House:
    return House(sandbox)


def test_hurried_threads_send_each_request_once_and_get_their_own_answers(hurried: None) -> None:
    """PyGithub#1257: a shared connection sent some requests never and others twice, and mixed up answers."""
    sent: list[str] = []
    lock = threading.Lock()

    def echo(request: BaseHTTPRequestHandler) -> None:
        with lock:
            sent.append(f"{request.command} {request.path}")
        answer(request, 200, {"content-type": "application/json"}, json.dumps({"path": request.path}).encode())

    with vendor(echo) as url, ThreadPoolExecutor(16) as pool:
        client = GitHubClient("github", url, "acme", "token", now)
        paths = [f"/things/{number}" for number in range(1500)]
        verbs = ["DELETE" if number % 2 else "GET" for number in range(1500)]
        answers = list(pool.map(lambda verb, path: client.call("ask", verb, path).body["path"], verbs, paths))

    assert answers == paths
    assert Counter(sent) == Counter(f"{verb} {path}" for verb, path in zip(verbs, paths, strict=True))


def test_no_seat_is_a_definite_no_that_names_nobody() -> None:
    """terraform-provider-github#177: 422 with `no_seat` where the plan's seats are all taken."""
    calls: list[str] = []

    def full(request: BaseHTTPRequestHandler) -> None:
        calls.append(request.command)
        headers = {"content-type": "application/json"}
        if request.path.startswith("/user/"):
            answer(request, 200, headers, json.dumps({"login": "marta-nw", "id": 90001}).encode())
        elif request.command == "GET":
            answer(request, 404, headers, b'{"message": "Not Found"}')
        else:
            problem = {"resource": "OrganizationInvitation", "code": "no_seat", "message": "marta-nw: no seat"}
            told = {"message": "Validation Failed", "errors": [problem]}
            answer(request, 422, headers, json.dumps(told).encode())

    with vendor(full) as url:
        writer = GitHubWriter("github", url, "acme", "token", now)
        with pytest.raises(SystemRefused) as refused:
            writer.grant(bound("90001", "marta-nw"), ORG, "member")

    assert not refused.value.uncertain
    assert "marta" not in str(refused.value)
    assert [call for call in calls if call != "GET"] == ["POST"]


def test_a_level_below_what_everybody_has_is_refused_and_changes_nothing(sandbox: SandboxClient) -> None:
    """GitHub: a role below the organisation's base permission fails, "Cannot assign"."""
    sandbox.reset(demo(base_permission="write"))
    try:
        with pytest.raises(SystemRefused):
            a_writer(sandbox).grant(bound(ADA), REPO, "pull")
        assert not [line for line in sandbox.holdings("ada") if line["resource"] == "repo:acme/docs"]
    finally:
        sandbox.reset(demo())


def test_a_policy_that_was_deleted_is_still_held_and_made_again_gives_nothing_to_who_lost_it(house: House) -> None:
    """vault#28252: the name of a deleted policy stays bound, and making it again grants it again."""
    marta = house.enabled("marta")
    policy = Resource("vault", "policy", "outsourced-data-read")
    house.root.secrets.identity.update_entity(marta.external_id, policies=[policy.name])
    text = house.root.sys.read_acl_policy(policy.name)["data"]["policy"]
    house.root.sys.delete_acl_policy(policy.name)

    held = house.reader.read(Scope()).of(policy).holdings
    assert [holding.account for holding in held] == [marta.external_id]
    assert house.writer.revoke(marta, policy, "direct").changed

    house.root.sys.create_or_update_acl_policy(policy.name, text)
    assert house.reader.read(Scope()).of(policy).holdings == ()
    assert policy.name not in {rule.policy for rule in house.reader.reach(marta).rules}


def test_leases_are_revoked_before_the_answer_and_not_only_queued(house: House) -> None:
    """Vault queues the revocation of a prefix unless `sync` is sent, which hvac can't do."""
    marta = house.enabled("marta")
    session = house.log_in("marta")
    control = f"{house.sandbox.ready['control']}/_sandbox/recording"
    requests.post(control, json={"on": True}, timeout=10).raise_for_status()

    house.writer.revoke(marta, Resource("vault", "lease", "auth/userpass/login"), "live")

    said = requests.get(control, timeout=10).json()["exchanges"]
    [revoked] = [each for each in said if "/sys/leases/revoke-prefix/" in each["path"]]
    assert json.loads(revoked["sent"]) == {"sync": True}
    assert not session.is_authenticated()


def test_a_full_accessor_list_that_is_not_to_be_had_leaves_no_login_open(house: House) -> None:
    """vault#4353: disabling an entity blocks its tokens without revoking them, so both have to be done."""
    marta = house.enabled("marta")
    session = house.log_in("marta")
    house.sandbox.fault("vault", "forbidden", path="auth/token/accessors")

    with pytest.raises(SystemFailed):
        house.writer.revoke(marta, LOGIN, "enabled")

    assert house.holders(LOGIN) == set()
    house.root.secrets.identity.update_entity(marta.external_id, disabled=False)
    assert not session.is_authenticated()  # it was ended, too, by the leases of the login
