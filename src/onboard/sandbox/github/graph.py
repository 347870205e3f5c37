"""The simulated GitHub as a graph: what each field of a GraphQL query leads to, worked out only where it's asked for.

Objects are dictionaries; what takes arguments or costs work in them is a function that graphql-core calls.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from graphql import GraphQLError

from onboard.sandbox.github.http import Call
from onboard.sandbox.github.repos import CODEOWNERS
from onboard.sandbox.github.state import ORG_ID, PERMISSIONS, ROLE_NAMES, OrgInvitation, Repo, Team, User
from onboard.sandbox.github.views import time

T = TypeVar("T")
Json = dict[str, Any]

#: REST's name for a permission → GraphQL's five, and the four that a permission's source is told in.
_FIVE = {permission: role.upper() for permission, role in ROLE_NAMES.items()}
_FOUR = {"pull": "READ", "triage": "READ", "push": "WRITE", "maintain": "WRITE", "admin": "ADMIN"}


@dataclass(frozen=True, slots=True)
class Graph:
    """What one request sees of the organisation. `limit` is what the query costs and what is left of the budget."""

    call: Call
    limit: Mapping[str, int]

    def root(self) -> Json:
        """The fields of Query."""
        return {
            "nodes": self._nodes,
            "organization": self._organization,
            "rateLimit": self._rate_limit,
            "user": self._someone,
            "viewer": self._viewer,
        }

    def _rate_limit(self, _info: object, **_: object) -> Json:
        return {**self.limit, "resetAt": time(datetime.fromtimestamp(self.limit["reset"], UTC))}

    def _viewer(self, _info: object) -> Json:
        return self._user(self.call.actor.id)

    def _nodes(self, _info: object, ids: Sequence[str]) -> list[Json | GraphQLError]:
        """Repositories and teams by their ids; null, with an error, for any other."""
        return [self._one(id_) for id_ in ids]

    def _one(self, id_: str) -> Json | GraphQLError:
        kind, _, number = id_.partition("_")
        known = int(number) if number.isdecimal() else 0
        repo, team = self.call.org.repos.get(known), self.call.org.teams.get(known)
        if kind == "R" and repo and (not repo.private or self.call.held(repo)):
            return self._repo(repo)
        if kind == "T" and team and self.call.member:
            return self._guarded_team(team)
        return _failure("NOT_FOUND", f"Could not resolve to a node with the global id of '{id_}'.")

    def _guarded_team(self, team: Team) -> Json | GraphQLError:
        if self.call.app is not None and not self.call.app.may("members", "read"):
            return _failure("FORBIDDEN", "Resource not accessible by integration")
        return self._team(team)

    def _someone(self, _info: object, login: str) -> Json:
        found = self.call.org.user(login)
        if found is None:
            raise _failure("NOT_FOUND", f"Could not resolve to a User with the login of '{login}'.")
        return self._user(found.id)

    def _organization(self, _info: object, login: str) -> Json:
        if login.lower() != self.call.org.login.lower():
            raise _failure("NOT_FOUND", "Could not resolve to an Organization with that login.")
        org = self.call.org
        seen = [repo for repo in org.repos.values() if not repo.private or self.call.held(repo)]
        return {
            "__typename": "Organization",
            "id": f"O_{ORG_ID}",
            "databaseId": ORG_ID,
            "login": org.login,
            "membersWithRole": self._guarded("members", self._members),
            "pendingMembers": self._guarded("members", self._pending),
            "teams": self._guarded("members", self._teams),
            "team": self._guarded("members", lambda _info, slug: self._team_named(slug)),
            "repositories": _connection(seen, self._node(self._repo)),
            "repository": self._repo_named,
        }

    # People

    def _user(self, id_: int) -> Json:
        who = self.call.org.users.get(id_, self.call.actor)
        return {"__typename": "User", "id": f"U_{who.id}", "databaseId": who.id, "login": who.login, "name": who.name}

    def _member(self, line: tuple[int, str]) -> Json:
        return {"node": self._user(line[0]), "role": line[1].upper()}

    def _members(self, info: object, **page: Any) -> Json:
        return _connection(sorted(self.call.org.members.items()), self._member)(info, **page)

    def _pending(self, info: object, **page: Any) -> Json:
        """Users with an invitation to the organisation that can still be accepted; addresses are no users."""
        found = (i.user for i in self.call.org.invitations.values() if not i.expired(self.call.now))
        return _connection(sorted(user for user in found if user), self._node(self._user))(info, **page)

    def _invitation(self, invitation: OrgInvitation) -> Json:
        return {
            "id": f"OI_{invitation.id}",
            "createdAt": time(invitation.at),
            "email": invitation.email,
            "invitee": self._user(invitation.user) if invitation.user else None,
            "role": "ADMIN" if invitation.admin else "DIRECT_MEMBER",
        }

    # Teams

    def _teams(self, info: object, userLogins: list[str] | None = None, **page: Any) -> Json:  # noqa: N803
        """All teams, or those that one of these users is in."""
        org, logins = self.call.org, {login.lower() for login in userLogins or ()}
        ids = {user.id for user in org.users.values() if user.login.lower() in logins}
        teams = [team for team in org.teams.values() if userLogins is None or ids & org.within(team).keys()]
        return _connection(teams, self._node(self._team))(info, **page)

    def _team_named(self, slug: str) -> Json | None:
        found = self.call.org.team(slug)
        return self._team(found) if found and self.call.member else None

    def _team(self, team: Team) -> Json:
        org = self.call.org
        pending = [i for i in org.invitations.values() if team.id in i.teams and not i.expired(self.call.now)]
        parent = org.teams.get(team.parent or 0)
        return {
            "__typename": "Team",
            "id": f"T_{team.id}",
            "databaseId": team.id,
            "slug": team.slug,
            "name": team.name,
            "parentTeam": lambda _info: self._team(parent) if parent else None,
            "invitations": _connection(pending, self._node(self._invitation)),
            "members": lambda info, membership, role=None, **page: self._team_members(
                team, membership, role, info, page
            ),
            "repositories": _connection([*org.team_repos(team).items()], self._team_repo),
        }

    def _team_members(self, team: Team, membership: str, role: str | None, info: object, page: Json) -> Json:
        everybody = self.call.org.within(team)
        shown = {
            "ALL": everybody,
            "IMMEDIATE": team.members,
            "CHILD_TEAM": {id_: held for id_, held in everybody.items() if id_ not in team.members},
        }[membership]
        lines = [(id_, held) for id_, held in sorted(shown.items()) if role in (None, held.upper())]
        return _connection(lines, self._member)(info, **page)

    def _team_repo(self, line: tuple[int, str]) -> Json:
        repo = self.call.org.repos[line[0]]
        return {"node": self._repo(repo), "permission": _FIVE[self.call.org.base(line[1])]}

    # Repositories

    def _repo_named(self, _info: object, name: str, **_: object) -> Json:
        found = self.call.org.repo(name)
        if found is None or (found.private and not self.call.held(found)):
            raise _failure("NOT_FOUND", f"Could not resolve to a Repository with the name '{name}'.")
        return self._repo(found)

    def _repo(self, repo: Repo) -> Json:
        keys = [
            {"id": f"DK_{key.id}", "title": key.title, "readOnly": key.read_only, "createdAt": time(key.at)}
            for key in repo.keys.values()
        ]
        return {
            "__typename": "Repository",
            "id": f"R_{repo.id}",
            "databaseId": repo.id,
            "name": repo.name,
            "isPrivate": repo.private,
            "collaborators": lambda info, **page: self._collaborators(repo, info, **page),
            "deployKeys": self._guarded("administration", _connection(keys, lambda key: {"node": key})),
            "object": self._guarded("contents", lambda _info, expression: _blob(repo, expression)),
        }

    def _collaborators(
        self, repo: Repo, info: object, affiliation: str = "ALL", login: str | None = None, **page: Any
    ) -> Json:
        org = self.call.org
        if org.base(self.call.held(repo) or PERMISSIONS[0]) not in PERMISSIONS[2:]:
            raise _failure("FORBIDDEN", "You do not have permission to view repository collaborators.")
        ids = {*org.members, *repo.collaborators} if affiliation == "ALL" else {*repo.collaborators}
        shown = ids - org.members.keys() if affiliation == "OUTSIDE" else ids
        lines = [org.users[id_] for id_ in sorted(shown) if login is None or org.users[id_].login == login]
        able = [(who, held) for who in lines if (held := org.permission(repo, who.id))]
        return _connection(able, lambda line: self._collaborator(repo, *line))(info, **page)

    def _collaborator(self, repo: Repo, who: User, held: str) -> Json:
        return {
            "node": self._user(who.id),
            "permission": _FIVE[self.call.org.base(held)],
            "permissionSources": lambda _info: [
                self._source(repo, *line) for line in self.call.org.routes(repo, who.id)
            ],
        }

    def _source(self, repo: Repo, via: str, held: str) -> Json:
        """One way by which somebody has access: the organisation, a team, or the repository itself."""
        team = self.call.org.team(via.removeprefix("team:")) if via.startswith("team:") else None
        granter = (
            self._repo(repo)
            if via == "direct"
            else self._team(team)
            if team
            else self._organization(None, self.call.org.login)
        )
        role = ROLE_NAMES.get(held, held)
        return {"permission": _FOUR[self.call.org.base(held)], "roleName": role, "source": granter}

    # Limits of what an App may see

    def _guarded(self, permission: str, resolve: Callable[..., Any]) -> Callable[..., Any]:
        """The same, refused to an App without that permission."""

        def guarded(info: object, **arguments: Any) -> Any:
            if self.call.app is not None and not self.call.app.may(permission, "read"):
                raise _failure("FORBIDDEN", "Resource not accessible by integration")
            return resolve(info, **arguments)

        return guarded

    @staticmethod
    def _node(view: Callable[[T], Json]) -> Callable[[T], Json]:
        return lambda item: {"node": view(item)}


def _blob(repo: Repo, expression: str) -> Json | None:
    """The file that `HEAD:PATH` names; the sandbox's repositories hold a CODEOWNERS file, or nothing."""
    if expression != f"HEAD:{CODEOWNERS}" or not repo.codeowners:
        return None
    return {"__typename": "Blob", "id": f"B_{repo.id}", "text": repo.codeowners}


