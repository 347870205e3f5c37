"""plan, plans, inbox, approve, refuse, apply: who may say yes, and that exactly this is then done."""

from __future__ import annotations

from tests.cli.house import House, in_days, next_command


def test_without_a_login_nobody_approves_refuses_or_has_an_inbox(house: House) -> None:
    digest = house.start()

    for command in (("approve", digest), ("refuse", digest), ("inbox",)):
        result = house(*command, code=3)
        assert result.stdout == ""
        assert "Vault login" in result.stderr


def test_the_engineer_a_colleague_of_the_vendor_and_a_bystander_are_refused(house: House) -> None:
    digest = house.start()

    for by, why in (("marta", "own access"), ("viktor", "own vendor"), ("lena", "You are none of them")):
        result = house("approve", digest, by=by, code=3)
        assert why in result.stderr
        assert "Nothing was changed." in result.stderr

    assert house.json("plans")[0]["lacks"] == ["approval by the sponsor of payments"]


def test_applying_what_nobody_approved_is_refused_and_writes_nothing(house: House) -> None:
    digest = house.start()

    assert "lacks approval by the sponsor" in house("apply", digest, code=3).stderr
    assert house.sandbox.writes() == []


def test_a_digest_is_typed_by_its_beginning_and_errors_say_how_much(house: House) -> None:
    digest = house.start()

    assert "at least the first 4" in house("apply", digest[:3], code=2).stderr
    assert "No plan 'feedbeef'" in house("approve", "feedbeef", by="ada", code=2).stderr
    house("approve", digest[:4], by="ada")


def test_open_plans_are_listed_with_what_they_wait_for_and_the_command_that_works(house: House) -> None:
    assert "No plan is open." in house("plans").stdout
    digest = house.start()

    waiting = house("plans")
    assert "sponsor of payments" in waiting.stdout
    assert next_command(waiting) == ["approve", digest[:8]]

    house("approve", digest, by="ada")
    approved = house("plans")
    assert next_command(approved) == ["apply", digest[:8]]
    assert "was approved by Ada Berg" in house("plan", "--person=marta", code=6).stdout

    house(*next_command(approved))
    assert "No plan is open." in house("plans").stdout


def test_an_inbox_holds_what_waits_for_its_owner_until_they_have_spoken(house: House) -> None:
    digest = house.start()

    assert [plan["digest"] for plan in house.json("inbox", by="ada")] == [digest]
    assert "Nothing waits for you." in house("inbox", by="piet").stdout
    house("approve", digest, by="ada")
    assert "Nothing waits for you." in house("inbox", by="ada").stdout


def test_planning_reads_and_changes_no_system(house: House) -> None:
    house.start()

    plan = house.json("plan", code=6)

    assert set(plan["people"]) == {house.ids["marta"], house.ids["jonas"]}
    assert {change["resource"] for change in plan["changes"]} >= {"github:org:acme", "slack:channel:onboarding"}
    assert house.sandbox.writes() == []


def test_an_engagement_or_vendor_that_is_not_there_is_met_with_the_known_ones(house: House) -> None:
    assert "Known: payments" in house("plan", "--engagement=nothing", code=2).stderr
    assert "Known: nordwind" in house("plan", "--vendor=nobody", code=2).stderr


def test_applying_again_does_nothing_again(house: House) -> None:
    digest = house.start()
    house("approve", digest, by="ada")

    first = house.json("apply", digest)
    writes = len(house.sandbox.writes())
    second = house.json("apply", digest)

    assert {done["result"] for done in first["done"]} == {"done"}
    assert second["done"] == []
    assert len(house.sandbox.writes()) == writes


def test_what_was_approved_before_the_role_changed_is_not_applied(house: House) -> None:
    digest = house.start()
    house("approve", digest, by="ada")
    house("change-role", "marta", "data-engineer", code=6)

    house("apply", digest, code=3)

    assert house.sandbox.writes() == []


def test_a_refused_plan_is_over_and_the_next_command_plans_again(house: House) -> None:
    digest = house.start()

    refused = house("refuse", digest, by="ada")

    assert "Ada Berg refused plan" in refused.stdout
    house("apply", digest, code=3)
    again = house(*next_command(refused), code=6)
    assert next_command(again)[0] == "approve"


def test_a_decision_as_json_names_who_made_it(house: House) -> None:
    digest = house.start()

    decision = house.json("approve", digest, by="ada")

    assert decision == {
        "digest": digest,
        "person": house.ids["marta"],
        "decision": "approved",
        "by": house.ids["ada"],
        "lacks": [],
        "exit_code": 0,
    }


def test_a_failed_write_is_exit_code_5_and_its_next_command_finishes_it(house: House) -> None:
    digest = house.start()
    house("approve", digest, by="ada")
    house.sandbox.fault("slack", "500", path="invite", times=9)

    failed = house("apply", digest, code=5)
    house.sandbox.clear_faults()

    assert "failed" in failed.stdout
    finished = house(*next_command(failed))
    assert "1 granted" in finished.stdout
    assert "channel:onboarding member" in house.held("marta")


def test_a_restricted_resource_needs_the_product_owner_besides_the_sponsor(house: House) -> None:
    house.settle()
    for fact in ("knowledge_transfer_done", "tooling_verified", "first_merge", "ramp_up_review"):
        house("record", "marta", fact)
    house("record", "marta", "security_training", "--until", in_days(60))
    for _ in range(3):
        house("advance", "marta", code=6)
    digest = house.json("plans")[0]["digest"]

    by_sponsor = house("approve", digest, by="ada")

    assert "It still lacks approval by the product owner of payments." in by_sponsor.stdout
    house("apply", digest, code=3)
    assert next_command(house("approve", digest, by="piet")) == ["apply", digest[:8]]
