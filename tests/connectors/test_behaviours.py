"""What every connector does alike, for each kind of access that it gives or takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from onboard.errors import SystemRefused
from onboard.ledger.records import Result
from onboard.model import Account, HoldingState, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.behaviours import EVERY, GRANTED, crowd, forbid
from tests.connectors.github.world import demo
from tests.connectors.stand import Case, Stand

Standing = Callable[..., Stand]
INVITING = [case for case in EVERY if case.invites]
#: What a plan may take: a residue's routes are for the cut-off, and are read back by another residue.
PLANNED = [case for case in EVERY if not case.route]
#: A limit is a client's own affair, whatever it is asked for.
ONE_OF_EACH = list(
    {(case.system, case.takes[1].startswith("/scim/")): case for case in EVERY if not case.route}.values()
)
IN_PARTS = [case for case in GRANTED if case.part]


def over(*cases: Case) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@pytest.fixture
def standing(sandbox: SandboxClient, tmp_path: Path) -> Iterator[Standing]:
    """Stands of cases, each in the starting state of the case's world."""

    changed = False

    def stand(case: Case, *, crowded: bool = False) -> Stand:
        nonlocal changed
        world = crowd() if crowded else case.world
        if world is not None:
            changed = True
            sandbox.reset(world)
        return Stand(sandbox, case, tmp_path)

    yield stand
    if changed:
        sandbox.reset(demo())  # without a world it would go back to the last one


# Granting and revoking, once and again


@over(*GRANTED)
def test_granting_twice_changes_once(standing: Standing, case: Case) -> None:
    stand = standing(case).prepared()

    assert stand.grant().changed
    stand.accept()
    before, held = stand.now, stand.held()
    again = stand.grant()

    assert not again.changed
    assert held == stand.held() == [(case.level, HoldingState.ACTIVE)]
    assert len(stand.sent(before)) == (0 if case.accepts_what_is_so else 1)


@over(*EVERY)
def test_revoking_twice_changes_once(standing: Standing, case: Case) -> None:
    stand = standing(case).give()

    assert stand.revoke().changed
    assert stand.held() == []
    assert not stand.revoke().changed
    assert stand.held() == []


@over(*INVITING)
def test_what_is_pending_is_revoked_and_can_no_longer_be_accepted(standing: Standing, case: Case) -> None:
    stand = standing(case).prepared()
    stand.offer()
    assert stand.held() == [(case.level, HoldingState.INVITED)]

    assert stand.revoke().changed

    assert stand.held() == []
    stand.accept()
    assert stand.held() == []
    assert not stand.revoke().changed


@over(*INVITING)
def test_what_has_expired_gives_nothing_and_is_no_obstacle(standing: Standing, case: Case) -> None:
    stand = standing(case).prepared()
    stand.offer()
    stand.advance(case.lapses or timedelta())

    assert (case.level, HoldingState.ACTIVE) not in stand.held()
    stand.revoke()

    assert stand.held() == []
    stand.accept()
    assert stand.held() == []
    assert not stand.revoke().changed


