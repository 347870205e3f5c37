"""A new user's first day, by hand: every word below is typed, every grant is looked up with the vendors' own SDKs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from github import Auth, Github

from onboard.sandbox.client import SandboxClient
from tests.cli.house import PEOPLE, in_days, login, write_manifest, write_roster
from tests.e2e.shell import Shell, leftovers
from tests.e2e.vendors import held

DISCOVERY = {"org acme", "team outsourced-readers", "jira group outsourced-engineers", "channel onboarding"}
BACKEND = {*DISCOVERY, "repo payments-api read", "jira PAY Viewers"}
QA = {*DISCOVERY, "repo e2e-tests read", "jira PAY Viewers"}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxClient]:
    """`onboard sandbox --data DIR --json`, started in a terminal of its own."""
    child = Shell(tmp_path).start("sandbox", "--data", tmp_path / "sandbox", "--json")
    assert child.stdout is not None
    try:
        yield SandboxClient(json.loads(child.stdout.readline()))
    finally:
        child.terminate()
        child.communicate(timeout=30)
    assert child.returncode == 0


def test_from_an_empty_folder_to_exact_access_another_role_and_nothing(shell: Shell, sandbox: SandboxClient) -> None:
    assert held(sandbox, "marta") == set()

    # People and the engagement
    shell("init")
    shell("person", "import", write_roster(shell.folder, sandbox))
    people = json.loads(shell("person", "list", "--json").stdout)
    ids = {who: next(p["id"] for p in people if p["email"] == sandbox.person(who).email) for who in PEOPLE}
    shell("engagement", "load", write_manifest(shell.folder, ids))
    shell("start", "marta", code=6)
    report = json.loads(shell("record", "marta", "nda_signed", f"--until={in_days(90)}", "--json", code=6).stdout)
    digest = report["open"][0]["digest"][:8]
    assert sandbox.writes() == []

    # Who may say yes
    shell("approve", digest, code=3)
    shell("approve", digest, code=3, VAULT_TOKEN=login(sandbox, "viktor"))
    shell("apply", digest, code=3)
    assert held(sandbox, "marta") == set()
    shell("approve", digest, VAULT_TOKEN=login(sandbox, "ada"))

    # Exactly this, and no more the second time
    shell("apply", digest)
    assert {thing.removesuffix(", invited") for thing in held(sandbox, "marta")} == BACKEND
    sandbox.accept("marta")
    assert held(sandbox, "marta") == BACKEND
    assert held(sandbox, "jonas") == set()
    writes = sandbox.writes()
    shell("apply", digest)
    shell("start", "marta")
    assert sandbox.writes() == writes

    # Another role
    changed = json.loads(shell("change-role", "marta", "qa-engineer", "--json", code=6).stdout)
    assert held(sandbox, "marta") == BACKEND & QA
    digest = changed["open"][0]["digest"]
    shell("approve", digest, VAULT_TOKEN=login(sandbox, "ada"))
    shell("apply", digest)
    assert held(sandbox, "marta") == QA

    # Gone, with what somebody else granted
    _grant_by_hand(sandbox, "data-pipelines", "marta-nw")
    shell("offboard", "marta", "--yes")
    assert held(sandbox, "marta") == set()
    sandbox.accept("marta")
    assert held(sandbox, "marta") == set()
    shell("ledger", "verify")


def _grant_by_hand(sandbox: SandboxClient, repo: str, who: str) -> None:
    owner = Auth.Token(sandbox.person("octo-admin").github["token"])
    api = Github(base_url=sandbox.github["base_url"], auth=owner, seconds_between_writes=0, lazy=True)
    api.get_repo(f"acme/{repo}").add_to_collaborators(who, permission="admin")


@pytest.mark.slow
def test_the_demo_plays_to_its_end_and_its_review_finds_exactly_what_was_tampered_with(tmp_path: Path) -> None:
    shell = Shell(tmp_path)

    played = shell.start("demo", "--seed", "7", "--folder", tmp_path / "demo")
    out, err = played.communicate(timeout=400)

    assert played.returncode == 0, f"{out}\n{err}"
    assert re.search(r"\d+ expected, \d+ found: exactly those\.", out)
    assert "Traceback" not in err
    assert "\x1b" not in out
    assert not leftovers(played)
    Shell(tmp_path / "demo")("ledger", "verify")
