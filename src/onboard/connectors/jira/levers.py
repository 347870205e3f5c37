"""Each single way to take something away in Jira, or to add a member; what is so already changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from onboard.connectors.http import Answer, documented
from onboard.connectors.jira.client import JiraClient, User
from onboard.connectors.jira.roles import Role
from onboard.connectors.jira.schemes import Entry, entries
from onboard.connectors.levers import Lever, pull_together, shared
from onboard.errors import SystemRefused
from onboard.model import Receipt

#: What Jira answers where it is so already, and for much else: read back to tell.
_MAYBE_ALREADY = (400, 404, 409, 410)


class Levers:
    """Takes from a user, or adds it: by accountId on Cloud, by username on Data Center."""

    def __init__(self, client: JiraClient) -> None:
        self._client = client

    def join(self, user: User, group: str) -> Receipt:
        """Add to a group (POST group/user)."""
        query, doing = self._client.group(group), f"add to group {group}"
        body = {"accountId" if self._client.cloud else "name": user.name}
        answer = self._client.call(doing, "POST", "group/user", query, body, expect=_MAYBE_ALREADY)
        return self._settled(answer, doing, lambda: self._in_group(user, query))

    def leave(self, user: User, group: str, query: Mapping[str, str]) -> Receipt:
        """Remove from the group that the query names (DELETE group/user)."""
        doing = f"remove from group {group}"
        named = {**query, "accountId" if self._client.cloud else "username": user.name}
        answer = self._client.call(doing, "DELETE", "group/user", named, expect=_MAYBE_ALREADY)
        return self._settled(answer, doing, lambda: not self._in_group(user, query))

    def take_role(self, user: User, role: Role) -> Receipt:
        """Add to a project role (POST its path, which adds to those who are in it)."""
        doing = f"add to role {role.name} of {role.project}"
        answer = self._client.call(doing, "POST", role.path, body={"user": [user.name]}, expect=_MAYBE_ALREADY)
        return self._settled(answer, doing, lambda: self._in_role(user, role))

    def drop_role(self, user: User, role: Role) -> Receipt:
        """Remove from a project role (DELETE its path)."""
        doing = f"remove from role {role.name} of {role.project}"
        answer = self._client.call(doing, "DELETE", role.path, {"user": user.name}, expect=_MAYBE_ALREADY)
        return self._settled(answer, doing, lambda: not self._in_role(user, role))

    def drop_entries(self, user: User, scheme: str | None = None, permission: str | None = None) -> list[Receipt]:
        """Take the user out of a permission scheme, or out of all: one entry for each permission."""
        schemes = shared((self._client.system, "permission schemes"), partial(entries, self._client))()
        found = [entry for each in schemes.values() for entry in each if entry.user == user.id]
        mine = [entry for entry in found if scheme in (None, entry.scheme) and permission in (None, entry.permission)]
        return pull_together(self._client.system, [self.lever(partial(self._drop_entry, user, e)) for e in mine])

    def deactivate(self, user: User) -> Receipt:
        """Data Center: end all log-ins. Some versions take the request and change nothing, so it is read back."""
        if not user.active:
            return Receipt("already inactive", self._client.clock(), changed=False)
        answer = self._client.call("deactivate a user", "PUT", "user", {"key": user.id}, {"active": False})
        now = self._client.by_id(user.id)
        if now and now.active:
            reason = "this Jira can't deactivate users by its API. Deactivate the account in the user administration."
            raise SystemRefused(self._client.system, reason)
        at, request_id = self._client.clock(), _request_id(answer)
        return Receipt(f"{answer.status} deactivated", at, request_id, did="deactivate the account")

    def lever(self, lever: Lever) -> Lever:
        """The same, raising SystemFailed where an answer isn't of the documented form."""

        def documented_lever() -> Sequence[Receipt]:
            with documented(self._client.system, "cut off"):
                return lever()

        return documented_lever

    def _drop_entry(self, user: User, entry: Entry) -> Sequence[Receipt]:
        doing = f"take a permission from {entry.scheme}"
        answer = self._client.call(doing, "DELETE", entry.path, expect=_MAYBE_ALREADY)
        return [self._settled(answer, doing, lambda: entry not in self._entries_of(user, entry.scheme))]

    def _entries_of(self, user: User, scheme: str) -> list[Entry]:
        return [entry for entry in entries(self._client).get(scheme, ()) if entry.user == user.id]

    def _settled(self, answer: Answer, doing: str, so_already: Callable[[], bool]) -> Receipt:
        """The receipt. A 4xx is read back: it is so already, or Jira refused."""
        at, request_id = self._client.clock(), _request_id(answer)
        if answer.status not in _MAYBE_ALREADY:
            return Receipt(f"{answer.status} done", at, request_id, did=doing)
        if so_already():
            return Receipt(f"{answer.status} already so", at, request_id, changed=False)
        reason = f"{doing}: answered {answer.status}, and reading shows that it isn't so."
        raise SystemRefused(self._client.system, reason)

    def _in_group(self, user: User, query: Mapping[str, str]) -> bool:
        everyone = {**query, "includeInactiveUsers": "true"}
        members = self._client.pages("read a group back", "group/member", everyone)
        return any(self._client.parsed(member).id == user.id for member in members)

    def _in_role(self, user: User, role: Role) -> bool:
        return self._client.actors(role.project, role.name, role.path).names(user)


def _request_id(answer: Answer) -> str | None:
    """What Atlassian's support finds a request by: `Atl-Traceid` on Cloud, `X-AREQUESTID` on Data Center."""
    return answer.headers.get("atl-traceid") or answer.headers.get("x-arequestid")
