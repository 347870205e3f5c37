"""access, who, explain, review: read from the systems, each line with its reason; the unreadable is never empty."""

from __future__ import annotations

import json

from tests.cli.house import House, in_days, next_command
from tests.cli.test_leaving import grant_behind_our_back

PROTECTED = {f"ONBOARD_{system}__PROTECTED": "onboard-bot" for system in ("GITHUB", "JIRA", "SLACK", "VAULT")}
API = "github:repo:acme/payments-api"


def test_access_shows_each_right_with_its_line_and_its_end(house: House) -> None:
    digest = house.start()
    house("approve", digest, by="ada")
    house("apply", digest)

    result = house("access", "marta")

    assert "Marta Kowalska · backend-engineer · Nordwind / payments · discovery" in result.stdout
    assert "Holds 6 rights on 3 systems, 3 not accepted yet." in result.stdout
    assert f"until {in_days(90)}," in result.stdout
    assert "backend-engineer.yaml:12" in result.stdout


def test_somebody_who_left_holds_nothing_and_it_is_said_since_when(house: House) -> None:
    house.settle()
    house("offboard", "marta", "--yes")

    result = house("access", "marta")

    assert result.stdout.startswith("Marta Kowalska · left ")
    assert "\nHolds nothing on github, jira, slack, vault." in result.stdout


def test_what_cannot_be_read_is_exit_code_5_and_never_nothing(house: House) -> None:
    house.settle()
    down = {"ONBOARD_GITHUB__BASE_URL": "http://127.0.0.1:9"}

    assert "could not be read" in house("access", "marta", code=5, **down).stdout
    assert "0 rights" not in house("who", API, code=5, **down).stdout
    assert "could not be read" in house("explain", "marta", API, code=5, **down).stdout
    review = house("review", code=5, **down)
    assert "3 of 4 systems" in review.stdout or "not completely" in review.stdout


def test_who_tells_engineers_by_policy_from_own_people_and_strangers(house: House) -> None:
    house.settle()
    grant_behind_our_back(house, "acme/payments-api", "mallory", "admin")
    house.sandbox.accept("mallory")

    held = {line.split("  ")[1]: line for line in house("who", API).stdout.splitlines() if line.startswith("  ")}

    assert "backend-engineer.yaml:10" in held["Marta Kowalska"]
    assert "not outsourced" in held["Ada Berg"]
    assert "bound to nobody" in held["mallory"]


def test_a_resource_that_is_none_or_on_no_system_is_bad_input(house: House) -> None:
    assert "Write system:type:name" in house("who", "payments-api", code=2).stderr
    assert "No system 'gitlab'" in house("who", "gitlab:repo:acme/payments-api", code=2).stderr
    assert "not declared" in house("explain", "marta", "github:repo:acme/nothing", code=2).stderr


def test_an_explanation_goes_from_the_policy_line_to_the_receipt(house: House) -> None:
    house.settle()

    told = house("explain", "marta", API).stdout

    for part in (
        f"Marta Kowalska holds pull on {API}",
        "backend-engineer in payments: pull, roles/backend-engineer.yaml:10",
        "nda_signed, recorded",
        "Ada Berg (sponsor of payments, vault login)",
        "granted pull",
        "not yet   triage: carried from tooling-setup",
        "Would be given once:",
        "triage: they reach tooling-setup in payments",
        "Would end at once if:",
        f"nda_signed lapses (after {in_days(90)})",
        "the sponsor of payments leaves",
    ):
        assert part in told


def test_what_would_change_the_answer_is_in_the_json_and_so_is_the_plan_that_waits(house: House) -> None:
    digest = house.start()

    why = house.json("explain", "marta", API)

    assert why["held"] == []
    assert why["pending"] == [digest]
    by_level = {way["level"]: way["facts"] for way in why["would_give"]}
    assert by_level["triage"][0] == ["they reach tooling-setup in payments"]
    assert all(len(facts) == 2 for facts in by_level["push"])
    assert {"facts": ["they leave"], "level": "pull", "left": None} in why["would_end"]


def test_access_who_and_explain_agree_on_what_comes_with_a_team(house: House) -> None:
    house.settle()
    held = [line for line in house.json("access", "marta")["held"] if line["via"].startswith("team ")]
    assert held

    for line in held:
        theirs = [one for one in house.json("who", line["resource"])["held"] if one["person"] == house.ids["marta"]]
        assert line in theirs
        assert line["source"].startswith("roles/backend-engineer.yaml:")
        if line["resource"] == API:
            routes = {one["via"] for one in house.json("explain", "marta", API)["held"]}
            assert line["via"] in routes


def test_an_explanation_says_why_something_is_not_held_and_names_no_bare_id(house: House) -> None:
    assert "the assignment to payments has not started" in house("explain", "jonas", API).stdout
    house.settle()
    house("offboard", "marta", "--yes")

    told = house("explain", "marta", API).stdout

    assert "holds nothing" in told
    assert "Marta Kowalska left" in told
    assert house.ids["marta"] not in told


def test_the_same_facts_as_json(house: House) -> None:
    house.settle()

    access, who, why = house.json("access", "marta"), house.json("who", API), house.json("explain", "marta", API)

    assert {line["resource"] for line in access["held"]} >= {API, "slack:channel:onboarding"}
    assert [line["until"] for line in who["held"] if line["person"] == house.ids["marta"]] == [in_days(90)]
    assert why["history"][0]["approved_by"][0]["person"] == house.ids["ada"]
    assert {document["exit_code"] for document in (access, who, why)} == {0}


def test_a_review_without_findings_is_exit_code_0_and_changes_nothing(house: House) -> None:
    house.settle()
    writes = len(house.sandbox.writes())

    result = house("review", code=0, **PROTECTED)

    assert "4 systems read completely · new 0 · still open 0 · resolved 0" in result.stdout
    assert len(house.sandbox.writes()) == writes


def test_a_finding_is_exit_code_4_stays_open_and_its_next_command_works(house: House) -> None:
    house.settle()
    grant_behind_our_back(house, "acme/payments-api", "marta-nw", "admin")

    first = house("review", code=4, **PROTECTED)

    assert "new 1 · still open 0" in first.stdout
    assert "drift" in first.stdout
    assert "admin on" in first.stdout
    assert f"holds admin on {API}" in house(*next_command(first)).stdout
    assert "new 0 · still open 1" in house("review", code=4, **PROTECTED).stdout


def test_what_is_left_behind_comes_first_and_its_next_command_takes_it_away(house: House) -> None:
    house.settle()
    house("offboard", "marta", "--yes")
    grant_behind_our_back(house, "acme/e2e-tests", "marta-nw", "push")
    grant_behind_our_back(house, "acme/docs", "mallory", "pull")
    house.sandbox.accept("mallory")

    found = house("review", code=4, **PROTECTED)

    assert found.stdout.index("left-behind") < found.stdout.index("stranger")
    house(*next_command(found), "--yes")
    assert house.held("marta") == []
    left = json.loads(house("review", "--json", code=4, **PROTECTED).stdout)["findings"]
    assert [(finding["kind"], finding["handle"]) for finding in left] == [("stranger", "mallory")]
