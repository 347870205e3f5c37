"""Which commit policies are said to be: only one that has them exactly."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from onboard.policy.files.revision import revision_of


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A folder of policies in a repository that has them."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "resources.yaml").write_text("{}\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", "policies")
    _git(tmp_path, "commit", "-qm", "policies")
    return folder


def test_policies_that_git_has_are_its_commit(policies: Path) -> None:
    assert revision_of(policies) == _git(policies, "rev-parse", "HEAD")


def test_policies_that_git_ignores_are_no_commit_of_the_repository_around_them(policies: Path) -> None:
    (policies.parent / ".gitignore").write_text("/tour/\n")
    (tour := policies.parent / "tour").mkdir()
    (tour / "resources.yaml").write_text("{}\n")

    assert revision_of(tour) is None


def test_one_ignored_policy_makes_them_no_commit_and_an_ignored_stray_doesnt(policies: Path) -> None:
    (policies.parent / ".git" / "info" / "exclude").write_text("stray.*\n")
    (policies / "stray.swp").touch()
    assert revision_of(policies) is not None

    (policies / "stray.yaml").touch()
    assert revision_of(policies) is None


def _git(folder: Path, *command: str) -> str:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-C", str(folder), *command]
    return subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
