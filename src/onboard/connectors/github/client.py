"""GitHub over PyGithub, REST and GraphQL: one client per thread, one request per call, every answer judged here.

PyGithub brings authentication, headers and the connection. Its own methods are passed by, because they hide what has to
be known: several skip the error check (a failed removal looks done), they take a 307 for success, follow a 301 without
its query (a renamed repository's list would come back unfiltered), and drop the request id that a receipt needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote, urlsplit

import requests
from github import Auth, Github
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass
from pydantic import SecretStr
from requests.utils import parse_header_links

from onboard.connectors.base import TIMEOUT
from onboard.connectors.github.app import AppInstallation, InstallationAuth
from onboard.connectors.github.pace import GRAPHQL, costs, heed, not_spent, refused
from onboard.connectors.http import (
    Answer,
    PerThread,
    limited,
    read_only,
    reading,
    retry_after,
    side_by_side,
    status_failure,
    transport,
)
from onboard.connectors.loopback import is_loopback
from onboard.connectors.pacing import UNPACED, Pace
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Resource

#: Levels by GitHub's own names for them, where they differ (`role_name`, an invitation's `permissions`).
LEVELS = {"read": "pull", "write": "push"}

_ORG = r"(?P<org>[A-Za-z0-9][A-Za-z0-9-]*)"
_NAMES = {
    "org": re.compile(_ORG),
    "team": re.compile(rf"{_ORG}/(?P<name>[A-Za-z0-9_-][A-Za-z0-9._-]*)"),
    "repo": re.compile(rf"{_ORG}/(?P<name>(?!\.{{1,2}}$)[A-Za-z0-9._-]+)"),
}
_PAGE = re.compile(r"([?&]page=)(\d+)")
#: What a GraphQL error's `type` may look like; anything else stays out of our messages.
_ERROR_TYPE = re.compile(r"[A-Za-z_]{1,40}")
_EXPLAINED = {
    403: "the token lacks the right",
    404: "it doesn't exist, or the token can't see it",
    422: "not accepted as it stands",
}


@dataclass(frozen=True, slots=True)
class _Sdk:
    """One thread's client, and the connection that all its requests go through."""

    github: Github
    connection: HTTPRequestsConnectionClass | HTTPSRequestsConnectionClass


@dataclass(frozen=True, slots=True)
class Graph:
    """What a GraphQL query brought: `data`, and of what it left out the path and the kind of each error."""

    data: Mapping[str, Any]
    errors: tuple[tuple[tuple[str | int, ...], str], ...] = ()

    def left_out(self, *path: str | int) -> str | None:
        """Why something at that path or below it is missing; None where nothing is."""
        return next((kind for where, kind in self.errors if where[: len(path)] == path or not where), None)


