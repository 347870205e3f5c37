"""onboard policy impact: by the ledger, by an export of it, by what the systems say, or on policies alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Onboard
from tests.cli.house import House
from tests.cli.test_policy import edit

API = "github:repo:acme/payments-api"
LINE = "    - {resource: github:repo:acme/payments-api, level: pull}\n"
NO_PULL = """\
@id("no-pull")
@because("Nobody reads payments")
@control("CC6.3")
forbid (principal, action == Action::"hold", resource)
when { resource == Resource::"github:repo:acme/payments-api" && context.model == "staff-augmentation" };
"""


@pytest.fixture
def proposed(house: House) -> Path:
    """A copy of the policies in force, to be changed."""
    house("init")
    shutil.rmtree("policies/tests")
    shutil.copytree("policies", "proposed")
    return Path("proposed")


def refuse_reading(policies: Path) -> None:
    (policies / "guardrails" / "no-pull.cedar").write_text(NO_PULL, encoding="utf-8")


def onboarding_line(policies: Path) -> None:
    """Everybody in QA sees what operations does, from the first day."""
    more = "    - {resource: jira:project:OPS, level: Viewers}\n  tooling-setup:"
    edit(policies / "roles" / "qa-engineer.yaml", "  tooling-setup:", more)


def test_who_would_gain_what_by_whose_word_and_names_only_in_the_table(house: House, proposed: Path) -> None:
    house.start("jonas")
    onboarding_line(proposed)

    table = house("policy", "impact", "proposed", "--base-policies", "policies").stdout
    markdown = house("policy", "impact", "proposed", "--base-policies", "policies", "--markdown").stdout

    assert "Jonas" in table
    assert max(map(len, table.splitlines())) <= 80
    assert "sponsor of payments" in table
    assert "jira:project:OPS Viewers" in table
    assert "Jonas" not in markdown
    assert house.ids["jonas"][:10] in markdown
    assert house.ids["marta"][:10] not in markdown
    assert "2 people looked at, 1 touched" in markdown


def test_what_is_refused_and_held_by_nobody_is_only_told(house: House, proposed: Path) -> None:
    house.start()
    refuse_reading(proposed)

    told = house.json("policy", "impact", "proposed")

    assert [line["held"] for line in told["people"]["refused"]] == [False]


def test_the_systems_may_be_asked_what_is_held_and_where_they_dont_answer_it_is_unknown(
    house: House, proposed: Path
) -> None:
    house.settle()
    edit(proposed / "roles" / "backend-engineer.yaml", LINE, "")
    before, down = len(house.sandbox.writes()), {"ONBOARD_GITHUB__BASE_URL": "http://127.0.0.1:9"}

    read = house.json("policy", "impact", "proposed", "--observe")

    assert [(c["change"], c["held"]) for c in read["people"]["changes"]] == [("loses", ["pull"])]
    assert "Could not be read" in house("policy", "impact", "proposed", "--observe", code=5, **down).stdout
    house("policy", "impact", "proposed", code=0, **down)
    assert len(house.sandbox.writes()) == before


def test_what_is_held_and_then_refused_is_exit_code_4_by_the_ledger_or_by_an_export_of_it(
    house: House, proposed: Path, home: Path
) -> None:
    house.settle()
    refuse_reading(proposed)
    (refused,) = house.json("policy", "impact", "proposed", "--base", "in-force", code=4)["people"]["refused"]
    house("ledger", "export", "-o", "journal.jsonl")
    for kept in home.glob("onboard.db*"):
        kept.unlink()
    words = ("policy", "impact", "proposed", "--register-export", "journal.jsonl", "--base-policies", "policies")

    told = house(*words, code=4).stdout

    assert (refused["rule"], refused["control"], refused["held"]) == ("no-pull", "CC6.3", True)
    assert "1 person would hold what is then refused" in told
    assert house.ids["marta"][:10] in told
    assert "Marta" not in told
    assert sorted(path.name for path in home.glob("onboard.db*")) == []


def test_a_broken_export_is_exit_code_4_and_nothing_is_told_from_it(house: House, proposed: Path) -> None:
    house.start()
    house("ledger", "export", "-o", "journal.jsonl")
    file = Path("journal.jsonl")
    file.chmod(0o600)
    file.write_text(file.read_text(encoding="utf-8").replace('"payments"', '"payment"', 1), encoding="utf-8")
    words = ("policy", "impact", "proposed", "--register-export", "journal.jsonl", "--base-policies", "policies")

    assert "is broken at entry" in house(*words, code=4).stderr


def test_roles_are_compared_with_a_git_revision_without_any_ledger(onboard: Onboard, begun: Path) -> None:
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["add", "policies"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    shutil.rmtree(begun / "policies" / "tests")
    onboarding_line(begun / "policies")

    table = onboard("policy", "impact", "--base", "HEAD", "--roles-only", env={"COLUMNS": "80"})
    told = json.loads(onboard("policy", "impact", "--base", "HEAD", "--roles-only", "--json").stdout)

    assert table.exit_code == 0, table.output
    assert "no ledger was asked" in table.stdout
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert {line["role"] for line in told["roles"]} == {"qa-engineer"}
    assert not list(begun.glob("onboard.db*"))


def test_what_cant_be_compared_is_bad_input_with_the_way_out(onboard: Onboard, begun: Path) -> None:
    def said(*options: str) -> str:
        result = onboard("policy", "impact", *options)
        assert result.exit_code == 2
        return re.sub(r"\s+", " ", result.stderr)

    assert "--base main" in said("--roles-only")
    assert "can't be used together" in said("--roles-only", "--base", "HEAD", "--base-policies", "policies")
    assert "can't be used together" in said("--observe", "--register-export", "x")
    assert "can't be used together" in said("--roles-only", "--base", "HEAD", "--json", "--markdown")
    assert "read from git" in said("--roles-only", "--base", "HEAD")
    assert "x can't be read" in said("--register-export", "x", "--base-policies", "policies")
    assert "--roles-only" in said("--base-policies", "policies")
