"""A change of policy is seen before it counts: what becomes of people, and of roles whoever has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from onboard.errors import BadInput
from onboard.model import Assignment, Phase
from onboard.policy.catalogue import Policy, load_at
from onboard.policy.whatif.impact import Impact, RoleImpact, impact, role_impact
from tests.policy.small import FILES, MARTA, NO_ADMIN, ROLE, SYSTEMS, TODAY, kept, policy, register

BASE = policy()
PUSHING = '== "push" && context.model == "staff-augmentation"'
PUSH = "    - {resource: github:repo:acme/api, level: push, after: first_merge}\n"


def with_role(old: str, new: str, **others: str) -> Policy:
    assert old in ROLE
    return policy(**{"roles/engineer.yaml": ROLE.replace(old, new, 1), **others})


def of_people(head: Policy) -> Impact:
    return impact(BASE, head, register(), [MARTA], TODAY)


def of_roles(head: Policy) -> RoleImpact:
    return role_impact(BASE, head)


def said(found: Impact) -> list[str]:
    return [
        " ".join(
            [str(s.verb), str(s.resource), *(one.level if one else "nothing" for one in (s.before, s.after))],
        )
        for s in found.shifts
    ]


def test_the_same_policy_does_nothing() -> None:
    found = of_people(policy())

    assert (found.people, found.shifts, found.refused, found.permitted) == (1, (), (), ())
    assert of_roles(policy()).nothing


def test_a_line_that_goes_is_lost_or_lowered_to_what_is_left() -> None:
    developers = "    - {resource: jira:project:PAY, level: Developers}\n"

    assert said(of_people(with_role(PUSH, ""))) == ["lowered github:repo:acme/api push pull"]
    assert said(of_people(with_role(developers, ""))) == ["loses jira:project:PAY Developers nothing"]


def test_a_level_that_goes_up_is_raised_and_a_condition_that_is_met_anyway_changes_nothing() -> None:
    assert said(of_people(with_role("level: push", "level: maintain"))) == ["raised github:repo:acme/api push maintain"]
    assert said(of_people(with_role("Developers}", "Developers, needs: [security_training]}"))) == []


def test_a_right_is_gained_by_whom_a_condition_kept_from_it() -> None:
    before_the_merge = register(reached={})

    found = impact(BASE, with_role(", after: first_merge", ""), before_the_merge, [MARTA], TODAY)

    assert said(found) == ["raised github:repo:acme/api pull push"]


def test_a_right_that_only_ends_sooner_is_said_to() -> None:
    assert {shift.verb for shift in of_people(with_role("needs:", "max_days: 200\nneeds:")).shifts} == {"ends sooner"}


def test_what_a_guardrail_newly_forbids_is_named_for_each_person_and_what_it_forbade_before_is_not() -> None:
    rule = NO_ADMIN.replace('"no-admin"', '"no-push"').replace('== "admin"', PUSHING)
    head = kept(**{"guardrails/push.cedar": rule})

    (refusal,) = of_people(head).refused
    back = impact(head, BASE, register(), [MARTA], TODAY)

    assert (refusal.rule, refusal.grant.person, refusal.grant.level) == ("no-push", MARTA, "push")
    assert impact(head, head, register(), [MARTA], TODAY).refused == ()
    assert [refusal.rule for refusal in back.permitted] == ["no-push"]


def test_whoever_is_gone_is_not_touched() -> None:
    ended = (Assignment(MARTA, "payments", "engineer", Phase.RAMP_UP, ended=True),)

    assert impact(BASE, with_role(PUSH, ""), register(works=ended), [MARTA], TODAY).shifts == ()


def test_roles_are_compared_by_phase_and_alike_phases_are_one_line() -> None:
    (gained,) = of_roles(
        with_role("  ramp-up:\n", "    - {resource: github:repo:acme/docs, level: triage}\n  ramp-up:\n")
    ).shifts
    (moved,) = of_roles(with_role(f"  ramp-up:\n{PUSH}", f"{PUSH}  ramp-up:\n")).shifts

    assert (gained.role, gained.verb, gained.before, gained.after) == (
        "engineer",
        "raised",
        "pull with nda_signed",
        "triage with nda_signed",
    )
    assert gained.phases == (Phase.TOOLING_SETUP, Phase.RAMP_UP, Phase.FULL_OPERATION)
    assert (moved.verb, moved.phases) == ("raised", (Phase.TOOLING_SETUP,))


def test_a_condition_that_goes_away_is_told_though_the_level_stays() -> None:
    (shift,) = of_roles(with_role(", after: first_merge", "")).shifts

    assert shift.verb == "under other conditions"
    assert shift.before == "push with first_merge and nda_signed, else pull with nda_signed"
    assert shift.after == "push with nda_signed"


def test_a_role_that_comes_or_goes_is_gained_or_lost_whole() -> None:
    second = ROLE.replace("role: engineer", "role: tester")
    head = policy(**{"roles/tester.yaml": second})

    assert {(shift.role, shift.verb) for shift in of_roles(head).shifts} == {("tester", "gains")}
    assert {(shift.role, shift.verb) for shift in role_impact(head, BASE).shifts} == {("tester", "loses")}


def test_a_guardrail_that_newly_refuses_a_role_is_told_without_anybody_having_it() -> None:
    rule = NO_ADMIN.replace('"no-admin"', '"no-push"').replace('== "admin"', PUSHING)

    ((role, phases, refusal),) = of_roles(kept(**{"guardrails/push.cedar": rule})).refused

    assert (role, phases, refusal.rule) == ("engineer", (Phase.RAMP_UP, Phase.FULL_OPERATION), "no-push")


def test_a_limit_in_days_and_files_that_differ_are_named() -> None:
    found = of_roles(with_role("needs:", "max_days: 30\nneeds:"))

    assert found.limits == (("engineer", None, 30),)
    assert found.files == ("roles/engineer.yaml",)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The small policy in git, tagged `first`, and changed since."""
    folder = tmp_path / "policies"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text("Not a policy.", encoding="utf-8")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=T", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["tag", "first"]):
        subprocess.run([*git, *command], check=True)
    (folder / "roles" / "engineer.yaml").write_text(ROLE.replace(PUSH, ""), encoding="utf-8")
    return folder


def test_a_revision_is_read_from_git_as_it_was(checkout: Path) -> None:
    assert load_at(checkout, "first", SYSTEMS).hash == BASE.hash


@pytest.mark.parametrize("revision", ["no-such-branch", "--output=x", ""])
def test_what_is_no_revision_is_bad_input(checkout: Path, revision: str) -> None:
    with pytest.raises(BadInput, match=r"revision|read from git"):
        load_at(checkout, revision, SYSTEMS)


def test_a_revision_whose_policy_is_wrong_is_named_with_its_lines(checkout: Path) -> None:
    git = ["git", "-C", str(checkout), "-c", "user.name=T", "-c", "user.email=t@example.com"]
    (checkout / "facts.yaml").write_text("prerequisites: {}\n", encoding="utf-8")
    subprocess.run([*git, "commit", "-qam", "second"], check=True)

    with pytest.raises(BadInput) as caught:
        load_at(checkout, "HEAD", SYSTEMS)

    assert str(caught.value.problems[0]).startswith("HEAD:policies/")


def test_a_folder_that_git_doesnt_know_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="read from git"):
        load_at(tmp_path, "HEAD", SYSTEMS)
