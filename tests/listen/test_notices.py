"""Approvers are told in Slack that a plan needs their word, once, and see what became of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onboard.ledger.privacy.notices import Notices
from onboard.ledger.projections.delegations import delegated
from onboard.lifecycle import notices
from onboard.lifecycle.notices import tell
from onboard.model import Phase
from tests.listen.desk import Desk
from tests.world import IDS, World


@pytest.fixture
def desk(world: World) -> Desk:
    made = Desk(world)
    made.proves("ada", "piet")
    return made


def read(desk: Desk, person: str = "ada") -> list[str]:
    """All that a person's messages say, with their buttons."""
    said = []
    for message in desk.world.sandbox.messages(person):
        texts = [e["text"] for b in message["blocks"] for e in (b.get("elements") or [b["text"]]) if "text" in e]
        said.append("\n".join(str(text["text"] if isinstance(text, dict) else text) for text in texts))
    return [text.replace("\u200b", "") for text in said]


def test_whoever_has_to_approve_is_told_what_it_is_about_with_buttons(desk: Desk) -> None:
    digest = desk.plan()

    told = tell(desk.world.services)

    assert (told.sent, told.failed) == (1, [])
    (text,) = read(desk)
    assert f"Marta Kowalska · payments: plan {digest[:8]} needs your word" in text
    assert "grant  slack:channel:onboarding  member  until " in text
    assert "backend-engineer, discovery (" in text
    (message,) = desk.world.sandbox.messages("ada")
    assert message["buttons"] == ["approve", "refuse"]
    assert desk.world.sandbox.messages("piet") == []
    (entry,) = desk.recorded("notified")
    assert (entry.subject, entry.body["digest"]) == (IDS["ada"], digest)


def test_a_delegate_is_told_as_well(world: World) -> None:
    world.enter("octo-admin")
    desk = Desk(world)
    desk.proves("ada", "octo-admin")
    until = desk.world.today + timedelta(days=7)
    desk.world.note(delegated(IDS["ada"], IDS["octo-admin"], until))
    desk.plan()

    assert tell(desk.world.services).sent == 2
    assert "needs your word" in read(desk, "octo-admin")[0]


def test_told_once_nobody_is_told_again(desk: Desk) -> None:
    desk.plan()
    tell(desk.world.services)

    again = tell(desk.world.services)

    assert (again.sent, again.changed) == (0, 0)
    assert len(desk.world.sandbox.messages("ada")) == 1


def test_a_lost_answer_is_read_back_and_nothing_is_sent_twice(desk: Desk) -> None:
    desk.plan()
    desk.world.sandbox.fault("slack", "drop-after", path="chat.postMessage", times=1)

    told = tell(desk.world.services)

    assert (told.sent, told.failed) == (1, [])
    tell(desk.world.services)
    assert len(desk.world.sandbox.messages("ada")) == 1


def test_killed_while_sending_the_next_run_finds_what_was_sent(desk: Desk) -> None:
    desk.plan()
    desk.world.sandbox.fault("slack", "drop-after", path="chat.postMessage", times=1)
    desk.world.sandbox.fault("slack", "500", path="conversations.history", times=3)
    assert tell(desk.world.services).sent == 0
    (begun,) = Notices(desk.world.services.ledger).all()
    assert begun.mark == ""

    assert tell(desk.world.services).sent == 1
    assert len(desk.world.sandbox.messages("ada")) == 1
    assert len(desk.recorded("notified")) == 1


def test_what_was_refused_before_it_was_sent_is_sent_later(desk: Desk) -> None:
    desk.plan()
    desk.world.sandbox.fault("slack", "forbidden", path="chat.postMessage", times=1)

    failed = tell(desk.world.services)

    assert failed.sent == 0
    assert len(failed.failed) == 1
    assert tell(desk.world.services).sent == 1


def test_a_slack_that_fails_is_said_and_holds_up_nothing(desk: Desk) -> None:
    desk.plan()
    desk.world.sandbox.fault("slack", "500", path="conversations.open", times=9)

    told = tell(desk.world.services)

    assert told.sent == 0
    assert "open a conversation" in told.failed[0]


def test_the_message_says_what_became_of_it_and_loses_its_buttons(desk: Desk) -> None:
    digest = desk.plan(Phase.FULL_OPERATION)
    tell(desk.world.services)
    assert len(desk.world.sandbox.messages("piet")) == 1
    desk.world.approve(digest, "ada")

    assert tell(desk.world.services).changed == 2
    (message,) = desk.world.sandbox.messages("ada")
    assert message["buttons"] == []
    assert "Approved by Ada Berg, as sponsor of payments" in read(desk)[0]
    assert desk.world.sandbox.messages("piet")[0]["buttons"] == ["approve", "refuse"]

    desk.world.approve(digest, "piet")
    desk.world.apply(digest)
    tell(desk.world.services)
    assert f"plan {digest[:8]}, applied" in read(desk, "piet")[0]
    assert Notices(desk.world.services.ledger).all() == []


def test_an_account_that_is_only_claimed_is_told_nothing(world: World) -> None:
    desk = Desk(world)
    desk.plan()

    told = tell(desk.world.services)

    assert (told.sent, told.unproven) == (0, {IDS["ada"]})
    assert desk.world.sandbox.messages("ada") == []


def test_without_a_system_for_it_nobody_is_told(world: World) -> None:
    world.standing("marta")
    world.reconcile("marta")

    assert tell(world.services) == notices.Told()
