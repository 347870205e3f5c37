"""Ways to hold something in an organisation besides people, teams and repositories. All by REST.

Organisation roles, fine-grained tokens and requests for them, credentials authorised for single sign-on, and blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.holdings import Names
from onboard.connectors.github.told import DIRECT
from onboard.connectors.http import side_by_side
from onboard.errors import SystemRefused
from onboard.model import Holding, HoldingState

#: The types of resource of these routes.
ORG_ROLE, TOKEN, TOKEN_REQUEST = "org-role", "token", "token-request"
CREDENTIAL, BLOCKED = "credential", "blocked"
ROUTES = (ORG_ROLE, TOKEN, TOKEN_REQUEST, CREDENTIAL, BLOCKED)

#: By which route a block is told: it is no access, and lifting it would be the opposite of a revocation.
BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a route: whose it is, by id where GitHub tells it, else by login."""

    type: str
    name: str
    id: str | None
    login: str
    level: str
    via: str = DIRECT
    pending: bool = False

    def holding(self, names: Names) -> Holding:
        """As a holding of `TYPE:ORG/NAME` (`blocked:ORG`)."""
        resource = names.resource(self.type, self.name or None)
        account = self.id or names.account(self.login, f"login:{self.login}")
        state = HoldingState.INVITED if self.pending else HoldingState.ACTIVE
        return Holding(account, self.login, resource, self.level, state, self.via)


class GitHubRoutes:
    """Reads these routes. Raises SystemRefused where the plan or the credential doesn't have one, else SystemFailed."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._org = f"/orgs/{client.org}"

    def lines(self, route: str, login: str | None = None) -> list[Line]:
        """Everything on one of ROUTES; of single sign-on's credentials only those of `login`, where given."""
        if route == CREDENTIAL:
            return self._credentials(login)
        reads = {ORG_ROLE: self._org_roles, BLOCKED: self._blocked}
        return reads[route]() if route in reads else self._tokens(route)

    def role_ids(self) -> dict[str, int]:
        """The organisation roles' numbers by name."""
        answer = self._client.read("list the organisation roles", f"{self._org}/organization-roles")
        return {role["name"]: role["id"] for role in answer.body["roles"]}

    def _org_roles(self) -> list[Line]:
        """Who is assigned which organisation role, themselves (direct, mixed) or through a team."""
        assigned = side_by_side(lambda role: [*self._role(*role)], self.role_ids().items())
        return [line for lines in assigned for line in lines]

    def _role(self, name: str, number: int) -> list[Line]:
        path = f"{self._org}/organization-roles/{number}/users"
        lines = []
        for user in self._client.pages(f"list who has the organisation role {name}", path):
            ways = [f"team {team['slug']}" for team in user.get("inherited_from") or ()]
            if user.get("assignment", "direct") != "indirect":
                ways.append(DIRECT)
            lines += [Line(ORG_ROLE, name, str(user["id"]), user["login"], "assigned", via) for via in ways]
        return lines

    def _tokens(self, route: str) -> list[Line]:
        """Fine-grained tokens that reach the organisation, or ask to; their level says which repositories."""
        if not self._client.is_app:
            raise SystemRefused(
                self._client.system, "fine-grained tokens are shown to GitHub Apps only; let onboard act as one."
            )
        ending = "personal-access-tokens" if route == TOKEN else "personal-access-token-requests"
        tokens = self._client.pages("list the fine-grained tokens", f"{self._org}/{ending}")
        return [self._token(route, token) for token in tokens]

    def _token(self, route: str, token: dict[str, Any]) -> Line:
        owner, reach = token["owner"], f"{token['repository_selection']} repositories"
        number = str(token["id"])
        return Line(route, number, str(owner["id"]), owner["login"], reach, pending=route == TOKEN_REQUEST)

    def _credentials(self, login: str | None) -> list[Line]:
        path, query = f"{self._org}/credential-authorizations", {"login": login} if login else None
        found = self._client.pages("list the credentials authorised for single sign-on", path, query)
        return [
            Line(CREDENTIAL, str(each["credential_id"]), None, each["login"], each["credential_type"]) for each in found
        ]

    def _blocked(self) -> list[Line]:
        found = self._client.pages(f"list whom {self._client.org} blocks", f"{self._org}/blocks")
        return [Line(BLOCKED, "", str(user["id"]), user["login"], "blocked", BLOCK) for user in found]
