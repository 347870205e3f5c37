"""The workflow that people copy to GitHub: its commands exist and do what it expects of them, and it may do little."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML
from typer.core import TyperGroup

from onboard.cli.impact_view import MARK
from onboard.cli.main import app

ROOT = Path(__file__).parents[1]
WORKFLOW = YAML(typ="safe").load(ROOT / "deploy" / "github" / "policy.yml")
STEPS: list[dict[str, Any]] = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
COMMAND = re.compile(r"^ *onboard ([^>|&]*)", re.MULTILINE)
COMMANDS = [command.strip() for step in STEPS for command in COMMAND.findall(step.get("run", ""))]


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_exists_with_its_options(line: str) -> None:
    words, command = shlex.split(line), typer.main.get_command(app)
    while isinstance(command, TyperGroup):
        command = command.commands[words.pop(0)]

    with command.make_context("onboard", words, resilient_parsing=False) as context:
        assert context.params


def test_it_checks_tries_and_shows_what_would_change() -> None:
    assert {" ".join(command.split()[:2]) for command in COMMANDS} == {"policy check", "policy test", "policy impact"}


def test_actions_are_pinned_to_a_commit_and_jobs_may_do_no_more_than_they_need() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]

    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)
    assert WORKFLOW["permissions"] == {}
    assert {name: job["permissions"] for name, job in WORKFLOW["jobs"].items()} == {
        "try": {"contents": "read"},
        "comment": {"pull-requests": "write"},
    }


def test_what_a_pull_request_says_never_becomes_part_of_a_script() -> None:
    assert not [step["name"] for step in STEPS if "${{" in step.get("run", "")]


def test_the_impact_reaches_the_comment_whatever_its_exit_code(tmp_path: Path) -> None:
    (step,) = [step for step in STEPS if step.get("id") == "impact"]
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    (tmp_path / "onboard.toml").write_text('policies = "policies"\n[systems.github]\norg = "acme"\n', encoding="utf-8")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=T", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    role = tmp_path / "policies" / "roles" / "frontend-engineer.yaml"
    role.write_text(role.read_text(encoding="utf-8") + "\nmax_days: 90\n", encoding="utf-8")
    told, summary = tmp_path / "output", tmp_path / "summary"
    around = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    given = {"BASE": "HEAD", "MARK": "end", "GITHUB_OUTPUT": str(told), "GITHUB_STEP_SUMMARY": str(summary)}

    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]], cwd=tmp_path, env={**around, **given}, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert told.read_text(encoding="utf-8").startswith(f"impact<<end\n{MARK}\n")
    assert "frontend-engineer" in summary.read_text(encoding="utf-8")
    assert MARK in STEPS[-1]["run"]
