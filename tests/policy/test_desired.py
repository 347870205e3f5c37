"""What people should hold: policy lines whose conditions the facts meet, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.lasting import Limit
from onboard.model import Assignment, Fact, Phase, Resource
from onboard.policy.desired import desired, why_not
from tests.policy.small import ADA, FILES, MARTA, ROLE, TODAY, Register, engagement, fact, policy, register, vendor

API, DOCS = Resource.parse("github:repo:acme/api"), Resource.parse("github:repo:acme/docs")
PAY, LOGIN = Resource.parse("jira:project:PAY"), Resource.parse("vault:login:userpass")
POLICY = policy()


def held(on: Register, today: date = TODAY, people: tuple[str, ...] = (MARTA,)) -> list[str]:
    return [f"{grant.resource} {grant.level}" for grant in desired(POLICY, on, people, today)]


def test_a_lapsed_nda_takes_everything_away_the_day_after_its_last() -> None:
    lapsing = register(held={"nda_signed": fact("nda_signed", TODAY), "security_training": fact("security_training")})

    assert held(lapsing)
    assert held(lapsing, date(2026, 6, 2)) == []


def test_without_the_training_only_the_vault_is_missing() -> None:
    untrained = register(held={"nda_signed": fact("nda_signed")})

    assert set(held(register())) - set(held(untrained)) == {"vault:group:dev member", "vault:login:userpass enabled"}


@pytest.mark.parametrize(
    "changed",
    [
        {"gone": frozenset({MARTA})},
        {"gone": frozenset({ADA})},
        {"works": (Assignment(MARTA, "payments", "engineer", Phase.RAMP_UP, ended=True),)},
        {"works": (Assignment(MARTA, "payments", "engineer", None),)},
        {"works": (Assignment(MARTA, "payments", "no-such-role", Phase.RAMP_UP),)},
        {"works": (Assignment(MARTA, "no-such-engagement", "engineer", Phase.RAMP_UP),)},
        {"works": (Assignment(MARTA, "payments", "engineer", Phase.RAMP_UP, starts=date(2026, 6, 2)),)},
        {"works": (Assignment(MARTA, "payments", "engineer", Phase.RAMP_UP, ends=date(2026, 5, 31)),)},
        {"engagements": {"payments": engagement(ends=date(2026, 5, 31))}},
        {"engagements": {"payments": engagement(starts=date(2026, 6, 2))}},
        {"vendors": {"nordwind": vendor(contract_ends=date(2026, 5, 31))}},
        {"vendors": {"nordwind": vendor(contract_starts=date(2026, 6, 2))}},
        {"vendors": {}},
        {"works": ()},
    ],
)
def test_an_assignment_that_is_not_alive_gives_nothing_and_says_why(changed: dict[str, Any]) -> None:
    dead = register(**changed)

    assert held(dead) == []
    assert why_not(POLICY, dead, MARTA, API, TODAY)


def test_each_phase_keeps_what_the_earlier_ones_gave() -> None:
    by_phase = [set(held(register(phase, reached={}))) for phase in Phase]

    assert by_phase[0] == {
        "github:org:acme member",
        "github:repo:acme/api pull",
        "github:repo:acme/docs pull",
        "jira:project:PAY Viewers",
    }
    assert all(earlier <= later for earlier, later in pairwise(by_phase))


def test_stepping_back_a_phase_takes_away_what_it_gave() -> None:
    assert "github:repo:acme/api push" in held(register(Phase.RAMP_UP))
    assert "github:repo:acme/api pull" in held(register(Phase.TOOLING_SETUP))


def test_a_line_waits_for_its_milestone_and_the_level_below_stays() -> None:
    waiting = register(reached={})

    assert "github:repo:acme/api pull" in held(waiting)
    assert why_not(POLICY, waiting, MARTA, API, TODAY) == ("push: waits for first_merge (roles/engineer.yaml:16)",)


def test_the_highest_level_wins_and_its_warrant_comes_first() -> None:
    grant = next(grant for grant in desired(POLICY, register(), [MARTA], TODAY) if grant.resource == API)

    assert grant.level == "push"
    assert [str(warrant.source) for warrant in grant.warrants] == ["roles/engineer.yaml:16", "roles/engineer.yaml:8"]


def test_roles_of_a_jira_project_add_up() -> None:
    assert [line for line in held(register()) if "PAY" in line] == [
        "jira:project:PAY Developers",
        "jira:project:PAY Viewers",
    ]


def test_two_assignments_join_and_losing_one_lowers_the_level() -> None:
    both = register(
        works=(
            Assignment(MARTA, "payments", "engineer", Phase.RAMP_UP),
            Assignment(MARTA, "reports", "engineer", Phase.DISCOVERY),
        ),
        engagements={"payments": engagement(ends=date(2026, 7, 1)), "reports": engagement("reports")},
    )
    (grant,) = (grant for grant in desired(POLICY, both, [MARTA], TODAY) if grant.resource == API)

    assert (grant.level, {warrant.engagement for warrant in grant.warrants}) == ("push", {"payments", "reports"})
    assert "github:repo:acme/api pull" in held(both, date(2026, 7, 2))


@pytest.mark.parametrize(
    ("changed", "limit"),
    [
        ({}, Limit(date(2026, 12, 31), "contract")),
        ({"engagements": {"payments": engagement(ends=date(2026, 11, 1))}}, Limit(date(2026, 11, 1), "engagement")),
        (
            {"works": (Assignment(MARTA, "payments", "engineer", Phase.RAMP_UP, ends=date(2026, 10, 1)),)},
            Limit(date(2026, 10, 1), "assignment"),
        ),
        (
            {"held": {"nda_signed": fact("nda_signed", date(2026, 9, 1)), "security_training": fact("x")}},
            Limit(date(2026, 9, 1), "nda_signed"),
        ),
    ],
)
def test_a_warrant_ends_with_the_earliest_of_its_reasons_and_names_it(changed: dict[str, Any], limit: Limit) -> None:
    grants = desired(POLICY, register(**changed), [MARTA], TODAY)

    assert {warrant.limit for grant in grants for warrant in grant.warrants} == {limit}


def test_a_role_can_end_after_a_number_of_days() -> None:
    limited = policy(**{"roles/engineer.yaml": ROLE.replace("grants:", "max_days: 90\ngrants:")})

    grants = desired(limited, register(), [MARTA], date(2026, 4, 1))

    assert {grant.limit for grant in grants} == {Limit(date(2026, 4, 1), "policy maximum")}
    assert desired(limited, register(), [MARTA], date(2026, 4, 2)) == ()
    assert why_not(limited, register(), MARTA, DOCS, date(2026, 4, 2)) == (
        "the 90 days that role engineer allows ended on 2026-04-01",
    )


def test_why_not_names_every_missing_fact() -> None:
    bare = register(Phase.DISCOVERY, held={"nda_signed": fact("nda_signed", date(2026, 5, 31))}, reached={})

    assert why_not(POLICY, bare, MARTA, LOGIN, TODAY) == (
        "enabled: carried from tooling-setup; the assignment to payments is in discovery (roles/engineer.yaml:13)",
        "enabled: nda_signed lapsed on 2026-05-31 (roles/engineer.yaml:13)",
        "enabled: security_training is not recorded (roles/engineer.yaml:13)",
    )


def test_why_not_is_empty_for_what_is_held_and_plain_for_what_no_role_carries() -> None:
    nowhere = Resource.parse("github:repo:acme/secret")

    assert why_not(POLICY, register(), MARTA, API, TODAY) == ()
    assert why_not(POLICY, register(), MARTA, nowhere, TODAY) == (f"{nowhere} is not declared in resources.yaml",)


def test_other_people_are_left_out_and_nobody_is_counted_twice() -> None:
    assert desired(POLICY, register(), [ADA], TODAY) == ()
    assert held(register(), people=(MARTA, MARTA)) == held(register())


NEEDS, MILESTONES = ("nda_signed", "security_training"), ("first_merge",)
ends = st.none() | st.dates(date(2026, 5, 1), date(2026, 7, 1))


@st.composite
def registers(draw: st.DrawFn) -> Register:
    """Any register over one or two assignments: facts there or not, lapsing or not, any phase and dates."""
    names = draw(st.sampled_from([("payments",), ("payments", "reports")]))
    phases = st.none() | st.sampled_from(Phase)
    works = tuple(
        Assignment(MARTA, name, "engineer", draw(phases), ended=draw(st.booleans()), ends=draw(ends)) for name in names
    )
    held = {name: fact(name, draw(ends)) for name in NEEDS if draw(st.booleans())}
    reached = {name: fact(name) for name in MILESTONES if draw(st.booleans())}
    projects = {name: engagement(name, ends=draw(st.dates(date(2026, 5, 1), date(2026, 7, 1)))) for name in names}
    return register(works=works, held=held, reached=reached, engagements=projects)


def _without(facts: dict[str, Fact], name: str) -> dict[str, Fact]:
    return {key: value for key, value in facts.items() if key != name}


@given(registers())
@settings(max_examples=150)
def test_every_grant_has_a_line_of_policy_and_a_declared_resource_and_still_holds(on: Register) -> None:
    lines = {(line.resource, line.source) for line in POLICY.roles["engineer"].entitlements}
    for grant in desired(POLICY, on, [MARTA], TODAY):
        assert grant.resource in POLICY.resources
        assert grant.warrants
        assert {(grant.resource, warrant.source) for warrant in grant.warrants} <= lines
        assert all(warrant.limit.until >= TODAY for warrant in grant.warrants)
        assert any(
            (line.resource, line.level) == (grant.resource, grant.level)
            for line in POLICY.roles["engineer"].entitlements
        )


@given(registers(), st.sampled_from((*NEEDS, *MILESTONES)))
@settings(max_examples=150)
def test_losing_a_fact_never_adds_a_grant_nor_raises_a_level(on: Register, lost: str) -> None:
    fewer = replace(on, held=_without(dict(on.held), lost), reached=_without(dict(on.reached), lost))
    before = desired(POLICY, on, [MARTA], TODAY)

    for grant in desired(POLICY, fewer, [MARTA], TODAY):
        scale = POLICY.scale(grant.resource)
        alike = [other for other in before if other.resource == grant.resource]
        assert any(
            other.level == grant.level or (not scale.open and scale.rank(other.level) > scale.rank(grant.level))
            for other in alike
        )


@given(registers())
@settings(max_examples=150)
def test_the_explanation_never_contradicts_the_decision(on: Register) -> None:
    held = {(grant.resource, grant.level) for grant in desired(POLICY, on, [MARTA], TODAY)}
    for resource in POLICY.resources:
        levels = {line.level for line in POLICY.roles["engineer"].entitlements if line.resource == resource}
        highest = levels if POLICY.scale(resource).open else {POLICY.scale(resource).join(levels)}
        complete = {(resource, level) for level in highest} <= held
        assert (why_not(POLICY, on, MARTA, resource, TODAY) == ()) == complete


def test_the_small_policy_is_what_these_tests_think_it_is() -> None:
    assert POLICY.files == FILES
