"""An approver's desk: buttons pressed as Slack tells it, signed, and carried out when the test says so."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any
from urllib.parse import urlencode

from httpx import Response
from pydantic import SecretStr
from starlette.testclient import TestClient

from onboard.ledger import Entry, records
from onboard.ledger.privacy.answers import Answer, Answers
from onboard.lifecycle import answers
from onboard.lifecycle.proposing import bind_everybody
from onboard.listen.app import Door, create
from onboard.listen.worker import Worker
from onboard.model import OPERATOR, Phase, Proof
from onboard.sections import Listen, Notices
from tests.world import IDS, World, services_of

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@dataclass
class Desk:
    """A listener in front of a world. `told` is what was said to those who pressed."""

    world: World
    told: list[str] = field(default_factory=list)
    pressed: int = 0
    heard: Event = field(default_factory=Event)
    asking: Notices = field(default_factory=lambda: Notices(slack="slack"))

    def __post_init__(self) -> None:
        changed = {"notices": self.asking, "listen": Listen(per_minute=5)}
        self.world = self.world.with_settings(**changed)
        bind_everybody(self.world.services, OPERATOR)
        self.door = self._door()
        self.client = TestClient(create(self.door))  # its worker doesn't begin before the client is entered

    def _door(self) -> Door:
        services = self.world.services
        worker = Worker(
            services.ledger, lambda: services_of(services.settings, services.policy, self.world.clock), self.tell
        )
        return Door(services.settings, services.ledger, worker, self.world.clock, SecretStr(SECRET), SecretStr(SECRET))

    def tell(self, _url: str, text: str) -> None:
        self.told.append(text)
        self.heard.set()

    def restarted(self) -> Desk:
        """The same after the listener was killed and begun again."""
        return Desk(self.world, self.told, self.pressed, asking=self.asking)

    def proves(self, *people: str, proof: Proof = Proof.WORK_EMAIL, system: str = "slack") -> None:
        """These people show that their account there is theirs."""
        for person in people:
            account = self.world.register.bindings(IDS[person])[system].account
            self.world.note(records.account_proven(IDS[person], account, system, proof))

    def plan(self, phase: Phase = Phase.DISCOVERY) -> str:
        """The digest of Marta's open plan in a phase."""
        self.world.standing("marta", phase)
        return self.world.reconcile("marta").open[0].digest

    def payload(self, person: str, action: str, digest: str, *accepts: str, user: str = "") -> dict[str, Any]:
        """A press as Slack tells it, each with a trigger of its own."""
        self.pressed += 1
        value = json.dumps({"digest": digest, "accepts": accepts})
        return {
            "type": "block_actions",
            "user": {"id": user or self.world.sandbox.person(person).slack["id"], "username": person},
            "trigger_id": f"13345224609.738474920.{self.pressed}",
            "response_url": "https://hooks.slack.com/actions/T0ACME00001/1/x",
            "actions": [{"action_id": action, "block_id": "b", "type": "button", "value": value}],
        }

    def press(self, person: str, action: str, digest: str, *accepts: str, user: str = "") -> Response:
        return self.post(self.payload(person, action, digest, *accepts, user=user))

    def post(self, payload: Mapping[str, Any], *, secret: str = SECRET, age: timedelta = timedelta()) -> Response:
        body = urlencode({"payload": json.dumps(payload)})
        return self.send(body.encode(), secret=secret, age=age)

    def send(self, body: bytes, *, secret: str = SECRET, age: timedelta = timedelta()) -> Response:
        """A request signed so long ago."""
        stamp = str(int((self.world.clock() - age).timestamp()))
        base = b"v0:" + stamp.encode() + b":" + body
        signature = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
        answered: Response = self.client.post("/slack/interactions", content=body, headers=headers)
        return answered

    def open(self) -> list[Answer]:
        return Answers(self.world.services.ledger).open()

    def work_off(self) -> str:
        """Carry out what is open; the last that anybody was told."""
        answers.work_off(self.world.services, self.tell)
        return self.told[-1]

    def recorded(self, kind: str) -> list[Entry]:
        """What is in the journal of that kind."""
        return list(self.world.services.ledger.journal.entries(kinds={kind}))

    def turned_away(self) -> list[str]:
        """By whom, and why, answers didn't count."""
        return [f"{entry.actor.id}: {entry.body['why']}" for entry in self.recorded("turned_away")]
