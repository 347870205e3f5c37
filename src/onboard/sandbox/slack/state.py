"""What a simulated Slack workspace knows: people, channels, user groups and messages, seeded from a world file."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from onboard.sandbox.core import BOT
from onboard.sandbox.world import Person, World

TEAM = "T0ACME00001"
BOT_USER = "U0ONBOARDBOT"
BOT_ID = "B0ONBOARDBT"
#: The workspace owner on whose behalf the admin token acts.
OWNER_USER = "U0ONBOARDADM"
#: How long an invitation to the workspace can be accepted.
INVITATION_LASTS = timedelta(days=30)

Kind = Literal["member", "guest", "single-channel-guest", "bot"]


class Invitation(BaseModel):
    """An invitation to the workspace that nobody has accepted yet, with the channels that it opens."""

    channels: list[str]
    expires: datetime


class User(BaseModel):
    """An account. `person` is the sandbox id of the human; `expires` when Slack deactivates the guest by itself."""

    id: str
    name: str
    real_name: str
    email: str = ""
    person: str | None = None
    kind: Kind = "member"
    owner: bool = False
    deleted: bool = False
    invitation: Invitation | None = None
    expires: datetime | None = None
    updated: datetime
    sessions_reset: datetime | None = None

    @property
    def guest(self) -> bool:
        """Whether it is a guest of either sort."""
        return self.kind in ("guest", "single-channel-guest")


class Channel(BaseModel):
    """A channel; `members` are user ids in the order in which they came."""

    id: str
    name: str
    private: bool
    created: datetime
    creator: str
    archived: bool = False
    members: list[str] = []


class UserGroup(BaseModel):
    """A user group; `disabled` since when it is switched off (its users are kept)."""

    id: str
    handle: str
    name: str
    description: str = ""
    channels: list[str] = []
    users: list[str] = []
    created: datetime
    updated: datetime
    updated_by: str
    disabled: datetime | None = None


class Session(BaseModel):
    """A device on which somebody is logged in."""

    id: int
    user: str
    created: datetime


class ConnectInvite(BaseModel):
    """An invitation of people outside to share a channel. `accepted_by` names their team, once they said yes."""

    id: str
    channel: str
    inviter: str
    created: datetime
    expires: datetime
    email: str = ""
    user: str = ""
    accepted_by: str = ""


class Message(BaseModel):
    """A posted message; `ts` identifies it within its channel. `seen_by` is the one user who sees it, if it is one."""

    model_config = ConfigDict(extra="allow")

    channel: str
    ts: str
    user: str
    text: str
    seen_by: str = ""


class SlackState(BaseModel):
    """All of it; users, channels, user groups and Slack Connect invitations by id."""

    workspace: str
    users: dict[str, User] = {}
    channels: dict[str, Channel] = {}
    usergroups: dict[str, UserGroup] = {}
    messages: list[Message] = []
    sessions: list[Session] = []
    connect_invites: dict[str, ConnectInvite] = {}

    @classmethod
    def seeded(cls, world: World, now: datetime) -> SlackState:
        """The starting state of that world. The automation's bot is in every channel, as an admin would add it."""
        state = cls(workspace=world.slack.workspace)
        state._add(User(id=BOT_USER, name=BOT, real_name="Onboard Bot", kind="bot", updated=now))
        owner = {"name": "onboard-admin", "real_name": "Onboard Admin", "email": "onboard-admin@sandbox.example"}
        state._add(User(id=OWNER_USER, **owner, owner=True, updated=now))
        for person, spec in world.people.items():
            if spec.slack:
                named = {"name": spec.email.partition("@")[0], "real_name": spec.name, "email": spec.email}
                state._add(User(id=spec.slack.id, **named, person=person, kind=spec.slack.kind, updated=now))
        for number, user in enumerate((u for u in state.users.values() if u.person), start=4_000_000_001):
            state.sessions.append(Session(id=number, user=user.id, created=now))
        for channel in world.slack.channels:
            members = [BOT_USER, *_ids(world, channel.members)]
            new = Channel(id=new_id("C", channel.name), name=channel.name, private=channel.private,
                          created=now, creator=OWNER_USER, members=members)  # fmt: skip
            state.channels[new.id] = new
        for group in world.slack.usergroups:
            state.add_usergroup(group.handle, group.name, now, OWNER_USER).users = _ids(world, group.members)
        return state

    def _add(self, user: User) -> None:
        self.users[user.id] = user

    def add_usergroup(self, handle: str, name: str, now: datetime, by: str) -> UserGroup:
        """A new, empty user group."""
        group = UserGroup(id=new_id("S", handle), handle=handle, name=name, created=now, updated=now, updated_by=by)
        self.usergroups[group.id] = group
        return group

    def of_person(self, person: str) -> User | None:
        """The account of that simulated human."""
        return next((user for user in self.users.values() if user.person == person), None)

    def by_email(self, email: str) -> User | None:
        """The account with that e-mail address, whatever its state; bots have none."""
        wanted = email.lower()
        return next((user for user in self.users.values() if user.email and user.email.lower() == wanted), None)

    def channels_of(self, user: User) -> list[Channel]:
        """The channels that the user is in."""
        return [channel for channel in self.channels.values() if user.id in channel.members]

    def invite(self, email: str, name: str, kind: Kind, invitation: Invitation, now: datetime) -> User:
        """An account that waits for its invitation to be accepted; the same one where it waits already."""
        user = self.by_email(email)
        if user is None:
            handle = email.partition("@")[0]
            user = User(id=new_id("U", email), name=handle, real_name=name or handle, email=email, updated=now)
            self._add(user)
        user.kind, user.invitation, user.updated = kind, invitation, now
        return user

    def join(self, user: User, now: datetime) -> list[Channel]:
        """Accept the user's invitation: the account is active and in the channels that it opened."""
        wanted = user.invitation.channels if user.invitation else []
        user.invitation, user.updated = None, now
        joined = [self.channels[channel] for channel in wanted if user.id not in self.channels[channel].members]
        for channel in joined:
            channel.members.append(user.id)
        return joined

    def deactivate(self, user: User, now: datetime) -> None:
        """Switch the account off, which ends its sessions and takes it out of every channel and user group."""
        user.deleted, user.invitation, user.updated = True, None, now
        self.end_sessions(user)
        for channel in self.channels_of(user):
            channel.members.remove(user.id)
        for group in self.usergroups.values():
            group.users = [member for member in group.users if member != user.id]

    def end_sessions(self, user: User) -> None:
        """Log the user out everywhere."""
        self.sessions = [session for session in self.sessions if session.user != user.id]

    def deactivate_expired(self, now: datetime) -> None:
        """Switch off the guests whose time is up."""
        for user in self.users.values():
            if user.expires and user.expires <= now and not user.deleted:
                self.deactivate(user, now)


def new_id(letter: str, name: str) -> str:
    """An id in Slack's style, the same for the same name."""
    return f"{letter}0{hashlib.sha256(f'{letter}:{name}'.encode()).hexdigest()[:9].upper()}"


def person_with(world: World, email: str) -> tuple[str, Person] | None:
    """The simulated human with that e-mail address."""
    people = world.people.items()
    return next(((person, spec) for person, spec in people if spec.email.lower() == email.lower()), None)


def _ids(world: World, people: list[str]) -> list[str]:
    return [account.id for account in (world.people[person].slack for person in people) if account]