class GitHubClient:
    """Requests to one organisation, with a token or as a GitHub App's installation.

    `clock` gives the time that `Retry-After` dates and the life of an App's tokens count from; `pace` is asked before
    each request, and told what GitHub says of its limits.
    """

    def __init__(
        self,
        system: str,
        base_url: str,
        org: str,
        credential: AppInstallation | SecretStr | str,
        clock: Callable[[], datetime],
        pace: Pace = UNPACED,
    ) -> None:
        self.system = system
        self.org = org
        self.clock = clock
        self.is_app = isinstance(credential, AppInstallation)
        self._auth = auth = self._authentication(base_url, credential)
        self._sdk = PerThread(lambda: _connect(base_url, auth))
        self._pace = pace

    def call(
        self,
        doing: str,
        verb: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        expect: Collection[int] = (),
    ) -> Answer:
        """One request, never repeated here. `doing` says what it is for, without naming people. A GET takes no effect.

        Returns a 2xx answer, or one whose status is in `expect`. Raises SystemFailed or SystemRefused for the others.
        """
        with read_only() if verb == "GET" else nullcontext():
            sdk = self._sdk()
            self._pace.take(costs(verb, path))
            with transport(self.system, doing):
                status, headers, text = sdk.github.requester.requestJson(
                    verb, path, parameters=dict(query or {}), input=body, cnx=sdk.connection
                )
            heed(self._pace, path, headers, self.clock().timestamp())
            if self._is_limit(status, headers, text) or (status not in expect and not _success(status)):
                raise self._failure(doing, path, status, headers, text)
            answer = Answer(status, headers, self._parsed(doing, text))
            self._pace.give_back(not_spent(verb, path, status, answer.body))
            return answer

    def read(
        self, doing: str, path: str, query: Mapping[str, Any] | None = None, expect: Collection[int] = ()
    ) -> Answer:
        """A GET, tried again where that may help."""
        return reading(lambda: self.call(doing, "GET", path, query=query, expect=expect))

    def graphql(self, doing: str, query: str, **variables: Any) -> Graph:
        """What a GraphQL query brings (POST /graphql), tried again where that may help.

        GitHub answers 200 with errors: what came beside them is returned, with the paths of what didn't. Raises
        SystemFailed for an exhausted budget, SystemRefused where nothing came at all.
        """
        return reading(lambda: self._graph(doing, query, variables))

    def _graph(self, doing: str, query: str, variables: Mapping[str, Any]) -> Graph:
        url = self._sdk().github.requester.graphql_url
        answer = self.call(doing, "POST", url, body={"query": query, "variables": dict(variables)})
        errors = tuple(
            (tuple(error.get("path") or ()), _error_type(error)) for error in (answer.body or {}).get("errors") or ()
        )
        if any(kind == "RATE_LIMITED" for _, kind in errors):
            wait = self._until_reset(answer.headers)
            self._pace.limited(GRAPHQL, wait)
            raise limited(self.system, doing, answer.status, wait)
        data = (answer.body or {}).get("data")
        if not isinstance(data, dict):
            kinds = ", ".join(sorted({kind for _, kind in errors})) or "no data"
            raise SystemRefused(self.system, f"{doing}: GitHub's GraphQL API refused the query ({kinds}).")
        return Graph(data, errors)

    def app_permissions(self) -> Mapping[str, str] | None:
        """What the App may do here: permission → read, write or admin; None for a token. Raises as any request does."""
        return self._auth.permissions if isinstance(self._auth, InstallationAuth) else None

    def pages(self, doing: str, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every item of a list, a hundred a page. Raises if any page fails.

        Where `Link` names the last page, all are asked for side by side; what has come up since is followed by
        `rel=next`, and so is a list that doesn't name it.
        """
        first = self.read(doing, path, query={"per_page": 100, **(query or {})})
        rest = side_by_side(lambda page: self.read(doing, page), _pages_between(first))
        answers = [first, *rest]
        while (following := _link(answers[-1], "next")) is not None:
            answers.append(self.read(doing, following))
        if not all(isinstance(answer.body, list) for answer in answers):
            raise SystemFailed(self.system, f"{doing}: expected a list, and the answer is none.")
        return [item for answer in answers for item in answer.body]

    def path_of(self, resource: Resource) -> str:
        """The API path of a resource: `/orgs/O`, `/orgs/O/teams/SLUG` or `/repos/O/NAME`.

        Raises SystemRefused for another type, a malformed name, or another organisation than this one.
        """
        pattern = _NAMES.get(resource.type)
        found = pattern.fullmatch(resource.name) if pattern else None
        if found is None:
            raise SystemRefused(
                self.system, f"{resource} isn't a GitHub resource. Write org:ORG, team:ORG/SLUG or repo:OWNER/NAME."
            )
        if found["org"].lower() != self.org.lower():
            raise SystemRefused(self.system, f"{resource} isn't in {self.org}, the organisation of this system.")
        if resource.type == "org":
            return f"/orgs/{self.org}"
        prefix = f"/orgs/{self.org}/teams" if resource.type == "team" else f"/repos/{self.org}"
        return f"{prefix}/{found['name']}"

    def user(self, login: str) -> dict[str, Any] | None:
        """The user who answers to a login now; None where nobody does (404)."""
        answer = self.read("look up a login", f"/users/{quote(login, safe='')}", expect=[requests.codes.not_found])
        return cast(dict[str, Any], answer.body) if answer.status == requests.codes.ok else None

    def login_of(self, external_id: str) -> str | None:
        """The login that a numeric id has now; None where the account is gone."""
        if not external_id.isdecimal():
            raise SystemRefused(self.system, "an account's id isn't a number. Bind the account again by its login.")
        answer = self.read("look up an account by its id", f"/user/{external_id}", expect=[requests.codes.not_found])
        return str(answer.body["login"]) if answer.status == requests.codes.ok else None

    def _failure(self, doing: str, path: str, status: int, headers: Mapping[str, str], text: str) -> SystemFailed:
        now = self.clock()
        if self._is_limit(status, headers, text):
            wait = self._until_reset(headers)
            refused(self._pace, path, headers, text, wait)
            return limited(self.system, doing, status, wait)
        if requests.codes.multiple_choices <= status < requests.codes.bad_request:
            return SystemRefused(self.system, f"{doing}: it was renamed or moved. Correct its name in the policy.")
        return status_failure(self.system, doing, status, headers, now, _EXPLAINED.get(status, ""))

    def _is_limit(self, status: int, headers: Mapping[str, str], text: str) -> bool:
        """GitHub says "limit" with 429, or with 403 and either a header or a message of its own."""
        if status == requests.codes.forbidden:
            return self._until_reset(headers) is not None or "rate limit" in text.lower()
        return bool(status == requests.codes.too_many_requests)

    def _until_reset(self, headers: Mapping[str, str]) -> float | None:
        """The seconds that GitHub wants waited: by `Retry-After`, or until an exhausted budget begins anew."""
        now = self.clock()
        wait = retry_after(headers, now)
        if wait is None and headers.get("x-ratelimit-remaining") == "0":
            return max(0.0, float(headers.get("x-ratelimit-reset", now.timestamp())) - now.timestamp())
        return wait

    def _authentication(self, base_url: str, credential: AppInstallation | SecretStr | str) -> Auth.Auth:
        if isinstance(credential, AppInstallation):
            signed = PerThread(lambda: _connect(base_url, credential.signature(self.system)))
            return InstallationAuth(credential, lambda: self._installation_token(credential, signed()), self.clock)
        return Auth.Token(credential if isinstance(credential, str) else credential.get_secret_value())

    def _installation_token(self, app: AppInstallation, sdk: _Sdk) -> Mapping[str, Any]:
        """POST /app/installations/ID/access_tokens, signed with the App's key."""
        doing, path = "get a token for the GitHub App", f"/app/installations/{app.installation_id}/access_tokens"
        body = {"permissions": dict(app.permissions)} if app.permissions else None
        with transport(self.system, doing):
            status, headers, text = sdk.github.requester.requestJson("POST", path, input=body, cnx=sdk.connection)
        if status != requests.codes.created:
            raise self._failure(doing, path, status, headers, text)
        return cast(Mapping[str, Any], self._parsed(doing, text))

    def _parsed(self, doing: str, text: str) -> Any:
        """The body as JSON, None where there is none."""
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise SystemFailed(self.system, f"{doing}: the answer isn't JSON.", uncertain=True) from None


def _connect(base_url: str, auth: Auth.Auth) -> _Sdk:
    """A PyGithub client and its connection, without retries, without pacing, and without following redirects."""
    github = Github(
        base_url=base_url,
        auth=auth,
        timeout=int(TIMEOUT),
        retry=0,
        seconds_between_requests=0,
        seconds_between_writes=0,
        lazy=True,
    )
    where = urlsplit(base_url)
    secure = where.scheme == "https"
    make = HTTPSRequestsConnectionClass if secure else HTTPRequestsConnectionClass
    connection = make(where.hostname or "", where.port, timeout=int(TIMEOUT), retry=0)
    connection.session.trust_env = not is_loopback(base_url)
    connection.session.hooks["response"].append(_unfollowed)
    return _Sdk(github, connection)


def _success(status: int) -> bool:
    return bool(requests.codes.ok <= status < requests.codes.multiple_choices)


def _unfollowed(response: requests.Response, *_: object, **__: object) -> requests.Response:
    """Takes the address off a redirect, so that PyGithub hands it back instead of following it."""
    if response.is_redirect:
        del response.headers["location"]
    return response


def _link(answer: Answer, relation: str) -> str | None:
    """An address in the `Link` header; PyGithub keeps only its path and query, so that no other host is asked."""
    links = parse_header_links(answer.headers.get("link", ""))
    return next((link["url"] for link in links if link.get("rel") == relation), None)


def _pages_between(first: Answer) -> list[str]:
    """The addresses of page two to the last, where the first page's links are numbered and name it."""
    following, last = _link(first, "next") or "", _link(first, "last") or ""
    number = _PAGE.search(last)
    if not _PAGE.search(following) or number is None:
        return []
    return [_PAGE.sub(rf"\g<1>{page}", following) for page in range(2, int(number[2]) + 1)]


def _error_type(error: Mapping[str, Any]) -> str:
    """The `type` of a GraphQL error, which names no one as its message may."""
    kind = str(error.get("type", ""))
    return kind if _ERROR_TYPE.fullmatch(kind) else "an error"
