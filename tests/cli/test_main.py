"""The frame of the command line: exit codes, messages, speed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import onboard as package
from onboard.cli.output import leave
from tests.cli.conftest import Onboard

HEAVY = ("prefect", "sqlalchemy", "pydantic", "rich", "github", "jira", "slack_sdk", "hvac", "cedarpy", "requests")


def run(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(package.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-P", "-m", "onboard", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": source, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def vanished(tmp_path: Path) -> tuple[str, ...]:
    """A shell command that runs onboard in a directory that is gone: nothing of ours expects that."""
    gone = tmp_path / "gone"
    gone.mkdir()
    return ("sh", "-c", f"cd {gone} && rmdir {gone} && exec {sys.executable} -P -m onboard person list")


def test_a_fault_of_ours_says_how_to_report_it_and_keeps_the_traceback_in_a_private_file(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1]), "TMPDIR": str(tmp_path)}

    result = subprocess.run(vanished(tmp_path), env=env, capture_output=True, text=True, check=False)

    (report,) = tmp_path.glob("onboard-fault-*.txt")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert str(report) in result.stderr
    assert "Traceback" in report.read_text(encoding="utf-8")
    assert report.stat().st_mode & 0o077 == 0


def test_a_fault_of_ours_shows_its_traceback_when_debugging(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1]), "TMPDIR": str(tmp_path)}

    result = subprocess.run(
        vanished(tmp_path), env={**env, "ONBOARD_DEBUG": "1"}, capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert not list(tmp_path.glob("onboard-fault-*.txt"))


def test_wrong_usage_is_exit_code_2(onboard: Onboard) -> None:
    assert onboard("policy", "chek").exit_code == 2
    assert onboard("person", "add").exit_code == 2


def test_wrong_settings_are_all_told_without_a_traceback_and_without_the_secret(onboard: Onboard) -> None:
    result = onboard("doctor", env={"ONBOARD_GITHUB__TOKN": "ghp_secret", "ONBOARD_JIRA__TOKEN": "s3cret"})

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "ONBOARD_GITHUB__TOKN is no setting of onboard. Did you mean ONBOARD_GITHUB__TOKEN?" in result.stderr
    assert "systems.github.org is missing" in result.stderr
    assert "systems.jira.base_url is missing" in result.stderr
    assert "problems in 1 file; nothing was changed." in result.stderr
    assert "Traceback" not in result.output
    assert "ghp_secret" not in result.output
    assert "s3cret" not in result.output


def test_a_ledger_that_cannot_be_opened_is_a_failed_system(onboard: Onboard, home: Path) -> None:
    (home / "onboard.db").write_bytes(b"this is no database, and it is long enough to be taken for one" * 20)

    result = onboard("person", "list")

    assert result.exit_code == 5
    assert "ledger" in result.stderr
    assert "is not a database" in result.stderr


@pytest.mark.parametrize(
    ("codes", "wins"), [((4, 5), 5), ((6, 3, 4), 3), ((2, 1), 1), ((5, 2), 2), ((6, 4), 4), ((0, 6), 6)]
)
def test_of_several_exit_codes_the_gravest_wins(codes: tuple[int, ...], wins: int) -> None:
    with pytest.raises(Exception) as left:  # noqa: PT011 - typer.Exit, whose message is its code
        leave(*codes)

    assert getattr(left.value, "exit_code", None) == wins


def test_all_well_leaves_nothing_to_raise() -> None:
    leave(0, 0)


def test_help_and_version_import_nothing_heavy(tmp_path: Path) -> None:
    program = f"import sys, onboard.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    env = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])}

    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"


def test_what_is_piped_is_plain_text(tmp_path: Path) -> None:
    result = run("init", str(tmp_path / "new"), cwd=tmp_path, FORCE_COLOR="")

    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    assert result.stdout.splitlines()[-1].startswith("Next: ")


def test_version_and_help_name_the_program(onboard: Onboard) -> None:
    assert onboard("--version").stdout == f"onboard {package.__version__}\n"
    help_text = onboard("--help").stdout
    assert all(command in help_text for command in ("init", "doctor", "person", "engagement", "policy", "ledger"))
