"""How it reads: people by what one types, 80 columns without a broken word, no colour in a pipe, times in UTC."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from onboard.cli import output
from tests.cli.house import House, in_days, write_roster


@pytest.mark.parametrize("form", ["id", "digits", "name", "part", "email", "handle"])
def test_a_person_is_named_by_what_one_would_type(house: House, form: str) -> None:
    them, id_ = house.sandbox.person("marta"), house.ids["marta"]
    typed = {
        "id": id_[:8],
        "digits": id_[2:10],
        "name": them.name.upper(),
        "part": "Kowal",
        "email": them.email,
        "handle": them.github["login"],
    }

    assert house.json("explain", typed[form], "github:org:acme")["person"] == id_


def test_a_name_that_fits_several_lists_them_and_nobody_is_guessed(house: House) -> None:
    house("person", "add", "Nils Bergman", "--email=nils@acme.example")

    result = house("access", "ber", code=2)

    assert "'ber' may be any of" in result.stderr
    assert "Ada Berg <ada@acme.example>" in result.stderr
    assert "Nils Bergman" in result.stderr


def test_a_letter_of_a_name_means_nobody(house: House) -> None:
    assert "Nobody here is called 'p'" in house("offboard", "p", "--yes", code=2).stderr


def test_nobody_by_that_name_is_said_with_a_way_out(house: House) -> None:
    assert "onboard person list" in house("offboard", "nobody", "--yes", code=2).stderr


def test_no_output_is_wider_than_80_columns_or_breaks_a_path(house: House) -> None:
    house("start", "--engagement=payments", code=6)
    digests = [
        house.json("record", who, "nda_signed", f"--until={in_days(90)}", code=6)["open"][0]["digest"]
        for who in ("marta", "jonas")
    ]
    house("approve", digests[0], by="ada")

    outputs = [
        house("plan", code=6),
        house("plans"),
        house("apply", digests[0]),
        house("access", "marta"),
        house("who", "github:repo:acme/payments-api"),
        house("explain", "marta", "github:repo:acme/payments-api"),
        house("person", "list"),
        house("engagement", "show", "payments"),
        house("review"),
    ]

    for result in outputs:
        assert max(map(len, result.stdout.splitlines())) <= 80, result.stdout
        for path in re.findall(r"[\w-]+\.yaml\S*", result.stdout):
            assert re.fullmatch(r"[\w-]+\.yaml:\d+[;,)]*", path), result.stdout
        assert "\x1b" not in result.output


def test_times_are_said_in_utc_and_in_json_in_iso_8601(house: House) -> None:
    digest = house.start()

    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", house("plans").stdout)
    assert datetime.fromisoformat(house.json("plans")[0]["proposed_at"]).utcoffset() is not None
    assert datetime.fromisoformat(house.json("plan", "--person=marta", code=6)["read_at"]).utcoffset() is not None
    assert house.json("plans")[0]["digest"] == digest


def test_ids_that_are_shown_can_be_typed(house: House) -> None:
    lines = [line.split() for line in house("person", "list").stdout.splitlines() if " p-" in line]

    assert len(lines) == 7
    assert len({line[0] for line in lines}) == 7
    house("access", lines[0][0])


def test_a_narrow_table_wraps_between_words_and_never_inside_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")

    output.table([("+", "repo acme/payments-api", "ramp-up, backend-engineer.yaml:20")])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["+", "repo", "ramp-up,"],
        ["acme/payments-api", "backend-engineer.yaml:20"],
    ]
    assert max(map(len, lines)) <= 50


def test_who_comes_twice_in_a_roster_is_told_before_anything_is_entered(bare_house: House) -> None:
    roster = write_roster(bare_house.folder, bare_house.sandbox, "marta", "marta")

    bare_house("person", "import", str(roster), code=2)

    assert bare_house.json("person", "list") == []
