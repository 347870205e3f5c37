"""GitHub over PyGithub: one client per thread, one request per call, every answer judged here.

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
from onboard.connectors.http import (
    Answer,
    PerThread,
    limited,
    read_only,
    reading,
    retry_after,
    status_failure,
    transport,
)
from onboard.connectors.loopback import is_loopback
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Resource

#: Levels by GitHub's own names for them, where they differ (`role_name`, an invitation's `permissions`).
LEVELS = {"read": "pull", "write": "push"}

_NAMES = {
    "org": re.compile(r"(?P<org>[A-Za-z0-9][A-Za-z0-9-]*)"),
    "team": re.compile(r"(?P<org>[A-Za-z0-9][A-Za-z0-9-]*)/(?P<name>[A-Za-z0-9_-][A-Za-z0-9._-]*)"),
    "repo": re.compile(r"(?P<org>[A-Za-z0-9][A-Za-z0-9-]*)/(?P<name>(?!\.{1,2}$)[A-Za-z0-9._-]+)"),
}
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


class GitHubClient:
    """Requests to one organisation with one token. `clock` gives the time that `Retry-After` dates count from."""

    def __init__(
        self, system: str, base_url: str, org: str, token: SecretStr | str, clock: Callable[[], datetime]
    ) -> None:
        self.system = system
        self.org = org
        self.clock = clock
        secret = token if isinstance(token, SecretStr) else SecretStr(token)
        self._sdk = PerThread(lambda: _connect(base_url, secret))

    def call(
        self,
        doing: str,
        verb: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        expect: Collection[int] = (),
    ) -> Answer:
        """One request, never repeated here. `doing` says what it is for, without naming people.

        Returns a 2xx answer, or one whose status is in `expect`. Raises SystemFailed or SystemRefused for the others.
        """
        with read_only() if verb == "GET" else nullcontext():
            sdk = self._sdk()
            with transport(self.system, doing):
                status, headers, text = sdk.github.requester.requestJson(
                    verb, path, parameters=dict(query or {}), input=body, cnx=sdk.connection
                )
            if status not in expect and not _success(status):
                raise self._failure(doing, status, headers, text)
            return Answer(status, headers, self._parsed(doing, text))

    def read(
        self, doing: str, path: str, query: Mapping[str, Any] | None = None, expect: Collection[int] = ()
    ) -> Answer:
        """A GET, tried again where that may help."""
        return reading(lambda: self.call(doing, "GET", path, query=query, expect=expect))

    def pages(self, doing: str, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every item of a list, a hundred a page, following `Link: rel=next`. Raises if any page fails."""
        items: list[dict[str, Any]] = []
        answer = self.read(doing, path, query={"per_page": 100, **(query or {})})
        while True:
            if not isinstance(answer.body, list):
                raise SystemFailed(self.system, f"{doing}: expected a list, and the answer is none.")
            items += answer.body
            following = _next_page(answer)
            if following is None:
                return items
            answer = self.read(doing, following)

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

    def _failure(self, doing: str, status: int, headers: Mapping[str, str], text: str) -> SystemFailed:
        """GitHub says "limit" with 429, or with 403 and either a header or a message of its own."""
        now = self.clock()
        if status in (requests.codes.forbidden, requests.codes.too_many_requests):
            wait = retry_after(headers, now)
            if wait is None and headers.get("x-ratelimit-remaining") == "0":
                wait = max(0.0, float(headers.get("x-ratelimit-reset", now.timestamp())) - now.timestamp())
            if wait is not None or "rate limit" in text.lower() or status == requests.codes.too_many_requests:
                return limited(self.system, doing, status, wait)
        if requests.codes.multiple_choices <= status < requests.codes.bad_request:
            return SystemRefused(self.system, f"{doing}: it was renamed or moved. Correct its name in the policy.")
        return status_failure(self.system, doing, status, headers, now, _EXPLAINED.get(status, ""))

    def _parsed(self, doing: str, text: str) -> Any:
        """The body as JSON, None where there is none."""
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise SystemFailed(self.system, f"{doing}: the answer isn't JSON.", uncertain=True) from None


def _connect(base_url: str, token: SecretStr) -> _Sdk:
    """A PyGithub client and its connection, without retries, without pacing, and without following redirects."""
    github = Github(
        base_url=base_url,
        auth=Auth.Token(token.get_secret_value()),
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


def _next_page(answer: Answer) -> str | None:
    """The address in `Link: rel=next`; PyGithub keeps only its path and query, so that no other host is asked."""
    links = parse_header_links(answer.headers.get("link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), None)
