"""Changes who is in Jira's groups and project roles, one member at a time: a role's actors are never replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from pydantic import SecretStr

from onboard.connectors.base import Health
from onboard.connectors.http import Answer, documented
from onboard.connectors.jira_client import Deployment, JiraClient, User
from onboard.connectors.jira_health import health
from onboard.connectors.levers import Lever, pull
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Kind, Receipt, Resource

#: What Jira answers where it is so already, and for much else: read back to tell.
_MAYBE_ALREADY = (400, 404, 409, 410)


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
    ) -> None:
        self.system = system
        self._client = JiraClient(system, base_url, email, token, deployment, clock)

    def grant(self, account: Account, resource: Resource, level: str) -> Receipt:
        """Add to the group, or to the project role named `level`; other roles are left as they are.

        Raises SystemRefused where the account is gone, or the project has no such role.
        """
        self._client.check_resource(resource)
        with documented(self.system, f"grant {resource}"):
            user = self._user(account)
            if user is None:
                raise SystemRefused(self.system, f"{resource}: the account is gone from Jira. Bind the new one.")
            if resource.type == "group":
                return self._join(user, resource.name)
            return self._take_role(user, resource.name, level)

    def revoke(self, account: Account, resource: Resource, level: str) -> Receipt:
        """Remove from the group, or from the project role named `level`."""
        self._client.check_resource(resource)
        with documented(self.system, f"revoke {resource}"):
            user = self._user(account)
            if user is None:
                return Receipt("account gone", self._client.clock(), changed=False)
            if resource.type == "group":
                return self._leave(user, resource.name)
            return self._drop_role(user, resource.name, level)

    def replaces_all(self, resource: Resource) -> bool:
        """Never: groups and roles are changed one member at a time."""
        return False

    def cut_off(self, account: Account) -> Sequence[Receipt]:
        """On Data Center deactivate first; then remove from every group and project role. Tries all, then raises."""
        with documented(self.system, "cut off"):
            user = self._user(account)
        if user is None:
            return [Receipt("account gone", self._client.clock(), changed=False)]
        steps = (self._leave_groups, self._drop_roles)
        each = steps if self._client.cloud else (self._deactivate, *steps)
        return pull(self.system, [self._lever(partial(step, user)) for step in each])

    def health(self) -> Health:
        """Whether Jira answers, as whom, and whether the token can change what it must and no more."""
        return health(self._client, writes=True)

    def _user(self, account: Account) -> User | None:
        if account.external_id is None:
            raise SystemRefused(self.system, "the account isn't bound to a Jira user. Bind it by its handle first.")
        return self._client.by_id(account.external_id)

    def _join(self, user: User, group: str) -> Receipt:
        query, doing = self._client.group(group), f"add to group {group}"
        body = {"accountId" if self._client.cloud else "name": user.name}
        answer = self._client.call(doing, "POST", "group/user", query, body, expect=_MAYBE_ALREADY)
        return self._settled(answer, doing, lambda: self._in_group(user, query))

    def _leave(self, user: User, group: str) -> Receipt:
        query, doing = self._client.group(group), f"remove from group {group}"
        named = query | {"accountId" if self._client.cloud else "username": user.name}
        answer = self._client.call(doing, "DELETE", "group/user", named, expect=_MAYBE_ALREADY)
        return self._settled(answer, doing, lambda: not self._in_group(user, query))

    def _take_role(self, user: User, project: str, role: str) -> Receipt:
        paths = self._client.roles(project)
        if role not in paths:
            known = ", ".join(sorted(paths))
            raise SystemRefused(self.system, f"project {project} has no role {role}. It has {known}.")
        doing, path = f"add to role {role} of {project}", paths[role]
        answer = self._client.call(doing, "POST", path, body={"user": [user.name]}, expect=_MAYBE_ALREADY)
        return self._settled(answer, doing, lambda: self._in_role(user, project, role, path))

    def _drop_role(self, user: User, project: str, role: str) -> Receipt:
        path = self._client.roles(project).get(role)
        if path is None:
            return Receipt("no such role", self._client.clock(), changed=False)
        return self._drop(user, project, role, path)

    def _drop(self, user: User, project: str, role: str, path: str) -> Receipt:
        doing = f"remove from role {role} of {project}"
        answer = self._client.call(doing, "DELETE", path, {"user": user.name}, expect=_MAYBE_ALREADY)
        return self._settled(answer, doing, lambda: not self._in_role(user, project, role, path))

    def _settled(self, answer: Answer, doing: str, so_already: Callable[[], bool]) -> Receipt:
        """The receipt. A 4xx is read back: it is so already, or Jira refused."""
        at, request_id = self._client.clock(), _request_id(answer)
        if answer.status not in _MAYBE_ALREADY:
            return Receipt(f"{answer.status} done", at, request_id)
        if so_already():
            return Receipt(f"{answer.status} already so", at, request_id, changed=False)
        raise SystemRefused(self.system, f"{doing}: answered {answer.status}, and reading shows that it isn't so.")

    def _in_group(self, user: User, query: dict[str, str]) -> bool:
        everyone = query | {"includeInactiveUsers": "true"}
        members = self._client.pages("read a group back", "group/member", everyone)
        return any(self._client.parsed(member).id == user.id for member in members)

    def _in_role(self, user: User, project: str, role: str, path: str) -> bool:
        actors = self._client.actors(project, role, path)
        return user.name.lower() in {name.lower() for name in actors}

    def _leave_groups(self, user: User) -> Sequence[Receipt]:
        """Every group that the user is in now; where that can't be read, every group that there is."""
        try:
            names = self._groups_of(user)
        except SystemFailed:
            names = self._client.groups()
        return pull(self.system, [self._lever(partial(self._leave_one, user, name)) for name in names])

    def _leave_one(self, user: User, group: str) -> Sequence[Receipt]:
        return [self._leave(user, group)]

    def _groups_of(self, user: User) -> list[str]:
        if self._client.cloud:
            groups = self._client.read("list a user's groups", "user/groups", {"accountId": user.id}).body
        else:
            query = {"key": user.id, "expand": "groups"}
            groups = self._client.read("list a user's groups", "user", query).body["groups"]["items"]
        return [group["name"] for group in groups]

    def _drop_roles(self, user: User) -> Sequence[Receipt]:
        """Every role of every project that the user is in, and every one whose actors can't be read."""
        levers = [self._lever(partial(self._drop_roles_of, user, project)) for project in self._client.projects()]
        return pull(self.system, levers)

    def _drop_roles_of(self, user: User, project: str) -> Sequence[Receipt]:
        roles = self._client.roles(project).items()
        return pull(self.system, [self._lever(partial(self._drop_if_held, user, project, *role)) for role in roles])

    def _drop_if_held(self, user: User, project: str, role: str, path: str) -> Sequence[Receipt]:
        try:
            held = self._in_role(user, project, role, path)
        except SystemFailed:
            held = True
        return [self._drop(user, project, role, path)] if held else []

    def _deactivate(self, user: User) -> Sequence[Receipt]:
        """Data Center: end all log-ins. Some versions take the request and change nothing, so it is read back."""
        if not user.active:
            return [Receipt("already inactive", self._client.clock(), changed=False)]
        answer = self._client.call("deactivate a user", "PUT", "user", {"key": user.id}, {"active": False})
        now = self._client.by_id(user.id)
        if now and now.active:
            reason = "this Jira can't deactivate users by its API. Deactivate the account in the user administration."
            raise SystemRefused(self.system, reason)
        return [Receipt(f"{answer.status} deactivated", self._client.clock(), _request_id(answer))]

    def _lever(self, lever: Lever) -> Lever:
        """The same, raising SystemFailed where an answer isn't of the documented form."""

        def documented_lever() -> Sequence[Receipt]:
            with documented(self.system, "cut off"):
                return lever()

        return documented_lever


def _request_id(answer: Answer) -> str | None:
    """What Atlassian's support finds a request by: `Atl-Traceid` on Cloud, `X-AREQUESTID` on Data Center."""
    return answer.headers.get("atl-traceid") or answer.headers.get("x-arequestid")
