"""The doctor looks at every system with every credential, and at what lies here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from onboard.sandbox.client import SandboxClient
from tests.cli.conftest import Onboard, person
from tests.connectors.github.support import app_key, installed
from tests.connectors.github.world import demo

WRITING = ("ONBOARD_GITHUB__TOKEN", "ONBOARD_JIRA__TOKEN", "ONBOARD_SLACK__BOT_TOKEN", "ONBOARD_VAULT__TOKEN")


def checks(output: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(check["what"], check["credential"]): check for check in json.loads(output)}


def test_a_system_that_is_down_is_exit_code_5_and_the_others_are_still_looked_at(
    onboard: Onboard, sandbox: SandboxClient
) -> None:
    onboard("ledger", "init")
    gone = {**sandbox.env, "ONBOARD_SLACK__BASE_URL": "http://127.0.0.1:9/api/"}

    result = onboard("doctor", "--json", env=gone)

    found = checks(result.stdout)
    assert result.exit_code == 5
    assert found["slack", "reading"]["found"] == "down"
    assert found["vault", "reading"]["well"]
    assert found["ledger", ""]["well"]


def test_a_token_that_is_not_accepted_is_said_without_showing_it(onboard: Onboard, sandbox: SandboxClient) -> None:
    wrong = {**sandbox.env, "ONBOARD_VAULT__READ_TOKEN": "hvs.wrong-and-secret"}

    result = onboard("doctor", env=wrong)

    assert result.exit_code != 0
    assert "NO  vault" in result.stdout
    assert "hvs.wrong-and-secret" not in result.output


def test_a_missing_reading_credential_is_said_and_never_replaced_by_the_writing_one(
    onboard: Onboard, sandbox: SandboxClient
) -> None:
    result = onboard("doctor", env={**sandbox.env, "ONBOARD_GITHUB__READ_TOKEN": ""})

    assert result.exit_code == 2
    assert "github has no credential for reading. Set ONBOARD_GITHUB__READ_TOKEN" in result.stdout
    assert not [entry for entry in sandbox.requests("github") if entry["token"] == "read"]


def test_without_writing_credentials_reading_is_still_checked(onboard: Onboard, sandbox: SandboxClient) -> None:
    reading = {name: value for name, value in sandbox.env.items() if name not in WRITING}

    found = checks(onboard("doctor", "--json", env=reading).stdout)

    assert found["slack", "reading"]["well"]
    assert found["slack", "writing"]["found"] == "no credential"
    assert {entry["token"] for entry in sandbox.requests("slack")} == {"read", "read-admin"}


def test_the_doctor_changes_nothing_anywhere(onboard: Onboard, sandbox: SandboxClient) -> None:
    onboard("doctor", env=sandbox.env)

    assert sandbox.requests()
    assert sandbox.writes() == []


def test_a_wrong_policy_and_an_unusable_ledger_are_found_together(onboard: Onboard, begun: Path) -> None:
    (begun / "policies" / "facts.yaml").unlink()
    (begun / "onboard.db").mkdir()

    result = onboard("doctor", "--json")

    found = checks(result.stdout)
    assert result.exit_code == 2
    assert not found["policies", ""]["well"]
    assert not found["ledger", ""]["well"]


def test_a_fresh_folder_is_told_to_name_its_systems(onboard: Onboard, begun: Path) -> None:
    assert begun.is_dir()
    onboard("ledger", "init")

    result = onboard("doctor")

    assert result.exit_code == 0
    assert "No system is configured" in result.stdout


def test_a_ledger_that_is_not_where_the_settings_say_is_told_and_none_is_begun(onboard: Onboard, begun: Path) -> None:
    result = onboard("doctor")

    assert result.exit_code == 2
    assert f"There is no ledger at {begun / 'onboard.db'}. Was it moved, or lost?" in result.stdout
    assert not (begun / "onboard.db").exists()


@pytest.mark.parametrize("system", ["github", "jira", "slack", "vault"])
def test_each_credential_of_the_sandbox_has_what_it_needs_and_no_more(
    onboard: Onboard, sandbox: SandboxClient, system: str
) -> None:
    found = checks(onboard("doctor", "--json", env=sandbox.env).stdout)

    assert [found[system, purpose]["advice"] for purpose in ("reading", "writing")] == [[], []]


def test_as_a_github_app_it_shows_the_apps_rights_and_those_too_many_for_reading(
    onboard: Onboard, sandbox: SandboxClient, tmp_path: Path
) -> None:
    sandbox.reset(demo(app=installed(members="write", administration="read")))
    key = tmp_path / "app.pem"
    key.write_text(app_key()[0], encoding="utf-8")
    env = {name: value for name, value in sandbox.env.items() if name != "ONBOARD_GITHUB__READ_TOKEN"}
    env |= {"ONBOARD_GITHUB__READ_APP_ID": "7", "ONBOARD_GITHUB__READ_INSTALLATION_ID": "70"}
    env |= {"ONBOARD_GITHUB__READ_PRIVATE_KEY_FILE": str(key)}

    shown = onboard("doctor", "--rights", env=env).stdout

    assert "github reading may: administration: read, members: write" in shown
    assert "github reading: may more than it needs: members: write" in shown
    assert "what github can" in shown
    assert "BEGIN RSA" not in shown
    assert {e["token"] for e in sandbox.requests("github")} == {"app", "none", "write"}


def test_doctor_says_when_the_ledger_was_last_signed_and_that_its_witness_is_too_near(
    onboard: Onboard, begun: Path
) -> None:
    witness = {"ONBOARD_CHECKPOINTS__WITNESSES": "file:w.jsonl"}
    person(onboard, "Marta")

    before = onboard("doctor").stdout
    assert not (begun / "onboard-checkpoints.pem").exists()
    onboard("ledger", "checkpoint", env=witness)
    after = onboard("doctor", env=witness).stdout

    assert re.search(r"ok +checkpoints +local +none yet, no witness", before)
    assert re.search(r"ok +checkpoints +local +the last 0 d 0 h ago, 1 witness", after)
    assert "w.jsonl lies beside the ledger" in after
