"""Changes who holds what in a GitHub organisation. Accounts are found by their numeric id, just before each write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import requests
from pydantic import SecretStr

from onboard.connectors.base import Health, Hold, unheld
from onboard.connectors.github.app import AppInstallation
from onboard.connectors.github.client import LEVELS, GitHubClient
from onboard.connectors.github.cutoff import CutOff
from onboard.connectors.github.graphql import GitHubGraph
from onboard.connectors.github.health import health
from onboard.connectors.github.levers import GONE, Levers, email_of
from onboard.connectors.github.told import DIRECT
from onboard.connectors.http import documented, merged
from onboard.connectors.pacing import UNPACED, Pace, urgently
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Kind, Receipt, Resource

#: The types of resource that can be granted; what else may be held can only be taken.
_GRANTED = ("org", "team", "repo")
#: What an invitation calls the levels whose names differ.
_PERMISSIONS = {level: name for name, level in LEVELS.items()}


class GitHubWriter:
    """Writes to one organisation of GitHub (REST API, version 2022-11-28).

    A write acts on the login that the account's numeric id has at that moment, so that a renamed account stays the same
    one and nobody inherits a login. What reading shows to be so already is left alone.
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
    ) -> None:
        self.system = system
        self._client = GitHubClient(system, base_url, org, credential, clock, pace)
        self._graph = GitHubGraph(self._client)
        self._levers = Levers(self._client)

    def grant(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Give the level, or change the one that is held or offered; somebody from outside is invited.

        An expired repository invitation is replaced. Raises SystemRefused where the account is gone.
        """
        path = self._client.path_of(resource)
        with documented(self.system, f"grant {resource}"):
            login = self._login(account)
            if login is None:
                raise SystemRefused(self.system, f"{resource}: the account is gone from GitHub. Bind the new one.")
            if resource.type == "repo":
                return self._grant_repo(account, login, resource.name, path, level)
            return self._grant_membership(account, login, resource, level)

    @urgently
    def revoke(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Take away whatever the account holds on the resource, and every invitation to it that can be deleted.

        Besides organisation, teams and repositories: deploy keys, organisation roles, fine-grained tokens and requests
        for them, and credentials authorised for single sign-on. Raises SystemRefused for anything else.
        """
        levers = self._levers
        path = self._client.path_of(resource) if resource.type in _GRANTED else ""
        with documented(self.system, f"revoke {resource}"):
            login = self._login(account)
            if resource.type == "repo":
                receipts = levers.leave_repo(account, login, path)
            elif resource.type == "team":
                receipts = levers.end_membership(login, path)
            elif resource.type == "org":
                receipts = [*levers.end_membership(login, path), *levers.uninvite_from_org(account, login)]
            else:
                receipts = levers.end_line(account, login, resource)
        return merged(receipts, self._client.clock())

    def replaces_all(self, resource: Resource) -> bool:
        """Never: GitHub changes one member at a time."""
        return False

    @urgently
    def cut_off(self, account: Account, hold: Hold = unheld) -> Sequence[Receipt]:
        """Remove from the organisation and from every repository, then delete invitations, deploy keys and credentials.

        Tries all, then raises what failed.
        """
        with documented(self.system, "cut off"):
            everything = CutOff(self._client, account)
        return everything.pull()

    def health(self) -> Health:
        """Whether GitHub answers, as whom, and whether the token can change what it must and no more."""
        return health(self._client, writes=True)

    def _login(self, account: Account) -> str | None:
        """The account's login at this moment; None where the account is gone, or is only an invited e-mail address."""
        if account.external_id is None:
            raise SystemRefused(self.system, "the account isn't bound to a GitHub user. Bind it by its login first.")
        return None if email_of(account) else self._client.login_of(account.external_id)

    def _grant_membership(self, account: Account, login: str, resource: Resource, level: str) -> Receipt:
        """A membership of the organisation or a team; pending until accepted, and then too set to the new level."""
        name, path = resource.name, f"{self._client.path_of(resource)}/memberships/{login}"
        held = self._client.read(f"read a membership of {name}", path, expect=[GONE])
        if held.status != GONE and held.body["role"] == level:
            return self._levers.receipt(held, "already so", changed=False)
        if held.status == GONE and resource.type == "org":
            return self._invite(account, resource, level)
        answer = self._client.call(f"set a membership of {name}", "PUT", path, body={"role": level})
        return self._levers.receipt(answer, str(answer.body["state"]))

    def _invite(self, account: Account, org: Resource, level: str) -> Receipt:
        """Invite to the organisation by the numeric id: whoever takes the login at that moment isn't invited."""
        role = "admin" if level == "admin" else "direct_member"
        body = {"invitee_id": int(account.external_id or ""), "role": role}
        path = f"{self._client.path_of(org)}/invitations"
        return self._levers.receipt(self._client.call(f"invite to {org.name}", "POST", path, body=body), "invited")

    def _grant_repo(self, account: Account, login: str, name: str, path: str, level: str) -> Receipt:
        offers = self._levers.offers(account, path)
        live = next((offer for offer in offers if not offer.get("expired")), None)
        if live:
            return self._change_offer(live, name, path, level)
        if self._direct_level(account, login, name) == level:
            return Receipt("already so", self._client.clock(), changed=False)
        for offer in offers:
            self._levers.delete(f"delete an expired invitation to {name}", f"{path}/invitations/{offer['id']}")
        body = {"permission": level}
        answer = self._client.call(f"add a collaborator to {name}", "PUT", f"{path}/collaborators/{login}", body=body)
        if answer.status == requests.codes.no_content:
            return self._levers.receipt(answer, "active")
        self._check_invitee(account, name, path, answer.body)
        return self._levers.receipt(answer, "invited")

    def _check_invitee(self, account: Account, name: str, path: str, offer: Mapping[str, Any]) -> None:
        """Raises SystemRefused, the invitation deleted, where the login went to another account just before it."""
        if str((offer.get("invitee") or {}).get("id")) != account.external_id:
            self._levers.withdraw(path, offer)
            raise SystemRefused(
                self.system,
                f"{name}: the account's login passed to another one meanwhile; nobody was invited. Try again.",
            )

    def _change_offer(self, offer: dict[str, Any], name: str, path: str, level: str) -> Receipt:
        """Make a pending invitation one to this level."""
        if LEVELS.get(offer["permissions"], offer["permissions"]) == level:
            return Receipt("already so", self._client.clock(), changed=False)
        body = {"permissions": _PERMISSIONS.get(level, level)}
        path = f"{path}/invitations/{offer['id']}"
        return self._levers.receipt(
            self._client.call(f"change an invitation to {name}", "PATCH", path, body=body), "invited"
        )

    def _direct_level(self, account: Account, login: str, name: str) -> str | None:
        """What the account holds as a direct collaborator of a repository; None for nothing, or where it can't be told.

        By GraphQL alone: REST tells the highest role of all routes.
        """
        try:
            repo = self._graph.repository(name.partition("/")[2], login)
        except SystemFailed:
            return None
        held = [
            access.level for access in repo.access if (access.person.id, access.via) == (account.external_id, DIRECT)
        ]
        return held[0] if held else None
