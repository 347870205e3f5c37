"""Guardrails have the last word over the whole resulting state; policy tests pin what policies come to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onboard.errors import OnboardError
from onboard.model import EngagementModel, Grant, Kind, Phase, Resource
from onboard.policy.catalogue import load
from onboard.policy.desired import desired
from onboard.policy.rules.guardrails import check
from onboard.policy.trials.cases import play_all
from tests.policy.small import FILES, MARTA, NO_ADMIN, TODAY, complaints, engagement, kept, policy, register

API = Resource.parse("github:repo:acme/api")
STARTER = Path(__file__).parents[3] / "policies"


def raised(level: str = "admin", **files: str) -> tuple[Grant, ...]:
    """What Marta would hold, had somebody raised one line of her role."""
    grants = desired(policy(**files), register(), [MARTA], TODAY)
    return tuple(replace(grant, level=level) if grant.resource == API else grant for grant in grants)


def rule(condition: str, name: str = "a-rule") -> str:
    return f"""
@id("{name}") @because("For a reason") @control("CC6.3")
forbid (principal, action == Action::"hold", resource)
when {{ {condition} }};
"""


def refused(condition: str, **on: Any) -> set[str]:
    """The resources refused to Marta, as she is, by one condition."""
    guarded = kept(**{"guardrails/admin.cedar": rule(condition)})
    record = register(**on)
    grants = desired(guarded, record, [MARTA], TODAY)
    return {str(refusal.grant.resource) for refusal in check(guarded, grants, record, TODAY)}


def test_admin_is_refused_with_the_rules_id_its_reason_and_its_control() -> None:
    (refusal,) = check(policy(), raised(), register(), TODAY)

    assert (refusal.rule, refusal.because, refusal.control) == (
        "no-admin",
        "An administrator decides for others",
        "CC6.3",
    )
    assert refusal.grant.resource == API
    assert refusal.message == (
        "guardrail no-admin (guardrails/admin.cedar:2) forbids admin on github:repo:acme/api: An administrator decides"
        " for others [CC6.3]. Granted by roles/engineer.yaml:16, roles/engineer.yaml:8; change that line, or have the"
        " rule changed."
    )


def test_what_the_roles_say_is_refused_by_nothing_else() -> None:
    assert check(policy(), raised("push"), register(), TODAY) == ()


def test_a_rule_that_cannot_be_evaluated_refuses() -> None:
    overflow = policy(**{"guardrails/admin.cedar": rule("resource.sensitivity + 9223372036854775807 > 0")})

    refusals = check(overflow, raised("push"), register(), TODAY)

    assert {str(refusal.grant.resource) for refusal in refusals} == {"github:repo:acme/api"} | {
        str(resource) for resource, spec in overflow.resources.items() if spec.classification.rank
    }
    assert all("could not be evaluated" in refusal.message for refusal in refusals)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('resource.tags.contains("secrets")', {"vault:group:dev"}),
        ("resource.exclusive", {"vault:group:dev"}),
        ("resource.sensitivity > context.sensitivity", {"vault:group:dev"}),
        (f'principal == Person::"{MARTA}" && resource.type == "login"', {"vault:login:userpass"}),
        ('principal == Person::"p-somebody-else"', set()),
        ('resource.kind == "jira" && principal.vendors.contains("nordwind")', {"jira:project:PAY"}),
        (
            'resource.type == "group" && principal.holds.contains("github:repo:acme/api push")',
            {"vault:group:dev"},
        ),
        ('resource.type == "repo" && context.phase == "ramp-up" && context.facts.contains("first_merge")', {str(API)}),
        ('resource.type == "login" && !context.facts.contains("security_training")', set()),
        ("!principal.outsourced", set()),
    ],
)
def test_a_rule_may_ask_about_person_resource_and_state(condition: str, expected: set[str]) -> None:
    assert refused(condition) == expected


def test_a_grant_with_two_warrants_is_refused_where_either_is_forbidden() -> None:
    works = tuple(
        replace(register().works[0], engagement=name, phase=phase)
        for name, phase in (("payments", Phase.RAMP_UP), ("reports", Phase.DISCOVERY))
    )
    projects = {
        "payments": engagement(),
        "reports": engagement("reports", model=EngagementModel.PROJECT_BASED),
    }

    found = refused('resource.type == "repo" && context.model == "project-based"', works=works, engagements=projects)

    assert found == {"github:repo:acme/api", "github:repo:acme/docs"}


def test_a_grant_without_a_resource_on_record_is_a_fault_and_not_a_permission() -> None:
    stray = replace(raised()[0], resource=Resource.parse("github:repo:acme/stray"))

    with pytest.raises(OnboardError, match="isn't declared"):
        check(policy(), [stray], register(), TODAY)


TESTS = """\
tests:
  - name: discovery reads
    given: {role: engineer, phase: discovery, facts: [nda_signed]}
    expect:
      - github:org:acme member
      - github:repo:acme/api push
      - github:repo:acme/docs pull
      - jira:project:PAY Viewers
  - name: nobody administers
    given: {role: engineer, phase: discovery, facts: {nda_signed: 2026-12-31}, on: 2026-12-31}
    suppose: [github:repo:acme/docs admin]
    refused: [no-admin]
  - name: pulling is refused, somebody thinks
    given: {role: engineer, phase: discovery, facts: [nda_signed]}
    refused: [no-admin]
