"""Closing a login and cutting an account off: what must be over at once, whatever else breaks."""

from __future__ import annotations

import pytest
from hvac.exceptions import Forbidden, InvalidRequest, VaultError

from onboard.errors import SystemFailed, SystemRefused
from onboard.model import AccountState
from onboard.sandbox.client import SandboxClient
from tests.connectors.vault.house import GROUP, LOGIN, House, username


@pytest.fixture
def house(sandbox: SandboxClient) -> House:
    return House(sandbox)


def test_closing_a_login_ends_live_tokens_for_good_and_leaves_other_peoples(house: House) -> None:
    marta, _ = house.member("marta"), house.member("jonas")
    session, other = house.log_in("marta"), house.log_in("jonas")

    receipt = house.writer.revoke(marta, LOGIN, "enabled")

    assert receipt.status == "disabled, 1 tokens revoked"
    with pytest.raises(VaultError):
        house.log_in("marta")
    house.writer.grant(marta, LOGIN, "enabled")
    assert username(house.log_in("marta"))
    with pytest.raises(Forbidden):
        session.auth.token.lookup_self()
    assert other.auth.token.lookup_self()


def test_a_disabled_entity_holds_no_login_and_its_account_is_suspended(house: House) -> None:
    marta = house.enabled("marta")
    house.writer.revoke(marta, LOGIN, "enabled")

    observation = house.read(LOGIN)

    assert observation.of(LOGIN).holdings == ()
    assert observation.accounts[marta.external_id or ""].state is AccountState.SUSPENDED
    found = house.reader.find_account("marta")
    assert found is not None
    assert (found.external_id, found.state) == (marta.external_id, AccountState.SUSPENDED)


def test_a_token_that_cannot_be_looked_up_is_told_and_stops_nothing(house: House) -> None:
    marta = house.enabled("marta")
    session, second = house.log_in("marta"), house.log_in("marta")
    house.sandbox.fault("vault", "forbidden", path="lookup-accessor", times=1)

    receipt = house.writer.revoke(marta, LOGIN, "enabled")

    assert "1 tokens could not be looked up" in receipt.status
    for client in (session, second):
        with pytest.raises((Forbidden, InvalidRequest)):
            client.auth.token.lookup_self()


def test_a_sweep_that_breaks_off_is_uncertain_though_the_entity_is_disabled(house: House) -> None:
    marta = house.enabled("marta")
    house.log_in("marta")
    house.sandbox.fault("vault", "forbidden", path="auth/token/accessors")

    with pytest.raises(SystemFailed, match="the entity is disabled, but") as failed:
        house.writer.revoke(marta, LOGIN, "enabled")

    assert failed.value.uncertain
    assert not isinstance(failed.value, SystemRefused)
    assert house.holders(LOGIN) == set()


def test_a_cut_off_goes_through_though_the_entity_cannot_be_read(house: House) -> None:
    marta = house.member("marta")
    session = house.log_in("marta")
    house.member("jonas")
    house.sandbox.fault("vault", "500", method="GET", path="identity/entity/id")

    house.writer.cut_off(marta)

    house.sandbox.clear_faults()
    assert house.holders(GROUP) == {"jonas"}
    assert house.holders(LOGIN) == {"jonas"}
    with pytest.raises(Forbidden):
        session.auth.token.lookup_self()


@pytest.mark.parametrize("broken", ["identity/group/id", "auth/token/accessors", "identity/entity/id"])
def test_a_cut_off_pulls_every_lever_though_one_breaks(house: House, broken: str) -> None:
    marta = house.member("marta")
    session = house.log_in("marta")
    house.sandbox.fault("vault", "500", path=broken, method="LIST" if "accessors" in broken else "POST")

    with pytest.raises(SystemFailed) as failed:
        house.writer.cut_off(marta)

    assert failed.value.uncertain
    house.sandbox.clear_faults()
    assert house.holders(GROUP) == ({"marta"} if broken == "identity/group/id" else set())
    assert house.holders(LOGIN) == ({"marta"} if broken == "identity/entity/id" else set())
    with pytest.raises(Forbidden):
        session.auth.token.lookup_self()


def test_a_cut_off_follows_the_name_where_the_entity_was_made_again(house: House) -> None:
    marta = house.enabled("marta")
    house.root.secrets.identity.delete_entity(marta.external_id)
    session = house.log_in("marta")

    house.writer.cut_off(marta)

    with pytest.raises(Forbidden):
        session.auth.token.lookup_self()
    with pytest.raises(Forbidden):
        house.log_in("marta")


def test_an_account_bound_to_an_entity_that_is_gone_is_not_granted_to_another(house: House) -> None:
    marta = house.enabled("marta")
    house.root.secrets.identity.delete_entity(marta.external_id)
    house.log_in("marta")

    for resource, level in [(LOGIN, "enabled"), (GROUP, "member")]:
        with pytest.raises(SystemRefused):
            house.writer.grant(marta, resource, level)
