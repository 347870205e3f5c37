"""Plans as values: digests, hazards, and what an approval covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.engine.plan import Change, Hazard, Need, Part, split
from onboard.engine.reconcile import authorise, complete
from onboard.errors import StalePlan
from onboard.ledger.records import ChangeRecord
from onboard.model import Resource
from tests.engine.models import ACCOUNTS, DOCS, GROUP, MARTA, ORG, PROJECT, REPO, part, warrant


def gives(
    resource: Resource = REPO, before: str | None = None, after: str | None = "push", **warrants: object
) -> Change:
    account = ACCOUNTS[resource.system]
    because = (warrant(**warrants),)  # type: ignore[arg-type]
    return Change(MARTA, account, resource, before, after, warrants=because)


def takes(resource: Resource = REPO, before: str = "push", after: str | None = None) -> Change:
    return replace(gives(resource, before, after), because="left", warrants=())


def records_of(*changes: Change) -> list[ChangeRecord]:
    return [change.record() for change in changes]


def test_removals_and_grants_are_parts_of_their_own_removals_first() -> None:
    lowered = gives(DOCS, "push", "pull")

    fact, approval = split(MARTA, [gives(REPO), lowered, takes(GROUP, "member")], "4be1d07")

    assert (fact.authority, approval.authority) == ("fact", "approval")
    assert {str(change) for change in fact.changes} == {f"revoke {GROUP} member", f"revoke {DOCS} push → pull"}
    assert [str(change) for change in approval.changes] == [f"grant {REPO} push"]


def test_what_the_rest_hangs_on_comes_first() -> None:
    assert part(gives(REPO), gives(ORG, after="member")).changes[0].resource == ORG


@pytest.mark.parametrize(
    "other",
    [
        part(gives(after="pull")),
        part(gives(before="pull")),
        part(gives(DOCS)),
        part(gives(engagement="reporting")),
        part(gives(until=date(2027, 1, 16))),
        part(gives(), policy="another"),
        replace(part(gives()), hazards=(Hazard("limit:github", "many"),)),
        replace(part(gives()), needs=(Need("sponsor of payments", (MARTA,)),)),
        replace(part(gives()), person="p-" + "2" * 32),
    ],
    ids=["level", "start", "resource", "warrant", "end", "policy", "hazard", "approver", "person"],
)
def test_the_digest_binds(other: Part) -> None:
    assert other.digest != part(gives()).digest


def test_the_digest_binds_neither_the_order_nor_the_handle() -> None:
    one, two = gives(REPO), gives(DOCS)
    renamed = replace(one, account=replace(one.account, handle="marta-k"))

    assert part(one, two).digest == part(two, renamed).digest


def test_a_part_under_a_proposal_bears_its_digest() -> None:
    assert replace(part(gives()), under="f" * 64).digest == "f" * 64


def test_a_hazard_holds_only_what_is_taken_on_its_system() -> None:
    limit = Hazard("limit:github", "many", system="github")
    protected = Hazard("protected:jira", "owner", blocking=True, system="jira")
    changes = (takes(REPO), takes(PROJECT, "Viewers"), takes(GROUP, "member"))
    stuck = replace(part(*changes), hazards=(limit, protected))

    assert {c.resource for c in stuck.free(accepted=False)} == {GROUP}
    assert {c.resource for c in stuck.free(accepted=True)} == {GROUP, REPO}


def test_a_hazard_of_no_system_holds_everything() -> None:
    assert replace(part(takes()), hazards=(Hazard("guardrail:x", "no", blocking=True),)).free(accepted=True) == ()


def test_the_same_part_is_authorised() -> None:
    assert authorise(part(gives()).terms(), part(gives()), []) == part(gives())


def test_what_was_begun_may_stand_at_another_level() -> None:
    approved = part(gives(after="push"), gives(DOCS, after="pull"))
    rest = part(gives(before="pull", after="push"))

    assert authorise(approved.terms(), rest, records_of(*approved.changes)) == rest


def test_what_was_not_begun_may_not() -> None:
    with pytest.raises(StalePlan, match="new or different  github:repo:acme/payments-api pull → push"):
        authorise(part(gives()).terms(), part(gives(before="pull")), [])


def test_a_change_that_nobody_made_and_is_not_needed_any_more_is_stale() -> None:
    approved = part(gives(REPO), gives(DOCS))

    with pytest.raises(StalePlan, match="no longer needed  github:repo:acme/docs push"):
        authorise(approved.terms(), part(gives(REPO)), [])


def test_what_cannot_be_read_now_waits() -> None:
    approved = part(gives(REPO), gives(GROUP, after="member"))

    assert authorise(approved.terms(), part(gives(REPO)), [], {GROUP}) == part(gives(REPO))


def test_a_new_hazard_another_approver_or_policy_is_stale() -> None:
    approved = part(gives())
    for fresh, why in (
        (replace(approved, hazards=(Hazard("guardrail:x", "no"),)), "new hazard        guardrail:x"),
        (replace(approved, needs=(Need("sponsor of x", (MARTA,)),)), "who has to approve changed"),
        (replace(approved, policy="another"), "the policy changed"),
    ):
        with pytest.raises(StalePlan, match=why):
            authorise(approved.terms(), fresh, [])


def test_a_proposal_is_complete_once_each_change_was_begun_each_role_of_a_project_by_itself() -> None:
    both = (takes(PROJECT, "Viewers"), takes(PROJECT, "Testers"))
    proposal = part(*both)

    assert not complete(proposal.terms(), records_of(both[0]))
    assert complete(proposal.terms(), records_of(*both))


CHANGES = st.lists(
    st.builds(
        gives,
        st.sampled_from((REPO, DOCS)),
        st.sampled_from((None, "pull")),
        st.sampled_from(("triage", "push", "admin")),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda change: change.resource,
)


@given(CHANGES, CHANGES, st.data())
def test_an_approval_never_authorises_more_than_it_names(
    approved: Sequence[Change], now: Sequence[Change], data: st.DataObject
) -> None:
    begun = data.draw(st.lists(st.sampled_from(approved)))
    blind = data.draw(st.sets(st.sampled_from((REPO, DOCS))))
    try:
        todo = authorise(part(*approved).terms(), part(*now), records_of(*begun), blind)
    except StalePlan:
        return

    assert todo is not None
    named = {(change.resource, change.after) for change in approved}
    assert {(change.resource, change.after) for change in todo.changes} <= named
    dropped = named - {(change.resource, change.after) for change in todo.changes}
    assert dropped <= {(c.resource, c.after) for c in begun} | {pair for pair in named if pair[0] in blind}
