"""onboard tasks: what is left for people to do, with who, by when and what shows it; nothing is done by words."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import requests
from typer.testing import Result

from onboard.cli.remains_view import show_tasks, task_json
from onboard.ledger import Register, Task
from tests.cli.house import House, in_days, next_command

ACCOUNT = "deactivate the account in the workspace acme"


def leave(house: House, command: str = "offboard", code: int = 6, **env: str) -> Result:
    """Marta goes while onboard has no token by which it could deactivate a Slack account."""
    return house(command, "marta", "--yes", code=code, ONBOARD_SLACK__ADMIN_TOKEN="", **env)


def deactivate_in_slack(house: House, who: str) -> None:
    """What somebody does by hand in Slack."""
    slack = house.sandbox.slack
    user = house.sandbox.person(who).slack["id"]
    headers = {"Authorization": f"Bearer {slack['admin_token']}"}
    requests.delete(f"{slack['scim_base_url']}Users/{user}", headers=headers, timeout=10).raise_for_status()


@pytest.fixture
def left(house: House) -> House:
    """Marta was in discovery and has left; her Slack account is still there."""
    house.settle()
    leave(house)
    return house


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    path = tmp_path / "users.txt"
    path.write_text("ada, piet\n", encoding="utf-8")
    return path


def test_what_remains_is_said_after_an_offboarding_and_leads_to_the_tasks(house: House) -> None:
    house.settle()

    result = leave(house)

    said = " ".join(result.stdout.split())
    assert "NOT dead everywhere: 2 things are left" in said
    assert "routes verified gone" in said
    assert "API tokens of the Atlassian account: at most until" in said
    assert "1 manual task" in said
    assert next_command(result) == ["tasks"]
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_dead_everywhere_is_said_only_when_every_route_was_read(house: House) -> None:
    house.settle()
    house.sandbox.fault("slack", "500", path="usergroups.list")

    assert "dead everywhere ·" not in house("offboard", "marta", "--yes", code=5).stdout

    house.sandbox.clear_faults()
    assert "  dead everywhere · verified\n" in house("offboard", "marta", "--yes").stdout


def test_a_cut_off_tells_in_words_what_each_lever_did(house: House) -> None:
    house.settle()

    result = house("cutoff", "marta", "--yes")

    assert "slack   deactivated the account · ended the sessions" in result.stdout
    assert "github  ended a membership" in result.stdout
    assert "200" not in result.stdout
    assert "204" not in result.stdout


def test_the_same_as_json(house: House) -> None:
    house.settle()

    told = json.loads(house("cutoff", "marta", "--yes", "--json", code=6, ONBOARD_SLACK__ADMIN_TOKEN="").stdout)

    assert told["remains"]["dead"] is False
    assert [task["what"] for task in told["remains"]["tasks"]] == [ACCOUNT]
    accounts = {account["system"]: account for account in told["remains"]["accounts"]}
    assert "slack:workspace:acme" in [held["resource"] for held in accounts["slack"]["remaining"]]
    assert accounts["vault"]["remaining"] == []
    assert any(u["until"] for u in accounts["jira"]["unverifiable"])
    assert house.json("tasks") == told["remains"]["tasks"]


def test_a_task_names_whom_it_is_about_who_answers_by_when_and_what_shows_it(left: House) -> None:
    said = " ".join(left("tasks").stdout.split())

    assert "· Marta Kowalska Ada Berg · due " + in_days(2) in said
    assert "shown by a screenshot or an export in which it is gone" in said


def test_a_task_is_due_on_the_day_that_the_settings_give(house: House) -> None:
    house.settle()
    leave(house, ONBOARD_TASKS__DUE_DAYS="0")

    (task,) = house.json("tasks")

    assert (task["due"], task["overdue"]) == (in_days(0), False)
    assert "OVERDUE" not in house("tasks").stdout


def test_a_task_is_overdue_once_its_day_is_over_and_never_when_it_is_closed(capsys: pytest.CaptureFixture[str]) -> None:
    day = date(2026, 11, 24)
    opened = datetime(2026, 11, 22, tzinfo=UTC)
    task = Task("t-0123456789", "p-1", "slack", "do it", "operator", day, "a list", opened)
    on_the_day, later = datetime(2026, 11, 24, 23, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)

    show_tasks([task], Register(), str, on_the_day)
    assert "the operator · due 2026-11-24" in capsys.readouterr().out
    show_tasks([task], Register(), str, later)
    assert "the operator · OVERDUE since 2026-11-24" in capsys.readouterr().out
    assert task_json(task, later)["overdue"] is True
    assert task_json(replace(task, done=later), later)["overdue"] is False


def test_a_task_is_not_done_while_the_system_shows_it(left: House, evidence: Path) -> None:
    words = next_command(left("tasks"))

    refused = left(*words[:-1], str(evidence), code=3)

    assert "still shows it: workspace acme" in refused.stderr
    assert len(left.json("tasks")) == 1


def test_evidence_is_kept_by_its_fingerprint_with_whoever_gave_it(left: House, evidence: Path) -> None:
    deactivate_in_slack(left, "marta")
    words = [*next_command(left("tasks"))[:-1], str(evidence)]

    assert "is closed" in left(*words, by="ada").stdout

    assert left("tasks").stdout == "No task is open.\n"
    (task,) = left.json("tasks", "--all")
    assert (task["by"], task["closed_by"]) == (left.ids["ada"], "evidence")
    assert task["evidence"] == hashlib.sha256(evidence.read_bytes()).hexdigest()
    assert "Ada Berg, sha256" in " ".join(left("tasks", "--all").stdout.split())


def test_a_colleague_of_the_same_vendor_closes_nothing(left: House, evidence: Path) -> None:
    words = [*next_command(left("tasks"))[:-1], str(evidence)]
    deactivate_in_slack(left, "marta")

    assert "about a colleague" in left(*words, by="jonas", code=3).stderr
    assert len(left.json("tasks")) == 1


def test_without_a_file_nothing_is_closed(left: House) -> None:
    (task,) = left.json("tasks")

    left("tasks", "done", task["id"], code=2)
    left("tasks", "done", task["id"], "--evidence", "nowhere.png", code=2)

    assert len(left.json("tasks")) == 1


def test_reading_again_closes_what_was_done(left: House) -> None:
    assert "closed" not in left("tasks", "--check").stdout
    deactivate_in_slack(left, "marta")

    assert "closed by re-reading" in left("tasks", "--check").stdout
    assert "by re-reading" in left("tasks", "--all").stdout


def test_a_vendor_is_counted_before_and_its_name_has_to_be_typed(house: House) -> None:
    house.settle()
    house.settle("jonas")
    held = house.held("marta")

    for typed in ("Nordwind\n", "marta\n", ""):
        refused = house("cutoff", "--vendor", "nordwind", typed=typed, code=2)
        assert "Nothing was changed." in refused.stderr
    refused = house("cutoff", "--vendor", "nordwind", typed="", code=2)
    assert "Cuts off 3 people of Nordwind on 4 systems: " in refused.stderr
    assert " 0 pending invitations" in refused.stderr
    assert house.held("marta") == held

    result = house("cutoff", "--vendor", "nordwind", typed="nordwind\n")
    assert house.held("marta") == house.held("jonas") == []
    assert "dead everywhere" in result.stdout
    assert "Every lever was pulled before" in house("cutoff", "--vendor", "nordwind", "--yes").stdout


def test_a_cut_off_is_of_a_person_or_of_a_vendor(house: House) -> None:
    assert "onboard cutoff --vendor VENDOR" in house("cutoff", code=2).stderr
    assert "onboard cutoff --vendor VENDOR" in house("cutoff", "marta", "--vendor", "nordwind", code=2).stderr
    assert "Known: nordwind" in house("cutoff", "--vendor", "nobody", "--yes", code=2).stderr


def test_what_has_ended_already_is_confirmed_before_it_takes_anything(house: House) -> None:
    house.settle()

    for typed in ("no\n", ""):
        refused = house("record", "marta", "nda_signed", f"--until={in_days(-1)}", typed=typed, code=2)
        assert "taken from Marta Kowalska at once" in refused.stderr
    assert house.held("marta") != []

    house("record", "marta", "nda_signed", f"--until={in_days(-1)}", "--yes", code=6)
    assert house.held("marta") == []
