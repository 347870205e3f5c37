"""Jira over the `jira` SDK, Cloud and Data Center: one client per thread, one request per call, every page fetched.

The SDK brings authentication, headers and the connection. Its own methods are passed by where they fail on Cloud, take
the first fuzzy match for a user, stop at page one, replace all actors of a role, or hide the answer's status.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

import requests
from jira import JIRA
from jira.exceptions import JIRAError
from pydantic import SecretStr

from onboard.connectors.base import TIMEOUT
from onboard.connectors.http import (
    Answer,
    PerThread,
    Rejected,
    malformed,
    read_only,
    reading,
    status_failure,
    transport,
)
from onboard.connectors.loopback import is_loopback
from onboard.connectors.pacing import UNPACED, Cost, Pace
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Resource

Deployment = Literal["cloud", "data-center"]

_KEY = re.compile(r"[A-Z][A-Z0-9_]+")
_PAGE = 50
#: Users per page of a list or a search; a shorter page is the last.
SEARCH_PAGE = 1000
_GONE = requests.codes.not_found
#: A quota holds for everything; a burst's limit for each method of an endpoint.
_REQUEST = Cost("requests")
_LIMITS = {"GET": "reads", "POST": "posts", "PUT": "puts", "DELETE": "deletes"}
_EXPLAINED = {
    400: "not accepted as it stands",
    403: "the token lacks the right",
    404: "it doesn't exist, or the token can't see it",
    410: "it no longer exists",
}


@dataclass(frozen=True, slots=True)
class User:
    """A user as Jira shows it. `id` is the accountId (Cloud) or the key (Data Center), `name` what calls take."""

    id: str
    name: str
    shown: str
    active: bool
    email: str | None


@dataclass(frozen=True, slots=True)
class Actors:
    """Who is in a project role: users (accountId on Cloud, username on Data Center → a name to show) and groups."""

    users: Mapping[str, str]
    groups: tuple[str, ...]

    def names(self, user: User) -> bool:
        """Whether the user is among them; upper and lower case are the same to Jira."""
        return user.name.lower() in {name.lower() for name in self.users}


class JiraClient:
    """Requests to one Jira site. On Cloud the token belongs to `email`; on Data Center it's a personal access token."""

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
        self.cloud = deployment == "cloud"
        self.clock = clock
        secret = token if isinstance(token, SecretStr) else SecretStr(token)
        self._pace = pace
        self._sdk = PerThread(lambda: _connect(base_url, email, secret, self.cloud))

    def call(
        self,
        doing: str,
        verb: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        expect: Collection[int] = (),
    ) -> Answer:
        """One request to `/rest/api/N/path`, never repeated here. `doing` says what it is for, without naming people.

        Returns a 2xx answer, or one whose status is in `expect`. Raises SystemFailed or SystemRefused for the others.
        """
        if verb == "GET":
            with read_only():
                return self._call(doing, verb, path, query, body, expect)
        return self._call(doing, verb, path, query, body, expect)

    def read(
        self, doing: str, path: str, query: Mapping[str, Any] | None = None, expect: Collection[int] = ()
    ) -> Answer:
        """A GET, tried again where that may help."""
        return reading(lambda: self.call(doing, "GET", path, query=query, expect=expect))

    def pages(self, doing: str, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every item of a list in Jira's envelope (`values`, `isLast`). Raises if any page fails.

        Jira may give smaller pages than asked for, and says so in `maxResults`; filtered pages hold fewer still.
        """
        items: list[dict[str, Any]] = []
        start = 0
        while True:
            answer = self.read(doing, path, {**(query or {}), "startAt": start, "maxResults": _PAGE}).body
            items += answer["values"]
            if answer["isLast"]:
                return items
            start += max(1, answer["maxResults"])

    def group(self, name: str) -> dict[str, str]:
        """The query that names a group: by its id on Cloud, by its name on Data Center. Raises where it isn't there."""
        if not self.cloud:
            return {"groupname": name}
        found = self.pages(f"look up group {name}", "group/bulk", {"groupName": name})
        ids = [group["groupId"] for group in found if group["name"] == name]
        if len(ids) != 1:
            raise SystemRefused(self.system, f"group {name}: it doesn't exist, or the token can't see it.")
        return {"groupId": ids[0]}

    def groups(self) -> dict[str, dict[str, str]]:
        """The names of all groups, each with the query that names it. Raises where Jira shows only some."""
        if self.cloud:
            found = self.pages("list the groups", "group/bulk")
            return {group["name"]: {"groupId": group["groupId"]} for group in found}
        answer = self.read("list the groups", "groups/picker", {"maxResults": 100_000}).body
        if len(answer["groups"]) < answer["total"]:
            raise SystemFailed(
                self.system, f"list the groups: {len(answer['groups'])} of {answer['total']} were shown."
            )
        return {group["name"]: {"groupname": group["name"]} for group in answer["groups"]}

    def projects(self) -> list[str]:
        """The keys of all projects that the token can see."""
        if self.cloud:
            return [project["key"] for project in self.pages("list the projects", "project/search")]
        return [project["key"] for project in self.read("list the projects", "project").body]

    def roles(self, project: str) -> dict[str, str]:
        """A project's roles: name → path."""
        urls = self.read(f"list the roles of {project}", f"project/{project}/role").body
        return {name: f"project/{project}/role/{url.rstrip('/').rpartition('/')[2]}" for name, url in urls.items()}

    def shared_roles(self) -> dict[str, str]:
        """The roles that projects share: id → name. Empty where the token isn't Jira's administrator (GET role)."""
        answer = self.read("list the roles", "role", expect=[requests.codes.forbidden])
        told = answer.body if answer.status != requests.codes.forbidden else []
        return {str(role["id"]): role["name"] for role in told if not role.get("scope")}

    def actors(self, project: str, role: str, path: str) -> Actors:
        """The users and groups in a role, inactive users among them. Members of the groups hold it through these."""
        found = self.find_actors(project, role, path)
        if found is None:
            raise SystemRefused(self.system, f"read role {role} of {project}: answered 404 ({_EXPLAINED[404]}).")
        return found

    def find_actors(self, project: str, role: str, path: str) -> Actors | None:
        """The same; None where the project has no such role, or the token can't see it."""
        answer = self.read(f"read role {role} of {project}", path, expect=[_GONE])
        if answer.status == _GONE:
            return None
        actors = answer.body["actors"]
        users = [actor for actor in actors if actor["type"] == "atlassian-user-role-actor"]
        groups = tuple(actor["name"] for actor in actors if actor["type"] == "atlassian-group-role-actor")
        if self.cloud:
            return Actors({actor["actorUser"]["accountId"]: actor["displayName"] for actor in users}, groups)
        return Actors({actor["name"]: actor["name"] for actor in users}, groups)

    def users(self) -> list[User]:
        """Every user, inactive ones among them, 1000 a page (GET users/search, Cloud only)."""
        found: list[User] = []
        while True:
            page = {"startAt": len(found), "maxResults": SEARCH_PAGE}
            bodies = self.read("list the users", "users/search", page).body
            found += [self.parsed(body) for body in bodies]
            if len(bodies) < SEARCH_PAGE:
                return found

    def groups_of(self, user: User) -> dict[str, dict[str, str]]:
        """The names of the groups that a user is in, each with the query that names it."""
        if self.cloud:
            groups = self.read("list a user's groups", "user/groups", {"accountId": user.id}).body
            return {group["name"]: {"groupId": group["groupId"]} for group in groups}
        found = self.user_with_groups(user.id)
        return found[1] if found else {}

    def user_with_groups(self, key: str) -> tuple[User, dict[str, dict[str, str]]] | None:
        """Data Center: a user by the key, with the groups as `groups_of` has them, in one call; None if it's gone."""
        query = {"key": key, "expand": "groups"}
        answer = self.read("look up a user", "user", query, expect=[_GONE])
        if answer.status == _GONE:
            return None
        groups = answer.body["groups"]["items"]
        return self.parsed(answer.body), {group["name"]: {"groupname": group["name"]} for group in groups}

    def user(self, query: Mapping[str, str]) -> User | None:
        """One user, by `accountId` (Cloud), `key` or `username` (Data Center); None where there is none (404)."""
        answer = self.read("look up a user", "user", query, expect=[_GONE])
        return self.parsed(answer.body) if answer.status != _GONE else None

    def by_id(self, external_id: str) -> User | None:
        """The user with that accountId (Cloud) or key (Data Center) and the present name; None where it is gone."""
        return self.user({"accountId" if self.cloud else "key": external_id})

    def parsed(self, body: Mapping[str, Any]) -> User:
        """A user out of an answer. Cloud may hide the e-mail address."""
        email = body.get("emailAddress") or None
        if self.cloud:
            account = body["accountId"]
            return User(account, account, email or body.get("displayName") or account, body["active"], email)
        return User(body["key"], body["name"], body["name"], body["active"], email)

    def may(self, permissions: Collection[str]) -> dict[str, bool]:
        """Which of these permissions the token has anywhere. Cloud must be told which; Data Center tells all."""
        query = {"permissions": ",".join(permissions)} if self.cloud else {}
        held = self.read("ask what the token may do", "mypermissions", query).body["permissions"]
        return {name: bool(held.get(name, {}).get("havePermission")) for name in permissions}

    def check_resource(self, resource: Resource) -> None:
        """Raises SystemRefused unless it is `group:NAME`, `project:KEY` or `permission-scheme:NAME`."""
        if resource.type in ("group", "permission-scheme"):
            return
        if resource.type == "project" and _KEY.fullmatch(resource.name):
            return
        expected = "group:NAME, project:KEY or permission-scheme:NAME"
        raise SystemRefused(self.system, f"{resource} isn't a Jira resource. Write {expected}.")

    def _call(
        self,
        doing: str,
        verb: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        expect: Collection[int],
    ) -> Answer:
        costs = [_REQUEST, Cost(_LIMITS[verb], of=path.partition("/")[0])]
        self._pace.take(costs)
        answer = self._send(doing, verb, path, query, body)
        name = answer.headers.get("x-ausername", "")
        if answer.status < requests.codes.bad_request and (name == "anonymous" or _denied(answer)):
            raise Rejected(self.system, f"{doing}: answered as for nobody. The token is wrong, expired or revoked.")
        if answer.status not in expect and not _success(answer.status):
            detail = _EXPLAINED.get(answer.status, "")
            failure = status_failure(self.system, doing, answer.status, answer.headers, self.clock(), detail)
            if answer.status == requests.codes.too_many_requests:
                self._pace.limited(
                    costs["quota" not in answer.headers.get("ratelimit-reason", "")], failure.retry_after
                )
            raise failure
        return answer

    def _send(
        self, doing: str, verb: str, path: str, query: Mapping[str, Any] | None, body: Mapping[str, Any] | None
    ) -> Answer:
        """The SDK raises for 4xx and 5xx, holding on to the answer. A redirect to a log-in page isn't followed."""
        sdk = self._sdk()
        with transport(self.system, doing):
            try:
                response = sdk._session.request(
                    verb,
                    sdk._get_url(quote(path)),
                    params=dict(query or {}),
                    json=body,
                    allow_redirects=False,
                )
            except JIRAError as error:
                if error.response is None:
                    raise SystemFailed(self.system, f"{doing}: no answer.", uncertain=True) from None
                response = error.response
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, self._parsed(doing, response))

    def _parsed(self, doing: str, response: requests.Response) -> Any:
        """The body as JSON; None where there is none, or where the answer is an error, whose body isn't needed."""
        if not response.content or not _success(response.status_code):
            return None
        try:
            return response.json()
        except ValueError:
            raise SystemFailed(self.system, malformed(doing), uncertain=True) from None


def _connect(base_url: str, email: str, token: SecretStr, cloud: bool) -> JIRA:
    """An SDK client without retries that asks nothing by itself. API version 3 on Cloud, 2 on Data Center."""
    secret = token.get_secret_value()
    sdk = JIRA(
        server=base_url,
        options={"rest_api_version": "3" if cloud else "2"},
        basic_auth=(email, secret) if cloud else None,
        token_auth=None if cloud else secret,
        get_server_info=False,
        max_retries=0,
        timeout=TIMEOUT,
        logging=False,
    )
    sdk._session.trust_env = not is_loopback(base_url)
    return sdk


def _success(status: int) -> bool:
    return bool(requests.codes.ok <= status < requests.codes.multiple_choices)


def _denied(answer: Answer) -> bool:
    """Jira may answer a wrong credential as it answers nobody, with an empty list; this header tells."""
    reason = answer.headers.get("x-seraph-loginreason", "").upper()
    return "FAILED" in reason or "DENIED" in reason
