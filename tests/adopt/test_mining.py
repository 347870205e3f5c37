"""Roles mined from who holds what."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.adopt.mining import mine

HOLDINGS = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=3), st.frozensets(st.integers(0, 9), max_size=8), max_size=25
)


def held(**people: str) -> dict[str, frozenset[str]]:
    return {person: frozenset(rights.split()) for person, rights in people.items()}


@settings(max_examples=150)
@given(HOLDINGS, st.integers(2, 4))
def test_a_role_holds_nothing_that_one_of_its_people_does_not_and_nobody_is_in_two(
    holdings: dict[str, frozenset[int]], at_least: int
) -> None:
    roles = mine(holdings, at_least)

    for role in roles:
        assert role.rights
        assert all(role.rights <= holdings[person] for person in role.people)
        assert len(role.people) >= at_least
    placed = [person for role in roles for person in role.people]
    assert len(placed) == len(set(placed))


@settings(max_examples=50)
@given(HOLDINGS)
def test_the_order_in_which_people_come_makes_no_difference(holdings: dict[str, frozenset[int]]) -> None:
    turned = dict(sorted(holdings.items(), reverse=True))

    assert mine(holdings, 2) == mine(turned, 2)


def test_people_who_hold_the_same_are_one_role_and_what_one_holds_besides_is_left_over() -> None:
    roles = mine(held(a="org api docs", b="org api docs", c="org api docs extra", d="else"), 2)

    assert [(set(role.rights), role.people) for role in roles] == [({"org", "api", "docs"}, ("a", "b", "c"))]


def test_a_right_that_two_of_many_share_besides_is_not_worth_a_role() -> None:
    everybody = {name: {"org", "api", "docs", "chat"} for name in "abcdef"}

    (role,) = mine({**everybody, "a": everybody["a"] | {"more"}, "b": everybody["b"] | {"more"}}, 2)

    assert "more" not in role.rights
    assert len(role.people) == 6


def test_two_kinds_of_work_are_two_roles() -> None:
    writers = {f"w{n}": {"org", "api push", "docs"} for n in range(5)}
    readers = {f"r{n}": {"org", "api pull", "docs"} for n in range(7)}

    roles = mine({**writers, **readers}, 2)

    assert [(set(role.rights), len(role.people)) for role in roles] == [
        ({"org", "api pull", "docs"}, 7),
        ({"org", "api push", "docs"}, 5),
    ]


def test_one_persons_own_rights_and_too_few_people_make_no_role() -> None:
    assert mine(held(a="x y", b="z"), 2) == ()
    assert mine(held(a="x y", b="x y"), 3) == ()
    assert mine({}, 2) == ()


def test_a_role_for_all_is_found_where_everybody_has_something_of_their_own_besides() -> None:
    everybody = {f"p{n}": {"org", "docs", "chat", f"own {n}"} for n in range(300)}

    (role,) = mine(everybody, 2)

    assert role.rights == {"org", "docs", "chat"}
    assert len(role.people) == 300
