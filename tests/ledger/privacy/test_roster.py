from __future__ import annotations

from pathlib import Path

import pytest

from onboard.errors import BadInput
from onboard.ledger import Profile
from onboard.ledger.privacy.roster import read_roster


def problems(tmp_path: Path, text: str | bytes) -> list[str]:
    file = tmp_path / "roster.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput) as caught:
        read_roster(file)
    return [f"{problem.line} {problem.message}" for problem in caught.value.problems if problem.file == str(file)]


def test_every_problem_of_a_roster_is_told_with_its_line(tmp_path: Path) -> None:
    text = """name,email,github
Marta,marta@nordwind.example,marta-nw
,jonas.example,jonas b

Ines,MARTA@nordwind.example,Marta-NW
Viktor,viktor@nordwind.example
"""
    assert problems(tmp_path, text) == [
        "3 'jonas.example' is no e-mail address; expected one like ada@example.com.",
        "3 The github handle 'jonas b' has a space in it.",
        "3 The name is missing.",
        "5 The email 'MARTA@nordwind.example' stands on line 2 already.",
        "5 The github 'Marta-NW' stands on line 2 already.",
        "6 It has 2 cells; expected 3, as in the first line.",
    ]


def test_columns_that_are_missing_unknown_or_double_are_told(tmp_path: Path) -> None:
    expected = "expected name,email and any of github, jira, slack, vault"
    assert problems(tmp_path, "name,gitlab,jira,jira\n") == [
        "1 The column 'email' is missing from the first line; " + expected + ".",
        "1 The column 'gitlab' is unknown; " + expected + ".",
        "1 The column 'jira' stands twice.",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "1 The column 'email' is missing"),
        ("name,email\n\n", "1 It names nobody"),
        (b"name,email\nJ\xfcrgen,j@x.example\n", "0 The roster isn't UTF-8"),
        ('name,email\n"a"b,j@x.example\n', "2 It is no CSV from here on"),
    ],
)
def test_a_file_that_is_no_roster_is_told(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    assert problems(tmp_path, text)[0].startswith(complaint)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read_roster(tmp_path / "nowhere.csv")


def test_people_come_in_the_rosters_order_with_the_handles_they_have(tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text(
        "\ufeffemail,name,acme-git\n m@x.example , Marta ,marta-nw\n\nj@x.example,Jonas,\n", encoding="utf-8"
    )

    assert read_roster(file, systems=["acme-git"]) == (
        Profile("Marta", "m@x.example", {"acme-git": "marta-nw"}),
        Profile("Jonas", "j@x.example", {}),
    )
