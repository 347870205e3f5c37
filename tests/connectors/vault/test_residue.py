"""What an account still holds in Vault by any route, and what nobody can see."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hvac.exceptions import Forbidden
from pydantic import SecretStr

from onboard.connectors.base import Residue, Scope
from onboard.connectors.vault.reader import VaultReader
from onboard.connectors.vault.tokens import short
from onboard.errors import SystemRefused
from onboard.model import Account, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.vault.house import GROUP, LOGIN, House, clock, nowhere

YEARS = timedelta(days=3650)  # the sandbox's max_lease_ttl


@pytest.fixture
def house(sandbox: SandboxClient) -> House:
    return House(sandbox)


def resources(residue: Residue) -> set[str]:
    return {f"{holding.resource.type}:{holding.resource.name}" for holding in residue.remaining}


def with_policy(house: House, account: Account, name: str, text: str) -> None:
    house.root.sys.create_or_update_policy(name, text)
    house.root.secrets.identity.update_entity(account.external_id, policies=[name])


def with_approle(house: House, account: Account, role: str) -> str:
    """A role whose logins are this entity's; a secret id of it."""
    house.root.sys.enable_auth_method("approle")
    house.root.auth.approle.create_or_update_approle(role, token_policies=["default"])
    accessor = house.root.sys.list_auth_methods()["data"]["approle/"]["accessor"]
    role_id = house.root.auth.approle.read_role_id(role)["data"]["role_id"]
    house.root.secrets.identity.create_or_update_entity_alias(role_id, account.external_id, accessor)
    return str(house.root.auth.approle.generate_secret_id(role)["data"]["secret_id_accessor"])


def wrapped(session: Any) -> str:
    """A wrapping token around a secret that the session may read."""
    answer = session.adapter.request("get", "/v1/secret/data/payments/dev/db", headers={"X-Vault-Wrap-TTL": "300"})
    return str(answer["wrap_info"]["token"])


def test_a_vault_that_does_not_answer_leaves_everything_unknown(house: House) -> None:
    residue = VaultReader("vault", nowhere(), SecretStr("t"), None, clock).residue(house.account("marta"))

    assert (residue.routes, residue.remaining) == ((), ())
    assert "no connection" in residue.unknown[0][1]


def test_every_route_of_an_account_is_told(house: House) -> None:
    marta = house.member("marta")
    session = house.log_in("marta")
    with_policy(house, marta, "extra", 'path "secret/data/platform/*" { capabilities = ["read"] }')
    accessor = with_approle(house, marta, "ci")

    residue = house.reader.residue(marta)

    token = short(session.auth.token.lookup_self()["data"]["accessor"])
    assert resources(residue) == {
        "login:userpass",
        "login:approle",
        "group:payments-dev",
        "policy:extra",
        f"token:{token}",
        f"approle:approle/ci#{short(accessor)}",
        "lease:auth/userpass/login",
    }
    assert residue.unknown == ()
    assert accessor not in str(residue)


def test_a_cut_off_leaves_nothing_on_any_route(house: House) -> None:
    marta = house.member("marta")
    house.log_in("marta")
    with_policy(house, marta, "extra", 'path "secret/data/platform/*" { capabilities = ["read"] }')
    with_approle(house, marta, "ci")
    wrapped(house.log_in("marta"))
    assert "token" in {holding.resource.type for holding in house.reader.residue(marta).remaining}

    house.writer.cut_off(marta)

    residue = house.reader.residue(marta)
    assert resources(residue) == set()
    assert len(residue.routes) == 8
    assert residue.unknown == ()


def test_closing_a_login_keeps_what_is_not_the_logins(house: House) -> None:
    marta = house.member("marta")
    house.log_in("marta")
    with_policy(house, marta, "extra", 'path "secret/data/platform/*" { capabilities = ["read"] }')
    with_approle(house, marta, "ci")

    house.writer.revoke(marta, LOGIN, "enabled")

    assert resources(house.reader.residue(marta)) == {"group:payments-dev", "policy:extra"}


def test_a_token_that_cannot_be_looked_up_makes_that_route_unknown_and_no_other(house: House) -> None:
    marta = house.member("marta")
    house.log_in("marta")
    house.sandbox.fault("vault", "forbidden", path="lookup-accessor", times=1)

    residue = house.reader.residue(marta)

    assert residue.unknown == (("tokens", "1 tokens can be listed but not looked up"),)
    assert "group:payments-dev" in resources(residue)
    assert "groups" in residue.routes


def test_batch_tokens_cannot_be_seen_and_die_with_the_entity(house: House) -> None:
    marta = house.enabled("marta")
    with_policy(house, marta, "maker", 'path "auth/token/create" { capabilities = ["update"] }')
    batch = house.client(house.log_in("marta").auth.token.create(type="batch")["auth"]["client_token"])
    assert batch.auth.token.lookup_self()

    house.writer.cut_off(marta)

    [told] = [each for each in house.reader.residue(marta).unverifiable if each.what == "batch tokens"]
    assert "refused as long as the entity stays disabled" in told.reason
    assert told.longest == YEARS
    with pytest.raises(Forbidden):
        batch.auth.token.lookup_self()


