"""Models, shifts, agreements and places decide what a line gives, how long, and what guardrails are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from onboard.model import Assignment, EngagementModel, Phase, Resource
from onboard.policy.desired import desired, why_not
from onboard.policy.rules.cedar import Rule
from onboard.policy.rules.guardrails import Guard
from onboard.rota import Shift
from tests.policy.small import (
    MARTA,
    ROLE,
    SCHEMA,
    TODAY,
    Register,
    complaints,
    edited,
    engagement,
    kept,
    policy,
    register,
    vendor,
)

API = Resource.parse("github:repo:acme/api")
PUSH = "level: push, after: first_merge"


def ends(condition: str, on: Register) -> str | None:
    """When and why Marta's push ends, where her role's line has this condition; None where she has none."""
    changed = policy(**{"roles/engineer.yaml": ROLE.replace(PUSH, f"level: push, {condition}")})
    (grant,) = (grant for grant in desired(changed, on, [MARTA], TODAY) if grant.resource == API)
    return f"{grant.warrants[0].limit.until} {grant.warrants[0].limit.what}" if grant.level == "push" else None


def against(condition: str, on: Register) -> str:
    changed = policy(**{"roles/engineer.yaml": ROLE.replace(PUSH, f"level: push, {condition}")})
    (reason,) = why_not(changed, on, MARTA, API, TODAY)
    return reason


def with_rota(*shifts: Shift) -> Register:
    return register(engagements={"payments": engagement(rota=shifts)})


def test_a_line_for_shifts_is_held_until_the_shift_ends() -> None:
    now = Shift(MARTA, date(2026, 5, 30), date(2026, 6, 5))
    later = Shift(MARTA, date(2026, 6, 20), date(2026, 6, 26))

    assert ends("while: on-call", with_rota(now, later)) == "2026-06-05 on call"
    assert ends("while: on-call", with_rota(later)) is None
    assert "the next shift begins 2026-06-20 on the rota of payments" in against("while: on-call", with_rota(later))
    assert "no shift is to come" in against("while: on-call", with_rota())


def test_a_line_for_some_models_is_carried_in_these_only() -> None:
    assert ends("models: [staff-augmentation]", register()) == "2026-12-31 contract"
    assert ends("models: [dedicated-team]", register()) is None
    assert "carried in dedicated-team engagements; payments is staff-augmentation" in against(
        "models: [dedicated-team]", register()
    )


def test_what_is_restricted_ends_with_the_data_processing_agreement() -> None:
    before = "acme/api: {owner: team-pay, classification: "
    restricted = edited("resources.yaml", f"{before}confidential", f"{before}restricted")
    changed = policy(**restricted)

    def last(agreed: date) -> set[str]:
        on = register(vendors={"nordwind": vendor(data_processing_agreement=agreed)})
        return {f"{g.level} {g.limit.until}" for g in desired(changed, on, [MARTA], TODAY) if g.resource == API}

    assert last(date(2026, 6, 30)) == {"push 2026-06-30"}
    assert last(date(2026, 5, 31)) == set()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (PUSH, "level: push, while: always", "'while' is 'always'; it can be on-call"),
        (PUSH, "level: push, models: []", "models names none, so nobody would hold it."),
        (PUSH, "level: push, models: [project]", "'models' is 'project'; it can be"),
        ("needs: [nda_signed]", "needs: [nda_signed]\nmodels: [dedicated-team]", ""),
    ],
)
def test_conditions_of_lines_are_read_strictly(old: str, new: str, expected: str) -> None:
    changed = edited("roles/engineer.yaml", old, new)
    if expected:
        assert any(expected in each for each in complaints(changed))
    else:
        assert {line.models for line in policy(**changed).roles["engineer"].entitlements} == {
            frozenset({EngagementModel.DEDICATED_TEAM})
        }


def test_a_duty_that_no_rule_asks_about_and_one_of_no_level_are_mistakes() -> None:
    files = edited("resources.yaml", "acme/api: {", "acme/api: {duties: {push: [aprove-change], write: [admin]}, ")

    found = complaints(files)

    assert any("has the duty 'aprove-change', which no guardrail asks about" in each for each in found)
    assert any("gives duties to level 'write' on github:repo:acme/api" in each for each in found)


def rule(condition: str) -> str:
    return f"""
@id("a-rule") @because("For a reason") @control("CC6.3")
forbid (principal, action == Action::"hold", resource)
when {{ {condition} }};
"""


def reads(condition: str) -> set[str]:
    guarded = kept(**{"guardrails/admin.cedar": rule(condition)})
    (only,) = guarded.guardrails.rules
    assert isinstance(only, Rule)
    return {".".join(each) for each in only.reads}


def test_what_a_rule_reads_is_all_that_it_mentions() -> None:
    assert reads('context.level == "push" && principal.duties.contains("x")') == {"context.level", "principal.duties"}
    assert reads('resource has owner && resource == Resource::"x"') == {"resource.owner", "resource.id"}
    assert reads('if principal == Person::"p" then true else [context.role].contains("x")') == {
        "principal.id",
        "context.role",
    }


def test_people_who_are_alike_in_what_rules_read_are_asked_about_once() -> None:
    guarded = kept(**{"guardrails/admin.cedar": rule('context.level == "push" && principal.outsourced')})
    people = [f"p-{number:032x}" for number in range(100, 150)]
    works = tuple(Assignment(person, "payments", "engineer", Phase.RAMP_UP) for person in people)
    on = register(works=works)
    guard = Guard(guarded, on, TODAY)

    refusals = guard.check(desired(guarded, on, people, TODAY))

    assert {refusal.grant.person for refusal in refusals} == set(people)
    assert guard.judge.asked == len({"member", "pull", "push", "Viewers", "Developers", "enabled"})


def test_policies_that_bring_the_first_schema_along_are_read_as_before() -> None:
    later = ("duties", "dpa", "location", "location_allowed", "on_call", "today", "until", "engagement_ends")
    lines = [line for line in SCHEMA.splitlines() if not line.strip().startswith(tuple(f"{name}:" for name in later))]
    first = {"guardrails/schema.cedarschema": "\n".join(lines)}

    assert policy(**first).guardrails.rules
    broken = "\n".join(line for line in lines if not line.strip().startswith("level:"))
    with pytest.raises(Exception, match="level"):
        policy(**{"guardrails/schema.cedarschema": broken})


def test_where_somebody_works_counts_only_where_the_engagement_asks() -> None:
    guarded = kept(**{"guardrails/admin.cedar": rule("!context.location_allowed")})

    def refused(place: str | None, *allowed: str) -> bool:
        on = register(engagements={"payments": engagement(locations=allowed)})
        on = replace(on, works=(replace(on.works[0], location=place),))
        return bool(Guard(guarded, on, TODAY).check(desired(guarded, on, [MARTA], TODAY)))

    assert [refused("PL", "DE", "PL"), refused("US", "DE"), refused(None, "DE"), refused(None)] == [
        False,
        True,
        True,
        False,
    ]
