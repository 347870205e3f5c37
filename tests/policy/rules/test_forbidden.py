"""A line that a guardrail forbids whatever else is so is a mistake, found as policies load; one that may be is none."""

from __future__ import annotations

import pytest

from tests.policy.small import FILES, RESOURCES, ROLE, complaints, policy


def rule(condition: str, name: str = "a-rule") -> str:
    return f"""
@id("{name}") @because("For a reason") @control("CC6.3")
forbid (principal, action == Action::"hold", resource)
when {{ {condition} }};
"""


def with_rule(condition: str, **files: str) -> dict[str, str]:
    return {**FILES, **files, "guardrails/rule.cedar": rule(condition)}


def test_a_line_that_a_guardrail_always_forbids_is_named_with_the_rule_and_the_way_out() -> None:
    (found,) = complaints({**FILES, "roles/engineer.yaml": ROLE.replace("level: push", "level: admin")})

    assert found == (
        "policies/roles/engineer.yaml:16  grants admin on github:repo:acme/api, which guardrail no-admin"
        " (guardrails/admin.cedar:2) always forbids: An administrator decides for others [CC6.3]."
        " Delete the line, or have the rule changed."
    )


@pytest.mark.parametrize(
    "condition",
    [
        'context.level == "push" && context.engagement == "payments"',
        'context.level == "push" && context.model == "project-based"',
        'context.level == "push" && context.proof != "work-email"',
        'context.level == "push" && !context.on_call',
        'context.level == "push" && context.on_call',
        'context.level == "push" && context.sensitivity < 3',
        'context.level == "push" && !context.facts.contains("security_training")',
        'context.level == "push" && context.facts.contains("security_training")',
        'context.level == "push" && !(context.dpa && context.location_allowed)',
        'context.level == "push" && context.until > context.engagement_ends',
        'context.level == "push" && principal.vendors.contains("nordwind")',
    ],
)
def test_what_a_guardrail_allows_to_somebody_is_no_mistake(condition: str) -> None:
    assert len(policy(**with_rule(condition)).guardrails.rules) == 2


def test_what_its_models_leave_nobody_to_hold_is_a_mistake() -> None:
    project = ROLE.replace("after: first_merge", "models: [project-based]")
    files = with_rule('context.level == "push" && context.model == "project-based"', **{"roles/engineer.yaml": project})

    assert [each.partition(", which")[0] for each in complaints(files)] == [
        "policies/roles/engineer.yaml:16  grants push on github:repo:acme/api"
    ]


def test_a_line_that_waits_for_a_shift_is_asked_about_on_call() -> None:
    waiting = {"roles/engineer.yaml": ROLE.replace("after: first_merge", "while: on-call")}

    assert complaints(with_rule('context.level == "push" && context.on_call', **waiting))
    assert policy(**with_rule('context.level == "push" && !context.on_call', **waiting)).roles


def test_duties_that_a_role_always_brings_together_are_a_mistake() -> None:
    assert [each.partition(", which")[0] for each in complaints(kept_apart("github:repo:acme/api", "pull"))] == [
        "policies/roles/engineer.yaml:16  grants push on github:repo:acme/api",
        "policies/roles/engineer.yaml:17  grants Developers on jira:project:PAY",
    ]


def test_duties_that_only_some_people_with_a_role_have_together_are_none() -> None:
    assert policy(**kept_apart("vault:group:dev", "member")).roles


def kept_apart(resource: str, level: str) -> dict[str, str]:
    """One duty for whoever develops in Jira, one for another resource, and a rule that keeps the two apart."""
    declared = RESOURCES.replace("PAY: {", "PAY: {duties: {Developers: [b]}, ")
    declared = declared.replace(f"{resource}: {{", f"{resource}: {{duties: {{{level}: [a]}}, ")
    both = 'principal.duties.containsAll(["a", "b"]) && !context.duties.isEmpty()'
    return with_rule(both, **{"resources.yaml": declared})


def test_every_mistake_is_told_together() -> None:
    files = {
        **FILES,
        "roles/engineer.yaml": ROLE.replace("level: push", "level: admin"),
        "roles/again.yaml": ROLE,
        "guardrails/broken.cedar": "\n" + rule("context.level ==", "broken"),
        "guardrails/wrong.cedar": rule("context.level == 1", "wrong"),
        "tests/all.yaml": "tests:\n  - {name: t, given: {role: nobody, phase: ramp-up}, expect: []}\n",
    }

    found = [each.split("  ")[0] for each in complaints(files)]

    assert found == [
        "policies/guardrails/broken.cedar:3",
        "policies/guardrails/wrong.cedar:2",
        "policies/roles/again.yaml:1",
        "policies/roles/engineer.yaml:1",
        "policies/tests/all.yaml:2",
    ]
