"""People's keys in the sandbox's OpenBao: how many requests they cost, and what is left of one that was destroyed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from onboard import keyrings
from onboard.connectors.vault.keyring import VaultKeyring
from onboard.errors import SystemFailed, SystemRefused
from onboard.ledger import Ledger, Profile
from onboard.sandbox.client import SandboxClient
from onboard.settings import Settings
from tests.connectors.vault.house import clock

FOLDER = "onboard-people"
#: A company's worth of people, spread over every secret.
MANY = {f"p-{number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128:032x}" for number in range(1, 401)}
MARTA, JONAS = f"p-{'1' * 32}", f"p-1{'2' * 31}"


@pytest.fixture
def settings(sandbox: SandboxClient, tmp_path: Path) -> Settings:
    return Settings.load({**sandbox.env, "ONBOARD_LEDGER__KEYRING": "vault"}, tmp_path)


@pytest.fixture
def keyring(settings: Settings) -> VaultKeyring:
    return opened(settings)


def opened(settings: Settings) -> VaultKeyring:
    found = keyrings.keyring(settings, clock)
    assert isinstance(found, VaultKeyring)
    return found


@pytest.fixture
def root(sandbox: SandboxClient) -> Any:
    import hvac

    return hvac.Client(sandbox.vault["addr"], token=sandbox.vault["root_token"]).secrets.kv.v2


@pytest.fixture
def asked(sandbox: SandboxClient) -> Callable[[], int]:
    """How many requests were made since it was last asked."""
    seen = [0]

    def count() -> int:
        seen.append(max((entry["n"] for entry in sandbox.requests()), default=0))
        return seen[-1] - seen[-2]

    count()
    return count


def test_reading_hundreds_of_people_costs_a_request_for_each_first_digit(
    settings: Settings, keyring: VaultKeyring, asked: Callable[[], int]
) -> None:
    keyring.make(MANY)
    made = asked()

    found = opened(settings).keys(MANY)

    assert found.keys() == MANY
    assert len(set(found.values())) == len(MANY)
    assert (made, asked()) == (32, 16)


def test_what_was_read_once_is_asked_for_again_only_where_somebody_is_new(
    settings: Settings, keyring: VaultKeyring, asked: Callable[[], int]
) -> None:
    keyring.make([MARTA])
    asked()
    keyring.keys([MARTA])
    assert asked() == 0

    opened(settings).make([JONAS])
    asked()

    assert keyring.keys([MARTA, JONAS]).keys() == {MARTA, JONAS}
    assert asked() == 1


def test_a_destroyed_key_is_in_no_older_version_either(settings: Settings, keyring: VaultKeyring, root: Any) -> None:
    keyring.make([MARTA])
    keyring.make([JONAS])

    keyring.destroy([MARTA])
    keyring.destroy([MARTA])

    assert opened(settings).keys([MARTA, JONAS]).keys() == {JONAS}
    versions = root.read_secret_metadata(f"{FOLDER}/1", mount_point="secret")["data"]["versions"]
    assert {number: one["destroyed"] for number, one in versions.items()} == {"1": True, "2": True, "3": False}


def test_an_erasure_that_was_killed_before_older_versions_went_is_finished_by_the_next(
    sandbox: SandboxClient, keyring: VaultKeyring, root: Any
) -> None:
    keyring.make([MARTA])
    sandbox.fault("vault", "500", times=1, path="/v1/secret/metadata/*")
    with pytest.raises(SystemFailed):
        keyring.destroy([MARTA])

    keyring.destroy([MARTA])

    versions = root.read_secret_metadata(f"{FOLDER}/1", mount_point="secret")["data"]["versions"]
    assert versions["1"]["destroyed"]


def test_many_who_make_keys_at_once_lose_none(settings: Settings) -> None:
    names = [f"p-1{number:031x}" for number in range(6)]

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda name: opened(settings).make([name]), names))

    assert made == [{name} for name in names]
    assert opened(settings).keys(names).keys() == set(names)


def test_the_credential_that_reads_can_make_no_key(settings: Settings, sandbox: SandboxClient) -> None:
    reader = keyrings._vault(settings, clock, "reading")

    with pytest.raises(SystemRefused, match="its policy doesn't allow this path"):
        VaultKeyring(lambda: reader, lambda: reader, "secret", FOLDER).make([MARTA])


def test_a_ledger_knows_its_people_by_a_vault_alone_and_forgets_them_there(settings: Settings) -> None:
    url = settings.ledger_url.get_secret_value()
    ledger = Ledger.begin(url, clock, opened(settings))
    ledger.people.add(MARTA, Profile("Marta Kowalska", "marta@nordwind.example"))
    ledger.people.add(JONAS, Profile("Jonas Brandt", "jonas@nordwind.example"))
    ledger.people.erase(MARTA)
    ledger.close()

    again = Ledger.open(url, clock, opened(settings))
    assert again.people.all().keys() == {JONAS}
    again.close()
    assert not list(Path(url.removeprefix("sqlite:///")).parent.glob("*.keys"))


def test_a_vault_that_doesnt_answer_is_no_empty_keyring(settings: Settings, sandbox: SandboxClient) -> None:
    ledger = Ledger.begin(settings.ledger_url.get_secret_value(), clock, opened(settings))
    ledger.people.add(MARTA, Profile("Marta Kowalska", "marta@nordwind.example"))
    ledger.close()
    again = Ledger.open(settings.ledger_url.get_secret_value(), clock, opened(settings))

    sandbox.fault("vault", "500", times=50)

    with pytest.raises(SystemFailed, match="read people's keys"):
        again.people.all()
    again.close()
