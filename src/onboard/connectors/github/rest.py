"""The same organisation by REST: what only REST lists, and everything else where GraphQL doesn't answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.told import (
    DIRECT,
    Access,
    DeployKey,
    Invited,
    Listed,
    Offer,
    Person,
    Repo,
    Team,
    level_of,
)
from onboard.connectors.http import MALFORMED, Rejected, Unreachable, malformed, side_by_side
from onboard.errors import SystemFailed

T = TypeVar("T")

#: What a repository's CODEOWNERS can't be told by, in a reading by REST: it would take three requests for each.
_BY_GRAPHQL = "CODEOWNERS files are read by GraphQL only, which didn't answer"


class GitHubRest:
    """Reads one organisation (REST API, version 2022-11-28). Raises SystemFailed where a list can't be read whole."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._org = f"/orgs/{client.org}"

    # The organisation

    def members(self) -> list[tuple[Person, str]]:
        """Every member with the level, which GitHub tells only by filtering for it (never `all`)."""
        return self._by_role(self._org, self._client.org, ("member", "admin"))

    def invitations(self) -> list[dict[str, Any]]:
        """Those to the organisation that can still be accepted."""
        return self._client.pages(f"list the invitations of {self._client.org}", f"{self._org}/invitations")

    def failed_invitations(self) -> list[dict[str, Any]]:
        """Those that can't be accepted any more, whatever the reason."""
        path = f"{self._org}/failed_invitations"
        return self._client.pages(f"list the failed invitations of {self._client.org}", path)

    def membership(self, login: str) -> tuple[str, str] | None:
        """Level and state (active, pending) of somebody's membership; None where there is none."""
        path = f"{self._org}/memberships/{login}"
        answer = self._client.read(f"read a membership of {self._client.org}", path, expect=[404])
        return None if answer.status == 404 else (str(answer.body["role"]), str(answer.body["state"]))

    def base_permission(self) -> str | None:
        """What every member has on every repository, by GitHub's name for it; None where this token isn't told."""
        answer = self._client.read(f"read the organisation {self._client.org}", self._org)
        told = answer.body.get("default_repository_permission")
        return None if told is None else str(told)

    def custom_roles(self) -> bool:
        """Whether there are custom repository roles, so that GraphQL's five permissions don't tell a team's exactly."""
        path = f"{self._org}/custom-repository-roles"
        answer = self._client.read("list the custom repository roles", path, expect=[403, 404])
        return answer.status == 403 or bool(answer.status == 200 and answer.body["custom_roles"])

    def accounts(self, logins: Iterable[str]) -> dict[str, str | None]:
        """The numeric ids that answer to these logins now; None where nobody does."""
        wanted = list(dict.fromkeys(logins))
        users = side_by_side(self._client.user, wanted)
        return {login: str(user["id"]) if user else None for login, user in zip(wanted, users, strict=True)}

    # Teams

    def team_list(self) -> list[dict[str, Any]]:
        """Every team as GitHub lists it."""
        return self._client.pages(f"list the teams of {self._client.org}", f"{self._org}/teams")

    def teams(self, listed: Iterable[Mapping[str, Any]]) -> list[Team]:
        """These teams, a few requests for each. Who is in a team nested in one is told of that team alone."""
        slugs = [(team["slug"], (team["parent"] or {}).get("slug")) for team in listed]
        return side_by_side(lambda each: replace(self._team(*each, slugs), nested=()), slugs)

    def team(self, slug: str) -> Team:
        """One team."""
        path = f"{self._org}/teams/{slug}"
        children = self._client.pages(f"list the teams within team {slug}", f"{path}/teams")
        shown = self._client.read(f"read team {slug}", path).body
        parent = (shown["parent"] or {}).get("slug")
        return self._team(slug, parent, [(child["slug"], slug) for child in children])

    def _team(self, slug: str, parent: str | None, all_teams: Iterable[tuple[str, str | None]]) -> Team:
        """A team's people. GitHub lists those of teams within it among them, and doesn't say which they are.

        So whoever is in both is told as nested: once they have left the inner team, the outer one tells of them anew.
        """
        path = f"{self._org}/teams/{slug}"
        people = self._by_role(path, f"team {slug}", ("member", "maintainer"))
        inner = [child for child, above in all_teams if above == slug]
        nested = [(person, child) for child in inner for person, _ in self._people(child)]
        within = {person for person, _ in nested}
        invitations = self._client.pages(f"list the invitations of team {slug}", f"{path}/invitations")
        return Team(
            slug,
            parent,
            tuple(line for line in people if line[0] not in within),
            tuple(self._invited(invitation) for invitation in invitations),
            tuple(self.team_repos(slug)),
            tuple(nested),
        )

    def team_repos(self, slug: str) -> list[tuple[str, str]]:
        """The repositories of a team with its level there, custom roles by name."""
        listed = self._client.pages(f"list the repositories of team {slug}", f"{self._org}/teams/{slug}/repos")
        return [(repo["name"], level_of(repo["role_name"])) for repo in listed]

    def team_level(self, slug: str, login: str) -> str:
        """The level that somebody has in a team or is invited to: the invitation only tells the organisation's role."""
        path = f"{self._org}/teams/{slug}/memberships/{login}"
        answer = self._client.read(f"read a membership of team {slug}", path, expect=[404])
        return str(answer.body["role"]) if answer.status == 200 else "member"

    def _people(self, slug: str) -> list[tuple[Person, str]]:
        return self._by_role(f"{self._org}/teams/{slug}", f"team {slug}", ("member", "maintainer"))

    def _by_role(self, path: str, what: str, roles: Iterable[str]) -> list[tuple[Person, str]]:
        return [
            (_person(user), role)
            for role in roles
            for user in self._client.pages(f"list the {role}s of {what}", f"{path}/members", {"role": role})
        ]

    def _invited(self, invitation: Mapping[str, Any]) -> Invited:
        login = invitation["login"]
        user = self._client.user(login) if login else None
        return Invited(_person(user) if user else None, invitation["email"] or login)

    # Repositories

    def repositories(self, names: Iterable[str]) -> list[Repo]:
        """These repositories with their direct collaborators; one whose collaborators can't be listed says why."""
        return side_by_side(self._repo_or_why, names)

    def repository(self, name: str) -> Repo:
        """One repository. `role_name` is the highest role by any route: maybe more than what is held directly."""
        path, direct = f"/repos/{self._client.org}/{name}/collaborators", {"affiliation": "direct"}
        people = self._client.pages(f"list the collaborators of {self._client.org}/{name}", path, direct)
        access = [Access(_person(user), DIRECT, level_of(user["role_name"])) for user in people]
        return Repo(name, tuple(access), no_codeowners=_BY_GRAPHQL)

    def _repo_or_why(self, name: str) -> Repo:
        try:
            return self.repository(name)
        except (Unreachable, Rejected):
            raise
        except SystemFailed as failure:
            return Repo(name, no_access=failure.reason)
        except MALFORMED:
            return Repo(name, no_access=malformed(name))

    def listed(self, name: str, *, keys: bool) -> Listed:
        """What only REST lists of one repository; `keys` says whether to ask for deploy keys, too.

        A list that can't be read says why. Raises where nothing else would answer.
        """
        at = self._client.clock()
        offers, no_offers = _or_why(name, lambda: self.offers(name))
        found, no_keys = _or_why(name, lambda: self.keys(name)) if keys else ([], None)
        return Listed(at, tuple(offers), tuple(found), no_offers, no_keys)

    def repo_ids(self) -> dict[str, str]:
        """The names of all repositories by their global ids, which GraphQL knows them by."""
        path, every = f"{self._org}/repos", {"type": "all"}
        listed = self._client.pages(f"list the repositories of {self._client.org}", path, every)
        return {repo["node_id"]: repo["name"] for repo in listed}

    def offers(self, name: str) -> list[Offer]:
        """A repository's invitations, expired ones included: these stay listed until somebody deletes them."""
        full_name = f"{self._client.org}/{name}"
        return [
            *map(_offer, self._client.pages(f"list the invitations of {full_name}", f"/repos/{full_name}/invitations"))
        ]

    def keys(self, name: str) -> list[DeployKey]:
        """A repository's deploy keys."""
        full_name = f"{self._client.org}/{name}"
        return [*map(_key, self._client.pages(f"list the deploy keys of {full_name}", f"/repos/{full_name}/keys"))]


def _or_why(name: str, read: Callable[[], list[T]]) -> tuple[list[T], str | None]:
    try:
        return read(), None
    except (Unreachable, Rejected):
        raise
    except SystemFailed as failure:
        return [], failure.reason
    except MALFORMED:
        return [], malformed(name)


def _person(user: Mapping[str, Any]) -> Person:
    return Person(str(user["id"]), user["login"])


def _offer(invitation: Mapping[str, Any]) -> Offer:
    invitee = invitation.get("invitee")
    person = _person(invitee) if invitee else None
    level = level_of(invitation["permissions"])
    return Offer(str(invitation["id"]), person, level, bool(invitation.get("expired")))


def _key(key: Mapping[str, Any]) -> DeployKey:
    level = "read" if key["read_only"] else "write"
    return DeployKey(str(key["id"]), key["title"], level, key.get("added_by"))
