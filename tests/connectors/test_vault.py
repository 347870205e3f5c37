from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import hvac
import pytest
from hvac.exceptions import Forbidden, InvalidRequest, VaultError
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.vault import VaultReader, VaultWriter
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountState, Observation, Resource
from onboard.sandbox.client import SandboxClient

LOGIN = Resource("vault", "login", "userpass")
GROUP = Resource("vault", "group", "payments-dev")


def clock() -> datetime:
    return datetime.now(UTC)


class House:
    """Our reader and writer for the sandbox's OpenBao, its root, and people who log in themselves."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox
        self.addr = sandbox.vault["addr"]
        self.reader = self.reading("read_token")
        self.writer = self.writing("token")
        self.root = self.client(sandbox.vault["root_token"])

    def reading(self, token: str) -> VaultReader:
        return VaultReader("vault", self.addr, SecretStr(self.sandbox.vault[token]), None, clock)

    def writing(self, token: str) -> VaultWriter:
        return VaultWriter("vault", self.addr, SecretStr(self.sandbox.vault[token]), None, clock)

    def client(self, token: str) -> Any:
        return hvac.Client(self.addr, token=token)

    def account(self, person: str) -> Account:
        return Account(
            f"a-{person}", "vault", None, self.sandbox.person(person).vault["username"], person=f"p-{person}"
        )

    def enabled(self, person: str) -> Account:
        receipt = self.writer.grant(self.account(person), LOGIN, "enabled")
        return replace(self.account(person), external_id=receipt.external_id)

    def member(self, person: str) -> Account:
        account = self.enabled(person)
        self.writer.grant(account, GROUP, "member")
        return account

    def log_in(self, person: str) -> Any:
        known = self.sandbox.person(person).vault
        client = self.client("")
        client.auth.userpass.login(known["username"], known["password"])
        return client

    def read(self, *resources: Resource) -> Observation:
        return self.reader.read(Scope(frozenset(resources) or None))

    def holders(self, resource: Resource) -> set[str]:
        reading = self.read(resource).of(resource)
        assert reading.unknown is None
        return {holding.handle for holding in reading.holdings}

    def group(self) -> dict[str, Any]:
        return dict(self.root.secrets.identity.read_group_by_name(GROUP.name)["data"])

    def sent(self) -> list[dict[str, Any]]:
        return self.sandbox.requests("vault")


@pytest.fixture
def house(sandbox: SandboxClient) -> House:
    return House(sandbox)


def nowhere() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def username(session: Any) -> str:
    """What the secret of payments-dev says to this person."""
    secret = session.secrets.kv.v2.read_secret_version("payments/dev/db", raise_on_deleted_version=True)
    return str(secret["data"]["data"]["username"])


@contextmanager
def answering(body: dict[str, Any]) -> Iterator[str]:
    """The address of a server that gives every request the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.raw_requestline = self.rfile.readline()
            self.parse_request()
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_vault_that_cannot_be_reached_is_unknown_and_nobody_is_absent() -> None:
    reader = VaultReader("vault", nowhere(), SecretStr("s.secret"), None, clock)

    observation = reader.read(Scope())

    assert "no connection" in (observation.unknown or "")
    assert observation.of(GROUP).unknown == observation.unknown
    assert not reader.health().reachable
    with pytest.raises(SystemFailed):
        reader.find_account("marta")


def test_a_write_that_never_arrived_is_not_uncertain(house: House) -> None:
    writer = VaultWriter("vault", nowhere(), SecretStr("s.secret"), None, clock)

    with pytest.raises(SystemFailed) as failed:
        writer.grant(house.account("marta"), LOGIN, "enabled")

    assert not failed.value.uncertain
    assert not isinstance(failed.value, SystemRefused)


def test_an_answer_that_is_only_part_of_the_list_is_unknown() -> None:
    with answering({"data": {"key_info": {}, "keys": []}, "warnings": ["partial response due to timeout"]}) as addr:
        observation = VaultReader("vault", addr, SecretStr("t"), None, clock).read(Scope())

    assert "only part" in (observation.unknown or "")


