"""The kill switch: everything that an account may hold in a GitHub organisation, the coarsest lever first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import requests

from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.levers import Levers, email_of
from onboard.connectors.github.rest import GitHubRest
from onboard.connectors.github.routes import CREDENTIAL, ORG_ROLE, TOKEN, TOKEN_REQUEST, GitHubRoutes, Line
from onboard.connectors.http import documented, side_by_side
from onboard.connectors.levers import AT_ONCE, Lever, Once, is_shared, pull_together, pulled, settled, shared
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Receipt, Resource

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    """What was found on many repositories, and for each that couldn't be read a lever that tells why."""

    items: list[T]
    failures: list[Lever]


class CutOff:
    """Pulls every lever on one account. Raises SystemRefused for an account that is bound to nobody."""

    def __init__(self, client: GitHubClient, account: Account) -> None:
        if account.external_id is None:
            raise SystemRefused(client.system, "the account isn't bound to a GitHub user. Bind it by its login first.")
        self._client = client
        self._account = account
        self._id = account.external_id
        self._org = f"/orgs/{client.org}"
        self._levers = Levers(client)
        self._login = Once(self._find_login)
        self._outside = Once(self._is_outside)
        self._repo_paths = self._shared("repositories", self._list_repos)
        self._outsiders = self._shared("outside collaborators", self._list_outsiders)
        self._invitations = self._shared("invitations", self._levers.org_invitations)

    def pull(self) -> list[Receipt]:
        """The receipts of all levers, pulled side by side whatever became of the others.

        Only the login that the id has now is looked up before the coarse lever; the lists that the finer ones start
        from are read meanwhile. Leaving the organisation ends team memberships, organisation roles, collaborations and
        the access of tokens: they are gone through only where that failed. Raises what failed, after the last lever.
        """
        steps: tuple[Lever, ...] = (
            self._leave,
            self._uninvite,
            self._withdraw_offers,
            self._drop_keys,
            *(partial(self._end_lines, route) for route in (CREDENTIAL, TOKEN_REQUEST)),
        )
        return self._pull(steps)

    def _leave(self) -> Sequence[Receipt]:
        """Out of the organisation, and out of the repositories all at once: whichever the account is in comes first.

        Repositories are gone through one by one where GitHub ended neither.
        """
        asked: tuple[Callable[[], object], ...] = (self._login, self._outside)
        login, outside = side_by_side(lambda ask: ask(), asked)
        if not login:
            return []
        leave_org: Lever = self._checked(partial(self._leave_org, str(login)))
        leave_repos: Lever = self._checked(partial(self._leave_every_repo, str(login), bool(outside)))
        if outside:
            left_repos, left_org = pulled(leave_repos), pulled(leave_org)
        else:
            left_org = pulled(leave_org)
            left_repos = [] if _changed(left_org) else pulled(leave_repos)
        coarse = [left_repos, left_org]
        if (outside and not _changed(left_repos)) or isinstance(left_org, SystemFailed):
            coarse.append(pulled(self._checked(self._leave_repos)))
        return settled(self._client.system, coarse)

    def _leave_org(self, login: str) -> Sequence[Receipt]:
        """Leave the organisation; where that fails end each thing that would have gone with it, and then tell."""
        try:
            return self._levers.end_membership(login, self._org)
        except SystemFailed as failure:
            self._pull(
                [partial(self._leave_teams, login), *(partial(self._end_lines, route) for route in (ORG_ROLE, TOKEN))]
            )
            raise failure from None

    def _leave_teams(self, login: str) -> Sequence[Receipt]:
        slugs = [team["slug"] for team in GitHubRest(self._client).team_list()]
        leave = partial(self._levers.end_membership, login)
        return self._pull([partial(leave, f"{self._org}/teams/{slug}") for slug in slugs])

    def _leave_every_repo(self, login: str, outside: bool) -> Sequence[Receipt]:
        """Remove an outside collaborator from all repositories at once; no receipt where GitHub doesn't."""
        path = f"{self._org}/outside_collaborators/{login}"
        doing = "remove an outside collaborator"
        try:
            answer = self._client.call(doing, "DELETE", path, expect=[403, 404, 422])
        except SystemFailed:
            return []
        all_left = answer.status == requests.codes.no_content
        return [self._levers.receipt(answer, "removed", changed=outside, doing=doing)] if all_left else []

    def _leave_repos(self) -> Sequence[Receipt]:
        """Leave each repository by itself."""
        leave = partial(self._levers.leave_repo, self._account, self._login())
        return self._pull([partial(leave, path) for path in self._repo_paths()])

    def _uninvite(self) -> Sequence[Receipt]:
        """Cancel invitations to the organisation."""
        return self._levers.uninvite_whoever(self._account, self._invitations(), self._login())

    def _withdraw_offers(self) -> Sequence[Receipt]:
        """Delete the account's invitation to each repository: they outlive a membership."""
        found = self._each(
            self._repo_paths(),
            lambda path: [(path, o) for o in self._levers.meant_for(self._account, self._offers(path))],
        )
        return self._pull([*(partial(self._levers.withdraw, *each) for each in found.items), *found.failures])

    def _drop_keys(self) -> Sequence[Receipt]:
        """Delete the deploy keys that the account added. Of one whose adder is deleted nobody knows whose it was."""
        rest = GitHubRest(self._client)
        names = [path.rpartition("/")[2] for path in self._repo_paths()]
        login = (self._login() or "").lower()
        found = self._each(
            names if login else [],
            lambda name: [(name, k) for k in self._shared(f"keys of {name}", partial(rest.keys, name))()],
        )
        mine = [(name, key.id) for name, key in found.items if (key.added_by or "").lower() == login]
        resources = [
            Resource(self._client.system, "deploy-key", f"{self._client.org}/{name}#{id_}") for name, id_ in mine
        ]
        return self._pull([*map(self._ending, resources), *found.failures])

    def _end_lines(self, route: str) -> Sequence[Receipt]:
        """End what the account has on a route; nothing where the plan or the credential doesn't have it."""
        login = self._login()
        try:
            routes = GitHubRoutes(self._client)
            lines = self._shared(route, lambda: routes.lines(route, None if is_shared() else login))() if login else []
        except SystemRefused:
            return []
        resources = [
            Resource(self._client.system, route, f"{self._client.org}/{each.name}")
            for each in lines
            if self._is_mine(each)
        ]
        return self._pull([*map(self._ending, resources)])

    def _is_mine(self, line: Line) -> bool:
        return line.id == self._id if line.id else line.login.lower() == (self._login() or "").lower()

    def _ending(self, resource: Resource) -> Lever:
        return partial(self._levers.end_line, self._account, self._login(), resource)

    def _find_login(self) -> str | None:
        """The account's login at this moment; None where it is gone, or is only an invited e-mail address."""
        return None if email_of(self._account) else self._client.login_of(self._id)

    def _is_outside(self) -> bool:
        """Whether the account is listed as an outside collaborator; true where that can't be read, to be safe."""
        try:
            return self._id in self._outsiders()
        except SystemFailed:
            return True

    def _list_outsiders(self) -> set[str]:
        people = self._client.pages("list outside collaborators", f"{self._org}/outside_collaborators")
        return {str(person["id"]) for person in people}

    def _offers(self, path: str) -> list[dict[str, Any]]:
        return self._shared(f"invitations to {path}", partial(self._levers.all_offers, path))()

    def _shared(self, what: str, read: Callable[[], T]) -> Once[T]:
        return shared((self._client.system, what), read)

    def _list_repos(self) -> list[str]:
        return [f"/repos/{self._client.org}/{name}" for name in GitHubRest(self._client).repo_ids().values()]

    def _each(self, names: Iterable[str], read: Callable[[str], list[T]]) -> _Found[T]:
        """What reading brings for each name, side by side, whatever fails."""

        def attempt(name: str) -> tuple[list[T], list[Lever]]:
            try:
                with documented(self._client.system, "cut off"):
                    return read(name), []
            except SystemFailed as failure:
                return [], [partial(_fail, failure)]

        told = side_by_side(attempt, names, AT_ONCE)
        return _Found([item for items, _ in told for item in items], [lever for _, failed in told for lever in failed])

    def _pull(self, levers: Iterable[Lever]) -> list[Receipt]:
        return pull_together(self._client.system, [self._checked(lever) for lever in levers])

    def _checked(self, lever: Lever) -> Lever:
        return partial(self._documented, lever)

    def _documented(self, lever: Lever) -> Sequence[Receipt]:
        with documented(self._client.system, "cut off"):
            return lever()


def _changed(ended: Sequence[Receipt] | SystemFailed) -> bool:
    return not isinstance(ended, SystemFailed) and any(receipt.changed for receipt in ended)


def _fail(failure: SystemFailed) -> Sequence[Receipt]:
    raise failure
