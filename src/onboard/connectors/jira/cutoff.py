"""The kill switch: an account out of everything in Jira, with as few waits as can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from onboard.connectors.jira.client import Actors, JiraClient, User
from onboard.connectors.jira.levers import Levers
from onboard.connectors.jira.roles import Role, look_at_all
from onboard.connectors.levers import Lever, Once, pull_together, pulled, settled
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Receipt


class CutOff:
    """Pulls every lever on one account. Raises SystemRefused for an account that is bound to no user."""

    def __init__(self, client: JiraClient, levers: Levers, account: Account) -> None:
        if account.external_id is None:
            raise SystemRefused(client.system, "the account isn't bound to a Jira user. Bind it by its handle first.")
        self._client = client
        self._levers = levers
        self._id = account.external_id
        self._found = Once(partial(client.user_with_groups, self._id))

    def pull(self) -> list[Receipt]:
        """The receipts of all levers, pulled side by side whatever became of the others.

        On Data Center the user is looked up for the present name while the lists of projects, roles and schemes are
        read; on Cloud calls take the id as it is. An account that is gone is a receipt. Raises what failed, after all.
        """
        steps = (self._deactivate, self._leave_groups, self._drop_roles, self._drop_entries)
        try:
            receipts = pull_together(self._client.system, [self._levers.lever(step) for step in steps])
        except SystemFailed:
            if not self._is_gone():
                raise
            return [self._gone()]
        return receipts if self._user() else [self._gone()]

    def _deactivate(self) -> Sequence[Receipt]:
        """Data Center: by the key, should the user not be readable. Cloud: the account is the person's own."""
        if self._client.cloud:
            return []
        try:
            user = self._user()
        except SystemFailed:
            user = User(self._id, "", "", active=True, email=None)
        return [self._levers.deactivate(user)] if user else []

    def _leave_groups(self) -> Sequence[Receipt]:
        """Every group that the user is in now; where that can't be read on Cloud, every group that there is."""
        user = self._user()
        if user is None:
            return []
        groups = self._groups(user)
        return pull_together(self._client.system, [self._leaving(user, *group) for group in groups.items()])

    def _groups(self, user: User) -> Mapping[str, dict[str, str]]:
        if not self._client.cloud:
            found = self._found()
            return found[1] if found else {}
        try:
            return self._client.groups_of(user)
        except SystemFailed:
            return self._client.groups()

    def _leaving(self, user: User, group: str, query: dict[str, str]) -> Lever:
        return self._levers.lever(lambda: [self._levers.leave(user, group, query)])

    def _drop_roles(self) -> Sequence[Receipt]:
        """Every role of every project that the user is in, and every one whose actors can't be read."""

        def drop(role: Role, actors: Actors | SystemFailed) -> Sequence[Receipt] | SystemFailed:
            user = self._user()
            if user is None or (isinstance(actors, Actors) and not actors.names(user)):
                return []
            return pulled(self._levers.lever(lambda: [self._levers.drop_role(user, role)]))

        looked = look_at_all(self._client, drop)
        return settled(self._client.system, [*looked.found, *looked.failures])

    def _drop_entries(self) -> Sequence[Receipt]:
        user = self._user()
        return self._levers.drop_entries(user) if user else []

    def _user(self) -> User | None:
        """On Data Center under the present name; None where it is gone. Raises SystemFailed where it can't be read."""
        if self._client.cloud:
            return User(self._id, self._id, self._id, active=True, email=None)
        found = self._found()
        return found[0] if found else None

    def _gone(self) -> Receipt:
        return Receipt("account gone", self._client.clock(), changed=False)

    def _is_gone(self) -> bool:
        """Whether it is sure that there is no such account; False where that can't be read."""
        try:
            return self._client.by_id(self._id) is None
        except SystemFailed:
            return False
