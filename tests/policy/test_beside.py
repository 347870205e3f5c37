"""How long extras may last, decoys, and exceptions to guardrails: read strictly, and lifted for just what they name."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from onboard.model import Classification, Resource
from onboard.policy.catalogue import Policy
from onboard.policy.desired import desired
from onboard.policy.rules.guardrails import Guard
from tests.policy.small import FILES, MARTA, NO_ADMIN, ROLE, TODAY, complaints, policy, register

EXTRAS = "requests: {internal: 24, restricted: 4}\nbreak_glass: 1\nexceptions: 90\n"
SECRETS = """
@id("no-secrets")
@because("Secrets are secret")
@control("A.8.2")
forbid (principal, action == Action::"hold", resource)
when { resource.tags.contains("secrets") && context.facts.contains("first_merge") };
"""
EXCEPTION = f"""\
exceptions:
  - rule: no-secrets
    person: {MARTA}
    resource: vault:group:dev
    owner: team-pay
    because: The old deployment needs it
    control: Read weekly by Team Pay
    from: 2026-05-01
    ends: 2026-06-30
"""


def files(exception: str = EXCEPTION, **changed: str) -> dict[str, str]:
    guarded = {"guardrails/secrets.cedar": SECRETS, "extras.yaml": EXTRAS, "exceptions/dev.yaml": exception}
    return {**FILES, **guarded, **changed}


def excepting(**changed: str) -> Policy:
    return policy(**files(**changed))


def refused(by: Policy, today: date = TODAY) -> list[str]:
    grants = desired(by, register(), [MARTA], today)
    return [f"{refusal.rule} {refusal.grant.resource}" for refusal in Guard(by, register(), today).check(grants)]


def lifted(by: Policy, today: date = TODAY) -> list[str]:
    grants = desired(by, register(), [MARTA], today)
    return [f"{x.rule} {grant.resource}" for x, grant in Guard(by, register(), today).lifted(grants)]


def test_extras_last_as_long_as_is_stated_and_without_the_file_there_are_none() -> None:
    allowed = excepting().allowed

    assert dict(allowed.requests) == {Classification.INTERNAL: 24, Classification.RESTRICTED: 4}
    assert (allowed.break_glass, allowed.exceptions) == (1, 90)
    assert (dict(policy().allowed.requests), policy().allowed.break_glass) == ({}, None)


def test_an_exception_lifts_one_rule_on_its_days_and_says_so() -> None:
    plain = policy(**{"guardrails/secrets.cedar": SECRETS})

    assert refused(plain) == ["no-secrets vault:group:dev"]
    assert (refused(excepting()), lifted(excepting())) == ([], ["no-secrets vault:group:dev"])
    for day in (date(2026, 4, 30), date(2026, 7, 1)):
        assert (refused(excepting(), day), lifted(excepting(), day)) == (["no-secrets vault:group:dev"], [])


@pytest.mark.parametrize(
    ("old", "new", "lifts"),
    [
        (f"person: {MARTA}", "role: engineer", True),
        (f"person: {MARTA}", "engagement: payments", True),
        (f"person: {MARTA}", "engagement: other", False),
        (f"person: {MARTA}", f"person: p-{9:032x}", False),
        (f"person: {MARTA}", f"person: {MARTA}\n    engagement: other", False),
        ("vault:group:dev", "github:repo:acme/api", False),
    ],
)
def test_an_exception_is_for_just_what_it_names(old: str, new: str, lifts: bool) -> None:
    changed = excepting(exception=EXCEPTION.replace(old, new))

    assert (refused(changed) == []) is lifts


def test_everything_that_is_wrong_with_an_exception_is_said_with_its_line() -> None:
    absolute = NO_ADMIN.replace('@control("CC6.3")', '@control("CC6.3")\n@absolute')
    wrong = """\
exceptions:
  - {rule: no-admin, role: enginer, resource: "github:repo:acme/apu", owner: Ada Berg, because: b, control: c,
     from: 2026-01-01, ends: 2026-12-31}
  - {rule: no-secret, resource: "vault:group:dev", owner: team-pay, because: b, from: 2026-02-01, ends: 2026-01-01}
"""

    told = complaints(files(wrong, **{"guardrails/admin.cedar": absolute}))

    expected = [
        ":2  no-admin is @absolute",
        ":2  role 'enginer' isn't there. Did you mean engineer?",
        ":2  resources.yaml doesn't declare github:repo:acme/apu. Did you mean",
        ":2  'Ada Berg' is no owner",
        ":3  it lasts 365 days; extras.yaml allows 90",
        ":4  no guardrail has the @id 'no-secret'. Did you mean no-secrets?",
        ":4  it names nobody",
        ":4  an exception lacks 'control'",
        ":4  it ends on 2026-01-01, before it begins",
    ]
    for line in expected:
        assert any(line in problem for problem in told), (line, told)
    assert len(told) == len(expected)


def test_an_exception_needs_an_end_and_extras_that_allow_it() -> None:
    endless = complaints(files(EXCEPTION.replace("    ends: 2026-06-30\n", "")))
    unallowed = complaints(files(**{"extras.yaml": "break_glass: 1\n"}))

    assert any("lacks 'ends'" in problem for problem in endless)
    assert any("allows no exceptions" in problem for problem in unallowed)


def test_a_role_that_grants_a_decoy_is_told_where() -> None:
    decoy = FILES["resources.yaml"].replace("confidential}", "confidential, decoy: true}", 1)

    (problem,) = {line.partition("  ")[2][:40] for line in complaints({**FILES, "resources.yaml": decoy})}
    assert problem == "grants github:repo:acme/api, a decoy: wh"


def test_a_decoy_needs_no_role() -> None:
    decoy = "  vault:group:vip: {owner: team-pay, classification: restricted, decoy: true}\n"

    loaded = policy(**{"resources.yaml": FILES["resources.yaml"] + decoy})

    assert loaded.resources[Resource.parse("vault:group:vip")].decoy
    assert ROLE in loaded.files.values()


def test_an_extra_needs_no_more_days_than_it_has() -> None:
    last_day = EXCEPTION.replace("ends: 2026-06-30", f"ends: {date(2026, 5, 1) + timedelta(days=89)}")

    assert excepting(exception=last_day).exceptions


def test_a_line_that_a_guardrail_always_forbids_may_stand_there_for_an_exception() -> None:
    always = SECRETS.replace(' && context.facts.contains("first_merge")', "")

    (problem,) = complaints({**FILES, "guardrails/secrets.cedar": always})
    assert "always forbids" in problem
    assert refused(excepting(**{"guardrails/secrets.cedar": always})) == []
