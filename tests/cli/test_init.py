"""Beginning: a folder with settings and starter policies that hold together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onboard.settings import Settings
from tests.cli.conftest import Onboard


@pytest.mark.parametrize("taken", ["onboard.toml", "policies"])
def test_init_overwrites_nothing(onboard: Onboard, home: Path, taken: str) -> None:
    (home / taken).mkdir()

    result = onboard("init")

    assert result.exit_code == 2
    assert f"{taken}  exists already and isn't overwritten" in result.stderr
    assert [path.name for path in home.iterdir()] == [taken]


def test_init_begins_in_another_folder_on_request(onboard: Onboard, home: Path) -> None:
    assert onboard("init", "deep/er").exit_code == 0

    assert (home / "deep" / "er" / "onboard.toml").is_file()


def test_the_starter_policies_are_right_and_pass_their_own_tests(onboard: Onboard, begun: Path) -> None:
    assert onboard("policy", "check").exit_code == 0
    assert onboard("policy", "test").exit_code == 0
    assert (begun / "policies" / "resources.yaml").is_file()


def test_every_commented_setting_is_one_that_onboard_knows(begun: Path) -> None:
    file = begun / "onboard.toml"
    commented = re.sub(r"(?m)^# (?=\[|\w+ = )", "", file.read_text(encoding="utf-8"))
    file.write_text(commented, encoding="utf-8")

    settings = Settings.load({"ONBOARD_MAIL__PASSWORD": "secret"}, begun)

    assert sorted(settings.systems) == ["github", "github-eu", "jira", "slack", "vault"]


def test_no_secret_stands_in_the_settings_that_init_writes(begun: Path) -> None:
    text = (begun / "onboard.toml").read_text(encoding="utf-8")

    assert not re.search(r"(?m)^#? ?\w*(token|secret_id) = (?!\"vault:)", text)