def _connection(lines: Sequence[T], edge: Callable[[T], Json]) -> Callable[..., Json]:
    """A connection over these items: `first` after a cursor, or `last` before one."""

    def resolve(
        _info: object,
        first: int | None = None,
        last: int | None = None,
        after: str | None = None,
        before: str | None = None,
    ) -> Json:
        start, end = _position(after, -1) + 1, _position(before, len(lines))
        if first is not None:
            end = min(end, start + first)
        elif last is not None:
            start = max(start, end - last)
        edges = [{**edge(lines[at]), "cursor": _cursor(at)} for at in range(start, max(start, end))]
        page = {
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
            "hasNextPage": end < len(lines),
            "hasPreviousPage": start > 0,
        }
        return {"edges": edges, "nodes": [each["node"] for each in edges], "pageInfo": page, "totalCount": len(lines)}

    return resolve


def _cursor(at: int) -> str:
    return base64.b64encode(f"cursor:v2:{at}".encode()).decode()


def _position(cursor: str | None, default: int) -> int:
    """Where a cursor points to. Raises GraphQLError for one that isn't ours."""
    if cursor is None:
        return default
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("cursor:v2:"))
    except (binascii.Error, ValueError) as error:
        raise _failure("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.") from error


def _failure(kind: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": kind})
