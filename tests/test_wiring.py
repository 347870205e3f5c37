"""What is built from settings: separate credentials, secrets fetched from Vault, a broken system that stops nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hvac
import pytest

from onboard import wiring
from onboard.connectors.base import Scope
from onboard.errors import BadInput, SystemRefused
from onboard.ledger import Ledger
from onboard.model import Account, Resource
from onboard.sandbox.client import SandboxClient
from onboard.settings import Settings

ALL = Scope(frozenset())
DOCS = Resource("github", "repo", "acme/docs")
STRANGER = Account("a-1", "github", "90001", "marta-nw")


def clock() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def root(sandbox: SandboxClient) -> Any:
    """The sandbox's OpenBao, as root, with a secret that only an AppRole named onboard-reader may read."""
    client = hvac.Client(url=sandbox.vault["addr"], token=sandbox.vault["root_token"])
    client.secrets.kv.v2.create_or_update_secret("onboard/github", {"token": sandbox.github["read_token"], "empty": ""})
    rule = 'path "secret/data/onboard/*" { capabilities = ["read"] }'
    client.sys.create_or_update_acl_policy("test-secrets", rule)
    if "approle/" not in client.sys.list_auth_methods()["data"]:
        client.sys.enable_auth_method("approle")
    client.auth.approle.create_or_update_approle(
        "onboard-reader", token_policies=["test-secrets"], secret_id_num_uses=1
    )
    return client


@pytest.fixture
def by_role(sandbox: SandboxClient, root: Any) -> dict[str, str]:
    """Variables with which reading logs in by AppRole; its secret id can be used once."""
    role_id = root.auth.approle.read_role_id("onboard-reader")["data"]["role_id"]
    secret_id = root.auth.approle.generate_secret_id("onboard-reader")["data"]["secret_id"]
    kept = {name: value for name, value in sandbox.env.items() if name != "ONBOARD_VAULT__READ_TOKEN"}
    return {**kept, "ONBOARD_VAULT__READ_ROLE_ID": role_id, "ONBOARD_VAULT__READ_SECRET_ID": secret_id}


def load(environment: Mapping[str, str], folder: Path) -> Settings:
    return Settings.load(environment, folder)


def reading(environment: Mapping[str, str], folder: Path) -> dict[str, str | None]:
    """By system, why nothing could be read there; None where it could."""
    readers = wiring.readers(load(environment, folder), clock)
    return {name: reader.read(ALL).unknown for name, reader in readers.items()}


def test_a_secret_is_fetched_from_vault_by_one_approle_login(by_role: dict[str, str], tmp_path: Path) -> None:
    environment = {**by_role, "ONBOARD_GITHUB__READ_TOKEN": "vault:secret/data/onboard/github#token"}

    health = wiring.readers(load(environment, tmp_path), clock)["github"].health()

    assert health.reachable
    assert health.identity


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("vault:secret/data/onboard/nothing#token", "has no text in the field token"),
        ("vault:secret/data/onboard/github#empty", "has no text in the field empty"),
        ("vault:secret/data/elsewhere#token", "403"),
    ],
)
def test_a_secret_that_cannot_be_had_makes_its_own_system_unknown_and_no_other(
    by_role: dict[str, str], tmp_path: Path, reference: str, says: str
) -> None:
    unknown = reading({**by_role, "ONBOARD_GITHUB__READ_TOKEN": reference}, tmp_path)

    assert says in (unknown["github"] or "")
    assert unknown["slack"] is None


def test_a_vault_that_does_not_answer_makes_what_is_kept_in_it_unknown(sandbox: SandboxClient, tmp_path: Path) -> None:
    environment = {
        **sandbox.env,
        "ONBOARD_GITHUB__READ_TOKEN": "vault:secret/data/onboard/github#token",
        "ONBOARD_VAULT__ADDR": "http://127.0.0.1:9",
    }

    unknown = reading(environment, tmp_path)

    assert "its credential for reading can't be had" in (unknown["github"] or "")
    assert unknown["slack"] is None


