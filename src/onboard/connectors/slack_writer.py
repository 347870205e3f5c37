"""Changing Slack: who is in a channel or a user group; and cutting an account off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from pydantic import SecretStr
from slack_sdk.web import SlackResponse

from onboard.connectors.base import Health
from onboard.connectors.http import Unreachable
from onboard.connectors.levers import Lever, after, pull
from onboard.connectors.slack_api import Channel, Clock, Slack, SlackPartly, SlackRefused, UserGroup, invisible
from onboard.connectors.slack_health import writer_health
from onboard.connectors.slack_scim import Scim
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountKind, AccountState, Receipt, Resource

#: How long a list of channels is good for: conversations.list may be asked 20 times a minute.
_FRESH = timedelta(seconds=60)
_TYPES = ("channel", "usergroup")
_GUESTS = (AccountKind.GUEST, AccountKind.SINGLE_CHANNEL_GUEST)


class SlackWriter:
    """Changes `channel:NAME` and `usergroup:HANDLE` of one workspace.

    `bot_token` writes; its bot must be in every channel that it changes. With `admin_token` sessions can be ended
    (Enterprise), with `scim_base_url` too accounts can be deactivated (Business+ and Enterprise).
    """

    def __init__(
        self,
        system: str,
        base_url: str,
        bot_token: SecretStr,
        admin_token: SecretStr | None,
        scim_base_url: str | None,
        clock: Clock,
    ) -> None:
        self.system = system
        self._clock = clock
        self._slack = Slack(system, base_url, bot_token, clock, retry=False)
        self._admin = Slack(system, base_url, admin_token, clock, retry=False) if admin_token else None
        self._scim = Scim(system, scim_base_url, admin_token, clock) if admin_token and scim_base_url else None
        self._channels: dict[str, Channel] = {}
        self._listed: datetime | None = None

    def grant(self, account: Account, resource: Resource, level: str) -> Receipt:
        """Invite to the channel (conversations.invite), or write the user group's users with the account among them.

        A disabled user group starts anew: the account is its only user before it is enabled. Guests can't be in user
        groups: SystemRefused. Raises as base.Writer says.
        """
        user = self._user(account, resource, level)
        if resource.type == "channel":
            return self._invite(self._channel(resource.name), user)
        if account.kind in _GUESTS:
            raise self._no(f"a guest can't be in {resource}. Give the person a full account, or take it from the role.")
        group = self._group(resource.name)
        if user in group.members:
            return self._already("already in it")
        if group.enabled:
            return self._replace(group, (*group.users, user))
        receipt = self._replace(group, (user,))
        with after(self.system, f"@{group.handle} is written"):
            self._slack.send(f"enable @{group.handle}", lambda c: c.usergroups_enable(usergroup=group.id))
        return receipt

    def revoke(self, account: Account, resource: Resource, level: str) -> Receipt:
        """Remove from the channel (conversations.kick), or write the user group's users without the account.

        A user group can't be emptied: the last one's leaving disables it, and so nobody is in it any more, though
        Slack keeps the list. Raises as base.Writer says.
        """
        user = self._user(account, resource, level)
        if resource.type == "channel":
            return self._kick(self._channel(resource.name), user)
        return self._take_out(self._group(resource.name), user)

    def replaces_all(self, resource: Resource) -> bool:
        """True for user groups: usergroups.users.update takes the whole list."""
        return resource.type == "usergroup"

    def cut_off(self, account: Account) -> Sequence[Receipt]:
        """Deactivate the account and end its sessions, where configured; take it out of user groups and channels.

        User groups are written one by one, each right after it was read, without a lease: so hold theirs, or read
        them again afterwards. Raises as base.Writer says, after trying all.
        """
        user = account.external_id
        if user is None:
            return [self._already("no account")]
        levers: list[Lever] = []
        if scim := self._scim:
            levers.append(lambda: [scim.deactivate(user)])
        if admin := self._admin:
            levers.append(lambda: [self._end_sessions(admin, user)])
        levers += [lambda: self._leave_groups(user), lambda: self._leave_channels(user)]
        return pull(self.system, levers)

    def health(self) -> Health:
        """As base.Reader says, of the bot's token, and of the admin's and SCIM where they are configured."""
        return writer_health(self._slack, self._admin, self._scim)

    # Channels

    def _invite(self, channel: Channel, user: str) -> Receipt:
        try:
            return self._done(
                self._slack.send(
                    f"invite to #{channel.name}", lambda c: c.conversations_invite(channel=channel.id, users=[user])
                )
            )
        except SlackRefused as refused:
            if refused.code == "already_in_channel":
                return self._already(refused.code)
            raise

    def _kick(self, channel: Channel, user: str) -> Receipt:
        doing = f"remove from #{channel.name}"
        try:
            return self._done(self._slack.send(doing, lambda c: c.conversations_kick(channel=channel.id, user=user)))
        except SlackRefused as refused:
            # Of the user or of the bot? Slack doesn't say, but who is in the channel does.
            if refused.code == "not_in_channel" and user not in self._slack.channel_members(channel):
                return self._already(refused.code)
            raise

    def _leave_channels(self, user: str) -> list[Receipt]:
        return pull(self.system, [partial(self._kick_out, channel, user) for channel in self._channels_of(user)])

    def _kick_out(self, channel: Channel, user: str) -> list[Receipt]:
        return [self._kick(channel, user)]

    def _channels_of(self, user: str) -> Sequence[Channel]:
        """Those that the bot sees the user in; all that it sees where that can't be told."""
        try:
            return self._slack.channels_of(user)
        except Unreachable:
            raise
        except SystemFailed as failure:
            gone = isinstance(failure, SlackRefused) and failure.code == "user_not_found"
            return [] if gone else list(self._slack.channels().values())

    def _channel(self, name: str) -> Channel:
        now = self._clock()
        if name not in self._channels or self._listed is None or now - self._listed > _FRESH:
            self._channels, self._listed = self._slack.channels(), now
        if channel := self._channels.get(name):
            return channel
        raise self._no(invisible(name))

    # User groups

    def _take_out(self, group: UserGroup, user: str) -> Receipt:
        if user not in group.members:
            return self._already("not in it")
        others = tuple(other for other in group.users if other != user)
        if others:
            return self._replace(group, others)
        doing = f"disable @{group.handle}, whose last user leaves"
        return self._done(self._slack.send(doing, lambda c: c.usergroups_disable(usergroup=group.id)))

    def _replace(self, group: UserGroup, users: Sequence[str]) -> Receipt:
        """Write the whole list. Slack leaves deactivated users out of it, and then answers as if it had failed."""
        doing = f"write the users of @{group.handle}"
        try:
            return self._done(
                self._slack.send(doing, lambda c: c.usergroups_users_update(usergroup=group.id, users=list(users)))
            )
        except SlackPartly:
            with after(self.system, doing):
                left_out = set(users) - {*self._group(group.handle).users}
                self._check_others(left_out & {*group.users})
            if left_out - {*group.users}:
                raise self._no(
                    f"{doing}: the account was left out, since it is deactivated. Activate it first."
                ) from None
            return Receipt("200 without deactivated users", self._clock())

    def _check_others(self, left_out: set[str]) -> None:
        """Who was in the group and is left out must be deactivated: they lose nothing."""
        if any(self._slack.user(user).state is not AccountState.GONE for user in left_out):
            raise self._no("active users were left out. Look at the group and put them back.")

    def _leave_groups(self, user: str) -> list[Receipt]:
        groups = self._slack.user_groups().values()
        return pull(
            self.system, [partial(self._throw_out, group.handle, user) for group in groups if user in group.users]
        )

    def _throw_out(self, handle: str, user: str) -> list[Receipt]:
        return [self._take_out(self._group(handle), user)]

    def _group(self, handle: str) -> UserGroup:
        group = self._slack.user_groups().get(handle)
        if group is None:
            raise self._no(f"there is no user group @{handle}. Check the handle, or create it.")
        return group

    # Both

    def _end_sessions(self, admin: Slack, user: str) -> Receipt:
        return self._done(admin.send("end a user's sessions", lambda c: c.admin_users_session_reset(user_id=user)))

    def _user(self, account: Account, resource: Resource, level: str) -> str:
        if resource.type not in _TYPES or level != "member":
            raise self._no(f"{resource} has no level {level!r}. Expected channel:NAME or usergroup:HANDLE, member.")
        if account.external_id is None:
            raise self._no("the person has no account in the workspace yet. Have one made, and bind it.")
        return account.external_id

    def _no(self, reason: str) -> SystemRefused:
        return SystemRefused(self.system, reason)

    def _done(self, answer: SlackResponse) -> Receipt:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Receipt("200 ok", self._clock(), headers.get("x-slack-req-id"))

    def _already(self, status: str) -> Receipt:
        return Receipt(status, self._clock(), changed=False)
