"""A ticket for each plan that needs somebody's word; a comment or a move by an approver answers it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from onboard.ledger.privacy.notices import Notices
from onboard.lifecycle.notices import tell
from onboard.listen.opening import opened
from onboard.model import Phase
from onboard.sandbox.jira.webhooks import signed
from onboard.sections import Notices as Asking
from tests.listen.desk import SECRET, Desk
from tests.listen.test_press import served, settings_of, until_dealt_with
from tests.world import IDS, World

ASKING = Asking(jira="jira", jira_project="OPS", jira_approved="Approved", jira_refused="Rejected")


@pytest.fixture
def desk(world: World) -> Desk:
    made = Desk(world, asking=ASKING)
    made.proves("ada", "piet", system="jira")
    return made


def tickets(desk: Desk) -> list[dict[str, Any]]:
    return [issue for issue in desk.world.sandbox.issues() if "onboard" in issue["labels"]]


def comments(ticket: dict[str, Any]) -> list[str]:
    return [json.dumps(comment["body"], ensure_ascii=False) for comment in ticket["comments"]]


def event(
    desk: Desk, person: str, *, text: str = "", status: str = "", age: timedelta = timedelta(), n: int = 1
) -> Any:
    """What Jira sends about the one ticket."""
    (ticket,) = tickets(desk)
    who = {"accountId": desk.world.sandbox.person(person).jira["account_id"]}
    told = {"timestamp": int((desk.world.clock() - age).timestamp() * 1000), "issue": {"id": "1", "key": ticket["key"]}}
    if text:
        return {**told, "webhookEvent": "comment_created", "comment": {"id": str(n), "author": who, "body": text}}
    move = {"id": str(n), "items": [{"field": "status", "fromString": "To Do", "toString": status}]}
    return {**told, "webhookEvent": "jira:issue_updated", "user": who, "changelog": move}


def post(desk: Desk, payload: Any, secret: str = SECRET) -> int:
    body, headers = signed(payload, secret)
    return int(desk.client.post("/jira/webhooks", content=body, headers=headers).status_code)


def test_a_plan_has_one_ticket_that_says_how_to_answer_and_names_nobody(desk: Desk) -> None:
    digest = desk.plan(Phase.FULL_OPERATION)

    assert tell(desk.world.services).sent == 1
    assert tell(desk.world.services).sent == 0

    (ticket,) = tickets(desk)
    whole = json.dumps(ticket)
    assert ticket["summary"] == f"{IDS['marta'][:10]} · payments: plan {digest[:8]} needs your word"
    assert f"approve {digest}" in whole
    assert "github:repo:acme/payments-api" in whole
    assert "Kowalska" not in whole


def test_a_lost_answer_writes_no_second_ticket(desk: Desk) -> None:
    desk.plan()
    desk.world.sandbox.fault("jira", "drop-after", method="POST", path="/issue$", times=1)
    desk.world.sandbox.fault("jira", "500", path="search", times=3)
    assert tell(desk.world.services).sent == 0

    assert tell(desk.world.services).sent == 1
    assert len(tickets(desk)) == 1


def test_what_may_not_be_found_yet_is_not_written_again_before_it_would_be(desk: Desk) -> None:
    desk.plan()
    desk.world.sandbox.fault("jira", "500", method="POST", path="/issue$", times=1)
    assert tell(desk.world.services).sent == 0
    assert tell(desk.world.services).sent == 0

    desk.world.clock.ahead += timedelta(seconds=90)
    assert tell(desk.world.services).sent == 1


def test_an_approvers_comment_counts_and_the_ticket_says_what_came_of_it(desk: Desk) -> None:
    digest = desk.plan()
    tell(desk.world.services)

    assert post(desk, event(desk, "ada", text=f"approve {digest}")) == 200

    assert desk.work_off() == f"You approved plan {digest[:8]}. It is applied."
    assert tell(desk.world.services).changed == 1
    (ticket,) = tickets(desk)
    assert ticket["status"] == "Approved"
    assert "Approved by" in comments(ticket)[-1]
    assert desk.recorded("approved")[0].actor.authenticated_by == "jira webhook"
    assert Notices(desk.world.services.ledger).all() == []


def test_moving_the_ticket_refuses_or_approves(desk: Desk) -> None:
    digest = desk.plan()
    tell(desk.world.services)

    assert post(desk, event(desk, "ada", status="Rejected")) == 200

    assert desk.work_off() == f"You refused plan {digest[:8]}. Nothing of it is granted."


@pytest.mark.parametrize("text", ["approve", "approve 1234abcd", "I approve {digest}", "approve {other}", "lgtm"])
def test_what_is_not_a_decision_on_the_tickets_own_plan_is_left_alone(desk: Desk, text: str) -> None:
    digest = desk.plan()
    tell(desk.world.services)

    post(desk, event(desk, "ada", text=text.format(digest=digest, other="0" * 64)))

    assert desk.open() == []


def test_what_comes_twice_or_late_or_unsigned_does_not_count(desk: Desk) -> None:
    digest = desk.plan()
    tell(desk.world.services)
    said = event(desk, "ada", text=f"approve {digest}")

    assert post(desk, said, "another") == 401
    assert post(desk, event(desk, "ada", text=f"approve {digest}", age=timedelta(hours=3))) == 200
    assert desk.open() == []
    assert [post(desk, said), post(desk, said)] == [200, 200]
    assert len(desk.open()) == 1


def test_neither_the_subject_nor_a_claimed_account_answers_by_a_ticket(desk: Desk) -> None:
    digest = desk.plan()
    desk.proves("marta", system="jira")
    tell(desk.world.services)

    post(desk, event(desk, "marta", text=f"approve {digest}"))
    assert "their own access" in desk.work_off()
    post(desk, event(desk, "lena", text=f"approve {digest}", n=2))
    assert "only claimed" in desk.work_off()
    assert desk.world.writes()[-1].startswith("jira POST")


def test_in_the_sandbox_a_comment_goes_all_the_way(world: World) -> None:
    desk = Desk(world, asking=ASKING)
    desk.proves("ada", system="jira")
    digest = desk.plan()
    tell(desk.world.services)
    (ticket,) = tickets(desk)
    asking = {f"ONBOARD_NOTICES__{k.upper()}": v for k, v in ASKING.model_dump(exclude_defaults=True).items()}

    with opened(settings_of(world, **asking), world.clock, print) as app, served(app) as address:
        assert world.sandbox.answer("ada", ticket["key"], address, comment=f"approve {digest}") == 200
        until_dealt_with(world)

    assert "slack channel:onboarding member" in world.held("marta")
    (ticket,) = tickets(desk)
    assert ticket["status"] == "Approved"
    assert any("It is applied." in comment for comment in comments(ticket))
