"""Two models and one change between them: what has to change, and what justifies nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.engine.diff import Difference, Owned
from onboard.levels import SCALES
from onboard.model import Account, AccountState, Grant, Holding, HoldingState, Kind, Observation, Resource
from tests.engine.models import (
    ACCOUNTS,
    DOCS,
    GROUP,
    MARTA,
    NOW,
    ORG,
    PROJECT,
    REPO,
    actions,
    compared,
    grant,
    holding,
    owning,
    seen,
    subject,
)

INVITED, EXPIRED = HoldingState.INVITED, HoldingState.EXPIRED


def test_what_is_as_it_should_be_changes_nothing() -> None:
    found = compared([grant(REPO, "push")], seen(holding(REPO, "push")), owning((REPO, "push")))

    assert found == Difference((), (), ())


def test_a_person_who_should_hold_more_is_raised() -> None:
    assert actions(compared([grant(REPO, "push")], seen(holding(REPO, "pull")))) == [f"grant {REPO} pull → push"]


def test_what_we_gave_and_policy_no_longer_gives_is_taken_away() -> None:
    assert actions(compared([], seen(holding(REPO, "push")), owning((REPO, "push")))) == [f"revoke {REPO} push"]


def test_what_others_gave_is_left_alone() -> None:
    found = compared([grant(DOCS, "pull")], seen(holding(REPO, "admin"), holding(DOCS, "push")))

    assert found.changes == ()


def test_what_others_gave_on_an_exclusive_resource_is_taken_away() -> None:
    assert actions(compared([], seen(holding(GROUP, "member")), exclusive=[GROUP])) == [f"revoke {GROUP} member"]


def test_a_leaver_loses_what_others_gave() -> None:
    found = compared([], seen(holding(REPO, "admin"), holding(PROJECT, "Viewers")), who=subject(leaving=True))

    assert actions(found) == [f"revoke {REPO} admin", f"revoke {PROJECT} Viewers"]


def test_what_comes_by_another_route_is_not_revoked_on_the_resource() -> None:
    found = compared([], seen(holding(REPO, "push", via="team:acme/x")), owning((REPO, "push")), subject(leaving=True))

    assert found.changes == ()


def test_somebody_elses_holdings_are_none_of_ours() -> None:
    found = compared([], seen(holding(REPO, "push", account="another")), owning((REPO, "push")), subject(leaving=True))

    assert found.changes == ()


def test_a_pending_invitation_counts_as_given_and_an_expired_one_does_not() -> None:
    wanted = [grant(REPO, "push")]

    assert compared(wanted, seen(holding(REPO, "push", INVITED))).changes == ()
    assert actions(compared(wanted, seen(holding(REPO, "push", EXPIRED)))) == [f"grant {REPO} push"]


def test_our_expired_invitations_are_cleared_away() -> None:
    lapsed = seen(holding(REPO, "push", EXPIRED), holding(ORG, "member", EXPIRED))

    assert actions(compared([], lapsed, owning((REPO, "push"), (ORG, "member")))) == [
        f"revoke {ORG} member",
        f"revoke {REPO} push",
    ]


def test_an_expired_invitation_to_the_organisation_is_not_tried_for_ever() -> None:
    lapsed = seen(holding(REPO, "push", EXPIRED), holding(ORG, "member", EXPIRED))

    assert actions(compared([], lapsed, who=subject(leaving=True))) == [f"revoke {REPO} push"]


def test_the_roles_of_a_project_are_held_side_by_side() -> None:
    held = seen(holding(PROJECT, "Viewers"), holding(PROJECT, "Testers"), holding(PROJECT, "Administrators"))

    found = compared([grant(PROJECT, "Viewers"), grant(PROJECT, "Developers")], held, owning((PROJECT, "Testers")))

    assert actions(found) == [f"revoke {PROJECT} Testers", f"grant {PROJECT} Developers"]


def test_what_cannot_be_read_is_unknown_and_changes_nothing() -> None:
    blind = seen(unknown={REPO: "429"})

    found = compared([grant(REPO, "push")], blind, owning((REPO, "admin")), subject(leaving=True), [REPO])

    assert found.changes == ()
    assert [(u.resource, u.reason) for u in found.unknown] == [(REPO, "429")]


@pytest.mark.parametrize(
    ("owned", "owed"), [("push", True), ("pull", False), ("triage", True)], ids=["higher", "lower or same", "between"]
)
def test_what_cannot_be_read_and_has_to_go_is_owed(owned: str, owed: bool) -> None:
    found = compared([grant(REPO, "pull")], seen(unknown={REPO: "429"}), owning((REPO, owned)))

    assert [unknown.owed for unknown in found.unknown] == [owed]


def test_a_system_that_is_no_longer_configured_is_unknown_where_we_granted_something() -> None:
    account = Account("a-old", "gitlab", "7", "marta", person=MARTA)
    gone = Resource("gitlab", "repo", "acme/old")
    found = compared(
        [], seen(), {(MARTA, "a-old", gone): frozenset({"push"})}, subject(accounts={**ACCOUNTS, "gitlab": account})
    )

    assert [(u.resource, u.reason) for u in found.unknown] == [(gone, "gitlab is not configured")]


def test_a_complete_reading_verifies_the_absence_of_what_it_leaves_out() -> None:
    deleted = Resource("github", "repo", "acme/deleted")
    observed = seen()
    partial = compared([], observed, owning((deleted, "push")))
    observed["github"] = replace(observed["github"], complete=True)

    assert [u.resource for u in partial.unknown] == [deleted]
    assert compared([], observed, owning((deleted, "push"))) == Difference((), (), ())


def test_everything_of_a_leaver_that_cannot_be_read_is_named_even_if_we_granted_nothing_there() -> None:
    found = compared([], seen(unknown={DOCS: "500"}), who=subject(leaving=True))
    staying = compared([], seen(unknown={DOCS: "500"}))

    assert [u.resource for u in found.unknown] == [DOCS]
    assert staying.unknown == ()


def test_an_account_that_was_not_found_is_missing_and_one_that_could_not_be_looked_up_is_unknown() -> None:
    accounts = {"jira": ACCOUNTS["jira"]}
    wanted = [grant(REPO, "pull"), grant(GROUP, "member")]

    found = compared(
        wanted, seen(), who=subject(accounts=accounts, missing={"github": "nobody"}, unclear={"vault": "500"})
    )

    assert [(m.system, m.reason) for m in found.missing] == [("github", "nobody")]
    assert [(u.resource, u.reason) for u in found.unknown] == [(GROUP, "500")]
    assert found.changes == ()


def test_an_account_without_an_id_that_could_not_be_looked_up_may_hold_what_we_granted() -> None:
    unborn = {**ACCOUNTS, "vault": replace(ACCOUNTS["vault"], external_id=None)}

    found = compared([], seen(), owning((GROUP, "member")), subject(accounts=unborn, unclear={"vault": "500"}))
    surely = compared([], seen(), owning((GROUP, "member")), subject(accounts=unborn))

    assert [(u.resource, u.owed) for u in found.unknown] == [(GROUP, True)]
    assert surely == Difference((), (), ())


def test_a_former_account_loses_what_we_gave_it_and_gets_nothing() -> None:
    former = Account("a-former", "github", "former-id", "marta-old", person=MARTA)
    held = seen(holding(REPO, "push", account="former-id"))
    owned = {(MARTA, "a-former", REPO): frozenset({"push"})}

    found = compared([grant(REPO, "push")], held, owned, subject(former=(former,)))

    assert [(str(change), change.account.id) for change in found.changes] == [
        (f"revoke {REPO} push", "a-former"),
        (f"grant {REPO} push", "a-github"),
    ]


def test_nothing_is_granted_to_an_account_that_is_gone() -> None:
    observed = seen()
    gone = replace(ACCOUNTS["github"], state=AccountState.GONE)
    observed["github"] = replace(observed["github"], accounts={"github-id": gone})

    found = compared([grant(REPO, "pull")], observed)

    assert found.changes == ()
    assert [missing.system for missing in found.missing] == ["github"]


# Whatever is wanted, held and owned

RESOURCES = (ORG, REPO, DOCS, PROJECT, GROUP)


def levels(resource: Resource) -> list[str]:
    kind = {"github": Kind.GITHUB, "jira": Kind.JIRA, "vault": Kind.VAULT}[resource.system]
    return list(SCALES[kind, resource.type].levels) or ["Viewers", "Developers", "Testers"]


@st.composite
def wants(draw: st.DrawFn) -> list[Grant]:
    """As policy gives them: one level for a resource, or several roles of a project."""
    found = []
    for resource in draw(st.sets(st.sampled_from(RESOURCES))):
        most = len(levels(resource)) if resource is PROJECT else 1
        chosen = draw(st.sets(st.sampled_from(levels(resource)), min_size=1, max_size=most))
        found += [grant(resource, level) for level in chosen]
    return found


@st.composite
def holds(draw: st.DrawFn) -> list[Holding]:
    """What one account may be seen with: on a closed scale one level."""
    found = []
    for resource in draw(st.sets(st.sampled_from(RESOURCES))):
        most = len(levels(resource)) if resource is PROJECT else 1
        chosen = draw(st.sets(st.sampled_from(levels(resource)), min_size=1, max_size=most))
        found += [holding(resource, level, draw(st.sampled_from(HoldingState))) for level in chosen]
    return found


@st.composite
def owns(draw: st.DrawFn) -> Owned:
    chosen = draw(st.sets(st.sampled_from(RESOURCES)))
    return owning(*((resource, draw(st.sampled_from(levels(resource)))) for resource in chosen))


def applied(held: list[Holding], found: Difference) -> list[Holding]:
    """What the holdings are once the changes are made, as the systems would have it."""
    after = list(held)
    for change in found.changes:
        scale_open = change.resource is PROJECT
        after = [
            h
            for h in after
            if h.resource != change.resource or (scale_open and h.level not in (change.before, change.after))
        ]
        if change.after is not None:
            after.append(holding(change.resource, change.after))
    return after


def owned_after(owned: Owned, found: Difference) -> Owned:
    """What is ours once the changes are made, as the ledger would have it."""
    ours = dict(owned)
    for change in found.changes:
        key = (MARTA, change.account.id, change.resource)
        left = frozenset() if change.resource is not PROJECT else ours.get(key, frozenset()) - {change.before}
        ours[key] = left | ({change.after} if change.after else frozenset())
    return {key: found for key, found in ours.items() if found}


@given(wants(), holds(), owns(), st.booleans(), st.sets(st.sampled_from(RESOURCES)))
def test_once_the_changes_are_made_there_is_nothing_more_to_do(
    wanted: list[Grant], held: list[Holding], owned: Owned, leaving: bool, exclusive: set[Resource]
) -> None:
    who = subject(leaving=leaving)
    wanted = [] if leaving else wanted
    first = compared(wanted, seen(*held), owned, who, exclusive)

    again = compared(wanted, seen(*applied(held, first)), owned_after(owned, first), who, exclusive)

    assert again.changes == ()


@given(wants(), holds(), owns(), st.booleans(), st.sets(st.sampled_from(RESOURCES)))
def test_only_what_is_ours_exclusive_or_a_leavers_is_taken_away(
    wanted: list[Grant], held: list[Holding], owned: Owned, leaving: bool, exclusive: set[Resource]
) -> None:
    found = compared(wanted, seen(*held), owned, subject(leaving=leaving), exclusive)

    ours = {resource for _, _, resource in owned}
    assert all(c.resource in ours | exclusive or leaving for c in found.changes if c.removes)


@given(wants(), holds(), owns(), st.booleans(), st.sets(st.sampled_from(RESOURCES), min_size=1))
def test_a_resource_that_is_unknown_never_yields_a_change(
    wanted: list[Grant], held: list[Holding], owned: Owned, leaving: bool, blind: set[Resource]
) -> None:
    observed = seen(*(h for h in held if h.resource not in blind), unknown=dict.fromkeys(blind, "429"))

    found = compared(wanted, observed, owned, subject(leaving=leaving), RESOURCES)

    assert not {change.resource for change in found.changes} & blind
    touched = {g.resource for g in wanted} | {resource for _, _, resource in owned}
    assert {u.resource for u in found.unknown} >= touched & blind


@given(wants(), owns(), st.booleans())
def test_a_system_that_is_down_yields_no_change(wanted: list[Grant], owned: Owned, leaving: bool) -> None:
    down = {system: Observation(system, NOW, unknown="no connection") for system in ACCOUNTS}

    found = compared(wanted, down, owned, subject(leaving=leaving), RESOURCES)

    assert found.changes == ()
    assert {u.resource for u in found.unknown} >= {g.resource for g in wanted} | {r for _, _, r in owned}
