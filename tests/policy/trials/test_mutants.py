"""A mistake in a policy has to fail some test; what the tests would miss is named, with the test that is missing."""

from __future__ import annotations

import pytest

from onboard.errors import BadInput
from onboard.policy.catalogue import Policy
from onboard.policy.trials.trying import Tried, try_out
from tests.policy.small import FILES, ROLE, SYSTEMS, complaints, edited

TESTS = """\
tests:
  - name: discovery
    given: {role: engineer, phase: discovery, facts: [nda_signed, security_training], milestones: [first_merge]}
    expect:
      - github:org:acme member
      - github:repo:acme/api pull
      - github:repo:acme/docs pull
      - jira:project:PAY Viewers
"""

ADMIN = """\
  - name: no administration
    given: {role: engineer, phase: discovery, facts: [nda_signed]}
    suppose: [github:repo:acme/docs admin]
    refused: [no-admin]
"""


def tried(tests: str = TESTS, **changed: str) -> Tried:
    return try_out(Policy.from_files({**FILES, "tests/all.yaml": tests, **changed}, SYSTEMS))


def surviving(found: Tried) -> set[str]:
    return {mutant.what for mutant in found.survivors}


def added(found: Tried) -> str:
    """The tests, and those that are proposed."""
    lines = (f"  {line}\n" for proposal in found.proposed for line in proposal.yaml().splitlines())
    return TESTS + "".join(lines)


def test_what_a_test_sees_is_noticed_and_what_none_sees_survives() -> None:
    found = surviving(tried())

    assert "github:repo:acme/api pull is dropped" not in found
    assert "github:repo:acme/api pull is widened to triage" not in found
    assert "slack:channel:dev member begins in discovery already" not in found
    assert found >= {
        "nothing needs nda_signed",
        "vault:group:dev member needs no security_training",
        "github:repo:acme/api push is dropped",
        "github:repo:acme/api push is widened to maintain",
        "github:repo:acme/api push doesn't wait for first_merge",
        "github:repo:acme/api push begins in tooling-setup already",
        "ramp-up gives nothing new",
        "guardrail no-admin is dropped",
    }


def test_every_survivor_names_its_line() -> None:
    sources = {mutant.what: str(mutant.source) for mutant in tried().survivors}

    assert sources["github:repo:acme/api push is dropped"] == "roles/engineer.yaml:16"
    assert sources["guardrail no-admin is dropped"] == "guardrails/admin.cedar:2"


def test_the_proposed_tests_pass_and_notice_everything_but_guardrails() -> None:
    second = tried(added(tried()))

    assert second.passed
    assert surviving(second) == {"guardrail no-admin is dropped"}
    assert tried(added(tried()) + ADMIN).survivors == ()


def test_each_proposed_test_is_needed() -> None:
    proposed = tried().proposed

    assert [proposal.case.name for proposal in proposed if not proposal.notices] == ["engineer in full-operation"]
    assert len(proposed) < len(tried().survivors) / 2


def test_a_limit_in_days_is_noticed_only_by_somebody_who_began_long_ago() -> None:
    limited = {"roles/engineer.yaml": ROLE.replace("needs:", "max_days: 30\nneeds:", 1)}
    late = (
        "  - name: too long\n    given: {role: engineer, phase: discovery, facts: [nda_signed], started: 2025-12-01}\n"
    )

    assert "there are no max_days" in surviving(tried(**limited))
    assert "there are no max_days" not in surviving(tried(f"{TESTS}{late}    expect: []\n", **limited))


def test_what_makes_no_difference_to_anybody_is_proposed_no_test() -> None:
    line = "    - {resource: github:repo:acme/docs, level: pull}\n"
    twice = ROLE.replace("  tooling-setup:\n", f"  tooling-setup:\n{line.replace('pull', 'triage')}", 1)
    hidden = twice.replace("  ramp-up:\n", f"  ramp-up:\n{line.replace('pull', 'push')}", 1)

    unproposed = {m.what for m in tried(**{"roles/engineer.yaml": hidden}).unproposed}

    assert unproposed == {"guardrail no-admin is dropped"}


def test_while_a_test_fails_nothing_is_said_of_mutants() -> None:
    found = tried(TESTS.replace("docs pull", "docs push"))

    assert not found.passed
    assert found.of_mutants == 0


def test_coverage_counts_phases_of_roles_guardrails_and_lines() -> None:
    covered, complete = tried().coverage, tried(added(tried()) + ADMIN).coverage

    assert [phase for _, phase in covered.stages] == ["tooling-setup", "ramp-up", "full-operation"]
    assert [rule.id for rule in covered.rules] == ["no-admin"]
    assert len(covered.lines) == 5
    assert (complete.stages, complete.rules, complete.lines) == ((), (), ())


def test_a_survivor_may_be_spared_for_a_reason() -> None:
    spare = "survives:\n  - {mutant: guardrail no-admin is dropped, because: The vendor forbids it as well}\n"

    found = tried(added(tried()) + spare)

    assert found.survivors == ()
    assert found.spared == 1


def test_sparing_what_doesnt_survive_is_bad_input_each_with_its_line() -> None:
    spare = "survives:\n" + "".join(
        f"  - {{mutant: '{name}', because: Why not}}\n" for name in ("guardrail no-admn is dropped", "no such thing")
    )

    with pytest.raises(BadInput) as caught:
        tried(TESTS + spare)

    first, second = map(str, caught.value.problems)
    assert first.startswith("policies/tests/all.yaml:10 ")
    assert "Did you mean guardrail no-admin is dropped?" in first
    assert "no such thing" in second


def test_a_test_of_what_isnt_there_is_named_with_all_the_others() -> None:
    wrong = edited("roles/engineer.yaml", "level: push", "level: write") | {
        "tests/all.yaml": TESTS.replace("role: engineer", "role: enginer").replace("docs pull", "dosc pull")
        + ADMIN.replace("no-admin]", "no-admn]").replace("[nda_signed]", "[nda]")
    }

    found = "\n".join(complaints(wrong))

    for part in ("engineer.yaml:16", "'enginer'", "acme/dosc", "'no-admn'", "nda is no fact"):
        assert part in found
