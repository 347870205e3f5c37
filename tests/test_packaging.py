"""The wheel carries everything that a checkout has: flows and starter policies too, and works outside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout and unpacked as pip would."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=TOP, check=True, capture_output=True)
    (wheel,) = folder.glob("onboard-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def outside(unpacked: Path, cwd: Path, *arguments: str) -> str:
    """What Python prints when only the unpacked wheel and the dependencies are there."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ONBOARD_")}
    run = subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=cwd,
        env={**env, "PYTHONPATH": str(unpacked), "HOME": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def names(folder: Path, pattern: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob(pattern)}


def test_every_flow_and_every_policy_is_in_the_wheel(unpacked: Path) -> None:
    flows = names(TOP / "flows", "*.py")
    policies = {name for name in names(TOP / "policies", "*") if (TOP / "policies" / name).is_file()}

    assert flows <= names(unpacked / "onboard" / "flows", "*.py")
    assert policies == {
        name
        for name in names(unpacked / "onboard" / "policies", "*")
        if (unpacked / "onboard" / "policies" / name).is_file()
    }


def test_no_test_and_nothing_private_is_in_the_wheel(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir()}

    assert {name for name in top if not name.endswith(".dist-info")} == {"onboard"}
    assert not names(unpacked, "*.db")
    assert not names(unpacked, "onboard.toml")


def test_the_wheel_begins_a_folder_whose_policies_hold_together(unpacked: Path, tmp_path: Path) -> None:
    assert "onboard" in outside(unpacked, tmp_path, "-m", "onboard", "--version")

    outside(unpacked, tmp_path, "-m", "onboard", "init")
    checked = outside(unpacked, tmp_path, "-m", "onboard", "policy", "check")

    assert (tmp_path / "onboard.toml").is_file()
    assert checked.startswith("No problems in policies")


def test_flows_are_found_in_the_wheel_and_in_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    where = "import importlib.util as u; print(u.find_spec('onboard.flows.discovery').origin)"

    from_wheel = outside(unpacked, tmp_path, "-c", where)
    from_checkout = outside(TOP / "src", tmp_path, "-c", where)

    assert Path(from_wheel.strip()) == unpacked / "onboard" / "flows" / "discovery.py"
    assert Path(from_checkout.strip()) == TOP / "flows" / "discovery.py"


def _normal(requirement: str) -> str:
    """The distribution's name as locks write it."""
    return re.sub(r"[._]", "-", re.split(r"[\[<>=~!; ]", requirement)[0].lower())


def test_the_lock_pins_every_dependency_with_hashes_and_names_no_host() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    direct = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["sandbox"]]
    for lock, wanted in (
        ("requirements.txt", direct),
        ("requirements-dev.txt", [*direct, *project["dependency-groups"]["dev"]]),
    ):
        text = (TOP / lock).read_text(encoding="utf-8")
        pinned = {_normal(name) for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", text)}
        missing = [one for one in wanted if _normal(one) not in pinned]
        assert missing == [], lock
        assert "://" not in text, lock
        assert len(re.findall(r"(?m)^[A-Za-z0-9._\[\]-]+==", text)) <= text.count("--hash=sha256:")


def test_both_locks_agree() -> None:
    pins = [
        dict(re.findall(r"(?m)^([A-Za-z0-9._\[\]-]+)==(\S+)", (TOP / lock).read_text(encoding="utf-8")))
        for lock in ("requirements.txt", "requirements-dev.txt")
    ]

    assert {name: version for name, version in pins[0].items() if pins[1].get(name) != version} == {}
