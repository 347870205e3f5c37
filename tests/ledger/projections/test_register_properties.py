from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from onboard.ledger import Entry, Record, Register, Result, records
from onboard.model import Phase
from tests.ledger.builders import JONAS, MARTA, PROJECT, REPO, Story, change, engagement, terms, vendor

PEOPLE = st.sampled_from([MARTA, JONAS])
ENGAGEMENTS = st.sampled_from(["payments", "data"])
ROLES = st.sampled_from(["qa-engineer", "backend-engineer"])
DIGESTS = st.sampled_from(["1" * 64, "2" * 64])

REMOVALS = st.one_of(
    st.builds(records.left, PEOPLE, st.none() | ENGAGEMENTS),
    st.builds(records.cut_off, PEOPLE),
    st.builds(records.role_changed, PEOPLE, ENGAGEMENTS, ROLES, ROLES),
)
FACTS = st.one_of(
    st.builds(records.person_added, PEOPLE),
    st.builds(
        lambda name, staffed: records.engagement_loaded(engagement(name, **staffed)),
        ENGAGEMENTS,
        st.dictionaries(st.sampled_from(["marta", "jonas"]), ROLES),
    ),
    st.builds(records.started, PEOPLE, ENGAGEMENTS, ROLES),
    st.builds(records.advanced, PEOPLE, ENGAGEMENTS, st.sampled_from(Phase)),
    st.builds(
        lambda person, where: records.happened("done", person, engagement=where), PEOPLE, st.none() | ENGAGEMENTS
    ),
    st.builds(
        records.account_bound,
        PEOPLE,
        st.sampled_from(["a-1", "a-2"]),
        st.sampled_from(["github", "jira"]),
        st.just("claimed"),
    ),
)
CHANGES = st.one_of(
    st.builds(lambda b, a: change(b, a), st.sampled_from([None, "pull"]), st.sampled_from([None, "push"])),
    st.builds(
        lambda b, a: change(b, a, PROJECT), st.sampled_from([None, "Testers"]), st.sampled_from([None, "Developers"])
    ),
)
REST = st.one_of(
    st.just(records.vendor_loaded(vendor())),
    st.builds(records.policy_in_force, st.sampled_from(["a", "b"])),
    st.builds(lambda digest, person: records.proposed(digest, terms(person)), DIGESTS, PEOPLE),
    st.builds(records.approved, DIGESTS, st.just("sponsor")),
    st.builds(records.refused, DIGESTS),
    st.builds(records.applied, DIGESTS),
    st.builds(records.intended, DIGESTS, CHANGES),
)


@st.composite
def journals(draw: st.DrawFn) -> list[Entry]:
    """Any journal that our functions may write: restorations undo what went before, outcomes follow their intents."""
    story = Story()
    for record in draw(st.lists(st.one_of(FACTS, REMOVALS, REST), max_size=30)):
        story.tell(record)
        intents = [e.seq for e in story.entries if e.kind == "intended"]
        undoable = [e for e in story.entries if e.body.get("name") in {"left", "cut_off", "role_changed"}]
        if draw(st.booleans()) and intents:
            story.tell(records.outcome(draw(st.sampled_from(intents)), draw(st.sampled_from(Result))))
        if draw(st.booleans()) and undoable:
            undone = draw(st.sampled_from(undoable))
            story.tell(records.restored(undone.body["person"], undone.seq))
    return story.entries


@given(journals(), st.lists(st.integers(0, 60)))
def test_a_journal_read_in_pieces_says_the_same_as_read_at_once(entries: list[Entry], cuts: list[int]) -> None:
    register = Register.replay([])
    edges = [0, *sorted(cuts), len(entries)]
    for start, end in pairwise(edges):
        register = register.advance(entries[start:end])
        register.assignments(MARTA)  # an answer given early must not stick

    whole = Register.replay(entries)
    assert register == whole
    for person in (MARTA, JONAS):
        assert register.assignments(person) == whole.assignments(person)
        assert register.bindings(person) == whole.bindings(person)
    assert register.owned() == whole.owned()
    assert register.open_proposals() == whole.open_proposals()


@given(st.lists(FACTS | REMOVALS, max_size=15), REMOVALS, st.lists(FACTS, max_size=10))
def test_a_restored_removal_is_as_if_it_had_not_happened(
    before: list[Record], removal: Record, after: list[Record]
) -> None:
    without, restored = Story(), Story()
    without.tell(records.person_added(MARTA), *before, *after)
    undone = restored.tell(records.person_added(MARTA), *before, removal)
    restored.tell(*after, records.restored(str(removal.body["person"]), undone))

    left, right = without.register(), restored.register()
    for person in (MARTA, JONAS):
        assert left.assignments(person) == right.assignments(person)
        assert (left.left(person) is None) == (right.left(person) is None)
        for name in ("payments", "data"):
            assert set(left.milestones(person, name)) == set(right.milestones(person, name))


@given(journals())
def test_no_level_is_ours_that_was_never_intended(entries: list[Entry]) -> None:
    intended = {e.body["change"]["after"] for e in entries if e.kind == "intended"}
    owned = Register.replay(entries).owned()

    assert {level for levels in owned.values() for level in levels} <= intended - {None}
    assert {resource for _, _, resource in owned} <= {REPO, PROJECT}