def test_a_list_that_is_forbidden_makes_logins_unknown_but_groups_stay_known(house: House) -> None:
    house.member("marta")
    house.sandbox.fault("vault", "forbidden", path="identity/entity/id$")

    observation = house.read(LOGIN, GROUP)

    assert "403" in (observation.of(LOGIN).unknown or "")
    assert [holding.handle for holding in observation.of(GROUP).holdings] == ["marta"]


def test_an_empty_list_is_a_reading_like_any_other(house: House) -> None:
    observation = house.read()

    assert observation.complete
    assert observation.of(LOGIN).unknown is None
    assert observation.of(LOGIN).holdings == ()
    assert observation.of(GROUP).holdings == ()


def test_what_does_not_exist_is_unknown_by_name(house: House) -> None:
    strangers = [Resource("vault", "group", "no-such-group"), Resource("vault", "login", "no-such-mount")]

    observation = house.read(*strangers)

    assert all("there is no" in (observation.of(resource).unknown or "") for resource in strangers)


@pytest.mark.parametrize("name", ["a/../payments-dev", "..", "", "x?list=true", "a%2fb", "a\nb"])
def test_a_name_that_could_lead_elsewhere_is_never_sent(house: House, name: str) -> None:
    resource = Resource("vault", "group", name)
    account = replace(house.account("marta"), handle=name)
    mine = house.enabled("marta")
    sent = len(house.sent())

    with pytest.raises(SystemRefused, match="can't be a name"):
        house.writer.grant(mine, resource, "member")
    with pytest.raises(SystemRefused, match="can't be a name"):
        house.writer.grant(account, LOGIN, "enabled")

    assert "can't be a name" in (house.read(resource).of(resource).unknown or "")
    assert not [entry for entry in house.sent()[sent:] if "group" in entry["path"] or "lookup/entity" in entry["path"]]


def test_a_rate_limited_write_is_sent_once_and_tells_how_long_to_wait(house: House) -> None:
    marta = house.enabled("marta")
    house.sandbox.fault("vault", "429", method="POST", path="identity/group/id", retry_after=7)

    with pytest.raises(SystemFailed) as limited:
        house.writer.grant(marta, GROUP, "member")

    assert (limited.value.retry_after, limited.value.uncertain) == (7.0, False)
    assert len([entry for entry in house.sent() if "identity/group/id" in entry["path"]]) == 1


@pytest.mark.parametrize("lost", ["identity/entity/name", "identity/entity-alias"])
def test_a_lost_answer_while_an_entity_is_made_leaves_one_entity_in_the_end(house: House, lost: str) -> None:
    house.sandbox.fault("vault", "drop-after", method="POST", path=lost, times=1)

    with pytest.raises(SystemFailed) as failed:
        house.enabled("marta")

    assert failed.value.uncertain
    marta = house.enabled("marta")
    assert house.holders(LOGIN) == {"marta"}
    assert house.root.secrets.identity.list_entities()["data"]["keys"] == [marta.external_id]


def test_a_lost_answer_while_a_group_is_written_is_uncertain_and_then_found_done(house: House) -> None:
    marta = house.enabled("marta")
    house.sandbox.fault("vault", "drop-after", method="POST", path="identity/group/id", times=1)

    with pytest.raises(SystemFailed) as lost:
        house.writer.grant(marta, GROUP, "member")

    assert lost.value.uncertain
    assert not house.writer.grant(marta, GROUP, "member").changed
    assert house.holders(GROUP) == {"marta"}


def test_a_token_that_may_only_read_is_refused_and_keeps_its_secret(house: House) -> None:
    marta, token = house.enabled("marta"), house.sandbox.vault["read_token"]

    with pytest.raises(SystemRefused, match="403") as refused:
        house.writing("read_token").grant(marta, GROUP, "member")

    assert token not in f"{refused.value!r} {refused.value}"
    assert house.holders(GROUP) == set()


