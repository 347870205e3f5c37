"""Policies that can't be read hold up nothing that runs by itself or takes away; people are told to mend them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from onboard.wiring import starter_policies
from tests.cli.house import House, in_days


@pytest.fixture
def broken(house: House) -> House:
    """A house in which Marta holds what discovery gives, and then somebody slips in a role's file."""
    folder = Path(shutil.copytree(starter_policies(), house.folder / "policies"))
    (house.folder / "onboard.toml").write_text('policies = "policies"\n')
    house.settle()
    assert house.held("marta")
    role = folder / "roles" / "backend-engineer.yaml"
    role.write_text(role.read_text().replace("level: pull", "level: pul", 1))
    return house


def test_a_lapse_takes_access_away_by_the_policies_that_were_last_in_force(broken: House) -> None:
    done = broken("record", "marta", "nda_signed", f"--until={in_days(-1)}", "--yes", code=6)

    assert "so the ones last in force" in done.stderr
    assert "policies/roles/backend-engineer.yaml:" in done.stderr
    assert broken.held("marta") == []


def test_the_review_runs_and_the_folder_is_what_it_finds(broken: House) -> None:
    before = broken.json("review", code=4)

    assert before["findings"] == []
    assert before["fallen_back"].startswith("The policies can't be read, so the ones last in force")


def test_what_would_grant_waits_for_policies_that_can_be_read(broken: House) -> None:
    for words in (("plan",), ("advance", "marta"), ("policy", "check"), ("policy", "test")):
        assert "level 'pul'" in broken(*words, code=2).output
