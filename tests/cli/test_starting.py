"""start, record, advance: a person comes, and each step says what it waits for."""

from __future__ import annotations

from tests.cli.house import House, in_days, next_command

DISCOVERY = [
    "group:outsourced-engineers member",
    "org:acme member invited",
    "project:PAY Viewers",
    "repo:acme/payments-api pull invited",
    "team:acme/outsourced-readers member invited",
    "channel:onboarding member",
]


def test_starting_somebody_who_lacks_a_prerequisite_waits_and_names_it(house: House) -> None:
    result = house("start", "marta", code=6)

    assert "Marta Kowalska lacks nda_signed" in result.stdout
    assert next_command(result)[:3] == ["record", house.ids["marta"][:10], "nda_signed"]
    assert house.sandbox.writes() == []


def test_nobody_to_start_and_an_unknown_engagement_are_bad_input(house: House) -> None:
    assert "onboard start PERSON" in house("start", code=2).stderr
    assert "known: payments" in house("start", "--engagement", "paiments", code=2).stderr


def test_somebody_outside_every_engagement_cannot_be_started(house: House) -> None:
    assert "onboard engagement load" in house("start", "ada", code=2).stderr


def test_the_whole_engagement_starts_with_one_command(house: House) -> None:
    report = house.json("start", "--engagement=payments", code=6)

    assert set(report["people"]) == {house.ids["marta"], house.ids["jonas"]}
    assert {line["fact"] for line in report["waiting"]} == {"nda_signed"}
    assert report["exit_code"] == 6


def test_a_recorded_prerequisite_proposes_what_the_phase_gives_and_the_next_command_is_its_approval(
    house: House,
) -> None:
    house("start", "marta", code=6)

    result = house("record", "marta", "nda_signed", "--until", in_days(90), code=6)

    assert "6 wait for approval" in result.stdout
    assert f"until {in_days(90)} (nda_signed)" in result.stdout
    assert "needs approval by Ada Berg (sponsor of payments)" in result.stdout
    assert house.sandbox.writes() == []
    approved = house(*next_command(result), by="ada")
    house(*next_command(approved))
    assert house.held("marta") == sorted(DISCOVERY)


def test_an_unknown_fact_is_met_with_the_known_ones(house: House) -> None:
    result = house("record", "marta", "nda_singed", code=2)

    assert "Did you mean nda_signed?" in result.stderr


def test_a_date_that_is_none_is_bad_input(house: House) -> None:
    house("record", "marta", "nda_signed", "--until", "next year", code=2)


def test_evidence_that_cannot_be_read_is_bad_input_and_nothing_is_recorded(house: House) -> None:
    house("record", "marta", "nda_signed", "--evidence", "nowhere.pdf", code=2)

    assert house.json("person", "show", "marta")["facts"] == {}


def test_a_shut_gate_waits_and_lists_the_commands_that_open_it(house: House) -> None:
    house.settle()

    result = house("advance", "marta", code=6)

    assert "knowledge_transfer_done" in result.stderr
    command = next(line.split() for line in result.stderr.splitlines() if line.startswith("  onboard record"))
    house(*command[1:])


def test_an_open_gate_is_said_and_the_next_command_passes_it(house: House) -> None:
    house.settle()
    house("record", "marta", "security_training", "--until", in_days(60))

    result = house("record", "marta", "knowledge_transfer_done")

    assert "The next phase may begin" in result.stdout
    assert next_command(result) == ["advance", house.ids["marta"][:10]]
    advanced = house(*next_command(result), code=6)
    assert "pull → triage" in advanced.stdout
    assert "tooling-setup" in advanced.stdout


def test_a_reconciliation_that_finds_nothing_to_do_writes_nothing(house: House) -> None:
    house.settle()
    before = len(house.sandbox.writes())

    result = house("start", "marta")

    assert "nothing to do" in result.stdout
    assert len(house.sandbox.writes()) == before


def test_a_system_that_cannot_be_read_is_unknown_and_the_others_are_planned(house: House) -> None:
    house("start", "marta", code=6)

    result = house(
        "record", "marta", "nda_signed", "--until", in_days(90), code=5, ONBOARD_SLACK__BASE_URL="http://127.0.0.1:9/"
    )

    assert "3 of 4 systems read" in result.stdout
    assert "5 wait for approval · 1 unknown" in result.stdout
    assert "could not be read" in result.stdout
