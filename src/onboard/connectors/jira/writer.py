"""Changes who is in Jira's groups and project roles, one member at a time: a role's actors are never replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from pydantic import SecretStr

from onboard.connectors.base import Health, Hold, unheld
from onboard.connectors.http import documented, merged
from onboard.connectors.jira.client import Deployment, JiraClient, User
from onboard.connectors.jira.cutoff import CutOff
from onboard.connectors.jira.health import health
from onboard.connectors.jira.levers import Levers
from onboard.connectors.jira.roles import Role
from onboard.connectors.pacing import UNPACED, Pace, urgently
from onboard.errors import SystemRefused
from onboard.model import Account, Kind, Receipt, Resource


class JiraWriter:
    """Writes to one Jira site (REST API 3 on Cloud, 2 on Data Center).

    A write acts by accountId on Cloud; on Data Center by the username that the user key has at that moment.
    """

    kind = Kind.JIRA

    def __init__(
        self,
        system: str,
        base_url: str,
        email: str,
        token: SecretStr | str,
        deployment: Deployment,
        clock: Callable[[], datetime],
        pace: Pace = UNPACED,
    ) -> None:
        self.system = system
        self._client = JiraClient(system, base_url, email, token, deployment, clock, pace)
        self._levers = Levers(self._client)

    def grant(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Add to the group, or to the project role named `level`; other roles are left as they are.

        Raises SystemRefused where the account is gone or deactivated, or the project has no such role.
        """
        self._client.check_resource(resource)
        with documented(self.system, f"grant {resource}"):
            user = self._user(account)
            if user is None:
                raise SystemRefused(self.system, f"{resource}: the account is gone from Jira. Bind the new one.")
            if not user.active:
                raise SystemRefused(self.system, f"{resource}: the account is deactivated. Have it activated first.")
            if resource.type == "permission-scheme":
                raise SystemRefused(self.system, f"{resource}: people get permissions through roles. Grant a role.")
            if resource.type == "group":
                return self._levers.join(user, resource.name)
            return self._take_role(user, resource.name, level)

    @urgently
    def revoke(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Remove from the group, from the project role named `level`, or that permission from the scheme.

        On Data Center `account:NAME` is deactivated. Raises SystemRefused for it on Cloud.
        """
        if resource.type == "account":
            return self._close(account)
        self._client.check_resource(resource)
        with documented(self.system, f"revoke {resource}"):
            user = self._user(account)
            if user is None:
                return self._gone()
            if resource.type == "group":
                return self._levers.leave(user, resource.name, self._client.group(resource.name))
            if resource.type == "permission-scheme":
                return merged(self._levers.drop_entries(user, resource.name, level), self._client.clock())
            return self._drop_role(user, resource.name, level)

    def replaces_all(self, resource: Resource) -> bool:
        """Never: groups and roles are changed one member at a time."""
        return False

    @urgently
    def cut_off(self, account: Account, hold: Hold = unheld) -> Sequence[Receipt]:
        """On Data Center deactivate; beside that remove from every group, project role and permission scheme.

        On Cloud there is no first lever: an Atlassian account is its owner's or its organisation's, and groups are what
        lets it in. Tries all, then raises.
        """
        return CutOff(self._client, self._levers, account).pull()

    def health(self) -> Health:
        """Whether Jira answers, as whom, and whether the token can change what it must and no more."""
        return health(self._client, writes=True)

    def _user(self, account: Account) -> User | None:
        if account.external_id is None:
            raise SystemRefused(self.system, "the account isn't bound to a Jira user. Bind it by its handle first.")
        return self._client.by_id(account.external_id)

    def _gone(self) -> Receipt:
        return Receipt("account gone", self._client.clock(), changed=False)

    def _take_role(self, user: User, project: str, role: str) -> Receipt:
        paths = self._client.roles(project)
        if role not in paths:
            known = ", ".join(sorted(paths))
            raise SystemRefused(self.system, f"project {project} has no role {role}. It has {known}.")
        return self._levers.take_role(user, Role(project, role, paths[role]))

    def _drop_role(self, user: User, project: str, role: str) -> Receipt:
        path = self._client.roles(project).get(role)
        if path is None:
            return Receipt("no such role", self._client.clock(), changed=False)
        return self._levers.drop_role(user, Role(project, role, path))

    def _close(self, account: Account) -> Receipt:
        with documented(self.system, "deactivate a user"):
            user = self._user(account)
            if user is None:
                return self._gone()
            if self._client.cloud:
                reason = "an Atlassian account is closed by its owner or its organisation. Take its groups instead."
                raise SystemRefused(self.system, reason)
            return self._levers.deactivate(user)
