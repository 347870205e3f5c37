"""Reads who holds what in a GitHub organisation: members, teams, direct collaborators, and every kind of invitation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr

from onboard.connectors.base import Health, Scope
from onboard.connectors.github_client import LEVELS, GitHubClient
from onboard.connectors.github_health import health
from onboard.connectors.http import MALFORMED, Rejected, Unreachable, malformed
from onboard.errors import SystemFailed
from onboard.model import (
    Account,
    AccountKind,
    AccountState,
    Holding,
    HoldingState,
    Kind,
    Observation,
    Reading,
    Resource,
)

#: What a login may look like, Enterprise Managed Users' underscore and machine accounts' brackets included.
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\[bot\])?")

#: Weakest first, so that whoever keeps one holding per level keeps the one that counts.
_STRENGTH = (HoldingState.EXPIRED, HoldingState.INVITED, HoldingState.ACTIVE)


class GitHubReader:
    """Reads one organisation of GitHub with a token that cannot write (REST API, version 2022-11-28).

    `org:ORG` has levels member and admin (an owner); `team:ORG/SLUG` member and maintainer; `repo:OWNER/NAME` the
    repository roles, of direct collaborators only: what a team or the base permission gives isn't held on the
    repository itself. An invitation whose invitee can't be told has the account `invitation:ID`.
    """

    kind = Kind.GITHUB

    def __init__(
        self, system: str, base_url: str, org: str, token: SecretStr | str, clock: Callable[[], datetime]
    ) -> None:
        self.system = system
        self._client = GitHubClient(system, base_url, org, token, clock)

    def read(self, scope: Scope) -> Observation:
        """Read the resources in scope that are this system's; with None the organisation, its teams and repositories.

        Where the organisation's teams or repositories can't be listed completely, the whole observation is unknown.
        """
        at = self._client.clock()
        sweep = _Sweep(self.system, self._client)
        try:
            mine = sweep.everything() if scope.resources is None else _of(self.system, scope.resources)
            readings = {resource: sweep.reading(resource) for resource in mine}
            accounts = sweep.accounts(readings.values())
        except SystemFailed as failure:
            return Observation(self.system, at, unknown=failure.reason)
        except MALFORMED:
            return Observation(self.system, at, unknown=malformed("its lists"))
        return Observation(
            self.system, at, MappingProxyType(readings), MappingProxyType(accounts), complete=scope.resources is None
        )

    def find_account(self, handle: str) -> Account | None:
        """The user whose login is `handle`, upper and lower case being the same to GitHub. Its kind isn't looked up."""
        user = self._client.user(handle) if _LOGIN.fullmatch(handle) else None
        if user is None or user["login"].lower() != handle.lower() or user.get("type") == "Organization":
            return None
        return Account(id="", system=self.system, external_id=str(user["id"]), handle=user["login"])

    def health(self) -> Health:
        """Whether GitHub answers, as whom, and whether the token can read what it must and no more."""
        return health(self._client, writes=False)


