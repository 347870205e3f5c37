"""The shortest lists of facts that would change an answer, found by asking the decision itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from onboard.model import Assignment, Phase, Proof, Resource
from onboard.policy.desired import desired
from onboard.policy.whatif.counterfactual import Answers, Way, counterfactuals
from tests.policy.small import MARTA, NO_ADMIN, ROLE, TODAY, Register, engagement, fact, policy, register, vendor

API, DEV = Resource.parse("github:repo:acme/api"), Resource.parse("vault:group:dev")
POLICY = policy()
TESTER = """\
role: tester
title: Tester
because: Tests
grants:
  discovery:
    - {resource: github:org:acme, level: member}
    - {resource: slack:channel:dev, level: member}
"""


def asked(on: Register, resource: Resource = API, **files: str) -> Answers:
    return counterfactuals(policy(**files), on, MARTA, resource, TODAY)


def ways(on: Register, resource: Resource = API, **files: str) -> dict[str, set[tuple[str, ...]]]:
    return {way.level: set(way.lists) for way in asked(on, resource, **files).ways}


def ends(on: Register, resource: Resource = API) -> dict[str, str | None]:
    return {" and ".join(end.facts): end.left for end in asked(on, resource).ends}


def test_who_has_all_that_the_role_carries_needs_nothing_more() -> None:
    assert asked(register()).ways == ()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"reached": {}}, ("first_merge is recorded in payments",)),
        (
            {"works": (Assignment(MARTA, "payments", "engineer", Phase.TOOLING_SETUP),)},
            ("they reach ramp-up in payments",),
        ),
        ({"held": {}}, ("nda_signed is recorded",)),
        ({"held": {"nda_signed": fact("nda_signed", date(2026, 5, 31))}}, ("nda_signed is renewed",)),
        ({"gone": frozenset({engagement().sponsor})}, ("payments is given a sponsor",)),
        ({"gone": frozenset({MARTA})}, ("they come back",)),
        ({"engagements": {"payments": engagement(ends=date(2026, 5, 31))}}, ("engagement payments is extended",)),
        ({"engagements": {"payments": engagement(starts=date(2026, 6, 2))}}, ("engagement payments begins",)),
        ({"vendors": {"nordwind": vendor(contract_ends=date(2026, 5, 31))}}, ("the contract of nordwind is extended",)),
        (
            {"works": (Assignment(MARTA, "payments", "engineer", Phase.RAMP_UP, ended=True),)},
            ("they start again in payments",),
        ),
        (
            {"works": (Assignment(MARTA, "payments", "engineer", Phase.RAMP_UP, ends=date(2026, 5, 31)),)},
            ("the assignment to payments is extended",),
        ),
    ],
)
def test_the_one_thing_that_is_missing_is_named(changed: dict[str, Any], expected: tuple[str, ...]) -> None:
    found = ways(register(**changed))["push"]

    assert expected in found
    assert all(len(facts) == 1 for facts in found)


def test_of_several_missing_things_the_shortest_list_is_given_and_every_one_on_it_is_needed() -> None:
    lacking = register(Phase.DISCOVERY, held={})

    assert ways(lacking, DEV)["member"] == {
        ("nda_signed is recorded", "security_training is recorded", "they reach tooling-setup in payments")
    }


def test_a_list_longer_than_what_is_tried_in_every_combination_is_found_too() -> None:
    far = register(None, held={}, reached={}, engagements={"payments": engagement(ends=date(2026, 5, 31))})

    assert ways(far)["push"] == {
        (
            "nda_signed is recorded",
            "they start in payments",
            "they reach ramp-up in payments",
            "first_merge is recorded in payments",
            "engagement payments is extended",
        )
    }


def test_where_the_own_role_carries_nothing_another_role_would() -> None:
    tester = register(Phase.DISCOVERY, role="tester")

    assert ways(tester, API, **{"roles/tester.yaml": TESTER}) == {"pull": {("the role in payments becomes engineer",)}}


def test_what_nothing_would_give_is_said_to_have_no_way() -> None:
    nobody = register(works=())

    assert asked(nobody).ways == (Way("pull", ()),)
    assert asked(register(), Resource.parse("github:repo:acme/none")) == Answers((), ())


def test_a_guardrail_stands_in_the_way_until_what_it_asks_for_is_there() -> None:
    rule = NO_ADMIN.replace('context.level == "admin"', 'context.proof == "claimed" && resource.kind == "github"')
    claimed = register(proofs={"github": Proof.CLAIMED})

    found = ways(claimed, API, **{"guardrails/admin.cedar": rule})

    assert found["push"] == {("the github account is confirmed by a code to the work e-mail",)}


def test_what_a_guardrail_forbids_for_good_has_no_way() -> None:
    rule = NO_ADMIN.replace(
        'context.level == "admin"', 'resource.tags.contains("secrets") && context.model == "staff-augmentation"'
    )

    assert ways(register(), DEV, **{"guardrails/admin.cedar": rule}) == {"member": set()}


def test_each_thing_that_would_end_it_is_named_with_its_date_and_with_what_is_left() -> None:
    lasting = register(held={"nda_signed": fact("nda_signed", date(2026, 9, 30)), "security_training": fact("t")})

    found = ends(lasting)

    assert found == {
        "nda_signed lapses (after 2026-09-30)": None,
        "they leave": None,
        "the assignment to payments ends": None,
        "the role in payments changes to one without it": None,
        "they step back to tooling-setup in payments": "pull",
        "engagement payments ends (after 2026-12-31)": None,
        "the contract of nordwind ends (after 2026-12-31)": None,
        "the sponsor of payments leaves": None,
    }


def test_days_that_are_limited_end_it_and_others_dont() -> None:
    limited = policy(**{"roles/engineer.yaml": ROLE.replace("needs:", "max_days: 300\nneeds:", 1)})

    found = counterfactuals(limited, register(), MARTA, API, TODAY).ends

    assert ("the days that the role allows in payments are over",) in {end.facts for end in found}
    assert ("the days that the role allows in payments are over",) not in {end.facts for end in asked(register()).ends}


def test_what_two_assignments_give_ends_only_with_both() -> None:
    works = tuple(replace(register().works[0], engagement=name) for name in ("payments", "reports"))
    engagements = {"payments": engagement(), "reports": engagement("reports", sponsor="p-other")}
    twice = register(works=works, engagements=engagements, vendors={"nordwind": vendor()})

    found = ends(twice)

    assert "the assignment to payments ends" not in found
    assert found["they leave"] is None


def test_supposing_leaves_the_register_as_it_is() -> None:
    on = register(held={})
    before = desired(POLICY, on, [MARTA], TODAY)

    asked(on)

    assert desired(POLICY, on, [MARTA], TODAY) == before == ()
