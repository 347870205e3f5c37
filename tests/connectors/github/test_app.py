"""Acting as a GitHub App: what it sees more, what it may not, and tokens that live an hour; what can be done at all."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import requests
from pydantic import SecretStr

from onboard.connectors.base import Capability, Scope
from onboard.connectors.github.app import AppInstallation
from onboard.connectors.github.reader import GitHubReader
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import HoldingState
from onboard.sandbox.client import SandboxClient
from tests.connectors.github.support import (
    APP_MAY,
    REPO,
    a_reader,
    a_writer,
    an_app,
    app_key,
    bound,
    installed,
    now,
    on,
)
from tests.connectors.github.test_routes import ADA, a_key, everything, of, res
from tests.connectors.github.world import demo


@pytest.fixture
def house(sandbox: SandboxClient) -> SandboxClient:
    """The demo's organisation where Ada holds something by every route, with an App that may do all it needs."""
    sandbox.reset(everything(app=installed(**APP_MAY)))
    return sandbox


def tokens_asked(sandbox: SandboxClient) -> int:
    return sum(entry["path"].endswith("/access_tokens") for entry in sandbox.requests("github"))


def test_an_app_sees_fine_grained_tokens_and_ends_them(house: SandboxClient) -> None:
    reader, writer, ada = a_reader(house, an_app()), a_writer(house, an_app()), bound(ADA)
    tokens = [h for h in of(reader.read(Scope()), ADA) if h.resource.type.startswith("token")]

    assert {(h.resource.type, h.level, h.state) for h in tokens} == {
        ("token", "subset repositories", HoldingState.ACTIVE),
        ("token-request", "all repositories", HoldingState.INVITED),
    }
    for holding in tokens:
        assert writer.revoke(ada, holding.resource, holding.level).changed
        assert not writer.revoke(ada, holding.resource, holding.level).changed
    assert {"token", "token-request"} <= set(reader.residue(ada).routes)


def test_an_app_reads_what_a_token_reads_and_cuts_off_what_a_token_cuts_off(house: SandboxClient) -> None:
    a_key(house, "ada")
    by_token, by_app = a_reader(house).read(Scope()), a_reader(house, an_app()).read(Scope())

    assert {r: x for r, x in by_app.readings.items() if not r.type.startswith("token")} == by_token.readings
    a_writer(house, an_app()).cut_off(bound(ADA))
    residue = a_reader(house, an_app()).residue(bound(ADA))
    assert (residue.remaining, residue.unknown) == ((), ())


def test_one_token_serves_all_threads_and_is_renewed_before_it_expires(house: SandboxClient) -> None:
    later = timedelta()

    def clock() -> datetime:
        return now() + later

    github = house.github
    reader = GitHubReader("github", github["base_url"], "acme", an_app(), clock)
    assert reader.read(Scope()).complete
    assert tokens_asked(house) == 1

    later = timedelta(minutes=58)
    house.advance(seconds=58 * 60)
    assert reader.read(Scope()).complete
    assert tokens_asked(house) == 2


def test_an_apps_token_can_be_narrowed_so_that_a_reader_cannot_write(house: SandboxClient) -> None:
    narrow = an_app(members="read", administration="read")

    assert on(a_reader(house, narrow), REPO).unknown is None
    with pytest.raises(SystemRefused):
        a_writer(house, narrow).grant(bound("90001"), REPO, "pull")
    with pytest.raises(SystemRefused):
        a_writer(house, an_app(secrets="write")).grant(bound("90001"), REPO, "pull")


def test_an_app_with_a_wrong_key_is_refused_and_nothing_of_the_key_is_told(house: SandboxClient) -> None:
    secret = "c2VjcmV0LWtleS1tYXRlcmlhbA"
    broken = AppInstallation(
        7, 70, SecretStr(f"-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----")
    )
    stranger = AppInstallation(8, 70, SecretStr(app_key()[0]))

    for app, expected in ((broken, "isn't an RSA key"), (stranger, "401")):
        reason = a_reader(house, app).read(Scope()).unknown or ""
        assert expected in reason
        assert secret not in reason + repr(app)
        with pytest.raises(SystemFailed):
            a_reader(house, app).find_account("ada")
    assert "PRIVATE KEY" not in repr(an_app())


def test_without_the_right_to_read_files_code_owners_stay_out_and_the_rest_is_known(sandbox: SandboxClient) -> None:
    may = {name: level for name, level in APP_MAY.items() if name != "contents"}
    sandbox.reset(everything(app=installed(**may)))
    reader = a_reader(sandbox, an_app())

    observed = reader.read(Scope())

    assert observed.complete
    assert all(reading.unknown is None for reading in observed.readings.values())
    assert "codeowners" not in {resource.type for resource in observed.readings}
    assert "FORBIDDEN" in (on(reader, res("codeowners", "docs")).unknown or "")


# Capabilities


def told(reader: GitHubReader) -> dict[str, Capability]:
    return {capability.name: capability for capability in reader.capabilities()}


def test_capabilities_are_tried_and_name_what_is_missing(sandbox: SandboxClient) -> None:
    sandbox.reset(everything(app=installed(members="read"), custom_roles={"release": "push"}))

    by_token, by_app = told(a_reader(sandbox)), told(a_reader(sandbox, an_app()))

    assert {name: each.available for name, each in by_token.items()} == {
        "GitHub App": False,
        "GraphQL": True,
        "base permission": True,
        "custom repository roles": True,
        "organisation roles": True,
        "fine-grained tokens": False,
        "single sign-on credentials": True,
        "blocked users": True,
        "CODEOWNERS": True,
    }
    assert "read on every repository" in by_token["base permission"].detail
    assert "release" in by_token["custom repository roles"].detail
    assert (by_app["GitHub App"].available, by_app["organisation roles"].available) == (True, False)
    assert "organization_custom_org_roles=read" in by_app["organisation roles"].detail
    assert "organization_personal_access_tokens=read" in by_app["fine-grained tokens"].detail


def test_what_the_plan_lacks_is_said_and_what_cannot_be_told_is_not_guessed(sandbox: SandboxClient) -> None:
    sandbox.fault("github", "500", path="/blocks")

    capabilities = told(a_reader(sandbox))

    assert capabilities["single sign-on credentials"].available is False
    assert "plan" in capabilities["single sign-on credentials"].detail
    assert capabilities["blocked users"].available is None
    assert capabilities["CODEOWNERS"].available is None


def test_the_simulated_github_refuses_an_app_what_it_was_not_given(sandbox: SandboxClient) -> None:
    sandbox.reset(demo(app=installed(members="read")))
    reader = a_reader(sandbox, an_app())
    reader.find_account("ada")

    reading = on(reader, REPO)

    assert "403" in (reading.unknown or "")
    url = f"{sandbox.github['base_url']}/app/installations/70/access_tokens"
    assert requests.post(url, headers={"Authorization": "Bearer nonsense"}, timeout=5).status_code == 401


def test_an_apps_health_is_what_it_was_given_and_lacks_what_writing_needs(sandbox: SandboxClient) -> None:
    sandbox.reset(demo(app=installed(members="read", administration="write", contents="write")))

    writing, reading = a_writer(sandbox, an_app()).health(), a_reader(sandbox, an_app()).health()

    assert writing.rights == ("administration: write", "contents: write", "members: read")
    assert writing.missing == ("members: write",)
    assert writing.excess == ("contents: write",)
    assert reading.missing == ()
    assert reading.excess == ("administration: write", "contents: write")
