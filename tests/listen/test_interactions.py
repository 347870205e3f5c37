"""A button pressed in Slack: whose word it is, that it counts once, and what comes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onboard.errors import Waiting
from onboard.ledger import records
from onboard.lifecycle.reconciling import lacking
from onboard.listen.app import MOST
from onboard.model import Actor, Phase, Proof
from tests.listen.desk import Desk
from tests.world import IDS, World


@pytest.fixture
def desk(world: World) -> Desk:
    made = Desk(world)
    made.proves("ada", "piet")
    return made


def test_a_pressed_button_is_on_record_before_it_is_acknowledged_and_then_applied(desk: Desk) -> None:
    digest = desk.plan()

    answered = desk.press("ada", "approve", digest)

    assert (answered.status_code, answered.content) == (200, b"")
    assert [answer.digest for answer in desk.open()] == [digest]
    assert desk.world.writes() == []
    assert desk.work_off() == f"You approved plan {digest[:8]}. It is applied."
    assert desk.open() == []
    assert "slack channel:onboarding member" in desk.world.held("marta")
    (approval,) = desk.recorded("approved")
    assert approval.actor == Actor(IDS["ada"], "slack interaction")


@pytest.mark.parametrize(
    "how",
    [
        {"secret": "another"},
        {"age": timedelta(minutes=6)},
        {"age": -timedelta(minutes=6)},
    ],
)
def test_what_is_signed_wrongly_or_long_ago_learns_nothing(desk: Desk, how: dict[str, object]) -> None:
    payload = desk.payload("ada", "approve", desk.plan())

    answered = desk.post(payload, **how)  # type: ignore[arg-type]

    assert (answered.status_code, answered.content) == (401, b"")
    assert desk.open() == []


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"payload=%7B%7D", b"payload=no", b"x" * 99])
def test_what_is_no_press_of_ours_is_acknowledged_and_left_alone(desk: Desk, body: bytes) -> None:
    expected = 401 if body == b"\xff\xfe" else 200
    assert desk.send(body).status_code == expected
    assert desk.open() == []


def test_a_body_without_end_is_not_read_to_its_end(desk: Desk) -> None:
    assert desk.send(b"x" * (MOST + 1)).status_code == 413


def test_a_stranger_who_keeps_knocking_is_not_listened_to_any_more_but_what_is_signed_is(desk: Desk) -> None:
    digest = desk.plan()
    codes = [desk.send(b"x", secret="another").status_code for _ in range(7)]

    assert codes == [401] * 5 + [429] * 2
    assert desk.press("ada", "approve", digest).status_code == 200
    assert len(desk.open()) == 1


def test_a_request_that_is_sent_again_counts_once_also_after_a_restart(desk: Desk) -> None:
    payload = desk.payload("ada", "approve", desk.plan())
    desk.post(payload)
    desk.work_off()

    again = desk.restarted()
    answered = again.post(payload)

    assert answered.status_code == 200
    assert again.open() == []
    assert len(desk.recorded("approved")) == 1


def test_a_button_pressed_twice_is_told_that_it_is_done(desk: Desk) -> None:
    digest = desk.plan()
    desk.press("ada", "approve", digest)
    desk.press("ada", "approve", digest)

    assert "has been applied already" in desk.work_off()
    assert desk.turned_away() == [f"{IDS['ada']}: refused"]


def test_of_two_approvers_at_once_the_second_completes_it(desk: Desk) -> None:
    digest = desk.plan(Phase.FULL_OPERATION)
    desk.press("piet", "approve", digest)
    desk.press("ada", "approve", digest)

    last = desk.work_off()

    assert desk.told[0].endswith("It still lacks approval by the sponsor of payments.")
    assert last == f"You approved plan {digest[:8]}. It is applied."


def test_a_refusal_ends_the_plan(desk: Desk) -> None:
    digest = desk.plan()
    desk.press("ada", "refuse", digest)

    assert desk.work_off() == f"You refused plan {digest[:8]}. Nothing of it is granted."
    assert desk.world.register.proposal(digest).refused
    assert desk.world.writes() == []


def test_what_a_killed_listener_had_acknowledged_the_next_one_finishes(desk: Desk) -> None:
    digest = desk.plan()
    desk.press("ada", "approve", digest)
    next_one = desk.restarted()

    with next_one.client:
        assert next_one.client.get("/health").status_code == 200
        assert next_one.heard.wait(30)

    assert desk.world.register.proposal(digest).applied


def test_killed_between_word_and_deed_it_is_not_said_twice(desk: Desk) -> None:
    digest = desk.plan()
    desk.press("ada", "approve", digest)
    desk.world.approve(digest, "ada")  # as its own run did before it was killed, and could not note it

    assert desk.work_off() == f"You approved plan {digest[:8]}. It is applied."
    assert len(desk.recorded("approved")) == 1


def test_a_plan_that_was_replaced_is_refused_and_said(desk: Desk) -> None:
    digest = desk.plan()
    desk.world.standing("marta", Phase.TOOLING_SETUP)
    newer = desk.world.reconcile("marta").open[0].digest
    assert newer != digest

    desk.press("ada", "approve", digest)

    assert "was replaced by" in desk.work_off() or "needed any more" in desk.told[-1]
    assert desk.world.writes() == []
    assert lacking(desk.world.register, newer)


@pytest.mark.parametrize(("person", "said"), [("marta", "their own access"), ("jonas", "their own vendor")])
def test_neither_the_subject_nor_a_colleague_approves(desk: Desk, person: str, said: str) -> None:
    digest = desk.plan()
    desk.proves(person)

    desk.press(person, "approve", digest)

    assert said in desk.work_off()
    assert desk.turned_away() == [f"{IDS[person]}: not authorised"]
    assert desk.world.writes() == []


@pytest.mark.parametrize("proof", [Proof.CLAIMED, Proof.HANDED_OVER])
def test_an_account_that_is_only_claimed_approves_nothing(desk: Desk, proof: Proof) -> None:
    digest = desk.plan()
    desk.proves("ada", proof=proof)

    desk.press("ada", "approve", digest)

    assert "only claimed" in desk.work_off()
    assert lacking(desk.world.register, digest)


def test_a_proof_by_an_address_that_nobody_known_had_changed_shows_nothing(desk: Desk) -> None:
    digest = desk.plan()
    desk.world.note(records.handle_changed(IDS["ada"], "work e-mail"))
    desk.press("ada", "approve", digest)
    assert "work e-mail was changed" in desk.work_off()

    confirmed = records.handle_changed(IDS["ada"], "work e-mail")
    by_piet = Actor(IDS["piet"], "vault login")
    desk.world.services.ledger.journal.record(confirmed, actor=by_piet, at=desk.world.clock())
    desk.press("ada", "approve", digest)
    assert "It is applied." in desk.work_off()


def test_an_account_that_is_nobodys_is_told_so(desk: Desk) -> None:
    digest = desk.plan()

    desk.press("", "approve", digest, user="U0SOMEBODY0")

    assert "nobody's that onboard knows" in desk.work_off()
    assert desk.turned_away() == ["unknown: not authorised"]


def test_an_account_that_another_has_replaced_speaks_for_nobody(desk: Desk) -> None:
    digest = desk.plan()
    desk.world.note(records.account_bound(IDS["ada"], "a-" + "9" * 32, "slack", Proof.WORK_EMAIL))

    desk.press("ada", "approve", digest)

    assert "Another slack account has been entered" in desk.work_off()


def test_what_another_worker_prevents_stays_open(desk: Desk) -> None:
    digest = desk.plan()
    desk.press("ada", "approve", digest)

    with desk.world.services.ledger.leases.hold(["answers"], "elsewhere:1", ttl=60, wait=0), pytest.raises(Waiting):
        desk.work_off()

    assert len(desk.open()) == 1


def test_what_was_dealt_with_is_forgotten_after_a_day(desk: Desk) -> None:
    digest = desk.plan()
    desk.press("ada", "refuse", digest)
    desk.work_off()
    kept = [purpose for purpose in desk.world.services.ledger.people.kept(IDS["ada"]) if purpose.startswith("answer:")]
    assert len(kept) == 1

    desk.world.clock.ahead += timedelta(days=2)
    desk.press("ada", "refuse", digest)
    desk.work_off()

    left = [purpose for purpose in desk.world.services.ledger.people.kept(IDS["ada"]) if purpose.startswith("answer:")]
    assert len(left) == 1
    assert left != kept
