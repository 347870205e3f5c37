"""Teams, repositories and accounts of an organisation by GraphQL: many in one request, each with where access is from.

A list inside a list is asked for a hundred at a time, and followed to its end by itself where it is longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from onboard.connectors.github.client import GitHubClient, Graph
from onboard.connectors.github.told import BASE, DIRECT, OWNER, Access, Invited, Person, Repo, Team, level_of
from onboard.connectors.http import side_by_side
from onboard.errors import SystemFailed, SystemRefused

#: Where GitHub looks for a CODEOWNERS file, in this order.
_PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
#: Logins in one query.
_BATCH = 100

_USER = "databaseId login"
_PAGE = "pageInfo { hasNextPage endCursor }"
_MEMBERS = f"{_PAGE} edges {{ role node {{ {_USER} }} }}"
_INVITATIONS = f"{_PAGE} nodes {{ email invitee {{ {_USER} }} }}"
_TEAM_REPOS = f"{_PAGE} edges {{ permission node {{ name }} }}"
_COLLABORATORS = (
    f"{_PAGE} edges {{ permission node {{ {_USER} }}"
    " permissionSources { roleName permission source { __typename ... on Team { slug } } } }"
)
_TEAM = (
    "slug parentTeam { slug }"
    f" members(first: 100, membership: IMMEDIATE) {{ {_MEMBERS} }}"
    f" invitations(first: 100) {{ {_INVITATIONS} }}"
    f" repositories(first: 100) {{ {_TEAM_REPOS} }}"
)
_REPO = (
    "name deployKeys(first: 1) { totalCount }"
    f" collaborators(first: 100, affiliation: DIRECT, login: $login) {{ {_COLLABORATORS} }}"
    + "".join(
        f' at{i}: object(expression: "HEAD:{place}") {{ ... on Blob {{ text }} }}' for i, place in enumerate(_PLACES)
    )
)

TEAMS = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Team {{ {_TEAM} }} }} }}"
TEAM = f"query($org: String!, $name: String!) {{ organization(login: $org) {{ team(slug: $name) {{ {_TEAM} }} }} }}"
TEAM_MEMBERS = (
    "query($org: String!, $name: String!, $after: String) { organization(login: $org) { team(slug: $name) {"
    f" members(first: 100, membership: IMMEDIATE, after: $after) {{ {_MEMBERS} }} }} }} }}"
)
TEAM_INVITATIONS = (
    "query($org: String!, $name: String!, $after: String) { organization(login: $org) { team(slug: $name) {"
    f" invitations(first: 100, after: $after) {{ {_INVITATIONS} }} }} }} }}"
)
TEAM_REPOSITORIES = (
    "query($org: String!, $name: String!, $after: String) { organization(login: $org) { team(slug: $name) {"
    f" repositories(first: 100, after: $after) {{ {_TEAM_REPOS} }} }} }} }}"
)
REPOSITORIES = f"query($ids: [ID!]!, $login: String) {{ nodes(ids: $ids) {{ ... on Repository {{ {_REPO} }} }} }}"
REPOSITORY = (
    "query($org: String!, $name: String!, $login: String) { organization(login: $org) {"
    f" repository(name: $name, followRenames: false) {{ {_REPO} }} }} }}"
)
COLLABORATORS = (
    "query($org: String!, $name: String!, $after: String) { organization(login: $org) {"
    " repository(name: $name, followRenames: false) {"
    f" collaborators(first: 100, affiliation: DIRECT, after: $after) {{ {_COLLABORATORS} }} }} }} }}"
)

BUDGET = "{ rateLimit { remaining limit } }"


class GitHubGraph:
    """Reads one organisation. Raises SystemFailed where a list couldn't be read to its end, or misses something."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    def teams(self, ids: Sequence[str]) -> list[Team]:
        """These teams, by GitHub's global ids, 25 in a request and the requests side by side."""
        found = self._nodes("read the teams", TEAMS, ids, 25)
        return [self._team(_there(node, told, self._client.system, "one of the teams")) for told, node, _ in found]

    def team(self, slug: str) -> Team:
        """One team. Raises SystemFailed where there is none that can be seen."""
        told = self._ask(f"read team {slug}", TEAM, name=slug)
        return self._team(_there(told.data["organization"]["team"], told, self._client.system, f"team {slug}"))

    def repositories(self, ids: Mapping[str, str], login: str | None = None) -> list[Repo]:
        """These repositories, name by global id, with their direct collaborators; 25 in a request, side by side.

        What GitHub leaves out says why, for that part of that repository. With a login only that collaborator is told,
        and a hundred repositories come in a request.
        """
        found = self._nodes("read the repositories", REPOSITORIES, [*ids], 100 if login else 25, login=login)
        names = ids.values()
        return [
            self._repo(node, told, "nodes", at) if node else Repo(name, no_access=_unseen(told, "nodes", at))
            for name, (told, node, at) in zip(names, found, strict=True)
        ]

    def repository(self, name: str, login: str | None = None) -> Repo:
        """One repository; with a login only that collaborator is told.

        Raises SystemFailed where there is none that can be seen, or it has moved.
        """
        told = self._ask(f"read repository {name}", REPOSITORY, name=name, login=login)
        node = _there(told.data["organization"]["repository"], told, self._client.system, f"repository {name}")
        return self._repo(node, told, "organization", "repository")

    def budget(self) -> tuple[int, int]:
        """The points that are left of this hour's, and how many there are in an hour."""
        limit = self._client.graphql("ask for the GraphQL budget", BUDGET).data["rateLimit"]
        return int(limit["remaining"]), int(limit["limit"])

    def accounts(self, logins: Iterable[str]) -> dict[str, str | None]:
        """The numeric ids that answer to these logins now; None where nobody does."""
        wanted = list(dict.fromkeys(logins))
        found: dict[str, str | None] = {}
        for batch in (wanted[at : at + _BATCH] for at in range(0, len(wanted), _BATCH)):
            told = self._client.graphql(
                "look up logins", _users(len(batch)), **{f"u{i}": x for i, x in enumerate(batch)}
            )
            for i, login in enumerate(batch):
                node = told.data[f"u{i}"]
                if node is None and told.left_out(f"u{i}") != "NOT_FOUND":
                    raise SystemFailed(self._client.system, "look up logins: GitHub left some of them out.")
                found[login] = str(node["databaseId"]) if node else None
        return found

    def _ask(self, doing: str, query: str, **variables: Any) -> Graph:
        """A query about the organisation. Raises SystemFailed where it can't be seen."""
        told = self._client.graphql(doing, query, org=self._client.org, **variables)
        _there(told.data.get("organization"), told, self._client.system, f"{doing}: the organisation")
        return told

    def _nodes(
        self, doing: str, query: str, ids: Sequence[str], size: int, **variables: Any
    ) -> list[tuple[Graph, Any, int]]:
        """The node of each id, with the answer and the place in it; None where GitHub gave none."""
        batches = [ids[at : at + size] for at in range(0, len(ids), size)]
        answers = side_by_side(lambda batch: self._client.graphql(doing, query, ids=batch, **variables), batches)
        return [(told, node, at) for told in answers for at, node in enumerate(told.data["nodes"])]

    def _rest(
        self, page: Mapping[str, Any], doing: str, query: str, name: str, lead: Callable[[Graph], Mapping[str, Any]]
    ) -> list[Any]:
        """The items of a list inside, edges or nodes, those of its following pages included."""
        items = _items(page)
        while page["pageInfo"]["hasNextPage"]:
            told = self._ask(doing, query, name=name, after=page["pageInfo"]["endCursor"])
            page = _there(lead(told), told, self._client.system, doing)
            items += _items(page)
        return items

    def _team(self, node: Mapping[str, Any]) -> Team:
        slug = node["slug"]

        def every(field: str, query: str) -> list[Any]:
            page, doing = node[field], f"read the {field} of team {slug}"
            if page is None:
                raise SystemFailed(self._client.system, f"{doing}: GitHub left them out.")
            return self._rest(page, doing, query, slug, lambda told: told.data["organization"]["team"][field])

        return Team(
            slug,
            (node["parentTeam"] or {}).get("slug"),
            tuple((_person(edge["node"]), edge["role"].lower()) for edge in every("members", TEAM_MEMBERS)),
            tuple(
                Invited(_person(each["invitee"]) if each["invitee"] else None, each["email"])
                for each in every("invitations", TEAM_INVITATIONS)
            ),
            tuple(
                (edge["node"]["name"], level_of(edge["permission"]))
                for edge in every("repositories", TEAM_REPOSITORIES)
            ),
        )

    def _repo(self, node: Mapping[str, Any], told: Graph, *path: str | int) -> Repo:
        name = node["name"]
        texts = [(node[f"at{i}"] or {}).get("text") for i in range(len(_PLACES))]
        hidden = next((kind for i in range(len(_PLACES)) if (kind := told.left_out(*path, f"at{i}"))), None)
        page = node["collaborators"]
        edges = (
            []
            if page is None
            else self._rest(
                page,
                f"read the collaborators of {name}",
                COLLABORATORS,
                name,
                lambda told: told.data["organization"]["repository"]["collaborators"],
            )
        )
        return Repo(
            name,
            tuple(access for edge in edges for access in _access(edge)),
            node["deployKeys"]["totalCount"],
            next((text for text in texts if text), ""),
            no_access=None if page is not None else _unseen(told, *path, "collaborators"),
            no_codeowners=f"GitHub left its CODEOWNERS out ({hidden})" if hidden else None,
        )


