"""What Slack sends when somebody presses a button of ours."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from onboard.ledger.privacy.answers import key_of
from onboard.lifecycle.answers import Said

#: A digest, whole: a button carries no less.
DIGEST = r"^[0-9a-f]{64}$"


class Verdict(BaseModel):
    """What a button of ours carries as its value: the whole digest, and the hazards that pressing it accepts."""

    model_config = ConfigDict(frozen=True)

    digest: str = Field(pattern=DIGEST)
    accepts: tuple[str, ...] = ()


class _Who(BaseModel):
    id: str = Field(min_length=1)


class _Action(BaseModel):
    action_id: Literal["approve", "refuse"]
    value: str


class _Interaction(BaseModel):
    """https://docs.slack.dev/reference/interaction-payloads/block_actions-payload, as far as it is needed."""

    type: Literal["block_actions"]
    user: _Who
    trigger_id: str = Field(min_length=1)
    response_url: str = ""
    actions: list[_Action] = Field(min_length=1, max_length=1)


def read(system: str, body: bytes, at: datetime) -> Said | None:
    """What was answered; None for what is no press of a button of ours."""
    try:
        payload = parse_qs(body.decode(), strict_parsing=True)["payload"][0]
        told = _Interaction.model_validate_json(payload)
        action = told.actions[0]
        verdict = Verdict.model_validate(json.loads(action.value))
    except (ValueError, KeyError, ValidationError):
        return None
    key = key_of(system, told.trigger_id)
    return Said(key, system, told.user.id, verdict.digest, action.action_id, verdict.accepts, at, told.response_url)