def test_an_orphan_token_says_nothing_of_its_maker_and_is_counted(house: House) -> None:
    marta = house.enabled("marta")
    before = [each.what for each in house.reader.residue(marta).unverifiable]
    with_policy(house, marta, "maker", 'path "auth/token/create-orphan" { capabilities = ["update", "sudo"] }')
    house.log_in("marta").auth.token.create_orphan()

    house.writer.cut_off(marta)

    after = [each.what for each in house.reader.residue(marta).unverifiable]
    assert "3 tokens without an entity" in before  # root's, and the automation's own two
    assert "4 tokens without an entity" in after


def test_a_wrapped_answer_is_found_and_can_no_longer_be_fetched(house: House) -> None:
    marta = house.member("marta")
    wrapping = wrapped(house.log_in("marta"))

    levels = {holding.level for holding in house.reader.residue(marta).remaining if holding.resource.type == "token"}
    house.writer.cut_off(marta)

    assert levels == {"live", "wrapped answer"}
    with pytest.raises(Exception, match="wrapping token is not valid"):
        house.client(wrapping).sys.unwrap()


def test_leases_of_dynamic_secrets_end_with_the_token_that_took_them(house: House) -> None:
    house.root.sys.enable_secrets_engine("ssh")
    house.root.write("ssh/roles/otp", key_type="otp", default_user="u", cidr_list="0.0.0.0/0")
    marta = house.enabled("marta")
    with_policy(house, marta, "ssh", 'path "ssh/creds/otp" { capabilities = ["update"] }')
    house.log_in("marta").write("ssh/creds/otp", ip="10.0.0.1")
    [lease] = [each for each in house.reader.residue(marta).unverifiable if each.what == "leases under ssh"]

    house.writer.cut_off(marta)

    assert lease.longest == YEARS
    assert not [each for each in house.reader.residue(marta).unverifiable if each.what.startswith("leases")]


def test_a_user_without_an_entity_would_get_one_by_logging_in(house: House) -> None:
    marta = house.enabled("marta")
    house.root.secrets.identity.delete_entity(marta.external_id)

    [left] = house.reader.residue(marta).remaining

    assert (str(left.resource), left.via) == ("vault:login:userpass", "direct")


@pytest.mark.parametrize("cut_off", [True, False])
def test_a_user_without_an_entity_is_shut_out_and_let_in_again_by_a_grant(house: House, cut_off: bool) -> None:
    marta = house.enabled("marta")
    house.root.secrets.identity.delete_entity(marta.external_id)
    login, unbound = Resource("vault", "login", "userpass"), replace(marta, external_id=None)

    if cut_off:
        house.writer.cut_off(marta)
    else:
        house.writer.revoke(unbound, login, "enabled")

    assert house.reader.residue(unbound).remaining == ()
    with pytest.raises(Forbidden):
        house.log_in("marta")
    house.writer.grant(unbound, login, "enabled")
    house.log_in("marta")


def test_a_role_that_names_the_person_lets_them_in_under_a_new_entity(house: House) -> None:
    marta = house.enabled("marta")
    house.root.sys.enable_auth_method("jwt")
    role = {"role_type": "jwt", "user_claim": "sub", "bound_subject": "Marta", "bound_audiences": ["x"]}
    house.root.write("auth/jwt/role/engineers", **role)
    house.writer.cut_off(marta)

    [left] = house.reader.residue(marta).remaining

    assert (str(left.resource), left.via) == ("vault:jwt-role:jwt/engineers", "a claim that the role asks for")


def test_another_entity_of_the_same_name_is_told_as_not_verifiable(house: House) -> None:
    marta = house.enabled("marta")
    house.root.sys.enable_auth_method("jwt")
    accessor = house.root.sys.list_auth_methods()["data"]["jwt/"]["accessor"]
    other = house.root.secrets.identity.create_or_update_entity_by_name("other")["data"]["id"]
    house.root.secrets.identity.create_or_update_entity_alias("Marta", other, accessor)

    assert "login:jwt of another entity" in [each.what for each in house.reader.residue(marta).unverifiable]


def test_groups_by_an_identity_provider_and_through_other_groups_say_so(house: House) -> None:
    marta = house.member("marta")
    inner = house.group()["id"]
    identity = house.root.secrets.identity
    identity.create_or_update_group_by_name("everybody", member_group_ids=[inner], member_entity_ids=[])

    vias = {holding.resource.name: holding.via for holding in house.reader.residue(marta).remaining}

    assert (vias["payments-dev"], vias["everybody"]) == ("direct", "a group inside it")


