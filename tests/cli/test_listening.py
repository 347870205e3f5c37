"""Asking approvers by the command line, and a listener as people start it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from onboard import wiring
from onboard.ledger import Register
from onboard.model import OPERATOR
from onboard.settings import Settings
from tests.cli.house import House
from tests.cli.test_confirm import CODE

ASKING = {"ONBOARD_NOTICES__SLACK": "slack"}


@pytest.fixture
def asking(house: House) -> House:
    """A house whose sponsor has shown that her Slack account is hers."""
    house("person", "confirm", "ada", "--system", "slack")
    letter = house.sandbox.mail("ada@acme.example")[-1]["text"]
    found = CODE.search(letter)
    assert found
    house("person", "confirm", "ada", "--system", "slack", "--code", found[0].strip())
    return house


@pytest.fixture
def listener(asking: House) -> Iterator[str]:
    """`onboard listen` as a process of its own; its address."""
    env = {**os.environ, **asking.sandbox.env, **ASKING}
    command = [sys.executable, "-m", "onboard", "listen", "--port", "0"]
    child = subprocess.Popen(command, cwd=asking.folder, env=env, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    line = child.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, line
    yield found[0]
    child.terminate()
    assert child.wait(30) in (0, -15)
    child.stdout.close()


def test_whoever_starts_somebody_asks_the_sponsor_and_her_button_grants_it(asking: House, listener: str) -> None:
    asking("start", "marta", code=6, ONBOARD_NOTICES__SLACK="slack")
    asking("record", "marta", "nda_signed", "--until=2099-01-01", code=6, ONBOARD_NOTICES__SLACK="slack")
    assert asking.sandbox.messages("ada")[-1]["buttons"] == ["approve", "refuse"]

    assert asking.sandbox.press("ada", "approve", listener) == 200

    deadline = time.monotonic() + 60
    while "applied" not in asking.sandbox.messages("ada")[0]["text"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "channel:onboarding member" in asking.held("marta")


def test_what_cannot_be_told_stops_nothing_and_is_said(asking: House) -> None:
    asking.sandbox.fault("slack", "forbidden", path="chat.postMessage", times=1)
    asking("start", "marta", code=6)

    said = asking("record", "marta", "nda_signed", "--until=2099-01-01", code=6, ONBOARD_NOTICES__SLACK="slack")

    assert "An approver could not be told" in said.stderr
    assert "1 message sent" in asking("notify", ONBOARD_NOTICES__SLACK="slack").stdout
    assert "0 messages sent" in asking("notify", ONBOARD_NOTICES__SLACK="slack").stdout


def test_whoever_has_shown_no_account_is_named_with_the_way_out(house: House) -> None:
    house.start()

    said = house("notify", ONBOARD_NOTICES__SLACK="slack").stdout

    assert "Ada Berg can't be asked" in said
    assert "Next: onboard person confirm p-" in said


def test_a_listener_that_nobody_could_answer_does_not_begin(house: House) -> None:
    said = house("listen", "--port", "0", code=2)

    assert "Nobody is asked" in said.stderr


def test_doctor_says_what_answers_lack(house: House) -> None:
    well = house("doctor", ONBOARD_NOTICES__SLACK="slack").stdout
    assert re.search(r"ok +answers +asked by slack", well)

    lacking = house("doctor", code=4, ONBOARD_NOTICES__SLACK="slack", ONBOARD_LISTEN__SLACK_SIGNING_SECRET="").stdout
    assert "SIGNING_SECRET" in lacking


def test_an_address_given_anew_is_on_record(house: House) -> None:
    house("person", "set", "ada", "--email", "ada.berg@acme.example")

    settings = Settings.load(house.sandbox.env, house.folder)
    ledger = wiring.open_ledger(settings, lambda: datetime.now(UTC))
    given = Register.replay(ledger.journal.entries()).handle_change(house.ids["ada"], "work e-mail")
    ledger.close()
    assert given
    assert given.actor == OPERATOR
