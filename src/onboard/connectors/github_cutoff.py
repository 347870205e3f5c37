"""The kill switch: everything that an account may hold in a GitHub organisation, the coarsest lever first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

import requests

from onboard.connectors.github_client import GitHubClient
from onboard.connectors.github_levers import Levers, email_of
from onboard.connectors.github_rest import GitHubRest
from onboard.connectors.github_routes import CREDENTIAL, ORG_ROLE, TOKEN, TOKEN_REQUEST, GitHubRoutes, Line
from onboard.connectors.http import documented, side_by_side
from onboard.connectors.levers import Lever, pull, pull_together
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Receipt, Resource

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    """What was found on many repositories, and for each that couldn't be read a lever that tells why."""

    items: list[T]
    failures: list[Lever]


class CutOff:
    """Pulls every lever on one account. Raises SystemFailed where its id can't be looked up."""

    def __init__(self, client: GitHubClient, account: Account) -> None:
        self._client = client
        self._account = account
        self._org = f"/orgs/{client.org}"
        self._levers = Levers(client)
        self._all_left = False
        looked: list[Any] = side_by_side(lambda look: look(), (self._find_login, self._is_outside))
        self._login: str | None = looked[0]
        self._outside: bool = looked[1]

    def pull(self) -> list[Receipt]:
        """The receipts of all levers, each pulled whatever became of those before.

        Who is no member leaves the repositories first. Leaving the organisation ends team memberships, organisation
        roles and the access of tokens: they are gone through only where that failed, and collaborations one by one only
        where GitHub didn't end all at once. Raises what failed, after the last lever.
        """
        coarse = [self._leave_org, self._leave_every_repo]
        steps: tuple[Lever, ...] = (
            *(reversed(coarse) if self._outside else coarse),
            partial(self._levers.uninvite_from_org, self._account, self._login),
            self._leave_repos,
            self._drop_keys,
            *(partial(self._end_lines, route) for route in (CREDENTIAL, TOKEN_REQUEST)),
        )
        return self._pull(steps)

    def _leave_org(self) -> Sequence[Receipt]:
        """Leave the organisation; where that fails end each thing that would have gone with it, and then tell."""
        try:
            return self._levers.end_membership(self._login, self._org)
        except SystemFailed as failure:
            self._pull([self._leave_teams, *(partial(self._end_lines, route) for route in (ORG_ROLE, TOKEN))])
            raise failure from None

    def _leave_teams(self) -> Sequence[Receipt]:
        slugs = [team["slug"] for team in GitHubRest(self._client).team_list()]
        leave = partial(self._levers.end_membership, self._login)
        return self._pull([partial(leave, f"{self._org}/teams/{slug}") for slug in slugs])

    def _leave_every_repo(self) -> Sequence[Receipt]:
        """Remove an outside collaborator from all repositories at once; where GitHub doesn't, one by one later."""
        if self._login is None:
            return []
        path = f"{self._org}/outside_collaborators/{self._login}"
        try:
            answer = self._client.call("remove an outside collaborator", "DELETE", path, expect=[403, 404, 422])
        except SystemFailed:
            return []
        self._all_left = answer.status == requests.codes.no_content
        return [self._levers.receipt(answer, "removed", changed=self._outside)] if self._all_left else []

    def _leave_repos(self) -> Sequence[Receipt]:
        """Delete the account's invitation to each repository, and leave each where GitHub didn't end all at once."""
        if not self._all_left:
            leave = partial(self._levers.leave_repo, self._account, self._login)
            return pull_together(
                self._client.system, [self._checked(partial(leave, path)) for path in self._repo_paths]
            )
        offers = self._each(
            self._repo_paths, lambda path: [(path, o) for o in self._levers.offers(self._account, path)]
        )
        return self._pull([*(partial(self._levers.withdraw, *each) for each in offers.items), *offers.failures])

    def _drop_keys(self) -> Sequence[Receipt]:
        """Delete the deploy keys that the account added. Of one whose adder is deleted nobody knows whose it was."""
        rest = GitHubRest(self._client)
        names = [path.rpartition("/")[2] for path in self._repo_paths] if self._login else []
        found = self._each(names, lambda name: [(name, key) for key in rest.keys(name)])
        mine = [
            (name, key.id) for name, key in found.items if (key.added_by or "").lower() == (self._login or "").lower()
        ]
        resources = [
            Resource(self._client.system, "deploy-key", f"{self._client.org}/{name}#{id_}") for name, id_ in mine
        ]
        return self._pull([*map(self._ending, resources), *found.failures])

    def _end_lines(self, route: str) -> Sequence[Receipt]:
        """End what the account has on a route; nothing where the plan or the credential doesn't have it."""
        try:
            lines = GitHubRoutes(self._client).lines(route, self._login) if self._login else []
        except SystemRefused:
            return []
        resources = [
            Resource(self._client.system, route, f"{self._client.org}/{each.name}")
            for each in lines
            if self._is_mine(each)
        ]
        return self._pull([*map(self._ending, resources)])

    def _is_mine(self, line: Line) -> bool:
        return line.id == self._account.external_id if line.id else line.login.lower() == (self._login or "").lower()

    def _ending(self, resource: Resource) -> Lever:
        return partial(self._levers.end_line, self._account, self._login, resource)

    def _find_login(self) -> str | None:
        """The account's login at this moment; None where it is gone, or is only an invited e-mail address."""
        if self._account.external_id is None:
            raise SystemRefused(
                self._client.system, "the account isn't bound to a GitHub user. Bind it by its login first."
            )
        return None if email_of(self._account) else self._client.login_of(self._account.external_id)

    def _is_outside(self) -> bool:
        """Whether the account is listed as an outside collaborator; true where that can't be read, to be safe."""
        try:
            people = self._client.pages("list outside collaborators", f"{self._org}/outside_collaborators")
        except SystemFailed:
            return True
        return any(str(person["id"]) == self._account.external_id for person in people)

    @cached_property
    def _repo_paths(self) -> list[str]:
        return [f"/repos/{self._client.org}/{name}" for name in GitHubRest(self._client).repo_ids().values()]

    def _each(self, names: Iterable[str], read: Callable[[str], list[T]]) -> _Found[T]:
        """What reading brings for each name, side by side, whatever fails."""

        def attempt(name: str) -> tuple[list[T], list[Lever]]:
            try:
                with documented(self._client.system, "cut off"):
                    return read(name), []
            except SystemFailed as failure:
                return [], [partial(_fail, failure)]

        told = side_by_side(attempt, names)
        return _Found([item for items, _ in told for item in items], [lever for _, failed in told for lever in failed])

    def _pull(self, levers: Iterable[Lever]) -> list[Receipt]:
        return pull(self._client.system, [self._checked(lever) for lever in levers])

    def _checked(self, lever: Lever) -> Lever:
        return partial(self._documented, lever)

    def _documented(self, lever: Lever) -> Sequence[Receipt]:
        with documented(self._client.system, "cut off"):
            return lever()


def _fail(failure: SystemFailed) -> Sequence[Receipt]:
    raise failure
