"""Changes who is in Jira's groups and project roles, one member at a time: a role's actors are never replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from pydantic import SecretStr

from onboard.connectors.base import Health, Hold, unheld
from onboard.connectors.http import Answer, documented, merged, side_by_side
from onboard.connectors.jira_client import Deployment, JiraClient, User
from onboard.connectors.jira_health import health
from onboard.connectors.jira_schemes import Entry, entries
from onboard.connectors.levers import Lever, pull_first, pull_together
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

    def grant(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Add to the group, or to the project role named `level`; other roles are left as they are.

        Raises SystemRefused where the account is gone, or the project has no such role.
        """
        self._client.check_resource(resource)
        with documented(self.system, f"grant {resource}"):
            user = self._user(account)
            if user is None:
                raise SystemRefused(self.system, f"{resource}: the account is gone from Jira. Bind the new one.")
            if resource.type == "permission-scheme":
                raise SystemRefused(self.system, f"{resource}: people get permissions through roles. Grant a role.")
            if resource.type == "group":
                return self._join(user, resource.name)
            return self._take_role(user, resource.name, level)

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
                return self._leave(user, resource.name, self._client.group(resource.name))
            if resource.type == "permission-scheme":
                return merged(self._drop_entries(user, resource.name, level), self._client.clock())
            return self._drop_role(user, resource.name, level)

    def replaces_all(self, resource: Resource) -> bool:
        """Never: groups and roles are changed one member at a time."""
        return False

    def cut_off(self, account: Account, hold: Hold = unheld) -> Sequence[Receipt]:
        """On Data Center deactivate first; then remove from every group, project role and permission scheme.

        On Cloud there is no first lever: an Atlassian account is its owner's or its organisation's, and groups are what
        lets it in. Tries all, then raises.
        """
        with documented(self.system, "cut off"):
            user = self._at_once(account) if self._client.cloud else self._user(account)
            if user is None:
                return [self._gone()]
            try:
                return self._pull_all(user)
            except SystemFailed:
                if self._is_gone(account):
                    return [self._gone()]
                raise

    def _is_gone(self, account: Account) -> bool:
        """Whether it is sure that there is no such account; False where that can't be read."""
        try:
            return self._user(account) is None
        except SystemFailed:
            return False

    def _at_once(self, account: Account) -> User | None:
        """On Cloud a call takes the id as it is: nobody has to be looked up first."""
        id_ = account.external_id
        return User(id_, id_, id_, active=True, email=None) if id_ else self._user(account)

    def _pull_all(self, user: User) -> list[Receipt]:
        steps = [
            self._lever(partial(step, user)) for step in (self._leave_groups, self._drop_roles, self._drop_entries)
        ]
        if self._client.cloud:
            return pull_together(self.system, steps)
        return pull_first(self.system, self._lever(partial(self._deactivate, user)), steps)

    def health(self) -> Health:
        """Whether Jira answers, as whom, and whether the token can change what it must and no more."""
        return health(self._client, writes=True)

    def _user(self, account: Account) -> User | None:
        if account.external_id is None:
            raise SystemRefused(self.system, "the account isn't bound to a Jira user. Bind it by its handle first.")
        return self._client.by_id(account.external_id)

    def _gone(self) -> Receipt:
        return Receipt("account gone", self._client.clock(), changed=False)

    def _join(self, user: User, group: str) -> Receipt:
        query, doing = self._client.group(group), f"add to group {group}"
        body = {"accountId" if self._client.cloud else "name": user.name}
        answer = self._client.call(doing, "POST", "group/user", query, body, expect=_MAYBE_ALREADY)
        return self._settled(answer, doing, lambda: self._in_group(user, query))

    def _leave(self, user: User, group: str, query: dict[str, str]) -> Receipt:
        doing = f"remove from group {group}"
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
            return Receipt(f"{answer.status} done", at, request_id, did=doing)
        if so_already():
            return Receipt(f"{answer.status} already so", at, request_id, changed=False)
        raise SystemRefused(self.system, f"{doing}: answered {answer.status}, and reading shows that it isn't so.")

    def _in_group(self, user: User, query: dict[str, str]) -> bool:
        everyone = query | {"includeInactiveUsers": "true"}
        members = self._client.pages("read a group back", "group/member", everyone)
        return any(self._client.parsed(member).id == user.id for member in members)

    def _in_role(self, user: User, project: str, role: str, path: str) -> bool:
        actors = self._client.actors(project, role, path)
        return user.name.lower() in {name.lower() for name in actors.users}

    def _leave_groups(self, user: User) -> Sequence[Receipt]:
        """Every group that the user is in now; where that can't be read, every group that there is."""
        try:
            groups = self._client.groups_of(user)
        except SystemFailed:
            groups = self._client.groups()
        levers = [self._lever(partial(self._leave_one, user, *group)) for group in groups.items()]
        return pull_together(self.system, levers)

    def _leave_one(self, user: User, group: str, query: dict[str, str]) -> Sequence[Receipt]:
        return [self._leave(user, group, query)]

    def _drop_roles(self, user: User) -> Sequence[Receipt]:
        """Every role of every project that the user is in, and every one whose actors can't be read.

        They are read several at a time, and taken so too.
        """
        projects = self._client.projects()
        listed = side_by_side(self._roles_of, projects)
        roles = [
            (project, *role)
            for project, found in zip(projects, listed, strict=True)
            if not isinstance(found, SystemFailed)
            for role in found.items()
        ]
        held = side_by_side(lambda role: self._may_be_in(user, *role), roles)
        levers = [
            self._lever(partial(self._drop_one, user, *role)) for role, has in zip(roles, held, strict=True) if has
        ]
        unlisted = [partial(_fail, found) for found in listed if isinstance(found, SystemFailed)]
        return pull_together(self.system, [*levers, *unlisted])

    def _roles_of(self, project: str) -> dict[str, str] | SystemFailed:
        try:
            with documented(self.system, f"list the roles of {project}"):
                return self._client.roles(project)
        except SystemFailed as failure:
            return failure

    def _drop_one(self, user: User, project: str, role: str, path: str) -> Sequence[Receipt]:
        return [self._drop(user, project, role, path)]

    def _may_be_in(self, user: User, project: str, role: str, path: str) -> bool:
        try:
            with documented(self.system, f"read role {role} of {project}"):
                return self._in_role(user, project, role, path)
        except SystemFailed:
            return True

    # Permission schemes and the account

    def _drop_entries(self, user: User, scheme: str | None = None, permission: str | None = None) -> list[Receipt]:
        """Take the user out of a scheme, or out of all: one entry for each permission."""
        found = [entry for each in entries(self._client).values() for entry in each if entry.user == user.id]
        mine = [entry for entry in found if scheme in (None, entry.scheme) and permission in (None, entry.permission)]
        return pull_together(self.system, [self._lever(partial(self._drop_entry, user, entry)) for entry in mine])

    def _drop_entry(self, user: User, entry: Entry) -> Sequence[Receipt]:
        doing = f"take a permission from {entry.scheme}"
        answer = self._client.call(doing, "DELETE", entry.path, expect=_MAYBE_ALREADY)
        return [self._settled(answer, doing, lambda: entry not in self._entries_of(user, entry.scheme))]

    def _entries_of(self, user: User, scheme: str) -> list[Entry]:
        return [entry for entry in entries(self._client).get(scheme, ()) if entry.user == user.id]

    def _close(self, account: Account) -> Receipt:
        with documented(self.system, "deactivate a user"):
            user = self._user(account)
            if user is None:
                return self._gone()
            if self._client.cloud:
                reason = "an Atlassian account is closed by its owner or its organisation. Take its groups instead."
                raise SystemRefused(self.system, reason)
            return self._deactivate(user)[0]

    def _deactivate(self, user: User) -> Sequence[Receipt]:
        """Data Center: end all log-ins. Some versions take the request and change nothing, so it is read back."""
        if not user.active:
            return [Receipt("already inactive", self._client.clock(), changed=False)]
        answer = self._client.call("deactivate a user", "PUT", "user", {"key": user.id}, {"active": False})
        now = self._client.by_id(user.id)
        if now and now.active:
            reason = "this Jira can't deactivate users by its API. Deactivate the account in the user administration."
            raise SystemRefused(self.system, reason)
        at, request_id = self._client.clock(), _request_id(answer)
        return [Receipt(f"{answer.status} deactivated", at, request_id, did="deactivate the account")]

    def _lever(self, lever: Lever) -> Lever:
        """The same, raising SystemFailed where an answer isn't of the documented form."""

        def documented_lever() -> Sequence[Receipt]:
            with documented(self.system, "cut off"):
                return lever()

        return documented_lever


def _fail(failure: SystemFailed) -> Sequence[Receipt]:
    raise failure


def _request_id(answer: Answer) -> str | None:
    """What Atlassian's support finds a request by: `Atl-Traceid` on Cloud, `X-AREQUESTID` on Data Center."""
    return answer.headers.get("atl-traceid") or answer.headers.get("x-arequestid")
