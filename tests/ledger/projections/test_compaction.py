"""Whatever a register forgets, nobody can tell by asking it about now, then or after anything that may come."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from onboard.ledger import Entry, Record, Register, Result, records
from onboard.ledger.projections.compaction import Pins, Prescan, compacted, matters, stirs
from onboard.model import Resource
from tests.ledger.builders import JONAS, MARTA, PROJECT, REPO, START, Story, change, terms
from tests.ledger.projections.test_register_properties import FACTS, REMOVALS

CHANNEL = Resource("slack", "session", "S1")
PLANS = {"1" * 64: MARTA, "2" * 64: MARTA, "3" * 64: JONAS}
DIGESTS = st.sampled_from(sorted(PLANS))
LEVELS = st.sampled_from([None, "pull", "push"])
CHANGES = st.builds(change, LEVELS, LEVELS, st.sampled_from([REPO, CHANNEL]), st.sampled_from([MARTA, JONAS]))
RECORDS = st.one_of(
    FACTS,
    REMOVALS,
    st.builds(lambda digest: records.proposed(digest, terms(PLANS[digest])), DIGESTS),
    st.builds(records.approved, DIGESTS, st.just("sponsor")),
    st.builds(records.refused, DIGESTS),
    st.builds(records.withdrawn, DIGESTS),
    st.builds(records.expired, DIGESTS),
    st.builds(records.applied, DIGESTS),
    st.builds(records.intended, DIGESTS | st.sampled_from([records.FOUND_GONE, records.LEFT_OVER]), CHANGES),
    st.builds(lambda person: records.verified(person, gone=0, held=1), st.sampled_from([MARTA, JONAS])),
    st.builds(lambda found: records.reviewed([found]), st.sampled_from("ab")),
)


class Nowhere:
    """An archive that nothing may be asked of."""

    def of_person(self, person: str, until: int) -> Register:
        raise AssertionError(person, until)

    of_plan = of_person


@st.composite
def journals(draw: st.DrawFn, *, late: bool = True) -> list[Entry]:
    """Any journal; with `late`, outcomes come again after one was certain, and approvals of plans that are over."""
    story = Story()
    open_: list[int] = []
    for record in draw(st.lists(RECORDS, max_size=40)):
        seq = story.tell(record)
        open_ += [seq] if record.kind == "intended" else []
        if draw(st.booleans()) and open_:
            intent = draw(st.sampled_from(open_))
            result = draw(st.sampled_from(Result))
            story.tell(records.outcome(intent, result))
            if not late and result is not Result.UNCERTAIN:
                open_.remove(intent)
    return story.entries


def answers(register: Register) -> dict[str, object]:
    """What is asked about now."""
    people = (MARTA, JONAS)
    return {
        "facts": [(register.assignments(p), register.facts(p), register.left(p), register.accounts(p)) for p in people],
        "owned": register.owned(),
        "unresolved": register.unresolved(),
        "unread": register.unread,
        "open": register.open_proposals(),
        "approved": [register.approved_proposal(p) for p in people],
        "latest": [register.latest_proposal(p, "approval") for p in people],
        "approvals": [(register.approvals(digest), register.expiry(digest)) for digest in sorted(PLANS)],
        "begun": [register.intents(d) for d in {p.digest for p in map(register.decisions.approved, people) if p}],
        "given": [register.last_given(p, system) for p in people for system in ("github", "slack")],
        "tried": {key: register.last_attempt(key[0], key[2]) for key in register.owned()},
        "review": register.last_review,
    }


def pinned(entries: list[Entry]) -> Pins:
    scan = Prescan()
    for entry in entries:
        scan.take(entry)
    return scan.pins()


@given(journals(), st.integers(0, 40))
def test_a_register_that_has_forgotten_answers_the_same_whatever_comes_or_says_that_it_cannot(
    entries: list[Entry], cut: int
) -> None:
    whole = Register.replay(entries)
    kept, _ = compacted(Register.replay(entries[:cut]), Nowhere())

    assert answers(kept) == answers(Register.replay(entries[:cut]))
    if not stirs(kept, entries[cut:]):
        assert answers(kept.advance(entries[cut:])) == answers(whole)


@given(journals(), st.integers(0, 40), st.integers(0, 40))
def test_with_everything_pinned_that_the_journal_comes_back_to_nothing_is_lost(
    entries: list[Entry], one: int, two: int
) -> None:
    pins, (first, second) = pinned(entries), sorted((one, two))

    register, _ = compacted(Register.replay(entries[:first]), Nowhere(), pins)
    register, _ = compacted(register.advance(entries[first:second]), Nowhere(), pins)
    register = register.advance(entries[second:])

    whole = Register.replay(entries)
    assert answers(register) == answers(whole)
    assert matters(register, Pins()) == matters(whole, Pins())


@given(journals(late=False), st.integers(0, 40))
def test_what_matters_is_the_same_however_often_it_was_sorted_out_before(entries: list[Entry], cut: int) -> None:
    early, _ = compacted(Register.replay(entries[:cut]), Nowhere())

    if not stirs(early, entries[cut:]):
        assert matters(early.advance(entries[cut:]), Pins()) == matters(Register.replay(entries), Pins())


@given(journals())
def test_what_matters_is_all_that_a_register_has_to_be_built_from(entries: list[Entry]) -> None:
    register, kept = compacted(Register.replay(entries), Nowhere())

    again = Register.replay(entry for entry in entries if entry.seq in kept)

    assert answers(again) == answers(register)
    assert replace(again, seq=register.seq, forgot=register.forgot) == register


def test_of_years_of_coming_and_going_only_what_is_held_is_kept() -> None:
    story = Story()
    for _ in range(20):
        story.write(change(None, "push"))
        story.write(change("push", None))
    last = story.write(change(None, "pull"))

    assert matters(story.register(), Pins()) == {last, last + 1}


def test_a_refusal_is_kept_though_approvals_are_said_to_have_expired_after_it() -> None:
    story = Story()
    digest = "3" * 64
    story.tell(records.proposed(digest, terms(JONAS)), records.refused(digest), records.expired(digest))

    register, _ = compacted(story.register(), Nowhere())

    assert list(register.open_proposals()) == []
    assert register.decisions.proposals.keys() == {digest}


def test_a_revocation_is_kept_for_as_long_as_a_grant_before_it_may_still_arrive() -> None:
    story = Story()
    open_ = story.write(change(None, "push"), None)
    taken = story.write(change("push", None))
    story.write(change(None, "Developers", PROJECT))

    assert {open_, taken, taken + 1} <= matters(story.register(), Pins())

    story.tell(records.outcome(open_, Result.FAILED), records.verified(MARTA, gone=1, held=0))
    assert taken not in matters(story.register(), Pins())


def test_a_late_outcome_of_what_was_settled_is_noticed() -> None:
    story = Story()
    settled = story.write(change(None, "push"))
    story.write(change("push", None))
    register, _ = compacted(story.register(), Nowhere())
    before = len(story.entries)
    story.tell(records.outcome(settled, Result.DONE))

    assert stirs(register, story.entries[before:])
    assert pinned(story.entries) == Pins(frozenset({settled}))


def test_an_entry_of_a_kind_that_forgetting_does_not_know_is_never_forgotten() -> None:
    story = Story()
    unknown = story.tell(Record("declared", {"at": START.isoformat()}))

    assert unknown in matters(story.register(), Pins())
