"""The access review finds exactly what somebody tampered with, and answers why anybody holds anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onboard.errors import BadInput
from onboard.ledger import records
from onboard.lifecycle import offboarding
from onboard.model import OPERATOR, Phase, Resource
from onboard.policy.catalogue import Policy
from onboard.review.access import Review, review
from onboard.review.holdings import explain, held_by, held_on
from tests.world import IDS, World

API = Resource.parse("github:repo:acme/payments-api")


@pytest.fixture
def staffed(world: World) -> World:
    """Marta and jonas in tooling setup, everybody of the company known, one review already on record."""
    world.enter("octo-admin")
    github = world.services.settings.systems["github"].model_copy(update={"protected": ("onboard-bot",)})
    guarded = world.with_settings(systems={**world.services.settings.systems, "github": github})
    guarded.onboarded("marta", "jonas", phase=Phase.TOOLING_SETUP)
    guarded.reconcile("octo-admin")
    return guarded


def found(world: World) -> list[str]:
    """Every finding: severity, kind, whose, what."""
    names = {id_: name for name, id_ in IDS.items()}
    return [
        f"{f.severity} {f.kind} {names.get(f.person or '', f.handle)} {f.resource} {f.level}"
        for f in review(world.services, OPERATOR).findings
    ]


def test_where_all_is_as_it_should_be_nothing_is_found(staffed: World) -> None:
    done = review(staffed.services, OPERATOR)

    assert done.findings == ()
    assert (done.exit_code, done.people, done.unknown) == (0, 2, ())


def test_a_review_changes_no_system(staffed: World) -> None:
    written = len(staffed.writes())
    staffed.repository("docs").add_to_collaborators("marta-nw", permission="admin")

    review(staffed.services, OPERATOR)

    assert len(staffed.writes()) == written + 1


def test_who_calls_themselves_like_a_protected_jira_account_is_found_all_the_same(staffed: World) -> None:
    mallory = staffed.services.readers["jira"].find_account(staffed.sandbox.person("mallory").jira["account_id"])
    assert mallory is not None
    staffed.services.writers()["jira"].grant(mallory, Resource.parse("jira:project:PAY"), "Administrators")
    systems, strange = staffed.services.settings.systems, "Mallory Vane jira:project:PAY Administrators"

    for names, expected in ((("Mallory Vane",), [f"low stranger {strange}"]), ((str(mallory.external_id),), [])):
        jira = systems["jira"].model_copy(update={"protected": names})
        assert found(staffed.with_settings(systems={**systems, "jira": jira})) == expected


def test_exactly_what_was_tampered_with_is_found(staffed: World) -> None:
    staffed.repository("docs").add_to_collaborators("marta-nw", permission="admin")
    staffed.repository("payments-api").add_to_collaborators("mallory", permission="pull")
    staffed.team("outsourced-readers").remove_membership(staffed.github().get_user("jonas-nw"))
    staffed.join_vault_group("marta", "platform-ops")

    assert found(staffed) == [
        "high drift marta github:repo:acme/docs admin",
        "high drift marta vault:group:platform-ops member",
        "medium stranger mallory github:repo:acme/payments-api pull",
        "low missing jonas github:team:acme/outsourced-readers member",
    ]


def test_a_stranger_on_an_exclusive_resource_is_grave(staffed: World) -> None:
    staffed.login("mallory")
    staffed.join_vault_group("mallory", "payments-dev")

    assert "high stranger mallory vault:group:payments-dev member" in found(staffed)


def test_what_a_leaver_still_holds_is_left_behind(staffed: World) -> None:
    staffed.note(records.left(IDS["jonas"]))

    kinds = {line.split()[1] for line in found(staffed)}

    assert kinds == {"left-behind"}
    offboarding.offboard(staffed.services, IDS["jonas"], None, OPERATOR)
    assert found(staffed) == []


def test_what_policy_no_longer_gives_is_drift_until_it_is_reconciled(staffed: World) -> None:
    staffed.note(records.role_changed(IDS["marta"], "payments", "qa-engineer", "backend-engineer"))

    assert found(staffed) == ["high drift marta github:repo:acme/payments-api triage"]
    staffed.reconcile("marta")
    assert found(staffed) == []


def test_what_somebody_holds_and_a_new_guardrail_forbids_is_found(staffed: World) -> None:
    rule = """@id("no-triage") @because("Triage is for our own") @control("A.8.2")
    forbid (principal, action == Action::"hold", resource) when { principal.outsourced && context.level == "triage" };
    """
    files = staffed.services.policy.files
    later = Policy.kept({**files, "guardrails/new.cedar": rule}, staffed.services.settings.kinds)
    world = replace(staffed, services=replace(staffed.services, policy=later))

    assert found(world) == [
        "high forbidden jonas github:repo:acme/e2e-tests triage",
        "high forbidden marta github:repo:acme/payments-api triage",
    ]


def test_of_the_roles_of_a_project_only_the_forbidden_one_is_found(staffed: World) -> None:
    staffed.onboarded("marta", phase=Phase.RAMP_UP)
    rule = """@id("no-work") @because("Work is for our own") @control("A.8.2")
    forbid (principal, action == Action::"hold", resource) when { context.level == "Developers" };
    """
    files = {**staffed.services.policy.files, "guardrails/new.cedar": rule}
    later = Policy.kept(files, staffed.services.settings.kinds)

    assert found(replace(staffed, services=replace(staffed.services, policy=later))) == [
        "high forbidden marta jira:project:PAY Developers"
    ]


def test_an_invitation_that_expired_is_low(world: World) -> None:
    world.standing("marta")
    world.granted(world.reconcile("marta"))
    world.advance_time(days=8)

    lapsed = [line for line in found(world) if " lapsed " in line]

    assert lapsed == ["low lapsed marta github:org:acme member", "low lapsed marta github:repo:acme/payments-api pull"]


def test_the_second_review_says_what_is_new_and_what_is_resolved(staffed: World) -> None:
    staffed.repository("docs").add_to_collaborators("marta-nw", permission="admin")
    first = review(staffed.services, OPERATOR)
    staffed.repository("docs").remove_from_collaborators("marta-nw")
    staffed.repository("e2e-tests").add_to_collaborators("marta-nw", permission="push")
    second = review(staffed.services, OPERATOR)
    third = review(staffed.services, OPERATOR)

    def counts(done: Review) -> tuple[int, int, int]:
        return done.new, done.still_open, done.resolved

    assert [counts(done) for done in (first, second, third)] == [(1, 0, 0), (1, 0, 1), (0, 1, 0)]


def test_what_cannot_be_read_is_said_and_is_no_finding(staffed: World) -> None:
    staffed.repository("docs").add_to_collaborators("marta-nw", permission="admin")
    staffed.sandbox.fault("github", "500", path="/repos/acme/docs")

    done = review(staffed.services, OPERATOR)

    assert done.findings == ()
    assert [name for name, _ in done.unknown] == ["github:repo:acme/docs"]
    assert done.exit_code == 5


def test_the_ledger_keeps_findings_without_names(staffed: World) -> None:
    staffed.repository("docs").add_to_collaborators("marta-nw", permission="admin")
    review(staffed.services, OPERATOR)

    (key,) = staffed.register.last_review
    assert key.startswith("drift github:repo:acme/docs admin a-")


def test_a_persons_holdings_come_with_the_grants_that_cover_them(staffed: World) -> None:
    staffed.repository("docs").add_to_collaborators("marta-nw", permission="admin")

    held = {
        f"{one.holding.resource} {one.holding.level}": one.grant for one in held_by(staffed.services, IDS["marta"]).held
    }

    assert held["github:repo:acme/docs admin"] is None
    covered = held[f"{API} triage"]
    assert covered is not None
    assert covered.warrants[0].source.file == "roles/backend-engineer.yaml"


def test_who_is_on_a_resource_includes_those_whom_nobody_knows(staffed: World) -> None:
    staffed.repository("payments-api").add_to_collaborators("mallory", permission="pull")

    held = held_on(staffed.services, API).held

    assert {(one.person or one.holding.handle, one.grant is not None) for one in held} == {
        (IDS["marta"], True),
        (IDS["ada"], False),
        (IDS["lena"], False),
        ("mallory", False),
    }


def test_an_explanation_leads_from_the_policys_line_to_the_receipt(staffed: World) -> None:
    told = explain(staffed.services, IDS["marta"], API)

    assert [holding.level for holding in told.held] == ["triage"]
    assert str(told.grants[0].warrants[0].source).startswith("roles/backend-engineer.yaml:")
    assert set(told.needs) == {"nda_signed"}
    assert told.granted is not None
    assert told.granted.outcome is not None
    assert told.granted.outcome.receipt is not None
    (approval,) = told.history[-1].approvals
    assert (approval.actor.id, approval.actor.authenticated_by) == (IDS["ada"], "vault login")
    assert any("push" in reason and "first_merge" in reason for reason in told.against)


def test_an_explanation_says_what_stands_against_it(staffed: World) -> None:
    told = explain(staffed.services, IDS["jonas"], API)

    assert told.held == ()
    assert told.against == (
        "role qa-engineer (roles/qa-engineer.yaml) carries nothing on github:repo:acme/payments-api",
    )


def test_a_resource_that_nothing_declares_is_refused(staffed: World) -> None:
    with pytest.raises(BadInput, match="not declared"):
        explain(staffed.services, IDS["marta"], Resource.parse("github:repo:acme/secret"))
    with pytest.raises(BadInput, match="No system 'gitlab'"):
        held_on(staffed.services, Resource.parse("gitlab:repo:acme/secret"))


def test_a_policy_that_reaches_farther_than_the_catalogue_says_is_found_with_path_and_capabilities(
    staffed: World,
) -> None:
    rules = 'path "secret/data/payments/dev/*" { capabilities = ["read"] }'
    wider = rules + ' path "secret/data/payments/*" { capabilities = ["read", "update"] }'
    staffed.vault().sys.create_or_update_acl_policy("outsourced-payments-dev", wider)

    done = review(staffed.services, OPERATOR)

    reaching = [f for f in done.findings if f.kind == "far-reaching"]
    assert IDS["marta"] in {f.person for f in reaching}
    assert {(str(f.resource), f.level) for f in reaching} == {
        ("vault:policy:outsourced-payments-dev", "secret/data/payments/*")
    }
    assert "gives read, update there" in reaching[0].message
    assert reaching[0].severity == "high"


def test_a_policy_that_cannot_be_read_is_unknown_and_no_finding(staffed: World) -> None:
    staffed.sandbox.fault("vault", "forbidden", path="sys/policies/acl")

    done = review(staffed.services, OPERATOR)

    assert [f for f in done.findings if f.kind == "far-reaching"] == []
    assert {name for name, _ in done.unknown} >= {"vault:policy:outsourced-payments-dev"}
