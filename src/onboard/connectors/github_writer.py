"""Changes who holds what in a GitHub organisation. Accounts are found by their numeric id, just before each write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import requests
from pydantic import SecretStr

from onboard.connectors.base import Health
from onboard.connectors.github_client import LEVELS, GitHubClient
from onboard.connectors.github_health import health
from onboard.connectors.http import Answer, documented, merged
from onboard.connectors.levers import Lever, pull
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Kind, Receipt, Resource

_GONE = requests.codes.not_found
#: What an invitation calls the levels whose names differ.
_PERMISSIONS = {level: name for name, level in LEVELS.items()}


class GitHubWriter:
    """Writes to one organisation of GitHub (REST API, version 2022-11-28).

    A write acts on the login that the account's numeric id has at that moment, so that a renamed account stays the same
    one and nobody inherits a login. What reading shows to be so already is left alone.
    """

    kind = Kind.GITHUB

    def __init__(
        self, system: str, base_url: str, org: str, token: SecretStr | str, clock: Callable[[], datetime]
    ) -> None:
        self.system = system
        self._client = GitHubClient(system, base_url, org, token, clock)
        self._org = f"/orgs/{org}"

    def grant(self, account: Account, resource: Resource, level: str) -> Receipt:
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
            return self._grant_membership(login, resource.name, path, level)

    def revoke(self, account: Account, resource: Resource, level: str) -> Receipt:
        """Take away whatever the account holds on the resource, and every invitation to it, expired ones included."""
        path = self._client.path_of(resource)
        with documented(self.system, f"revoke {resource}"):
            login = self._login(account)
            if resource.type == "repo":
                receipts = self._leave_repo(account, login, path)
            elif resource.type == "team":
                receipts = self._end_membership(login, path)
            else:
                receipts = [*self._end_membership(login, path), *self._uninvite_from_org(account, login)]
        return merged(receipts, self._client.clock())

    def replaces_all(self, resource: Resource) -> bool:
        """Never: GitHub changes one member at a time."""
        return False

    def cut_off(self, account: Account) -> Sequence[Receipt]:
        """Remove from the organisation, then from every repository at once, then delete every repository invitation.

        Leaving the organisation ends every team membership: the teams are gone through only where that failed, and the
        collaborations one by one only where GitHub didn't end all at once. Tries all, then raises what failed.
        """
        with documented(self.system, "cut off"):
            login = self._login(account)
        steps = (self._leave_org, self._uninvite_from_org, self._leave_repos)
        return pull(self.system, [partial(self._documented, partial(step, account, login)) for step in steps])

    def health(self) -> Health:
        """Whether GitHub answers, as whom, and whether the token can change what it must and no more."""
        return health(self._client, writes=True)

    def _login(self, account: Account) -> str | None:
        """The account's login at this moment; None where the account is gone, or is only an invited e-mail address."""
        if account.external_id is None:
            raise SystemRefused(self.system, "the account isn't bound to a GitHub user. Bind it by its login first.")
        return None if _email(account) else self._client.login_of(account.external_id)

    def _grant_membership(self, login: str, name: str, path: str, level: str) -> Receipt:
        """A membership of the organisation or a team; pending until accepted, and then too set to the new level."""
        path = f"{path}/memberships/{login}"
        held = self._client.read(f"read a membership of {name}", path, expect=[_GONE])
        if held.status != _GONE and held.body["role"] == level:
            return self._receipt(held, "already so", changed=False)
        answer = self._client.call(f"set a membership of {name}", "PUT", path, body={"role": level})
        return self._receipt(answer, str(answer.body["state"]))

    def _grant_repo(self, account: Account, login: str, name: str, path: str, level: str) -> Receipt:
        offers = self._offers(account, path)
        live = next((offer for offer in offers if not offer.get("expired")), None)
        if live:
            return self._change_offer(live, name, path, level)
        if self._direct_level(account, path) == level:
            return Receipt("already so", self._client.clock(), changed=False)
        for offer in offers:
            self._delete(f"delete an expired invitation to {name}", f"{path}/invitations/{offer['id']}")
        body = {"permission": level}
        answer = self._client.call(f"add a collaborator to {name}", "PUT", f"{path}/collaborators/{login}", body=body)
        return self._receipt(answer, "active" if answer.status == requests.codes.no_content else "invited")

    def _change_offer(self, offer: dict[str, Any], name: str, path: str, level: str) -> Receipt:
        """Make a pending invitation one to this level."""
        if LEVELS.get(offer["permissions"], offer["permissions"]) == level:
            return Receipt("already so", self._client.clock(), changed=False)
        body = {"permissions": _PERMISSIONS.get(level, level)}
        path = f"{path}/invitations/{offer['id']}"
        return self._receipt(self._client.call(f"change an invitation to {name}", "PATCH", path, body=body), "invited")

    def _leave_repo(self, account: Account, login: str | None, path: str) -> list[Receipt]:
        """End a collaboration and every invitation to one, the invitations first so that none outlives it."""
        receipts = self._uninvite(account, login, path)
        held = self._direct_level(account, path) is not None
        if login:
            receipts += self._delete("remove a collaborator", f"{path}/collaborators/{login}", changed=held)
        return receipts

    def _uninvite(self, account: Account, _login: str | None, path: str) -> list[Receipt]:
        """Delete the account's invitations to a repository. DELETE collaborator alone leaves some of them."""
        offers = self._offers(account, path)
        return [r for o in offers for r in self._delete("delete an invitation", f"{path}/invitations/{o['id']}")]

    def _uninvite_from_org(self, account: Account, login: str | None) -> list[Receipt]:
        """Delete the account's invitations to the organisation that are still listed, pending or failed."""
        receipts: list[Receipt] = []
        for listed in ("invitations", "failed_invitations"):
            for invitation in self._client.pages("list invitations", f"{self._org}/{listed}"):
                if _invites(invitation, login, _email(account)):
                    receipts += self._delete("delete an invitation", f"{self._org}/invitations/{invitation['id']}")
        return receipts

    def _leave_org(self, _account: Account, login: str | None) -> Sequence[Receipt]:
        """Leave the organisation; where that fails leave each team, and then tell of the failure."""
        try:
            return self._end_membership(login, self._org)
        except SystemFailed as failure:
            teams = self._client.pages("list teams", f"{self._org}/teams")
            paths = [f"{self._org}/teams/{team['slug']}" for team in teams]
            pull(self.system, [partial(self._end_membership, login, path) for path in paths])
            raise failure from None

    def _leave_repos(self, account: Account, login: str | None) -> Sequence[Receipt]:
        """Leave all repositories at once, or else one by one; delete the account's invitation to each in any case."""
        try:
            receipts = self._leave_every_repo(account, login)
        except SystemFailed:
            receipts = None
        step = self._leave_repo if receipts is None else self._uninvite
        found = self._client.pages("list repositories", f"{self._org}/repos", {"type": "all"})
        paths = [f"/repos/{self._client.org}/{repository['name']}" for repository in found]
        each = [partial(self._documented, partial(step, account, login, path)) for path in paths]
        return [*(receipts or ()), *pull(self.system, each)]

    def _leave_every_repo(self, account: Account, login: str | None) -> list[Receipt] | None:
        """Remove an outside collaborator from all repositories at once; None where GitHub doesn't take it as one."""
        if login is None:
            return []
        listed, refusals = self._is_outside(account), [403, 404, 422]
        path = f"{self._org}/outside_collaborators/{login}"
        answer = self._client.call("remove an outside collaborator", "DELETE", path, expect=refusals)
        return None if answer.status in refusals else [self._receipt(answer, "removed", changed=listed)]

    def _is_outside(self, account: Account) -> bool:
        """Whether the account is listed as an outside collaborator; true where that can't be read, to be safe."""
        try:
            people = self._client.pages("list outside collaborators", f"{self._org}/outside_collaborators")
        except SystemFailed:
            return True
        return any(str(person["id"]) == account.external_id for person in people)

    def _end_membership(self, login: str | None, path: str) -> list[Receipt]:
        """Leave the organisation or a team, whether accepted or pending."""
        return self._delete("end a membership", f"{path}/memberships/{login}") if login else []

    def _delete(self, doing: str, path: str, *, changed: bool = True) -> list[Receipt]:
        """Delete something; a 404 is evidence that it is gone."""
        answer = self._client.call(doing, "DELETE", path, expect=[_GONE])
        there = answer.status != _GONE
        return [self._receipt(answer, "removed" if there and changed else "already gone", changed=there and changed)]

    def _offers(self, account: Account, path: str) -> list[dict[str, Any]]:
        """The account's invitations to a repository, expired ones included."""
        offers = self._client.pages("list invitations", f"{path}/invitations")
        return [offer for offer in offers if str((offer.get("invitee") or {}).get("id")) == account.external_id]

    def _direct_level(self, account: Account, path: str) -> str | None:
        """What the account holds as a direct collaborator of a repository."""
        people = self._client.pages("list collaborators", f"{path}/collaborators", {"affiliation": "direct"})
        roles = [person["role_name"] for person in people if str(person["id"]) == account.external_id]
        return LEVELS.get(roles[0], roles[0]) if roles else None

    def _documented(self, lever: Lever) -> Sequence[Receipt]:
        with documented(self.system, "cut off"):
            return lever()

    def _receipt(self, answer: Answer, status: str, *, changed: bool = True) -> Receipt:
        request_id = answer.headers.get("x-github-request-id")
        return Receipt(f"{answer.status} {status}", self._client.clock(), request_id, changed)


def _email(account: Account) -> str | None:
    """The address, where the account is only an invitation sent to one."""
    external_id = account.external_id or ""
    return external_id.removeprefix("email:") if external_id.startswith("email:") else None


def _invites(invitation: dict[str, Any], login: str | None, email: str | None) -> bool:
    """Whether an invitation to the organisation is for that login or, sent to an address alone, for that address."""
    invited = invitation.get("login")
    if invited:
        return login is not None and invited.lower() == login.lower()
    return email is not None and (invitation.get("email") or "").lower() == email.lower()
