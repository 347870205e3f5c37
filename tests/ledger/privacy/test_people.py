from __future__ import annotations

import base64
import sqlite3
from pathlib import Path

import pytest

from onboard.errors import BadInput, Waiting
from onboard.ledger import Ledger, People, Profile
from onboard.ledger.storage import sqlite
from tests.ledger.builders import ACCOUNT, ADA, JONAS, MARTA, keyring_of
from tests.ledger.conftest import only_postgresql, only_sqlite, raw
from tests.postgres import Postgres

MARTA_IS = Profile("Marta Kowalska", "marta@nordwind.example", {"github": "marta-nw", "jira": "mkowalska"})
JONAS_IS = Profile("Jonas Brandt", "jonas@nordwind.example", {"github": "jonasb"})


@pytest.fixture
def people(ledger: Ledger) -> People:
    ledger.people.add_all({MARTA: MARTA_IS, JONAS: JONAS_IS})
    return ledger.people


def everything_on_disk(url: str) -> bytes:
    return b"".join(file.read_bytes() for file in Path(url.removeprefix("sqlite:///")).parent.iterdir())


def tables_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize(
    ("profile", "complaint"),
    [
        (Profile("M", "MARTA@nordwind.example"), "The e-mail address MARTA@nordwind.example is already that of p-1111"),
        (Profile("M", "m@x.example", {"github": "Marta-NW"}), "The handle Marta-NW on github is already that of"),
        (Profile(" ", "m@x.example"), "needs a name"),
        (Profile("M", "m.x.example"), "'m.x.example' is no e-mail address"),
        (Profile("M", "m@x.example", {"slack": ""}), "handle on slack is empty"),
    ],
)
def test_what_is_taken_or_missing_is_bad_input_and_nothing_is_kept(
    people: People, profile: Profile, complaint: str
) -> None:
    with pytest.raises(BadInput, match=complaint):
        people.add(ADA, profile)
    with pytest.raises(BadInput, match=complaint):
        people.update(JONAS, profile)

    assert people.all() == {MARTA: MARTA_IS, JONAS: JONAS_IS}


def test_every_problem_of_a_batch_is_told_at_once_those_between_its_own_people_too(ledger: Ledger) -> None:
    with pytest.raises(BadInput) as caught:
        ledger.people.add_all({MARTA: MARTA_IS, JONAS: MARTA_IS, ADA: Profile("", "ada")})

    assert len(caught.value.problems) == 5
    assert ledger.people.all() == {}


def test_a_person_is_entered_once(people: People) -> None:
    with pytest.raises(BadInput, match=f"{MARTA} is entered already"):
        people.add(MARTA, Profile("M", "m@x.example"))


def test_a_handle_on_one_system_may_be_somebody_elses_on_another(people: People) -> None:
    people.add(ADA, Profile("Ada Berg", "ada@acme.example", {"slack": "marta-nw"}))

    assert people.get(ADA).handles == {"slack": "marta-nw"}


def test_what_an_update_gives_up_is_free_again(people: People) -> None:
    people.update(MARTA, Profile("Marta Nowak", "nowak@nordwind.example", {"jira": "mkowalska"}))
    people.add(ADA, Profile("Ada Berg", "marta@nordwind.example", {"github": "marta-nw"}))

    assert people.get(MARTA).name == "Marta Nowak"
    assert people.find("marta-nw") == [ADA]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1111", [MARTA]),
        ("p-1111", [MARTA]),
        (f"{MARTA}", [MARTA]),
        ("111", []),
        ("p-9999", []),
        ("MARTA KOWALSKA", [MARTA]),
        ("Marta@Nordwind.example", [MARTA]),
        ("mkowalska", [MARTA]),
        ("kowal", [MARTA]),
        ("nordwind", []),
        ("mar", [MARTA]),
        ("a", []),
        ("  ", []),
        ("nobody", []),
    ],
)
def test_people_are_found_by_what_one_would_type(people: People, text: str, found: list[str]) -> None:
    assert people.find(text) == sorted(found)


def test_a_whole_handle_outdoes_a_part_of_somebody_elses_name(people: People) -> None:
    people.add(ADA, Profile("Ada Jonasberg", "ada@acme.example", {"slack": "brandt"}))

    assert people.find("brandt") == [ADA]
    assert people.find("jonas") == [JONAS, ADA]
    assert people.find("jonas", among=[ADA]) == [ADA]


def test_an_id_is_found_among_those_given_even_when_its_person_was_erased(people: People) -> None:
    people.erase(MARTA)

    assert people.find("1111") == []
    assert people.find("1111", among=[MARTA, JONAS]) == [MARTA]


def test_an_account_may_get_its_immutable_id_later_and_a_new_handle(people: People) -> None:
    people.bind(ACCOUNT, MARTA, "vault", None, "marta")
    assert people.account(ACCOUNT) == (MARTA, "vault", None, "marta")

    people.bind(ACCOUNT, MARTA, "vault", "e-77", "marta")
    people.bind(ACCOUNT, MARTA, "vault", None, "marta-n")

    assert people.account(ACCOUNT) == (MARTA, "vault", "e-77", "marta-n")
    assert people.accounts(MARTA) == {ACCOUNT: (MARTA, "vault", "e-77", "marta-n")}
    assert people.account_by_external("vault", "e-77") == ACCOUNT
    assert people.account_by_external("github", "e-77") is None
    assert people.accounts(JONAS) == {}


