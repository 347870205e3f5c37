"""A vendor is cut off at once: facts first, then every lever, then one reading of each system for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import pytest

from onboard.errors import BadInput
from onboard.ledger import ChangeRecord, records
from onboard.ledger.records import WHOLE_ACCOUNT
from onboard.lifecycle import offboarding
from onboard.lifecycle.proposing import bind_everybody
from onboard.lifecycle.stake import stakes
from onboard.model import OPERATOR, Resource
from onboard.wiring import Services
from tests.world import IDS, World

#: Everybody of Nordwind: too many to be looked at one by one.
NORDWIND = ("marta", "jonas", "ines", "viktor")


@pytest.fixture
def staffed(world: World) -> World:
    """Three engineers of Nordwind with what discovery gives them, and their lead."""
    world.load(marta="backend-engineer", jonas="qa-engineer", ines="qa-engineer")
    world.onboarded("marta", "jonas", "ines")
    return world


def cut_off(world: World) -> offboarding.CutOff:
    return offboarding.cut_off_vendor(world.services, "nordwind", OPERATOR)


def systems_written(world: World, since: int) -> set[str]:
    return {write["system"] for write in world.sandbox.writes(since=since)}


class Dying:
    """A real writer, which a process ends in before its second lever."""

    def __init__(self, inner: Any, pulled: list[str]) -> None:
        self.inner, self.pulled = inner, pulled

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def cut_off(self, account: Any, *more: Any) -> Sequence[Any]:
        self.pulled.append(account.id)
        if len(self.pulled) > 1:
            raise KeyboardInterrupt
        return self.inner.cut_off(account, *more)  # type: ignore[no-any-return]


def dying_at(world: World, system: str) -> Services:
    """These services, whose process ends at the second lever on a system."""
    real, pulled = world.services.writers, list[str]()

    class Doomed(Services):
        def writers(self) -> Mapping[str, Any]:
            return {name: Dying(w, pulled) if name == system else w for name, w in real().items()}

    return Doomed(**{field.name: getattr(world.services, field.name) for field in fields(Services)})


def test_a_vendor_that_nobody_knows_is_named_with_those_that_are_known(world: World) -> None:
    with pytest.raises(BadInput, match="Known: nordwind"):
        offboarding.cut_off_vendor(world.services, "northwind", OPERATOR)


def test_everybody_is_out_everywhere_and_nobody_else_loses_anything(staffed: World) -> None:
    staffed.enter("mallory")
    staffed.load("billing", vendor="othercorp", mallory="qa-engineer")
    staffed.state(staffed.engagement())
    staffed.load(marta="backend-engineer", jonas="qa-engineer", ines="qa-engineer")
    staffed.onboarded("mallory", engagement="billing")
    held = staffed.held("mallory")

    cut = cut_off(staffed)

    assert [staffed.held(person) for person in NORDWIND] == [[], [], [], []]
    assert cut.report.remains.dead
    assert cut.exit_code == 0
    assert staffed.held("mallory") == held != []


def test_one_reading_of_each_system_serves_all(staffed: World) -> None:
    mark = staffed.sandbox.requests()[-1]["n"]
    cut_off(staffed)

    lists = [r for r in staffed.sandbox.requests("slack", mark) if r["path"].endswith("users.list")]
    residues = [r for r in staffed.sandbox.requests("slack", mark) if r["path"].endswith("admin.users.session.list")]
    assert len(lists) == 2  # to see what is left to take, and to verify
    assert len(residues) <= 1  # of one account, for what can't be verified


def test_whoever_stands_out_in_that_reading_is_looked_at_alone(staffed: World) -> None:
    staffed.sandbox.fault("slack", "500", path="Users/" + staffed.sandbox.person("ines").slack["id"])

    cut = cut_off(staffed)

    kept = [str(taken.holding.resource) for taken in cut.report.remains.taken]
    assert kept == ["slack:workspace:acme"]
    assert not cut.report.remains.dead
    assert [(task.person, task.system) for task in cut.report.tally.open] == [(IDS["ines"], "slack")]
    assert cut.exit_code == 5


def test_one_system_that_fails_delays_no_other_and_is_said_for_each(staffed: World) -> None:
    staffed.sandbox.fault("github", "500")

    cut = cut_off(staffed)

    assert {lever.system for lever in cut.failed} == {"github"}
    assert len(cut.failed) == len(NORDWIND)
    assert {line.split()[0] for person in NORDWIND for line in staffed.held(person)} == {"github"}
    assert cut.exit_code == 5


def test_interrupted_between_two_people_all_are_on_record_and_a_rerun_goes_on_with_what_is_left(staffed: World) -> None:
    with pytest.raises(KeyboardInterrupt):
        offboarding.cut_off_vendor(dying_at(staffed, "slack"), "nordwind", OPERATOR)

    assert {staffed.register.left(IDS[person]).name for person in NORDWIND} == {"cut_off"}  # type: ignore[union-attr]
    facts = staffed.register.seq
    mark = staffed.sandbox.requests()[-1]["n"]

    cut = cut_off(staffed)

    assert {lever.system for lever in cut.levers} == {"slack"}
    assert systems_written(staffed, mark) == {"slack"}
    assert list(staffed.services.ledger.journal.entries(after=facts, kinds={"fact"})) == []
    assert cut.report.remains.dead
    assert staffed.register.unresolved() == ()


def test_a_lever_that_nobody_answered_is_pulled_again_though_nothing_was_seen_to_be_held(staffed: World) -> None:
    """A reading of channels and user groups doesn't show the account itself."""
    staffed.note(*(records.cut_off(IDS[person]) for person in NORDWIND))
    bind_everybody(staffed.services, OPERATOR)
    account = staffed.register.bindings(IDS["viktor"])["slack"].account
    whole = Resource("slack", WHOLE_ACCOUNT, account)
    change = ChangeRecord(IDS["viktor"], "slack", account, whole, "everything", None)
    staffed.note(records.intended(offboarding.LEVERS, change))
    staffed.reconcile("viktor")
    assert staffed.register.unresolved() == ()

    cut = cut_off(staffed)

    assert ("slack", account) in {(lever.system, lever.account) for lever in cut.levers}


