"""What the simulated GitHub knows besides people, teams and repositories: roles, tokens, credentials, an App."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel


class OrgRole(BaseModel):
    """An organisation role, and to which users and teams it is assigned."""

    id: int
    name: str
    users: list[int] = []
    teams: list[int] = []


class Token(BaseModel):
    """A fine-grained token of a member that reaches the organisation, or `requested` to."""

    id: int
    owner: int
    name: str
    repositories: str
    requested: bool
    at: datetime


class Credential(BaseModel):
    """A token or key that a member authorised for single sign-on."""

    id: int
    owner: int
    kind: str
    at: datetime


class Permissions(BaseModel):
    """What an App, or one of its tokens, may do: permission → `read` or `write`."""

    permissions: dict[str, str]

    def may(self, permission: str, level: str) -> bool:
        """Whether that permission is held at that level (`read`, `write`) or above."""
        return self.permissions.get(permission) in (level, "write")


class Installation(Permissions):
    """One token of an App's installation, and until when it is good."""

    until: datetime


class App(Permissions):
    """A GitHub App installed on the organisation, with the tokens that it was given."""

    id: int
    installation: int
    public_key: str
    tokens: dict[str, Installation] = {}
