from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import pytest
from hvac.exceptions import Forbidden
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.vault.reader import VaultReader
from onboard.connectors.vault.writer import VaultWriter
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.vault.house import GROUP, LOGIN, House, clock, nowhere, username


@pytest.fixture
def house(sandbox: SandboxClient) -> House:
    return House(sandbox)


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
    assert house.group() == house.group() | kept
    assert set(house.group()["member_entity_ids"]) == {jonas.external_id, marta.external_id}

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


def test_names_are_found_whatever_their_case_and_nobody_else_is(house: House) -> None:
    marta = house.enabled("marta")

    found = house.reader.find_account("Marta")

    assert found is not None
    assert found.external_id == marta.external_id
    assert house.reader.find_account("mart") is None
