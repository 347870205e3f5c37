"""Whom a Vault token speaks for, how onboard gets its own, and what a token may do too much."""

from __future__ import annotations

import hvac
import pytest
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.vault.login import vault_login, whoami
from onboard.connectors.vault.reader import VaultReader
from onboard.connectors.vault.writer import VaultWriter
from onboard.errors import NotAuthorised, SystemFailed
from onboard.model import Account
from onboard.sandbox.client import SandboxClient
from tests.connectors.vault.house import GROUP, LOGIN, clock, nowhere


def reading(sandbox: SandboxClient, token: str) -> VaultReader:
    return VaultReader("vault", sandbox.vault["addr"], SecretStr(sandbox.vault.get(token, token)), None, clock)


def writing(sandbox: SandboxClient, token: str) -> VaultWriter:
    return VaultWriter("vault", sandbox.vault["addr"], SecretStr(sandbox.vault[token]), None, clock)


def test_an_approver_is_known_by_a_login_of_their_own(sandbox: SandboxClient) -> None:
    addr, ada = sandbox.vault["addr"], sandbox.person("ada").vault
    entity = writing(sandbox, "token").grant(Account("a-ada", "vault", None, ada["username"]), LOGIN, "enabled")

    session = hvac.Client(addr, token="")
    session.auth.userpass.login(ada["username"], ada["password"])

    assert whoami(addr, SecretStr(session.token), None) == entity.external_id


def test_a_token_that_names_nobody_approves_nothing(sandbox: SandboxClient) -> None:
    root = sandbox.vault["root_token"]

    for token, reason in [(root, "belongs to no identity"), ("s.wrong", "Log in to Vault again")]:
        with pytest.raises(NotAuthorised, match=reason) as refused:
            whoami(sandbox.vault["addr"], SecretStr(token), None)
        assert token not in str(refused.value)


def test_a_vault_that_does_not_answer_is_no_reason_to_doubt_the_approver() -> None:
    with pytest.raises(SystemFailed):
        whoami(nowhere(), SecretStr("s.any"), None)
    with pytest.raises(SystemFailed):
        vault_login(nowhere(), "role", SecretStr("secret"), None)


def test_an_approle_login_gives_a_token_and_a_wrong_secret_id_gives_none(sandbox: SandboxClient) -> None:
    addr, root = sandbox.vault["addr"], hvac.Client(sandbox.vault["addr"], token=sandbox.vault["root_token"])
    root.sys.enable_auth_method("approle")
    root.auth.approle.create_or_update_approle("onboard", token_policies=["onboard-reader"])
    role = root.auth.approle.read_role_id("onboard")["data"]["role_id"]
    secret = root.auth.approle.generate_secret_id("onboard")["data"]["secret_id"]

    token = vault_login(addr, role, SecretStr(secret), None)

    observation = VaultReader("vault", addr, token, None, clock).read(Scope(frozenset({GROUP})))
    assert observation.of(GROUP).unknown is None
    with pytest.raises(NotAuthorised) as refused:
        vault_login(addr, role, SecretStr("wrong-secret-id"), None)
    assert "wrong-secret-id" not in str(refused.value)


def test_without_a_token_none_is_taken_from_the_surroundings(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", sandbox.vault["root_token"])

    assert "403" in (reading(sandbox, "").read(Scope()).unknown or "")


def test_health_tells_rights_that_are_missing_and_rights_that_are_too_many(sandbox: SandboxClient) -> None:
    reads, writes = reading(sandbox, "read_token").health(), writing(sandbox, "token").health()
    assert (reads.missing, reads.excess, reads.problem) == ((), (), "")
    assert (writes.missing, writes.excess, writes.problem) == ((), (), "")

    assert reading(sandbox, "root_token").health().excess == ("root: every right",)
    assert "update identity/group/id/*" in reading(sandbox, "token").health().excess
    assert "update identity/group/id/*" in writing(sandbox, "read_token").health().missing
    assert "403" in reading(sandbox, "s.wrong").health().problem