def test_policies_of_entities_are_read_and_one_is_taken_while_all_else_stays(house: House) -> None:
    marta, extra = house.enabled("marta"), Resource("vault", "policy", "extra")
    house.root.secrets.identity.update_entity(marta.external_id, policies=["extra", "more"], metadata={"team": "x"})
    assert [holding.account for holding in house.read().of(extra).holdings] == [marta.external_id]

    assert house.writer.revoke(marta, extra, "direct").changed
    assert not house.writer.revoke(marta, extra, "direct").changed

    told = house.root.secrets.identity.read_entity(marta.external_id)["data"]
    assert (told["policies"], told["metadata"], told["disabled"]) == (["more"], {"team": "x"}, False)
    assert extra not in house.read().readings


def test_one_token_is_found_by_the_hash_of_its_accessor_and_taken(house: House) -> None:
    marta, jonas = house.enabled("marta"), house.enabled("jonas")
    first, second = house.log_in("marta"), house.log_in("marta")
    token = Resource("vault", "token", short(first.auth.token.lookup_self()["data"]["accessor"]))
    assert [holding.account for holding in house.read(token).of(token).holdings] == [marta.external_id]

    assert not house.writer.revoke(jonas, token, "live").changed
    assert house.writer.revoke(marta, token, "live").changed

    assert house.read(token).of(token).holdings == ()
    assert second.auth.token.lookup_self()


def test_rights_that_hang_on_a_login_are_never_granted(house: House) -> None:
    with pytest.raises(SystemRefused):
        house.writer.grant(house.enabled("marta"), Resource("vault", "policy", "extra"), "direct")


def test_an_entity_that_cannot_be_read_makes_logins_and_policies_unknown_and_groups_stay_known(house: House) -> None:
    marta = house.member("marta")
    house.member("jonas")
    house.sandbox.fault("vault", "forbidden", method="GET", path=f"entity/id/{marta.external_id}")

    observation = house.read()

    assert "403" in (observation.of(LOGIN).unknown or "")
    assert "403" in (observation.of(Resource("vault", "policy", "(any)")).unknown or "")
    assert len(observation.of(GROUP).holdings) == 2
    assert not observation.complete


def test_a_complete_reading_asks_once_for_each_entity_and_group(house: House) -> None:
    for person in ("marta", "jonas", "ines"):
        house.member(person)
    sent = len(house.sent())

    house.reader.read(Scope())

    entities, groups = 3, 4
    assert len(house.sent()) - sent == 3 + entities + groups


def test_rules_reach_as_far_as_vault_itself_lets_them(house: House) -> None:
    marta = house.member("marta")
    policy = """
    # read one, not the other
    path "secret/data/+/dev/*" { capabilities = ["read", "list"] }
    path "secret/data/payments/*" { capabilities = ["create"], allowed_parameters = { "*" = [] } }
    path "secret/data/platform/registry" { capabilities = ["deny"] }
    path "secret/data/people/{{identity.entity.id}}" { capabilities = ["update"] }
    """
    with_policy(house, marta, "wide", policy)
    session = house.log_in("marta")
    paths = [
        "secret/data/payments/dev/db",
        "secret/data/payments/staging/db",
        "secret/data/data/dev/x",
        "secret/data/platform/registry",
        f"secret/data/people/{marta.external_id}",
        "sys/mounts",
        "auth/token/lookup-self",
    ]

    reach = house.reader.reach(marta)

    told = session.sys.get_capabilities(paths)["data"]
    assert {path: reach.on(path) or {"deny"} for path in paths} == {path: set(told[path]) for path in paths}
    beyond = {rule.path for rule in reach.beyond(("secret/data/payments/*",))}
    assert beyond == {"secret/data/+/dev/*", f"secret/data/people/{marta.external_id}"}


def test_a_policy_that_cannot_be_read_is_named(house: House) -> None:
    marta = house.member("marta")
    house.sandbox.fault("vault", "forbidden", path="acl/outsourced-payments-dev")

    reach = house.reader.reach(marta)

    assert [name for name, _ in reach.unknown] == ["outsourced-payments-dev"]


def test_capabilities_are_probed_and_say_what_a_poorer_token_lacks(house: House) -> None:
    house.root.sys.create_or_update_policy("poor", 'path "sys/auth" { capabilities = ["read"] }')
    poor = house.root.auth.token.create(policies=["poor"])["auth"]["client_token"]

    rich_told = {each.name: each for each in house.reader.capabilities()}
    poor_reader = VaultReader("vault", house.addr, SecretStr(poor), None, clock)
    poor_told = {each.name: each for each in poor_reader.capabilities()}

    assert rich_told["server"].detail.startswith("OpenBao 2.")
    assert {"auth method userpass/", "secret engine secret/"} < rich_told.keys()
    assert [name for name, each in rich_told.items() if name.startswith("reading") and not each.available] == []
    assert rich_told["rate limit quotas"].available is False
    assert poor_told["rate limit quotas"].available is None
    assert poor_told["reading live tokens"].available is False
    assert "auth/token/accessors" in poor_told["reading live tokens"].detail


def test_an_unbound_account_is_found_by_its_name(house: House) -> None:
    house.member("marta")

    assert "group:payments-dev" in resources(house.reader.residue(house.account("marta")))
    stranger = replace(house.account("marta"), handle="nobody")
    assert house.reader.residue(stranger).remaining == ()