"""


def test_a_policy_test_says_exactly_what_differs() -> None:
    results = [trial.result for trial in play_all(policy(**{"tests/all.yaml": TESTS}))]

    assert [(result.passed, result.wrong) for result in results] == [
        (
            False,
            (
                "github:repo:acme/api push is not granted",
                "github:repo:acme/api pull is granted and not expected",
            ),
        ),
        (True, ()),
        (False, ("guardrail no-admin does not refuse it",)),
    ]
    assert str(results[0].source) == "tests/all.yaml:2"


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("role: engineer", "role: enginer", 2, "'enginer', which isn't there. Did you mean engineer?"),
        ("[no-admin]", "[no-admn]", 9, "the guardrail 'no-admn', which isn't there. Did you mean no-admin?"),
        ("acme/api push", "acme/ap push", 6, "resources.yaml doesn't declare. Did you mean github:repo:acme/api?"),
        ("acme/api push", "acme/api pus", 6, "level 'pus' on github:repo:acme/api"),
        ("acme/api push", "acme/api", 6, "names no level"),
        ("facts: [nda_signed]", "facts: [nda]", 3, "nda is no fact that facts.yaml declares"),
        ("on: 2026-12-31", "on: 2026-12-32", 10, "which is no day"),
        ("    refused: [no-admin]", "", 9, "needs either expect: (exactly these grants) or refused: (rules)"),
    ],
)
def test_a_policy_test_that_speaks_of_nothing_is_a_mistake(old: str, new: str, line: int, expected: str) -> None:
    found = complaints({**FILES, "tests/all.yaml": TESTS.replace(old, new, 1)})

    assert any(each.startswith(f"policies/tests/all.yaml:{line}  ") and expected in each for each in found), found


def test_the_starter_policies_load_and_pass_their_own_tests() -> None:
    starter = load(STARTER, {kind.value: kind for kind in Kind})
    results = [trial.result for trial in play_all(starter)]

    assert len(results) >= 5
    assert [(result.name, result.wrong) for result in results if not result.passed] == []
    assert len(starter.roles) == 5


def test_no_phase_of_any_starter_role_is_refused_by_the_starter_guardrails() -> None:
    starter = load(STARTER, {kind.value: kind for kind in Kind})
    for role in starter.roles:
        for phase in Phase:
            record = register(phase, role, reached={name: register().reached["first_merge"] for name in starter.facts})
            assert check(starter, desired(starter, record, [MARTA], TODAY), record, TODAY) == ()


def test_the_starter_guardrails_keep_outsiders_from_administering() -> None:
    starter = load(STARTER, {kind.value: kind for kind in Kind})
    record = register(role="backend-engineer")
    grants = desired(starter, record, [MARTA], TODAY)
    worse = {"repo": "maintain", "team": "maintainer", "org": "admin", "project": "Administrators"}
    raised = [replace(grant, level=worse.get(grant.resource.type, grant.level)) for grant in grants]

    refused_types = {refusal.grant.resource.type for refusal in check(starter, raised, record, TODAY)}

    assert refused_types == {"repo", "team", "org", "project"}


def test_the_small_guardrail_is_the_one_on_line_two() -> None:
    assert NO_ADMIN.splitlines()[1].startswith("@id")
