"""People: entered once, found by what one types, and nowhere in the journal but as ids."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from onboard.ids import new_person_id
from onboard.ledger import Ledger, Profile
from onboard.model import PERSON_ID
from tests.cli.conftest import Onboard, person


def roster(home: Path, *lines: str) -> Path:
    file = home / "roster.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def known(onboard: Onboard) -> list[str]:
    return [one["name"] for one in json.loads(onboard("person", "list", "--json").stdout)]


def test_nobody_is_entered_from_a_roster_with_a_wrong_line(onboard: Onboard, home: Path) -> None:
    file = roster(
        home, "name,email,github", "Marta,marta@nordwind.example,marta-nw", "Jonas,no address,jonas-nw", "x,y"
    )

    result = onboard("person", "import", file)

    assert result.exit_code == 2
    assert "roster.csv:3" in result.stderr
    assert "roster.csv:4" in result.stderr
    assert known(onboard) == []


def test_an_unknown_system_or_a_taken_handle_is_refused(onboard: Onboard) -> None:
    person(onboard, "Marta Kowalska", github="marta-nw")

    other = onboard("person", "add", "Eve", "--email=eve@x.example", "--system=gitlab=eve")
    same = onboard("person", "add", "Eve", "--email=eve@x.example", "--github=Marta-NW")

    assert other.exit_code == same.exit_code == 2
    assert "--system gitlab=eve: expected NAME=HANDLE with one of github, jira, slack, vault." in other.stderr
    assert "handle Marta-NW on github is already that of" in same.stderr
    assert known(onboard) == ["Marta Kowalska"]


def test_a_name_that_fits_several_lists_them_with_what_tells_them_apart(onboard: Onboard) -> None:
    ids = [person(onboard, name) for name in ("Ines Costa", "Inessa Costa")]

    result = onboard("person", "show", "costa")

    assert result.exit_code == 2
    assert "'costa' may be any of 2 people. Type the id, or more of the name:" in result.stderr
    assert "Inessa Costa <inessa@nordwind.example>" in result.stderr
    assert all(id_[:8] in result.stderr for id_ in ids)


def test_nobody_by_that_name_says_where_to_look(onboard: Onboard) -> None:
    onboard("ledger", "init")

    result = onboard("person", "show", "nobody")

    assert result.exit_code == 2
    assert "Nobody here is called 'nobody'. See onboard person list" in result.stderr


def test_an_interrupted_entering_is_completed_by_typing_it_again(onboard: Onboard, home: Path) -> None:
    half = new_person_id()
    ledger = Ledger.begin(f"sqlite:///{home / 'onboard.db'}", lambda: datetime.now(UTC))
    ledger.people.add(half, Profile("Marta Kowalska", "marta@nordwind.example", {"github": "marta-nw"}))
    ledger.close()

    assert person(onboard, "Marta Kowalska", github="marta-nw") == half
    assert half in onboard("ledger", "export").stdout


def test_a_person_is_found_by_id_name_address_and_handle(onboard: Onboard) -> None:
    marta = person(onboard, "Marta Kowalska", github="marta-nw")
    person(onboard, "Jonas Weber", github="jonas-nw")

    for typed in (marta, marta[:9], "Marta Kowalska", "kowalska", "MARTA@nordwind.example", "marta-nw"):
        shown = onboard("person", "show", typed, "--json")
        assert json.loads(shown.stdout)["id"] == marta, typed


def test_the_journal_holds_ids_and_no_personal_data(onboard: Onboard) -> None:
    marta = person(onboard, "Marta Kowalska", github="marta-nw", vault="marta")

    journal = onboard("ledger", "export").stdout

    assert PERSON_ID.fullmatch(marta)
    assert marta in journal
    assert "arta" not in journal


def test_a_roster_imported_again_changes_what_it_says_and_keeps_what_it_leaves_out(
    onboard: Onboard, home: Path
) -> None:
    first = roster(home, "name,email,github,slack", "Marta,marta@nordwind.example,marta-nw,", "Jonas,j@n.example,jo,")
    assert onboard("person", "import", first).stdout.splitlines()[-1] == "2 entered, 0 changed, 0 as they were."
    again = roster(
        home, "name,email,github,slack", "Marta,marta@nordwind.example,,m@slack.example", "Jonas,j@n.example,jo,"
    )

    result = onboard("person", "import", again)

    marta = json.loads(onboard("person", "show", "marta", "--json").stdout)
    assert result.stdout == "0 entered, 1 changed, 1 as they were.\n"
    assert [(a["system"], a["handle"]) for a in marta["accounts"]] == [
        ("github", "marta-nw"),
        ("slack", "m@slack.example"),
    ]


def test_a_handle_can_be_corrected(onboard: Onboard) -> None:
    person(onboard, "Marta Kowalska", github="marta-wn")

    assert onboard("person", "set", "marta", "--github=marta-nw").exit_code == 0

    assert "marta-nw" in onboard("person", "show", "marta").stdout


def test_a_handle_given_anew_is_on_record_by_system_and_never_itself(onboard: Onboard, home: Path) -> None:
    marta = person(onboard, "Marta Kowalska", github="old-login", vault="marta")

    assert onboard("person", "set", "marta", "--vault=viktor", "--github=marta-nw").exit_code == 0
    assert onboard("person", "set", "marta", "--name=Marta Nowak").exit_code == 0

    ledger = Ledger.open(f"sqlite:///{home / 'onboard.db'}", lambda: datetime.now(UTC))
    changes = [entry for entry in ledger.journal.entries(kinds={"fact"}) if entry.body["name"] == "handle_changed"]
    ledger.close()
    assert [(entry.body["person"], entry.body["system"]) for entry in changes] == [(marta, "github"), (marta, "vault")]
    assert {entry.actor.id for entry in changes} == {"operator"}
    assert not any(name in str(entry.body) for entry in changes for name in ("viktor", "marta-nw", "old-login"))
