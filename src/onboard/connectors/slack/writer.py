"""Changing Slack: who is in a channel or a user group; and cutting an account off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from pydantic import SecretStr
from slack_sdk.web import SlackResponse

from onboard.connectors.base import Health, Hold, unheld
from onboard.connectors.http import Unreachable
from onboard.connectors.levers import Lever, after, holding, pull, pull_first, pull_together
from onboard.connectors.pacing import UNPACED, Pace, urgently
from onboard.connectors.slack.api import Channel, Clock, Slack, SlackPartly, SlackRefused, UserGroup, invisible
from onboard.connectors.slack.health import writer_health
from onboard.connectors.slack.routes import invitations, lacking, team_of
from onboard.connectors.slack.scim import Scim
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountKind, AccountState, Receipt, Resource

#: How long a list of channels is good for: conversations.list may be asked 20 times a minute.
_FRESH = timedelta(seconds=60)
_TYPES = ("channel", "usergroup")
#: What can be taken away but is never given here.
_ONLY_TAKEN = ("workspace", "connect-invitation")
_GONE = frozenset({"user_already_deleted", "user_is_already_deleted", "user_not_found", "users_not_found"})
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
        pace: Pace = UNPACED,
    ) -> None:
        self.system = system
        self._clock = clock
        self._slack = Slack(system, base_url, bot_token, clock, retry=False, pace=pace)
        self._admin = Slack(system, base_url, admin_token, clock, retry=False, pace=pace) if admin_token else None
        self._scim = Scim(system, scim_base_url, admin_token, clock, pace) if admin_token and scim_base_url else None
        self._channels: dict[str, Channel] = {}
        self._listed: datetime | None = None

    def grant(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Invite to the channel (conversations.invite), or write the user group's users with the account among them.

        A disabled user group starts anew: the account is its only user before it is enabled. Guests can't be in user
        groups: SystemRefused. Raises as base.Writer says.
        """
        user = self._user(account, resource, level)
        if resource.type == "channel":
            return self._invite(self._channel(resource.name), user)
        if account.kind in _GUESTS:
            raise self._no(f"a guest can't be in {resource}. Give the person a full account, or take it from the role.")
        with holding(hold, resource) as still:
            return self._put_in(self._group(resource.name), user, still)

    @urgently
    def revoke(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Remove from the channel (conversations.kick), or write the user group's users without the account.

        A user group can't be emptied: the last one's leaving disables it, and so nobody is in it any more, though
        Slack keeps the list. Of `workspace:NAME` the account is deactivated; `connect-invitation:ID` is declined,
        which Slack lets be done once it was accepted. Raises as base.Writer says.
        """
        if resource.type in _ONLY_TAKEN:
            return self._take(account, resource)
        user = self._user(account, resource, level)
        if resource.type == "channel":
            return self._kick(self._channel(resource.name), user)
        with holding(hold, resource) as still:
            return self._take_out(self._group(resource.name), user, still)

    def replaces_all(self, resource: Resource) -> bool:
        """True for user groups: usergroups.users.update takes the whole list."""
        return resource.type == "usergroup"

    @urgently
    def cut_off(self, account: Account, hold: Hold = unheld) -> Sequence[Receipt]:
        """Deactivate the account, where an admin token is configured; then, side by side, end its sessions, take it out
        of user groups and channels, and decline its accepted invitations to share a channel where the bot may list
        them.

        User groups are written one by one, each read again while it is held. Raises as base.Writer says, after trying
        all.
        """
        user = account.external_id
        if user is None:
            return [self._already("no account")]
        others: list[Lever] = [
            lambda: self._leave_groups(user, hold),
            lambda: self._leave_channels(user),
            lambda: self._decline_all(account),
        ]
        if self._admin is None:
            return pull_together(self.system, others)
        admin = self._admin
        others.append(lambda: [self._end_sessions(admin, user)])
        return pull_first(self.system, lambda: [self._deactivate(user)], others)

    def health(self) -> Health:
        """As base.Reader says, of the bot's token, and of the admin's and SCIM where they are configured."""
        return writer_health(self._slack, self._admin, self._scim)

    # Channels

    def _invite(self, channel: Channel, user: str) -> Receipt:
        try:
            doing = f"invite to #{channel.name}"
            answer = self._slack.send(doing, lambda c: c.conversations_invite(channel=channel.id, users=[user]))
            return self._done(answer, doing)
        except SlackRefused as refused:
            if refused.code == "already_in_channel":
                return self._already(refused.code)
            raise

    def _kick(self, channel: Channel, user: str) -> Receipt:
        doing = f"remove from #{channel.name}"
        try:
            answer = self._slack.send(doing, lambda c: c.conversations_kick(channel=channel.id, user=user))
            return self._done(answer, doing)
        except SlackRefused as refused:
            # Of the user or of the bot? Slack doesn't say, but who is in the channel does.
            if refused.code == "not_in_channel" and user not in self._slack.channel_members(channel):
                return self._already(refused.code)
            raise

    def _leave_channels(self, user: str) -> list[Receipt]:
        return pull_together(
            self.system, [partial(self._kick_out, channel, user) for channel in self._channels_of(user)]
        )

    def _kick_out(self, channel: Channel, user: str) -> list[Receipt]:
        return [self._kick(channel, user)]

    def _channels_of(self, user: str) -> Sequence[Channel]:
        """Those that the bot sees the user in; all that it sees where that can't be told."""
        try:
            return self._slack.channels_of(user)
        except Unreachable:
            raise
        except SystemFailed as failure:
            return [] if _says_gone(failure) else list(self._slack.channels().values())

    def _channel(self, name: str) -> Channel:
        now = self._clock()
        if name not in self._channels or self._listed is None or now - self._listed > _FRESH:
            self._channels, self._listed = self._slack.channels(), now
        if channel := self._channels.get(name):
            return channel
        raise self._no(invisible(name))

    # User groups

    def _put_in(self, group: UserGroup, user: str, still: Callable[[], None]) -> Receipt:
        if user in group.members:
            return self._already("already in it")
        if group.enabled:
            return self._replace(group, (*group.users, user), still)
        receipt = self._replace(group, (user,), still)
        with after(self.system, f"@{group.handle} is written"):
            self._slack.send(f"enable @{group.handle}", lambda c: c.usergroups_enable(usergroup=group.id))
        return receipt

    def _take_out(self, group: UserGroup, user: str, still: Callable[[], None]) -> Receipt:
        if user not in group.members:
            return self._already("not in it")
        others = tuple(other for other in group.users if other != user)
        if others:
            return self._replace(group, others, still)
        doing = f"disable @{group.handle}, whose last user leaves"
        still()
        disabled = self._slack.send(doing, lambda c: c.usergroups_disable(usergroup=group.id))
        return self._done(disabled, f"disable @{group.handle}, since its last user left")

    def _replace(self, group: UserGroup, users: Sequence[str], still: Callable[[], None]) -> Receipt:
        """Write the whole list. Slack leaves deactivated users out of it, and then answers as if it had failed."""
        doing = f"write the users of @{group.handle}"
        still()
        try:
            answer = self._slack.send(doing, lambda c: c.usergroups_users_update(usergroup=group.id, users=list(users)))
            return self._done(answer, doing)
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

    def _leave_groups(self, user: str, hold: Hold) -> list[Receipt]:
        handles = [group.handle for group in self._slack.user_groups().values() if user in group.users]
        return pull_together(self.system, [partial(self._throw_out, handle, user, hold) for handle in handles])

    def _throw_out(self, handle: str, user: str, hold: Hold) -> list[Receipt]:
        with holding(hold, Resource(self.system, "usergroup", handle)) as still:
            return [self._take_out(self._group(handle), user, still)]

    def _group(self, handle: str) -> UserGroup:
        group = self._slack.user_groups().get(handle)
        if group is None:
            raise self._no(f"there is no user group @{handle}. Check the handle, or create it.")
        return group

    # The account

    def _take(self, account: Account, resource: Resource) -> Receipt:
        if resource.type == "connect-invitation":
            return self._decline(resource.name)
        if account.external_id is None:
            return self._already("no account")
        if self._admin is None:
            raise self._no("no admin token is configured, so accounts can't be deactivated. Have an owner do it.")
        if self._is_gone(account.external_id):
            return self._already("deactivated already")
        return self._deactivate(account.external_id)

    def _is_gone(self, user: str) -> bool:
        """Whether it is sure that the account is deactivated: SCIM answers the second time as it did the first."""
        try:
            return self._slack.user(user).state is AccountState.GONE
        except SystemFailed as failure:
            return _says_gone(failure)

    def _deactivate(self, user: str) -> Receipt:
        """By SCIM (Business+ and Enterprise); where that is refused, out of the workspace (admin.users.remove)."""
        refusals: list[SystemFailed] = []
        for lever in (self._by_scim, self._out_of_the_workspace):
            try:
                return lever(user)
            except SystemRefused as refused:
                refusals.append(refused)
        raise self._no("; ".join(refusal.reason for refusal in refusals))

    def _by_scim(self, user: str) -> Receipt:
        if self._scim is None:
            raise self._no("no address of SCIM is configured.")
        return self._scim.deactivate(user)

    def _out_of_the_workspace(self, user: str) -> Receipt:
        if self._admin is None:
            raise self._no("no admin token is configured.")
        team, _ = team_of(self._admin)
        doing = "remove an account from the workspace"
        try:
            answer = self._admin.send(doing, lambda c: c.admin_users_remove(team_id=team, user_id=user))
            return self._done(answer, doing)
        except SlackRefused as refused:
            if _says_gone(refused):
                return self._already(refused.code)
            raise

    def _decline(self, invitation: str) -> Receipt:
        doing = "decline an invitation to share a channel"
        try:
            answer = self._slack.send(doing, lambda c: c.conversations_declineSharedInvite(invite_id=invitation))
            return self._done(answer, doing)
        except SlackRefused as refused:
            if refused.code == "invite_not_found":
                return self._already(refused.code)
            raise

    def _decline_all(self, account: Account) -> list[Receipt]:
        """Those to the account's id or address that were accepted; none where the token may not list them."""
        try:
            found = list(invitations(self._slack))
        except SystemFailed as failure:
            if lacking(failure):
                return [self._already("Slack Connect invitations can't be listed")]
            raise
        mine = [each for each in found if each.accepted and each.to(account.external_id, {account.handle.lower()})]
        return pull(self.system, [partial(self._decline_one, each.id) for each in mine])

    def _decline_one(self, invitation: str) -> list[Receipt]:
        return [self._decline(invitation)]

    # Both

    def _end_sessions(self, admin: Slack, user: str) -> Receipt:
        doing = "end the sessions"
        try:
            return self._done(admin.send(doing, lambda c: c.admin_users_session_reset(user_id=user)), doing)
        except SlackRefused as refused:
            if _says_gone(refused):
                return self._already(refused.code)
            raise

    def _user(self, account: Account, resource: Resource, level: str) -> str:
        if resource.type not in _TYPES or level != "member":
            raise self._no(f"{resource} has no level {level!r}. Expected channel:NAME or usergroup:HANDLE, member.")
        if account.external_id is None:
            raise self._no("the person has no account in the workspace yet. Have one made, and bind it.")
        return account.external_id

    def _no(self, reason: str) -> SystemRefused:
        return SystemRefused(self.system, reason)

    def _done(self, answer: SlackResponse, did: str) -> Receipt:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Receipt("200 ok", self._clock(), headers.get("x-slack-req-id"), did=did)

    def _already(self, status: str) -> Receipt:
        return Receipt(status, self._clock(), changed=False)


def _says_gone(failure: SystemFailed) -> bool:
    """Whether Slack said that there is no such account, or no more."""
    return isinstance(failure, SlackRefused) and failure.code in _GONE
