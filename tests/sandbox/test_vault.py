"""OpenBao behind the proxy, driven by hvac: what the two tokens may do, and what is seeded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hvac
import pytest
import requests

from onboard.sandbox.client import SandboxClient


def vault(sandbox: SandboxClient, token: str) -> Any:
    client: Any = hvac.Client(url=sandbox.vault["addr"], token=sandbox.vault[token])
    return client


def login(sandbox: SandboxClient, person: str) -> Any:
    client: Any = hvac.Client(url=sandbox.vault["addr"], token="none")
    client.auth.userpass.login(**sandbox.person(person).vault)
    return client


def admit(sandbox: SandboxClient, person: str, group: str) -> str:
    """With the writing token: entity, alias and membership; the entity's id."""
    writer = vault(sandbox, "token")
    username = sandbox.person(person).vault["username"]
    accessor = writer.sys.list_auth_methods()["data"]["userpass/"]["accessor"]
    entity = writer.secrets.identity.create_or_update_entity_by_name(person)["data"]["id"]
    writer.secrets.identity.create_or_update_entity_alias(username, entity, accessor)
    policies = writer.secrets.identity.read_group_by_name(group)["data"]["policies"]
    writer.secrets.identity.create_or_update_group_by_name(
        group, policies=policies, member_entity_ids=[entity], group_type="internal"
    )
    return str(entity)


def test_the_reading_token_looks_everywhere_and_changes_nothing(sandbox: SandboxClient) -> None:
    entity = admit(sandbox, "marta", "payments-dev")
    reader = vault(sandbox, "read_token")

    assert reader.secrets.identity.lookup_entity(entity_id=entity)["data"]["name"] == "marta"
    assert reader.secrets.identity.read_group_by_name("payments-dev")["data"]["member_entity_ids"] == [entity]
    assert "marta" in reader.auth.userpass.list_user()["data"]["keys"]
    assert reader.sys.list_auth_methods()
    assert reader.auth.token.list_accessors()["data"]["keys"]
    refused: tuple[Callable[[], object], ...] = (
        lambda: reader.secrets.identity.create_or_update_entity_by_name("marta", disabled=True),
        lambda: reader.secrets.identity.create_or_update_group_by_name("payments-dev", member_entity_ids=[]),
        lambda: reader.auth.token.revoke_accessor(reader.auth.token.list_accessors()["data"]["keys"][0]),
        lambda: reader.secrets.kv.v2.read_secret_version("payments/dev/db", raise_on_deleted_version=True),
    )
    for write in refused:
        with pytest.raises(hvac.exceptions.Forbidden):
            write()


def test_the_writing_token_reads_no_secret_and_writes_no_policy_or_login(sandbox: SandboxClient) -> None:
    writer = vault(sandbox, "token")

    assert "secret/data/data/*" in writer.sys.read_acl_policy("outsourced-data-read")["data"]["policy"]
    refused: tuple[Callable[[], object], ...] = (
        lambda: writer.secrets.kv.v2.read_secret_version("payments/dev/db", raise_on_deleted_version=True),
        lambda: writer.sys.create_or_update_acl_policy("outsourced-data-read", 'path "*" { capabilities = ["sudo"] }'),
        lambda: writer.auth.userpass.create_or_update_user("marta", password="mine"),
        lambda: writer.auth.token.create(policies=["root"]),
    )
    for write in refused:
        with pytest.raises(hvac.exceptions.Forbidden):
            write()


def test_group_membership_opens_and_closes_secrets_to_a_live_token(sandbox: SandboxClient) -> None:
    marta = login(sandbox, "marta")
    with pytest.raises(hvac.exceptions.Forbidden):
        marta.secrets.kv.v2.read_secret_version("payments/dev/db", raise_on_deleted_version=True)

    # the login made an entity for marta already; the group takes that one
    entity = marta.auth.token.lookup_self()["data"]["entity_id"]
    identity = vault(sandbox, "token").secrets.identity
    identity.create_or_update_group_by_name(
        "payments-dev", policies=["outsourced-payments-dev"], member_entity_ids=[entity], group_type="internal"
    )

    secret = marta.secrets.kv.v2.read_secret_version("payments/dev/db", raise_on_deleted_version=True)
    assert secret["data"]["data"]["username"] == "payments_dev"
    name = identity.read_entity(entity)["data"]["name"]
    identity.create_or_update_entity_by_name(name, disabled=True)
    with pytest.raises(hvac.exceptions.Forbidden):
        marta.secrets.kv.v2.read_secret_version("payments/dev/db", raise_on_deleted_version=True)


def test_the_writer_revokes_the_tokens_of_one_login(sandbox: SandboxClient) -> None:
    marta, jonas = login(sandbox, "marta"), login(sandbox, "jonas")

    vault(sandbox, "token").write_data("sys/leases/revoke-prefix/auth/userpass/login/marta", data={"sync": True})

    assert not marta.is_authenticated()
    assert jonas.is_authenticated()


def test_the_state_names_who_is_in_which_group(sandbox: SandboxClient) -> None:
    admit(sandbox, "marta", "data-read")

    held = {(line["resource"], line["level"], line["handle"]) for line in sandbox.holdings("marta")}

    assert held == {("login:userpass", "enabled", "marta"), ("group:data-read", "member", "marta")}


def test_logins_and_look_ups_are_logged_but_are_no_writes(sandbox: SandboxClient) -> None:
    marta = login(sandbox, "marta")
    marta.auth.token.lookup_self()
    admit(sandbox, "jonas", "data-read")

    log = sandbox.requests("vault")

    assert [entry["token"] for entry in log[:2]] == ["none", "person:marta"]
    assert [entry["path"].rsplit("/", 1)[-1] for entry in log if entry["write"]] == [
        "jonas",
        "entity-alias",
        "data-read",
    ]


def test_the_list_verb_and_an_empty_list_pass_unchanged(sandbox: SandboxClient) -> None:
    headers = {"X-Vault-Token": sandbox.vault["read_token"]}

    answer = requests.request("LIST", f"{sandbox.vault['addr']}/v1/identity/entity/id", headers=headers, timeout=10)

    assert (answer.status_code, answer.json()) == (404, {"errors": []})


def test_a_reset_ends_tokens_and_entities_but_keeps_ours(sandbox: SandboxClient) -> None:
    marta = login(sandbox, "marta")
    root = vault(sandbox, "root_token")
    root.auth.userpass.create_or_update_user("intruder", password="x")
    root.sys.enable_auth_method("approle")

    sandbox.reset()

    assert not marta.is_authenticated()
    assert vault(sandbox, "token").is_authenticated()
    assert "intruder" not in root.auth.userpass.list_user()["data"]["keys"]
    assert "approle/" not in root.sys.list_auth_methods()["data"]
    assert login(sandbox, "marta").is_authenticated()