@over(*EVERY)
def test_what_somebody_else_took_already_is_no_failure(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    stand.writer.cut_off(stand.marta)

    assert not stand.revoke().changed
    assert stand.held() == []


@over(*GRANTED)
def test_what_does_not_exist_is_unknown_and_refused_by_name(standing: Standing, case: Case) -> None:
    stand = standing(case).prepared()
    stand.resource = replace(stand.resource, name=f"{stand.resource.name}-of-nobody".replace("acme-", "acme2-"))
    before = stand.now

    with pytest.raises(SystemRefused):
        stand.grant()

    assert stand.read().unknown
    assert not [write for write in stand.sent(before) if write["status"] in (200, 201, 204)]


# Who it is


@over(*EVERY)
def test_an_account_that_the_vendor_deleted_holds_nothing_and_stops_nobody(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    stand.delete()

    stand.revoke()
    assert stand.held() == []
    if not case.bring:
        with pytest.raises(SystemRefused):
            stand.grant()
        assert stand.held() == []


@over(*GRANTED)
def test_a_renamed_account_stays_the_same(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    stand.rename("marta", "marta-elsewhere")

    assert stand.held() == [(case.level, HoldingState.ACTIVE)]
    assert not stand.grant().changed
    assert stand.revoke().changed
    assert stand.held() == []


@over(*GRANTED)
def test_whoever_takes_over_a_name_inherits_nothing_and_loses_nothing(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    mallory = _with_a_login(stand, "mallory")
    name = stand.sandbox.person("marta").github["login"] if case.product == "github" else stand.handle("marta")
    stand.rename("marta", "marta-elsewhere")
    stand.rename("mallory", name)

    assert stand.held(mallory) == []
    assert not stand.grant().changed
    assert stand.held(mallory) == []

    for text, level in case.needs:
        stand.writer.grant(mallory, stand.resource.parse(text), level)
    stand.writer.grant(mallory, stand.resource, case.level)
    holds = stand.held(mallory)
    assert holds
    assert stand.revoke().changed
    assert (stand.held(), stand.held(mallory)) == ([], holds)


def _with_a_login(stand: Stand, person: str) -> Account:
    account = stand.account(person)
    if account.external_id is None:
        receipt = stand.writer.grant(account, Resource("vault", "login", "userpass"), "enabled")
        account = replace(account, external_id=receipt.external_id)
        if stand.resource.type == "login":
            stand.writer.revoke(account, stand.resource, "enabled")
    return account


# What goes wrong on the way


@over(*IN_PARTS)
def test_a_part_that_is_missing_makes_it_unknown_and_nobody_absent(standing: Standing, case: Case) -> None:
    stand = standing(case, crowded=True).give()
    stand.sandbox.fault(case.system, **case.part)

    reading = stand.in_small_pages().read()

    assert reading.unknown
    assert "500" in reading.unknown or "403" in reading.unknown


@over(*EVERY)
def test_what_may_not_be_read_is_unknown(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    stand.sandbox.fault(case.system, "forbidden", path=case.lists)

    reading = stand.read()

    assert reading.unknown
    assert not reading.holdings
    assert stand.handle("marta") not in reading.unknown


@over(*GRANTED)
def test_a_grant_that_is_forbidden_is_refused_and_named_to_nobody(standing: Standing, case: Case) -> None:
    stand = standing(case).prepared()
    forbid(stand, case.puts)
    before = stand.now

    with pytest.raises(SystemRefused) as refused:
        stand.grant()

    assert stand.handle("marta") not in str(refused.value)
    assert len(stand.sent(before)) == 1
    stand.sandbox.clear_faults()
    assert stand.held() == []


@over(*EVERY)
def test_a_revocation_that_is_forbidden_is_refused_and_takes_nothing(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    forbid(stand, case.takes)

    with pytest.raises(SystemRefused) as refused:
        stand.revoke()

    assert stand.handle("marta") not in str(refused.value)
    stand.sandbox.clear_faults()
    assert stand.held() == [(case.level, HoldingState.ACTIVE)]


@over(*GRANTED)
def test_a_grant_whose_answer_was_lost_is_read_back_and_not_repeated(standing: Standing, case: Case) -> None:
    stand = standing(case).prepared()
    stand.fault("drop-after", case.puts, times=1)
    before = stand.now

    outcome, _ = stand.perform(grants=True)

    assert (outcome.result, outcome.receipt and outcome.receipt.status) == (Result.DONE, "read back")
    assert len(stand.sent(before, case.puts)) == 1
    stand.accept()
    assert stand.held() == [(case.level, HoldingState.ACTIVE)]


@over(*PLANNED)
def test_a_revocation_whose_answer_was_lost_is_read_back_and_not_repeated(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    stand.fault("drop-after", case.takes, times=1)
    before = stand.now

    outcome, _ = stand.perform(grants=False)

    assert outcome.result is Result.DONE
    assert len(stand.sent(before, case.takes)) == 1
    assert stand.held() == []


@over(*GRANTED)
def test_a_grant_that_never_arrived_is_made_again(standing: Standing, case: Case) -> None:
    stand = standing(case).prepared()
    stand.fault("drop-before", case.puts, times=1)
    before = stand.now

    outcome, waits = stand.perform(grants=True)

    assert outcome.result is Result.DONE
    assert (len(stand.sent(before, case.puts)), len(waits)) == (2, 1)
    stand.accept()
    assert stand.held() == [(case.level, HoldingState.ACTIVE)]


@over(*PLANNED)
def test_a_revocation_that_never_arrived_is_made_again(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    stand.fault("drop-before", case.takes, times=1)
    before = stand.now

    outcome, _ = stand.perform(grants=False)

    assert outcome.result is Result.DONE
    assert len(stand.sent(before, case.takes)) == 2
    assert stand.held() == []


@pytest.mark.parametrize("as_date", [False, True], ids=["in-seconds", "as-a-date"])
@over(*ONE_OF_EACH)
def test_a_limit_is_waited_for_as_long_as_the_vendor_says(standing: Standing, case: Case, as_date: bool) -> None:
    stand = standing(case).give()
    stand.fault("429", case.takes, times=1, retry_after=30, as_date=as_date)
    before = stand.now

    outcome, (wait,) = stand.perform(grants=False)

    assert outcome.result is Result.DONE
    assert 25 < wait <= 30
    assert len(stand.sent(before, case.takes)) == 2
    assert stand.held() == []


@pytest.mark.parametrize("as_date", [False, True], ids=["in-seconds", "as-a-date"])
@over(*ONE_OF_EACH)
def test_a_reading_waits_for_a_limit_that_ends_soon_and_not_for_a_long_one(
    standing: Standing, case: Case, as_date: bool
) -> None:
    stand = standing(case).give()
    stand.sandbox.fault(case.system, "429", path=case.lists, times=1, retry_after=0, as_date=as_date)
    assert stand.held() == [(case.level, HoldingState.ACTIVE)]

    stand.sandbox.fault(case.system, "429", path=case.lists, retry_after=3600, as_date=as_date)
    reading = stand.read()
    assert reading.unknown
    assert not reading.holdings


@over(*ONE_OF_EACH)
def test_a_limit_longer_than_we_wait_is_told_with_nothing_done(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    stand.fault("429", case.takes, retry_after=3600)
    before = stand.now

    outcome, waits = stand.perform(grants=False)

    assert (outcome.result, waits) == (Result.FAILED, [])
    assert len(stand.sent(before, case.takes)) == 1


@over(*EVERY)
def test_a_revocation_that_cannot_be_read_back_stays_uncertain(standing: Standing, case: Case) -> None:
    stand = standing(case).give()
    stand.fault("drop-after", case.takes, times=1)

    outcome, _ = stand.blind().perform(grants=False)

    assert outcome.result is Result.UNCERTAIN
    assert stand.held() == []