def _users(count: int) -> str:
    """A query for that many logins, $u0 and on."""
    declared = ", ".join(f"$u{i}: String!" for i in range(count))
    asked = " ".join(f"u{i}: user(login: $u{i}) {{ {_USER} }}" for i in range(count))
    return f"query({declared}) {{ {asked} }}"


def _items(page: Mapping[str, Any]) -> list[Any]:
    return list(page["edges"] if "edges" in page else page["nodes"])


def _person(node: Mapping[str, Any]) -> Person:
    return Person(str(node["databaseId"]), node["login"])


def _access(edge: Mapping[str, Any]) -> Iterator[Access]:
    """Each way in which a collaborator has access; without sources, the whole of it counts as direct."""
    person = _person(edge["node"])
    sources = edge["permissionSources"]
    if not sources:
        yield Access(person, DIRECT, level_of(edge["permission"]))
    for source in sources or ():
        level = level_of(source["roleName"] or source["permission"])
        kind = source["source"]["__typename"]
        via = DIRECT if kind == "Repository" else BASE if kind == "Organization" else f"team {source['source']['slug']}"
        yield Access(person, OWNER if via == BASE and level == "admin" else via, level)


def _there(node: Any, told: Graph, system: str, what: str) -> Any:
    """The node. Raises SystemRefused where GitHub says that there is none to see, SystemFailed where it left it out."""
    if node is None:
        kind = told.errors[0][1] if told.errors else "NOT_FOUND"
        failed = SystemRefused if kind in ("NOT_FOUND", "FORBIDDEN") else SystemFailed
        raise failed(system, f"{what} couldn't be read by GraphQL ({kind}).")
    return node


def _unseen(told: Graph, *path: str | int) -> str:
    return f"GitHub left its collaborators out ({told.left_out(*path) or 'no reason told'})"