@pytest.mark.parametrize(
    ("binding", "complaint"),
    [
        ((ACCOUNT, JONAS, "github", "90001", "marta-nw"), f"{MARTA}'s account on github"),
        ((ACCOUNT, MARTA, "jira", "90001", "marta-nw"), f"{MARTA}'s account on github"),
        ((ACCOUNT, MARTA, "github", "90002", "marta-nw"), "has another immutable id"),
        (("a-2", JONAS, "github", "90001", "marta-nw"), f"external id 90001 on github is already that of {MARTA}"),
        (("a-2", MARTA, "github", "90001", "marta-nw"), f"external id 90001 on github is already that of {MARTA}"),
        (("a-2", ADA, "github", "90003", "ada"), f"Nothing is known of {ADA}"),
    ],
)
def test_an_account_stands_for_one_identity_and_an_identity_for_one_account(
    people: People, binding: tuple[str, str, str, str, str], complaint: str
) -> None:
    people.bind(ACCOUNT, MARTA, "github", "90001", "marta-nw")

    with pytest.raises(BadInput, match=complaint):
        people.bind(*binding)

    assert people.account(ACCOUNT) == (MARTA, "github", "90001", "marta-nw")


@only_sqlite
def test_nothing_personal_stands_on_disk_in_clear_even_before_an_erasure(people: People, url: str) -> None:
    people.bind(ACCOUNT, MARTA, "github", "external-90001", "marta-nw")
    people.note(MARTA, "Kowalska asked for it")

    disk = everything_on_disk(url)

    assert MARTA.encode() in disk
    for text in ("Kowalska", "marta@", "marta-nw", "external-90001", "asked for it"):
        assert text.encode() not in disk


@only_sqlite
def test_an_erasure_leaves_neither_key_nor_data_nor_index_on_disk(ledger: Ledger, people: People, url: str) -> None:
    people.bind(ACCOUNT, MARTA, "github", "90001", "marta-nw")
    note = people.note(MARTA, "a reason")
    with sqlite3.connect(url.removeprefix("sqlite:///")) as raw:
        of_marta = "WHERE person = ?", (MARTA,)
        secrets = [
            *((key,) for key in keyring_of(url).keys([MARTA]).values()),
            *raw.execute(f"SELECT ciphertext FROM person_data {of_marta[0]}", of_marta[1]),
            *raw.execute(f"SELECT CAST(fingerprint AS BLOB) FROM person_index {of_marta[0]}", of_marta[1]),
        ]
    raw.close()
    assert len(secrets) == 1 + 3 + 4
    secrets[0] = (base64.b64encode(secrets[0][0]),)
    assert all(secret in everything_on_disk(url) for (secret,) in secrets)

    people.erase(MARTA)

    disk = everything_on_disk(url)
    assert not any(secret in disk for (secret,) in secrets)
    assert MARTA.encode() not in disk
    for forgotten in (lambda: people.get(MARTA), lambda: people.account(ACCOUNT), lambda: people.text_of(note)):
        with pytest.raises(BadInput):
            forgotten()
    assert people.all() == {JONAS: JONAS_IS}
    people.add(ADA, MARTA_IS)


@only_postgresql
def test_an_erasure_leaves_nothing_in_the_servers_tables_either(
    people: People, url: str, postgres_server: Postgres
) -> None:
    with raw(url) as connection:
        name = connection.exec_driver_sql(
            "SELECT current_database(), oid FROM pg_database WHERE datname = current_database()"
        )
        folder = postgres_server.folder / "data" / "base" / str(name.one()[1])
        secrets = [
            bytes(row[0])
            for row in connection.exec_driver_sql(f"SELECT ciphertext FROM person_data WHERE person = '{MARTA}'")
        ]
        connection.exec_driver_sql("CHECKPOINT")
    assert all(secret in tables_of(folder) for secret in secrets)

    people.erase(MARTA)

    with raw(url) as connection:
        connection.exec_driver_sql("CHECKPOINT")
    disk = tables_of(folder)
    assert not any(secret in disk for secret in secrets)
    assert MARTA.encode() not in disk
    assert JONAS.encode() in disk


@only_sqlite
def test_an_erasure_that_a_reader_keeps_from_the_log_says_so_and_may_be_repeated(
    people: People, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_SETTINGS", ("PRAGMA busy_timeout = 1", "PRAGMA secure_delete = ON"))
    others = Ledger.open(url, lambda: pytest.fail("no lease is taken here")).people
    reader = sqlite3.connect(url.removeprefix("sqlite:///"))
    reader.execute("BEGIN").execute("SELECT * FROM person_keys").fetchone()

    with pytest.raises(Waiting, match="Run the same erasure again"):
        others.erase(MARTA)
    with pytest.raises(BadInput):
        others.get(MARTA)

    reader.close()
    others.erase(MARTA)
    assert MARTA.encode() not in everything_on_disk(url)


def test_a_note_is_read_by_its_id(people: People) -> None:
    note = people.note(MARTA, "Moves to the payments team, says Ada.")

    assert people.text_of(note) == "Moves to the payments team, says Ada."
