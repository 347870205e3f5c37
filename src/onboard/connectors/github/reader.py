"""Reads who holds what in a GitHub organisation, by every route that it can be asked about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from pydantic import SecretStr

from onboard.connectors.base import Capability, Health, Residue, Scope
from onboard.connectors.github.app import AppInstallation
from onboard.connectors.github.capabilities import capabilities
from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.health import health
from onboard.connectors.github.holdings import Names
from onboard.connectors.github.observed import Observed, Told
from onboard.connectors.github.parts import everything, name_of, some
from onboard.connectors.github.residue import residue
from onboard.connectors.github.rotation import Memory, Process
from onboard.connectors.github.routes import ROUTES
from onboard.connectors.github.sweep import Part, Sweep
from onboard.connectors.github.usage import last_writes
from onboard.connectors.http import MALFORMED, malformed
from onboard.connectors.pacing import UNPACED, Pace
from onboard.errors import SystemFailed
from onboard.model import Account, Kind, Observation, Reading, Resource

#: What a login may look like, Enterprise Managed Users' underscore and machine accounts' brackets included.
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\[bot\])?")
#: Types whose resources come and go: one that isn't met in a list that was read is verified absent.
_PASSING = ("deploy-key", "codeowners", "base-permission", *ROUTES)


class GitHubReader:
    """Reads one organisation of GitHub with a credential that cannot write (GraphQL, and REST version 2022-11-28).

    `org:ORG` has levels member and admin (an owner); `team:ORG/SLUG` member and maintainer; `repo:OWNER/NAME` the
    repository roles, custom ones by name. `Holding.via` says by which route: `direct`, `team SLUG`, `org owner`,
    `org base permission`. A complete reading tells of a repository also who has access through teams; what everybody
    has by the base permission is told once, as `base-permission:ORG`. By REST alone a direct level can't be told from
    the highest of all routes. An invitation whose invitee can't be told has the account `invitation:ID`; one to the
    organisation that failed has `via` "failed invitation": it gives nothing, and GitHub lets nobody delete it.

    Further: `deploy-key:OWNER/REPO#ID` (read, write; held by who added it), `org-role:ORG/NAME`, `token:ORG/ID` and
    `token-request:ORG/ID` (fine-grained; shown to GitHub Apps only), `credential:ORG/ID` (authorised for single
    sign-on), `blocked:ORG` and `codeowners:OWNER/REPO`, which are no access.
    """

    kind = Kind.GITHUB

    def __init__(
        self,
        system: str,
        base_url: str,
        org: str,
        credential: AppInstallation | SecretStr | str,
        clock: Callable[[], datetime],
        pace: Pace = UNPACED,
        memory: Memory | None = None,
    ) -> None:
        self.system = system
        self._client = GitHubClient(system, base_url, org, credential, clock, pace)
        self._memory = memory or Process()

    def read(self, scope: Scope) -> Observation:
        """Read the resources in scope that are this system's; with None everything, by every route.

        Repository invitations and deploy keys cost a request for each repository: with `scope.fresh` set, those of
        other repositories are read in turn, and their readings carry when. A list that can't be read whole is unknown
        as `TYPE:ORG/*`, and then the observation isn't complete.
        """
        at = self._client.clock()
        try:
            told, names = self._told(scope, at)
            observed = Observed(told, names, self._names())
            readings = {reading.resource: reading for reading in observed.readings()}
            if scope.resources is not None:
                readings = {r: self._picked(r, readings) for r in _of(self.system, scope.resources)}
            accounts = observed.accounts(readings.values())
        except SystemFailed as failure:
            return Observation(self.system, at, unknown=failure.reason)
        except MALFORMED:
            return Observation(self.system, at, unknown=malformed("its lists"))
        complete = scope.resources is None and not {"team", "repo"} & {
            r.type for r in readings if r.name.endswith("/*")
        }
        if scope.resources is not None:
            readings = {r: self._picked(r, readings) for r in _of(self.system, scope.resources)}
        return Observation(self.system, at, MappingProxyType(readings), MappingProxyType(accounts), complete)

    def find_account(self, handle: str) -> Account | None:
        """The user whose login is `handle`, upper and lower case being the same to GitHub. Its kind isn't looked up."""
        user = self._client.user(handle) if _LOGIN.fullmatch(handle) else None
        if user is None or user["login"].lower() != handle.lower() or user.get("type") == "Organization":
            return None
        return Account(id="", system=self.system, external_id=str(user["id"]), handle=user["login"])

    def residue(self, account: Account) -> Residue:
        """Every route read again for one account: what remains, what can't be verified, and what couldn't be read."""
        return residue(self._client, account)

    def last_writes(self, resource: Resource, since: datetime) -> Mapping[str, datetime]:
        """Who pushed to a repository since then, by numeric id, and when last. Raises SystemFailed."""
        return last_writes(self._client, resource, since)

    def capabilities(self) -> tuple[Capability, ...]:
        """What the organisation's plan and this credential can and can't do, tried out now."""
        return capabilities(self._client)

    def health(self) -> Health:
        """Whether GitHub answers, as whom, and whether the credential can read what it must and no more."""
        return health(self._client, writes=False)

    def _told(self, scope: Scope, at: datetime) -> tuple[Told, Part[Names]]:
        fresh = None if scope.fresh is None else {name_of(r) for r in _of(self.system, scope.fresh)}
        sweep = Sweep(self._client, self._memory, fresh)
        if scope.resources is None:
            told = everything(sweep, at)
        else:
            told = some(sweep, [r for r in _of(self.system, scope.resources) if self._unfit(r) is None], at)
        return told, sweep.names(told.logins())

    def _unfit(self, resource: Resource) -> str | None:
        """Why a resource can't be read at all; None where it can be asked for."""
        if resource.type in _PASSING:
            org = resource.name.partition("/")[0]
            ours = org.lower() == self._client.org.lower()
            return None if ours else f"{resource} isn't in {self._client.org}, the organisation of this system."
        try:
            self._client.path_of(resource)
        except SystemFailed as failure:
            return failure.reason
        return None

    def _picked(self, resource: Resource, readings: Mapping[Resource, Reading]) -> Reading:
        """The reading of what was asked for; what is listed with others and isn't there is verified absent."""
        unfit = self._unfit(resource)
        if unfit is not None:
            return Reading(resource, unknown=unfit)
        named = self._names().resource(resource.type, name_of(resource) or None)
        found = readings.get(resource) or readings.get(named)
        if found is not None:
            return Reading(resource, found.holdings, found.unknown, found.at)
        listed = name_of(resource).partition("#")[0]
        lists = ((resource.type, f"{listed}#*"), (resource.type, "*"), ("repo", listed))
        unread = (readings.get(self._names().resource(*each)) for each in lists)
        return Reading(resource, unknown=next((each.unknown for each in unread if each and each.unknown), None))

    def _names(self) -> Names:
        return Names(self.system, self._client.org, {})


def _of(system: str, resources: Iterable[Resource]) -> list[Resource]:
    return sorted(resource for resource in resources if resource.system == system)
