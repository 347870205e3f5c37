"""Adopting what exists: what people hold before onboard, proposed as policies and manifests that work as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.house import PEOPLE, House, write_roster
from tests.world import demo_world

__all__ = ["demo_world"]


@pytest.fixture
def grown(bare_house: House, demo_world: dict[str, Any]) -> House:
    """A company where marta and jonas work already, and viktor administers; everybody is on the roster."""
    github, jira, slack, vault = (demo_world[system] for system in ("github", "jira", "slack", "vault"))
    github["members"] += ["marta", "jonas", "viktor"]
    github["repos"][0]["collaborators"] |= {"marta": "push", "jonas": "push", "viktor": "admin"}
    github["repos"][2]["collaborators"] |= {"jonas": "triage", "mallory": "pull"}
    github["repos"].append({"name": "attic"})
    jira["projects"][0]["roles"]["Developers"] += ["marta", "jonas"]
    slack["channels"][2]["members"] += ["marta", "jonas"]
    vault["groups"]["payments-dev"]["members"] = ["marta", "jonas"]
    bare_house.sandbox.reset(demo_world)
    bare_house("person", "import", str(write_roster(bare_house.folder, bare_house.sandbox)))
    bare_house.ids = {
        who: next(line["id"] for line in bare_house.json("person", "list") if line["email"].startswith(who + "@"))
        for who in PEOPLE
    }
    return bare_house


def test_what_people_share_becomes_a_role_and_the_folder_works_as_it_is(grown: House) -> None:
    before = grown.json("ledger", "verify")["count"]

    found = grown.json("import", "--sponsor", "ada", code=4)

    (role,) = found["roles"]
    assert sorted(role["people"]) == sorted([grown.ids["marta"], grown.ids["jonas"]])
    assert {(line["resource"], line["level"], line["phase"]) for line in role["grants"]} == {
        ("github:org:acme", "member", "discovery"),
        ("github:repo:acme/payments-api", "push", "ramp-up"),
        ("jira:project:PAY", "Developers", "ramp-up"),
        ("slack:channel:onboarding", "member", "discovery"),
        ("vault:group:payments-dev", "member", "tooling-setup"),
        ("vault:login:userpass", "enabled", "tooling-setup"),
    }
    assert all("nda_signed" in line["needs"] for line in role["grants"])
    assert {(line["person"], line["level"]) for line in found["administration"]} == {(grown.ids["viktor"], "admin")}
    assert {(line["person"], line["level"]) for line in found["leftovers"]} >= {(grown.ids["jonas"], "triage")}
    assert any(line["handle"] == "mallory" for line in found["strangers"])
    assert (grown.json("ledger", "verify")["count"], grown.sandbox.writes()) == (before, [])
    assert "No problems" in grown("policy", "check", "imported/policies").stdout
    assert grown.json("policy", "test", "imported/policies")["failed"] == []


def test_nothing_that_is_written_names_anybody(grown: House) -> None:
    grown("import", "--sponsor", "ada", code=4)

    written = "".join(
        path.read_text() for path in Path("imported").rglob("*") if path.is_file() and "cedar" not in path.name
    )
    for name in ("Marta", "Jonas", "mallory", "marta-nw", "@nordwind"):
        assert name not in written


def test_a_folder_that_stands_there_is_left_alone(grown: House) -> None:
    Path("imported").mkdir()
    Path("imported/mine.txt").write_text("mine")

    assert "isn't overwritten" in grown("import", code=2).stderr
    assert [path.name for path in Path("imported").iterdir()] == ["mine.txt"]
