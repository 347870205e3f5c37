"""What an auditor takes away: every right and every change, none left out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from onboard.sandbox.client import SandboxClient
from tests.cli.house import House, in_days
from tests.cli.test_past import now


@pytest.fixture
def gone(house: House) -> str:
    """Marta came and left; a time at which she held something."""
    house.settle("marta")
    held = now()
    house("offboard", "marta", "--yes")
    return held


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_rights_of_a_day_are_the_same_in_csv_and_json_lines(house: House, gone: str) -> None:
    rows = list(csv.DictReader(io.StringIO(house("export", "access", "--as-of", gone).stdout)))
    objects = lines(house("export", "access", "--as-of", gone, "--format=jsonl").stdout)

    assert [{k: str(v) if v is not None else "" for k, v in o.items()} for o in objects] == rows
    assert len(rows) == len(house.json("access", "marta", "--as-of", gone)["held"])
    assert {row["person"] for row in rows} == {house.ids["marta"]}
    assert all(row["approved_by"] == house.ids["ada"] and row["receipt_status"] for row in rows)


def test_now_is_the_rights_that_are_left(house: House, gone: str) -> None:
    assert house("export", "access").stdout == ""
    assert "0 rows: all there are" in house("export", "access").stderr


def test_every_write_to_a_system_is_a_change_that_was_exported(house: House, sandbox: SandboxClient, gone: str) -> None:
    rows = lines(house("export", "changes", "--format=jsonl").stdout)

    given, taken = ([r for r in rows if r["action"] == action] for action in ("grant", "revoke"))
    whole = {"slack:workspace:acme", "vault:login:userpass"}  # nobody gave these, and whoever leaves loses them
    assert {r["resource"] for r in taken} - {r["resource"] for r in given} == whole
    assert {r["authority"] for r in given} == {"approval"}
    assert {r["authority"] for r in taken} == {"fact", "left-over"}
    assert [r["intended_entry"] for r in rows] == sorted(r["intended_entry"] for r in rows)


def test_days_bound_what_is_exported(house: House, gone: str) -> None:
    assert house("export", "changes", f"--from={in_days(1)}").stdout == ""
    assert house("export", "changes", f"--to={in_days(-1)}").stdout == ""
    assert house("export", "changes", f"--from={in_days(0)}", f"--to={in_days(0)}").stdout != ""
    assert "Expected a day" in house("export", "changes", "--from=spring", code=2).stderr


def test_a_siem_gets_ocsf_events(house: House, gone: str) -> None:
    events = lines(house("export", "changes", "--format=ocsf").stdout)

    for event in events:
        assert (event["category_uid"], event["class_uid"]) == (3, 3005)
        assert event["type_uid"] == 300500 + event["activity_id"]
        assert event["user"]["uid"] == house.ids["marta"]
        assert event["metadata"]["version"] == "1.5.0"
        assert event["metadata"]["product"]["name"] == "onboard"
    assert {event["activity_id"] for event in events} == {1, 2}
    assert len({event["metadata"]["uid"] for event in events}) == len(events)


def test_names_are_there_only_when_asked_for(house: House, sandbox: SandboxClient, gone: str) -> None:
    them = sandbox.person("marta")

    plain = house("export", "changes").stdout
    named = house("export", "changes", "--names").stdout

    assert them.name not in plain
    assert them.email not in plain
    assert them.name in named
    assert "ids, no names" in house("export", "changes", "--names", "--format=ocsf", code=2).stderr


def test_a_name_that_a_spreadsheet_would_compute_is_inert(house: House, gone: str) -> None:
    house("person", "set", "marta", "--name==1+1")

    rows = list(csv.DictReader(io.StringIO(house("export", "changes", "--names").stdout)))

    assert {row["name"] for row in rows} == {"'=1+1"}


def test_a_file_is_written_once_and_never_over(house: House, gone: str, tmp_path: Path) -> None:
    file = tmp_path / "changes.csv"

    assert "all there are, in the ledger up to entry" in house("export", "changes", "-o", str(file)).stderr
    assert "isn't overwritten" in house("export", "changes", "-o", str(file), code=2).stderr
    assert len(file.read_text(encoding="utf-8").splitlines()) > 1