def test_a_rerun_of_what_is_done_writes_nothing_and_reads_again(staffed: World) -> None:
    cut_off(staffed)
    mark = staffed.sandbox.requests()[-1]["n"]

    again = cut_off(staffed)

    assert again.levers == ()
    assert systems_written(staffed, mark) == set()
    assert again.report.remains.dead


def test_one_of_them_is_brought_back_and_cut_off_again_with_the_rest(staffed: World) -> None:
    cut_off(staffed)

    report = offboarding.restore(staffed.services, IDS["jonas"], OPERATOR)
    staffed.granted(report)
    staffed.accept("jonas")
    assert staffed.held("jonas") != []
    assert staffed.held("marta") == []

    again = cut_off(staffed)
    assert {lever.person for lever in again.levers} == {IDS["jonas"]}
    assert staffed.held("jonas") == []


def test_what_is_at_stake_is_counted_by_one_reading_and_what_cannot_be_read_is_said(staffed: World) -> None:
    people = offboarding.people_of(staffed.register, "nordwind")
    counted = {stake.system: stake for stake in stakes(staffed.services, staffed.register, people)}
    held = sum(len(staffed.held(person)) for person in NORDWIND)

    assert sum(stake.grants for stake in counted.values()) == held
    assert {stake.accounts for stake in counted.values()} == {len(NORDWIND)}

    staffed.sandbox.fault("jira", "500")
    counted = {stake.system: stake for stake in stakes(staffed.services, staffed.register, people)}
    assert "500" in counted["jira"].unknown
    assert counted["github"].unknown == ""
