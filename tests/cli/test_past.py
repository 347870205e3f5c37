"""A day that is gone: who held what, under which policy, approved by whom. No system is asked."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

from onboard.sandbox.client import SandboxClient
from tests.cli.house import House, in_days

REPO = "github:repo:acme/payments-api"


def now() -> str:
    return datetime.now(UTC).isoformat()


def test_what_somebody_held_is_told_after_they_left(house: House, sandbox: SandboxClient) -> None:
    before = now()
    house.settle("marta")
    held = now()
    house("offboard", "marta", "--yes")

    then = house.json("access", "marta", "--as-of", held)["held"]

    assert house.json("access", "marta", "--as-of", before)["held"] == []
    assert house.json("access", "marta", "--as-of", now())["held"] == []
    repo = next(line for line in then if line["resource"] == REPO)
    assert repo["level"] == "pull"
    assert repo["source"].startswith("roles/backend-engineer.yaml:")
    assert [(a["person"], a["as"]) for a in repo["approved_by"]] == [(house.ids["ada"], "sponsor of payments")]
    assert repo["receipt"]["status"]
    assert len(repo["policy"]) == 64
    assert repo["ended"] > held


def test_who_held_a_resource_is_told_with_whom_approved_it(house: House) -> None:
    house.settle("marta")
    held = now()
    house("cutoff", "marta", "--yes")

    (line,) = house.json("who", REPO, "--as-of", held)["held"]
    output = house("explain", "marta", REPO, "--as-of", held).stdout

    assert line["person"] == house.ids["marta"]
    assert "Marta Kowalska held pull on github:repo:acme/payments-api" in output
    assert "Ada Berg (sponsor of payments, vault login)" in output
    assert house.json("who", REPO, "--as-of", now())["held"] == []


def test_it_needs_no_system(house: House) -> None:
    house.settle("marta")
    closed = "http://127.0.0.1:9"

    told = house("access", "marta", "--as-of", now(), ONBOARD_GITHUB__BASE_URL=closed, ONBOARD_VAULT__ADDR=closed)

    assert "Held" in told.stdout


def test_what_was_not_held_is_explained_by_what_lacked_then(house: House) -> None:
    house("start", "marta", code=6)
    early = now()
    house("record", "marta", "nda_signed", f"--until={in_days(90)}", code=6)

    output = house("explain", "marta", REPO, "--as-of", early).stdout

    assert "held nothing" in output
    assert "nda_signed" in output


def test_a_day_that_hasnt_come_or_is_no_day_is_refused_with_the_form(house: House) -> None:
    assert "hasn't come yet" in house("access", "marta", "--as-of", in_days(2), code=2).stderr
    assert "expected a day like" in house("access", "marta", "--as-of", "March", code=2).stderr


def test_the_git_revision_of_the_policy_is_kept(house: House) -> None:
    house("init")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-C", str(house.folder)]
    for command in (["init", "-q"], ["add", "policies"], ["commit", "-qm", "policies"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    house.settle("marta")

    line, *_ = house.json("access", "marta", "--as-of", now())["held"]

    assert line["revision"] == commit