class _Sweep:
    """One reading: remembers whom it met, so that nobody is looked up twice. Lives for one call of `read`."""

    def __init__(self, system: str, client: GitHubClient) -> None:
        self._system = system
        self._client = client
        self._ids: dict[str, str | None] = {}
        self._members: dict[str, Holding] | None = None

    def everything(self) -> list[Resource]:
        """The organisation, its teams and its repositories, as GitHub lists them to this token."""
        org = self._client.org
        teams = self._client.pages(f"list the teams of {org}", f"/orgs/{org}/teams")
        repositories = self._client.pages(f"list the repositories of {org}", f"/orgs/{org}/repos", {"type": "all"})
        return [
            Resource(self._system, "org", org),
            *(Resource(self._system, "team", f"{org}/{team['slug']}") for team in teams),
            *(Resource(self._system, "repo", f"{org}/{repository['name']}") for repository in repositories),
        ]

    def reading(self, resource: Resource) -> Reading:
        """One resource; unknown, saying why, where any of its lists fails. Raises where nothing else would answer."""
        try:
            path = self._client.path_of(resource)
            holdings = {"org": self._org, "team": self._team, "repo": self._repo}[resource.type](resource, path)
        except (Unreachable, Rejected):
            raise
        except SystemFailed as failure:
            return Reading(resource, unknown=failure.reason)
        except MALFORMED:
            return Reading(resource, unknown=malformed(str(resource)))
        return Reading(resource, tuple(sorted(set(holdings), key=_order)))

    def accounts(self, readings: Iterable[Reading]) -> dict[str, Account]:
        """Whoever was met, by id. Without the member list nobody's kind is known, and nobody is told."""
        holdings = [h for reading in readings for h in reading.holdings if h.account.isdecimal()]
        try:
            members = self._org_members() if holdings else {}
        except (Unreachable, Rejected):
            raise
        except SystemFailed:
            return {}
        belongs = {h.account for h in holdings if h.resource.type != "repo"} | members.keys()
        active = {h.account for h in holdings if h.state is HoldingState.ACTIVE} | members.keys()
        return {
            h.account: Account(
                id="",
                system=self._system,
                external_id=h.account,
                handle=h.handle,
                kind=AccountKind.MEMBER if h.account in belongs else AccountKind.OUTSIDE_COLLABORATOR,
                state=AccountState.ACTIVE if h.account in active else AccountState.INVITED,
            )
            for h in holdings
        }

    def _org(self, resource: Resource, path: str) -> list[Holding]:
        pending = self._client.pages(f"list the invitations of {resource.name}", f"{path}/invitations")
        failed = self._client.pages(f"list the failed invitations of {resource.name}", f"{path}/failed_invitations")
        return [
            *self._org_members().values(),
            *(self._invited(resource, invitation, HoldingState.INVITED) for invitation in pending),
            *(
                self._invited(resource, invitation, HoldingState.EXPIRED)
                for invitation in failed
                if not _accepted(invitation)
            ),
        ]

    def _org_members(self) -> dict[str, Holding]:
        """Every member by id, with the level; read once."""
        if self._members is None:
            org = Resource(self._system, "org", self._client.org)
            found = self._by_role(org, f"/orgs/{self._client.org}", ("member", "admin"))
            self._members = {holding.account: holding for holding in found}
        return self._members

    def _team(self, resource: Resource, path: str) -> list[Holding]:
        invitations = self._client.pages(f"list the invitations of team {resource.name}", f"{path}/invitations")
        invited = [self._invited(resource, invitation, HoldingState.INVITED) for invitation in invitations]
        return [*self._by_role(resource, path, ("member", "maintainer")), *invited]

    def _by_role(self, resource: Resource, path: str, roles: Iterable[str]) -> list[Holding]:
        """Members with their level, which GitHub tells only by filtering for it (never `all`)."""
        return [
            Holding(str(user["id"]), user["login"], resource, role)
            for role in roles
            for user in self._client.pages(f"list the {role}s of {resource.name}", f"{path}/members", {"role": role})
        ]

    def _invited(self, resource: Resource, invitation: Mapping[str, Any], state: HoldingState) -> Holding:
        """An invitation to the organisation or a team. It names a login or an e-mail address, never an id."""
        login, email, number = invitation.get("login"), invitation.get("email"), str(invitation["id"])
        account = self._id_of(login) if login else f"email:{email}" if email else None
        level = {"direct_member": "member", "reinstate": "member"}.get(invitation["role"], invitation["role"])
        if resource.type == "team":
            level = self._pending_level(resource, login) if login else "member"
        return Holding(
            account or f"invitation:{number}", login or email or "", resource, level, state, invitation=number
        )

    def _pending_level(self, team: Resource, login: str) -> str:
        """The level that a team invitation will give: the invitation itself only has the role in the organisation."""
        path = f"{self._client.path_of(team)}/memberships/{login}"
        answer = self._client.read(f"read a pending membership of team {team.name}", path, expect=[404])
        return str(answer.body["role"]) if answer.status != 404 else "member"

    def _id_of(self, login: str) -> str | None:
        if login not in self._ids:
            user = self._client.user(login)
            self._ids[login] = str(user["id"]) if user else None
        return self._ids[login]

    def _repo(self, resource: Resource, path: str) -> list[Holding]:
        direct = {"affiliation": "direct"}
        collaborators = self._client.pages(
            f"list the collaborators of {resource.name}", f"{path}/collaborators", direct
        )
        invitations = self._client.pages(f"list the invitations of {resource.name}", f"{path}/invitations")
        return [
            *(Holding(str(user["id"]), user["login"], resource, _level(user["role_name"])) for user in collaborators),
            *(_invited_to_repo(resource, invitation) for invitation in invitations),
        ]


def _accepted(invitation: Mapping[str, Any]) -> bool:
    """Whether a "failed" invitation only failed because an earlier one had been accepted."""
    return "already" in (invitation.get("failed_reason") or "").lower()


def _invited_to_repo(resource: Resource, invitation: Mapping[str, Any]) -> Holding:
    """A repository invitation; an expired one stays listed until somebody deletes it."""
    invitee, number = invitation.get("invitee") or {}, str(invitation["id"])
    return Holding(
        account=str(invitee["id"]) if invitee else f"invitation:{number}",
        handle=invitee.get("login", ""),
        resource=resource,
        level=_level(invitation["permissions"]),
        state=HoldingState.EXPIRED if invitation.get("expired") else HoldingState.INVITED,
        invitation=number,
    )


def _level(name: str) -> str:
    return LEVELS.get(name, name)


def _of(system: str, resources: Iterable[Resource]) -> list[Resource]:
    return sorted(resource for resource in resources if resource.system == system)


def _order(holding: Holding) -> tuple[str, int, str]:
    return holding.account, _STRENGTH.index(holding.state), holding.level
