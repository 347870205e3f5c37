"""change-role, offboard, cutoff, restore: what is taken goes at once, and nothing is taken by a slip."""

from __future__ import annotations

import json

from github import Auth, Github

from tests.cli.house import House, next_command


def grant_behind_our_back(house: House, repo: str, login: str, level: str) -> None:
    github = Github(
        base_url=house.sandbox.github["base_url"],
        auth=Auth.Token(house.sandbox.person("octo-admin").github["token"]),
        seconds_between_requests=0,
        seconds_between_writes=0,
        lazy=True,
    )
    github.get_repo(repo).add_to_collaborators(login, permission=level)


def test_without_the_right_name_typed_nothing_changes(house: House) -> None:
    house.settle()
    before = house.json("ledger", "verify")

    for command in ("offboard", "cutoff"):
        for typed in ("wrong\n", "marta kowalska\n", ""):
            result = house(command, "marta", typed=typed, code=2)
            assert "Nothing was changed." in result.stderr

    assert house.json("ledger", "verify") == before
    assert "repo:acme/payments-api pull" in house.held("marta")


def test_the_preview_of_an_offboarding_shows_also_what_others_granted(house: House) -> None:
    house.settle()
    grant_behind_our_back(house, "acme/e2e-tests", "marta-nw", "push")

    result = house("offboard", "marta", typed="Marta Kowalska\n")

    preview = result.stderr
    assert "Takes from Marta Kowalska everything, whoever granted it: 7 rights now." in preview
    assert any("repo acme/e2e-tests" in line and "not by policy" in line for line in preview.splitlines())
    assert house.held("marta") == []
    assert "nothing is held any more" in result.stdout


def test_pending_invitations_go_with_the_person(house: House) -> None:
    digest = house.start()
    house("approve", digest, by="ada")
    house("apply", digest)
    assert "org:acme member invited" in house.held("marta")

    house("offboard", "marta", "--yes")

    assert house.held("marta") == []
    house.sandbox.accept("marta")
    assert house.held("marta") == []


def test_offboarding_again_writes_nothing_and_reads_back_again(house: House) -> None:
    house.settle()
    house("offboard", "marta", "--yes")
    writes = len(house.sandbox.writes())

    again = house("offboard", "marta", "--yes")

    assert "nothing is held any more" in again.stdout
    assert len(house.sandbox.writes()) == writes


def test_an_engagement_that_the_person_is_not_in_is_bad_input(house: House) -> None:
    house.settle()

    house("offboard", "marta", "--engagement=nothing", "--yes", code=2)

    assert "repo:acme/payments-api pull" in house.held("marta")


def test_a_system_that_cannot_be_read_is_never_reported_as_empty(house: House) -> None:
    house.settle()

    result = house("offboard", "marta", "--yes", code=5, ONBOARD_SLACK__BASE_URL="http://127.0.0.1:9/api/")

    assert "Not verified: slack" in result.stdout
    assert "nothing is held any more" not in result.stdout
    assert house.held("marta") == ["channel:onboarding member"]
    house("offboard", "marta", "--yes")
    assert house.held("marta") == []


def test_a_role_change_takes_the_old_roles_access_at_once_and_proposes_the_new_one(house: House) -> None:
    house.settle()

    result = house("change-role", "marta", "qa-engineer", code=6)

    assert "role changed" in result.stdout
    assert "repo:acme/payments-api pull" not in house.held("marta")
    assert not [line for line in house.held("marta") if "e2e-tests" in line]
    approved = house(*next_command(result), by="ada")
    house(*next_command(approved))
    house.sandbox.accept("marta")
    assert "repo:acme/e2e-tests pull" in house.held("marta")


def test_a_role_that_is_not_there_is_met_with_its_neighbour(house: House) -> None:
    house.settle()

    assert "Did you mean qa-engineer?" in house("change-role", "marta", "qa-enginer", code=2).stderr
    assert "repo:acme/payments-api pull" in house.held("marta")


def test_a_cut_off_previews_accounts_without_reading_and_ends_everything(house: House) -> None:
    house.settle()
    before = len(house.sandbox.requests())

    refused = house("cutoff", "marta", typed="no\n", code=2)
    assert "marta-nw" in refused.stderr
    assert len(house.sandbox.requests()) == before

    result = house("cutoff", "marta", typed="Marta Kowalska\n")
    assert "nothing is held any more" in result.stdout
    assert house.held("marta") == []


def test_a_cut_off_pulls_the_other_levers_where_one_system_is_down(house: House) -> None:
    house.settle()

    answer = house("cutoff", "marta", "--yes", "--json", code=5, ONBOARD_GITHUB__BASE_URL="http://127.0.0.1:9")

    report = json.loads(answer.stdout)
    failed = [lever["system"] for lever in report["levers"] if lever["failure"]]
    assert failed == ["github"]
    assert report["exit_code"] == 5
    assert all(line.startswith(("org:", "repo:", "team:")) for line in house.held("marta"))


def test_restoring_under_the_sponsors_login_brings_back_at_once_all_but_a_closed_account(house: House) -> None:
    house.settle()
    held = house.held("marta")
    house("offboard", "marta", "--yes")

    result = house("restore", "marta", by="ada", code=6)

    assert "5 granted · 1 without an account" in result.stdout
    assert "the account is deactivated" in " ".join(result.stdout.split())
    house.sandbox.accept("marta")
    assert house.held("marta") == [line for line in held if not line.startswith("channel:")]


def test_restoring_as_the_operator_waits_for_approval(house: House) -> None:
    house.settle()
    house("offboard", "marta", "--yes")

    assert next_command(house("restore", "marta", code=6))[0] == "approve"
    assert house.held("marta") == []


def test_without_a_removal_there_is_nothing_to_restore(house: House) -> None:
    house.settle()

    assert "nothing to restore" in house("restore", "marta", code=2).stderr
