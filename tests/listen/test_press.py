"""All the way in the sandbox: told in Slack, pressed there, carried out by a listener over HTTP, told again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi import FastAPI

from onboard.errors import BadInput, SystemFailed
from onboard.ledger.privacy.answers import Answers
from onboard.lifecycle.notices import tell
from onboard.listen.opening import opened
from onboard.settings import Settings
from tests.listen.desk import Desk
from tests.world import World


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application on a port of its own; its address. It ends as `onboard listen` does."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=10))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    (listening,) = server.servers[0].sockets
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


def settings_of(world: World, **more: str) -> Settings:
    environment = {**world.sandbox.env, "ONBOARD_LEDGER_URL": f"sqlite:///{world.database}", **more}
    return Settings.load(environment, world.database.parent)


def until_dealt_with(world: World) -> None:
    deadline = time.monotonic() + 60
    while Answers(world.services.ledger).open():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_pressed_button_grants_what_it_shows_and_the_message_says_so(world: World) -> None:
    desk = Desk(world)
    desk.proves("ada")
    digest = desk.plan()
    tell(desk.world.services)
    settings = settings_of(world, ONBOARD_NOTICES__SLACK="slack")

    with opened(settings, world.clock, print) as app, served(app) as address:
        assert world.sandbox.press("ada", "approve", address) == 200
        until_dealt_with(world)

    assert "slack channel:onboarding member" in world.held("marta")
    changed, reply = world.sandbox.messages("ada")
    assert changed["buttons"] == []
    assert f"plan {digest[:8]}, applied" in changed["text"]
    assert reply["text"] == f"You approved plan {digest[:8]}. It is applied."
    with pytest.raises(SystemFailed, match="sees no button"):
        world.sandbox.press("ada", "approve", address)


def test_without_what_it_needs_a_listener_does_not_begin(world: World) -> None:
    for changed, missing in (
        ({"ONBOARD_NOTICES__SLACK": ""}, "Nobody is asked"),
        ({"ONBOARD_NOTICES__SLACK": "github"}, "which is no Slack"),
        ({"ONBOARD_NOTICES__SLACK": "slack", "ONBOARD_LISTEN__SLACK_SIGNING_SECRET": ""}, "__SLACK_SIGNING_SECRET"),
    ):
        with pytest.raises(BadInput, match=missing), opened(settings_of(world, **changed), world.clock, print):
            pass