def test_a_secret_in_vault_without_a_vault_is_bad_input(sandbox: SandboxClient, tmp_path: Path) -> None:
    environment = {
        name: "vault:secret/data/x#token" if name.endswith("GITHUB__READ_TOKEN") else value
        for name, value in sandbox.env.items()
        if "VAULT" not in name
    }

    with pytest.raises(BadInput, match="No Vault is configured"):
        wiring.readers(load(environment, tmp_path), clock)


def test_nothing_is_built_where_a_reading_credential_is_missing(sandbox: SandboxClient, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="slack has no credential for reading"):
        wiring.build(load({**sandbox.env, "ONBOARD_SLACK__READ_TOKEN": ""}, tmp_path), clock, print)


def test_a_writer_without_its_credential_refuses_each_call_and_the_others_work(
    sandbox: SandboxClient, tmp_path: Path
) -> None:
    writers = wiring.writers(load({**sandbox.env, "ONBOARD_GITHUB__TOKEN": ""}, tmp_path), clock)

    for call in (writers["github"].grant, writers["github"].revoke):
        with pytest.raises(SystemRefused, match="github has no credential for writing"):
            call(STRANGER, DOCS, "pull")
    with pytest.raises(SystemRefused, match="no credential for writing"):
        writers["github"].cut_off(STRANGER)
    assert writers["slack"].health().reachable
    assert sandbox.requests("github") == []


def test_readers_and_writers_use_credentials_of_their_own(sandbox: SandboxClient, tmp_path: Path) -> None:
    settings = load(sandbox.env, tmp_path)

    for reader in wiring.readers(settings, clock).values():
        reader.health()
    read = {(entry["system"], entry["token"]) for entry in sandbox.requests()}
    sandbox.reset()
    for writer in wiring.writers(settings, clock).values():
        writer.health()
    written = {(entry["system"], entry["token"]) for entry in sandbox.requests()}

    assert {token for _, token in read} == {"read", "read-admin"}
    assert {token for _, token in written} <= {"write", "admin"}
    assert len({system for system, _ in read}) == len({system for system, _ in written}) == 4


def test_every_rate_that_is_no_limit_is_told_with_those_that_are(sandbox: SandboxClient, tmp_path: Path) -> None:
    rates = {"ONBOARD_GITHUB__RATES__INVITES": "500", "ONBOARD_SLACK__RATES__TIER_9": "1"}

    with pytest.raises(BadInput) as caught:
        wiring.build(load({**sandbox.env, **rates}, tmp_path), clock, print)

    assert [problem.message.partition(". ")[0] for problem in caught.value.problems] == [
        "systems.github.rates.invites is no limit of github",
        "systems.slack.rates.tier_9 is no limit of slack",
    ]
    assert "invitations, points" in str(caught.value)


def test_at_the_vendors_own_address_their_limits_hold_and_elsewhere_only_those_that_are_set(tmp_path: Path) -> None:
    common = {"ONBOARD_GITHUB__ORG": "acme", "ONBOARD_GITHUB__RATES__INVITATIONS": "500"}

    cloud = wiring.limits(load(common, tmp_path))["github"]
    own = wiring.limits(load({**common, "ONBOARD_GITHUB__BASE_URL": "https://github.acme.example/api/v3"}, tmp_path))

    assert (cloud["content"].amount, cloud["invitations"].amount) == (80, 500)
    assert (own["github"]["content"].amount, own["github"]["invitations"].amount) == (None, 500)


def test_what_was_seen_to_hold_nothing_is_known_to_the_next_process(sandbox: SandboxClient, tmp_path: Path) -> None:
    settings = load(sandbox.env, tmp_path)
    ledger = Ledger.begin(settings.ledger_url.get_secret_value(), clock)
    wiring.readers(settings, clock, ledger=ledger)["github"].read(Scope(None))

    again = wiring.readers(settings, clock, ledger=ledger)["github"].read(Scope(None, fresh=frozenset({DOCS})))

    older = {resource.name for resource, reading in again.readings.items() if reading.at is not None}
    assert DOCS.name not in older
    assert len(older) >= 3
    ledger.close()