def test_what_is_done_twice_changes_once(house: House) -> None:
    write, marta = house.writer, house.enabled("marta")

    assert not write.grant(marta, LOGIN, "enabled").changed
    for resource, level in [(GROUP, "member"), (LOGIN, "enabled")]:
        write.grant(marta, resource, level)
        assert not write.grant(marta, resource, level).changed
        assert house.holders(resource) == {"marta"}
    for resource, level in [(GROUP, "member"), (LOGIN, "enabled")]:
        assert write.revoke(marta, resource, level).changed
        assert not write.revoke(marta, resource, level).changed
        assert house.holders(resource) == set()


def test_a_group_keeps_everything_but_the_one_member(house: House) -> None:
    inner = house.root.secrets.identity.create_or_update_group(name="inner")["data"]["id"]
    jonas = house.member("jonas")
    known = house.group()
    house.root.secrets.identity.update_group(
        known["id"],
        known["name"],
        metadata={"owner": "payments"},
        policies=known["policies"],
        member_group_ids=[inner],
        member_entity_ids=known["member_entity_ids"],
    )
    kept = {"policies": known["policies"], "metadata": {"owner": "payments"}, "member_group_ids": [inner]}

    marta = house.member("marta")
    assert house.group() == house.group() | kept | {"member_entity_ids": [jonas.external_id, marta.external_id]}

    house.writer.revoke(marta, GROUP, "member")
    house.writer.revoke(jonas, GROUP, "member")
    assert house.group() == house.group() | kept
    assert not house.group()["member_entity_ids"]


def test_two_writers_under_the_containers_lease_lose_nobody_of_a_group(house: House) -> None:
    people, lease = ["marta", "jonas", "ines", "viktor"], Lock()
    accounts = [house.enabled(person) for person in people]

    def add(account: Account) -> bool:
        with lease:
            return house.writer.grant(account, GROUP, "member").changed

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(add, accounts))

    assert house.holders(GROUP) == set(people)
    assert house.writer.replaces_all(GROUP)
    assert not house.writer.replaces_all(LOGIN)


def test_members_through_a_group_inside_are_read_as_such(house: House) -> None:
    marta, jonas = house.member("marta"), house.enabled("jonas")
    inner = house.root.secrets.identity.create_or_update_group(
        name="inner", member_entity_ids=[jonas.external_id, marta.external_id]
    )["data"]["id"]
    house.root.secrets.identity.create_or_update_group_by_name(GROUP.name, member_group_ids=[inner])

    holdings = house.read(GROUP).of(GROUP).holdings

    assert {(holding.handle, holding.via) for holding in holdings} == {("marta", "direct"), ("jonas", "group:inner")}


def test_an_external_group_is_never_written(house: House) -> None:
    house.root.secrets.identity.create_or_update_group_by_name("from-sso", group_type="external")

    with pytest.raises(SystemRefused, match="identity provider"):
        house.writer.grant(house.enabled("marta"), Resource("vault", "group", "from-sso"), "member")


def test_a_person_reads_the_secret_while_in_the_group_and_no_longer(house: House) -> None:
    marta = house.enabled("marta")
    session = house.log_in("marta")
    with pytest.raises(Forbidden):
        username(session)

    house.writer.grant(marta, GROUP, "member")
    assert username(session) == "payments_dev"

    house.writer.revoke(marta, GROUP, "member")
    with pytest.raises(Forbidden):
        username(session)


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
    assert not house.writer.cut_off(house.account("ines"))[0].changed


def test_an_account_bound_to_an_entity_that_is_gone_is_not_granted_to_another(house: House) -> None:
    marta = house.enabled("marta")
    house.root.secrets.identity.delete_entity(marta.external_id)
    house.log_in("marta")

    for resource, level in [(LOGIN, "enabled"), (GROUP, "member")]:
        with pytest.raises(SystemRefused):
            house.writer.grant(marta, resource, level)


def test_names_are_found_whatever_their_case_and_nobody_else_is(house: House) -> None:
    marta = house.enabled("marta")

    found = house.reader.find_account("Marta")

    assert found is not None
    assert found.external_id == marta.external_id
    assert house.reader.find_account("mart") is None
