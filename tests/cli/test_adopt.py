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


def test_the_imported_folder_names_nobody_is_loaded_as_it_is_and_what_is_held_needs_no_change(grown: House) -> None:
    grown("import", "--sponsor", "ada", code=4)
    (grown.folder / "onboard.toml").write_text('policies = "imported/policies"\n')

    written = "".join(path.read_text() for path in Path("imported").rglob("*.*") if path.suffix in (".yaml", ".md"))
    for name in ("Marta", "Jonas", "mallory", "marta-nw", "@"):
        assert name not in written
    assert "isn't overwritten" in grown("import", code=2).stderr
    loaded = grown("engagement", "load", "imported/engagements/nordwind-imported.yaml")
    assert "onboard start --engagement nordwind-imported" in grown("engagement", "adopt", "nordwind-imported").stdout
    grown("start", "marta", code=6)
    started = grown.json("record", "marta", "nda_signed")

    assert loaded.stdout.startswith("2 manifests loaded.")
    assert (started["open"], grown.sandbox.writes()) == ([], [])
    assert "Nobody confirmed" in grown("engagement", "adopt", "nordwind-imported", "--json", code=2).stderr
    adopted = grown.json("engagement", "adopt", "nordwind-imported", "--yes")
    assert [line["resource"] for line in adopted["adopted"]] == ["github:org:acme", "slack:channel:onboarding"]
    assert "Nothing to suggest" in grown("policy", "suggest").stdout
    assert "write days" in grown("policy", "suggest", "--unused-for", "3w", code=2).stderr
    assert "Nothing to adopt" in grown("engagement", "adopt", "nordwind-imported").stdout
