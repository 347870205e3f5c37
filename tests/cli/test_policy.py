"""Policies checked and tested from the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.cli.conftest import Onboard


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_wrong_policy_is_told_by_file_and_line_and_exit_code_2(onboard: Onboard, begun: Path) -> None:
    edit(begun / "policies" / "roles" / "backend-engineer.yaml", "level: push", "level: write")

    result = onboard("policy", "check")

    assert result.exit_code == 2
    assert "policies/roles/backend-engineer.yaml:" in result.stderr
    assert "push" in result.stderr
    assert "nothing was changed" in result.stderr or result.stderr.count("\n") == 1


def test_a_policy_that_gives_more_than_its_tests_expect_is_exit_code_4(onboard: Onboard, begun: Path) -> None:
    edit(begun / "policies" / "tests" / "phases.yaml", "      - github:repo:acme/e2e-tests triage\n", "")

    result = onboard("policy", "test")
    as_json = onboard("policy", "test", "--json")

    assert result.exit_code == as_json.exit_code == 4
    assert "triage is granted and not expected" in result.stdout
    failed = json.loads(as_json.stdout)["failed"]
    assert any("triage is granted and not expected" in line for test in failed for line in test["wrong"])


def test_another_folder_of_policies_can_be_checked_before_it_is_in_force(onboard: Onboard, begun: Path) -> None:
    (begun / "policies").rename(begun / "proposed")
    (begun / "proposed" / "facts.yaml").unlink()

    in_force = onboard("policy", "check")
    proposed = onboard("policy", "check", "proposed")

    assert in_force.exit_code == 0
    assert proposed.exit_code == 2
    assert "proposed/facts.yaml" in proposed.stderr


def test_checking_needs_no_credentials(onboard: Onboard, begun: Path) -> None:
    (begun / "onboard.toml").write_text('[systems.github]\norg = "acme"\n', encoding="utf-8")
    assert not [name for name in os.environ if name.startswith("ONBOARD_GITHUB")]

    assert onboard("policy", "check").exit_code == 0
