"""Each single way to take something away in a GitHub organisation. What is gone already is a receipt without change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import requests

from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.routes import CREDENTIAL, ORG_ROLE, TOKEN, TOKEN_REQUEST, GitHubRoutes
from onboard.connectors.github.told import DIRECT
from onboard.connectors.http import Answer
from onboard.errors import SystemRefused
from onboard.model import Account, Receipt, Resource

GONE = requests.codes.not_found
_KEY = re.compile(r"(?P<repo>(?!\.{1,2}#)[A-Za-z0-9._-]+)#(?P<number>\d+)")


class Levers:
    """Takes away one thing at a time. `login` is what the account's id answers to now; None where it is gone."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._org = f"/orgs/{client.org}"

    def end_membership(self, login: str | None, path: str) -> list[Receipt]:
        """Leave the organisation or a team, whether accepted or pending."""
        return self.delete("end a membership", f"{path}/memberships/{login}") if login else []

    def uninvite_from_org(self, account: Account, login: str | None) -> list[Receipt]:
        """Cancel the account's invitations to the organisation. A failed one can't be, and gives nothing any more."""
        return self.uninvite_whoever(account, self.org_invitations(), login)

    def org_invitations(self) -> list[dict[str, Any]]:
        """The organisation's pending invitations."""
        return self._client.pages("list invitations", f"{self._org}/invitations")

    def uninvite_whoever(
        self, account: Account, invitations: Iterable[dict[str, Any]], login: str | None
    ) -> list[Receipt]:
        """Cancel those of these invitations to the organisation that are the account's."""
        mine = [invitation for invitation in invitations if _invites(invitation, login, email_of(account))]
        return [r for i in mine for r in self.delete("delete an invitation", f"{self._org}/invitations/{i['id']}")]

    def leave_repo(self, account: Account, login: str | None, path: str) -> list[Receipt]:
        """End a collaboration and every invitation to one, the invitations first so that none outlives it."""
        receipts = self.uninvite(account, path)
        if login:
            held = self._collaborates(account, path)
            receipts += self.delete("remove a collaborator", f"{path}/collaborators/{login}", changed=held)
        return receipts

    def uninvite(self, account: Account, path: str) -> list[Receipt]:
        """Delete the account's invitations to a repository. DELETE collaborator alone leaves some of them."""
        return [r for offer in self.offers(account, path) for r in self.withdraw(path, offer)]

    def withdraw(self, path: str, offer: Mapping[str, Any]) -> list[Receipt]:
        """Delete one invitation to a repository."""
        return self.delete("delete an invitation", f"{path}/invitations/{offer['id']}")

    def offers(self, account: Account, path: str) -> list[dict[str, Any]]:
        """The account's invitations to a repository, expired ones included."""
        return self.meant_for(account, self.all_offers(path))

    def all_offers(self, path: str) -> list[dict[str, Any]]:
        """Everybody's invitations to a repository."""
        return self._client.pages("list invitations", f"{path}/invitations")

    def meant_for(self, account: Account, offers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The account's among these invitations to a repository."""
        return [offer for offer in offers if str((offer.get("invitee") or {}).get("id")) == account.external_id]

    def end_line(self, account: Account, login: str | None, resource: Resource) -> list[Receipt]:
        """Take away a deploy key, an organisation role, a fine-grained token, a request for one, or a credential.

        Raises SystemRefused for what can't be revoked, and where the plan or the credential doesn't have the lever.
        """
        org, _, name = resource.name.partition("/")
        if org.lower() != self._client.org.lower():
            raise SystemRefused(
                self._client.system, f"{resource} isn't in {self._client.org}, the organisation of this system."
            )
        if resource.type == "deploy-key" and (key := _KEY.fullmatch(name)):
            return self.delete("delete a deploy key", f"/repos/{org}/{key['repo']}/keys/{key['number']}")
        if resource.type == ORG_ROLE and name:
            return self._unassign(account, login, name)
        if name.isdecimal() and resource.type == CREDENTIAL:
            return self.delete("remove a credential", f"{self._org}/credential-authorizations/{name}")
        if name.isdecimal() and resource.type in (TOKEN, TOKEN_REQUEST):
            return self._end_token(resource.type, name)
        raise SystemRefused(self._client.system, f"{resource} is nothing that can be revoked on GitHub.")

    def delete(self, doing: str, path: str, *, changed: bool = True) -> list[Receipt]:
        """Delete something; a 404 is evidence that it is gone."""
        answer = self._client.call(doing, "DELETE", path, expect=[GONE])
        there = answer.status != GONE
        status = "removed" if there and changed else "already gone"
        return [self.receipt(answer, status, changed=there and changed, doing=doing)]

    def receipt(self, answer: Answer, status: str, *, changed: bool = True, doing: str = "") -> Receipt:
        """What an answer is worth remembering."""
        request_id = answer.headers.get("x-github-request-id")
        return Receipt(f"{answer.status} {status}", self._client.clock(), request_id, changed, did=doing)

    def _unassign(self, account: Account, login: str | None, name: str) -> list[Receipt]:
        """Take an organisation role from the account; what a team gives stays with the team."""
        routes = GitHubRoutes(self._client)
        number = routes.role_ids().get(name)
        if number is None or login is None:
            return []
        mine = [line for line in routes.lines(ORG_ROLE) if (line.id, line.name) == (account.external_id, name)]
        path = f"{self._org}/organization-roles/users/{login}/{number}"
        held = any(line.via == DIRECT for line in mine)
        return self.delete("take an organisation role", path, changed=held)

    def _end_token(self, type_: str, number: str) -> list[Receipt]:
        """End a fine-grained token's access, or deny it."""
        ending, action = ("", "revoke") if type_ == TOKEN else ("-request", "deny")
        path = f"{self._org}/personal-access-token{ending}s/{number}"
        doing = f"{action} a fine-grained token"
        answer = self._client.call(doing, "POST", path, body={"action": action}, expect=[GONE])
        gone = answer.status == GONE
        return [self.receipt(answer, "already gone" if gone else "removed", changed=not gone, doing=doing)]

    def _collaborates(self, account: Account, path: str) -> bool:
        """Whether the account is a direct collaborator of a repository."""
        people = self._client.pages("list collaborators", f"{path}/collaborators", {"affiliation": "direct"})
        return any(str(person["id"]) == account.external_id for person in people)


def email_of(account: Account) -> str | None:
    """The address, where the account is only an invitation sent to one."""
    external_id = account.external_id or ""
    return external_id.removeprefix("email:") if external_id.startswith("email:") else None


def _invites(invitation: dict[str, Any], login: str | None, email: str | None) -> bool:
    """Whether an invitation to the organisation is for that login or, sent to an address alone, for that address."""
    invited = invitation.get("login")
    if invited:
        return login is not None and invited.lower() == login.lower()
    return email is not None and (invitation.get("email") or "").lower() == email.lower()
