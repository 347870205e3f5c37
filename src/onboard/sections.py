"""What the tables of `onboard.toml` are made of, and those that say who is told of a plan and where answers come in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

#: How a secret that is kept in Vault is written: `vault:PATH#FIELD`, PATH as in Vault's API (`secret/data/…` for KV 2).
VAULT_REFERENCE = "vault:"


def contents(value: object) -> object:
    """What the file holds, for a secret that is given as the path of one; any other value as it is."""
    if not isinstance(value, Path):
        return value
    try:
        return value.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it isn't text"
        raise ValueError(f"{value} can't be read: {reason}") from None


def _reference(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text.startswith(VAULT_REFERENCE) and not re.fullmatch(r"vault:[^#\s]+#[^#\s]+", text):
        raise ValueError("expected vault:PATH#FIELD, like vault:secret/data/onboard/github#token")
    return value


Text = Annotated[str, Field(min_length=1)]
Secret = Annotated[SecretStr, BeforeValidator(contents), AfterValidator(_reference)]


class Section(BaseModel):
    """A table: every key is known, nothing changes once it is read, and no message shows a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True)


class Notices(Section):
    """Who is told that a plan needs their word: `slack` and `jira` name the systems by which; empty, nobody is.

    A ticket goes into `jira_project`; with `jira_names` it names people, else it has their ids. Moving it to the status
    `jira_approved` or `jira_refused` is an answer, like a comment.
    """

    slack: str = ""
    jira: str = ""
    jira_project: str = ""
    jira_issue_type: Text = "Task"
    jira_names: bool = False
    jira_approved: str = ""
    jira_refused: str = ""

    @model_validator(mode="after")
    def _a_ticket_has_a_project(self) -> Notices:
        if bool(self.jira) != bool(self.jira_project):
            raise ValueError("tickets need both: set jira to a system's name, and jira_project to a project's key")
        return self


class Reviews(Section):
    """Access reviews: after how many days without a push the right to push is dormant; 0 for never."""

    dormant_days: int = Field(default=0, ge=0, le=365)


def split(value: object) -> object:
    """A list that a variable gives as one text with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def told(value: str) -> str:
    """Raises ValueError unless it is a file, a channel or an issue to tell something."""
    if not re.fullmatch(r"[a-z0-9-]+:\S.*", value):
        raise ValueError("expected file:PATH, SYSTEM:CHANNEL or SYSTEM:ISSUE, like slack:security or jira:SEC-1")
    return value


class Alarms(Section):
    """Who is told out loud that the glass was broken or a decoy touched; and the file of Vault's audit device, where
    touches on a decoy's paths stand.
    """

    tell: Annotated[tuple[Annotated[str, AfterValidator(told)], ...], BeforeValidator(split)] = ()
    vault_audit: Path | None = None


class Listen(Section):
    """Where answers come in (onboard listen), and the secrets that their senders sign with.

    `per_minute`: so many requests without a valid signature are looked at from one address.
    """

    host: Text = "127.0.0.1"
    port: int = Field(default=8470, ge=0, le=65535)
    slack_signing_secret: Secret | None = None
    jira_webhook_secret: Secret | None = None
    per_minute: int = Field(default=60, ge=1)
