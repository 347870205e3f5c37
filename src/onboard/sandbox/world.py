"""The world file: who and what exists in the sandbox when it starts, as YAML, checked strictly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from onboard.errors import BadInput, Problem

PersonId = str


class _Part(BaseModel):
    """A frozen part of the file; a key that isn't known is an error, not a shrug."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GitHubAccount(_Part):
    """A person's GitHub account: a login that may change and a numeric id that never does."""

    login: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}$")
    id: int = Field(gt=0)


class JiraAccount(_Part):
    """A person's Jira account: Cloud knows it by `account_id`, Data Center by `username` and `key`."""

    account_id: str
    username: str
    key: str


class SlackAccount(_Part):
    """A person's Slack account and how far it reaches."""

    id: str = Field(pattern=r"^[UW][A-Z0-9]+$")
    kind: Literal["member", "guest", "single-channel-guest"] = "member"


class VaultAccount(_Part):
    """A person's userpass login, which stands for the company's single sign-on."""

    username: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")


class Person(_Part):
    """A simulated human, with the accounts that they have; none is needed."""

    name: str
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    github: GitHubAccount | None = None
    jira: JiraAccount | None = None
    slack: SlackAccount | None = None
    vault: VaultAccount | None = None


Permission = Literal["pull", "triage", "push", "maintain", "admin"]


class Repo(_Part):
    """A repository with its direct collaborators (a permission or a custom role) and its CODEOWNERS file.

    `pushes` says of who pushed how many days ago that was the last time.
    """

    name: str
    private: bool = True
    collaborators: dict[PersonId, str] = {}
    pushes: dict[PersonId, int] = {}
    codeowners: str = ""


class Team(_Part):
    """A team of the organisation; its people must be members of the organisation. `parent` is another team's slug."""

    slug: str
    name: str
    parent: str | None = None
    members: list[PersonId] = []
    maintainers: list[PersonId] = []
    repos: dict[str, str] = {}


class FineGrainedToken(_Part):
    """A member's fine-grained token with access to the organisation; `requested` ones wait for an owner."""

    owner: PersonId
    name: str
    repositories: Literal["none", "all", "subset"] = "subset"
    requested: bool = False


class SamlCredential(_Part):
    """A credential that a member authorised for single sign-on."""

    owner: PersonId
    kind: Literal["personal access token", "SSH key"] = "personal access token"


class GitHubApp(_Part):
    """A GitHub App installed on the organisation: its public key (PEM), and what it may do (`members: write`)."""

    id: int = Field(gt=0)
    installation: int = Field(gt=0)
    public_key: str
    permissions: dict[str, Literal["read", "write"]] = {}


class GitHub(_Part):
    """The one organisation. `base_permission` is what every member has on every repository.

    `custom_roles` names custom repository roles with the permission that each builds on; `org_roles` who is assigned
    which organisation role; `saml` is None where single sign-on isn't set up; `graphql_points` is GraphQL's hourly
    budget of each token.
    """

    org: str = "acme"
    base_permission: Literal["none", "read", "write", "admin"] = "none"
    owners: list[PersonId] = []
    members: list[PersonId] = []
    repos: list[Repo] = []
    teams: list[Team] = []
    custom_roles: dict[str, Permission] = {}
    org_roles: dict[str, list[PersonId]] = {}
    tokens: list[FineGrainedToken] = []
    saml: list[SamlCredential] | None = None
    app: GitHubApp | None = None
    graphql_points: int = 10_000


class Project(_Part):
    """A Jira project: role name → people in it."""

    key: str = Field(pattern=r"^[A-Z][A-Z0-9]+$")
    name: str
    roles: dict[str, list[PersonId]] = {}


class Jira(_Part):
    """The Jira site; Cloud and Data Center start from the same section and then live apart.

    `access` names the groups that give access to the application on Cloud; without one everybody has it.
    """

    groups: dict[str, list[PersonId]] = {}
    access: list[str] = []
    roles: list[str] = []
    projects: list[Project] = []


class Channel(_Part):
    """A Slack channel, its name without `#`."""

    name: str
    private: bool = False
    members: list[PersonId] = []


class UserGroup(_Part):
    """A Slack user group, its handle without `@`."""

    handle: str
    name: str
    members: list[PersonId] = []


class Slack(_Part):
    """The one workspace."""

    workspace: str = "acme"
    channels: list[Channel] = []
    usergroups: list[UserGroup] = []


class VaultGroup(_Part):
    """An internal identity group with the ACL policies that it carries."""

    policies: list[str] = []
    members: list[PersonId] = []


class Vault(_Part):
    """What is seeded into OpenBao: policies (HCL), groups, and secrets of the key-value engine at `secret/`."""

    policies: dict[str, str] = {}
    groups: dict[str, VaultGroup] = {}
    secrets: dict[str, dict[str, str]] = {}


class World(_Part):
    """The parsed file. `people` maps a sandbox id (used in the control API) to a simulated human."""

    people: dict[PersonId, Person] = {}
    github: GitHub = GitHub()
    jira: Jira = Jira()
    slack: Slack = Slack()
    vault: Vault = Vault()


def demo_world() -> World:
    """The packaged world: company acme, vendor Nordwind, and a stranger."""
    return parse_world(files("onboard.sandbox").joinpath("worlds/demo.yaml").read_text("utf-8"), "demo.yaml")


def load_world(path: Path) -> World:
    """The world in that file. Raises BadInput with every problem in it, by line."""
    try:
        return parse_world(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise BadInput.one(f"The world file {path} can't be read: {error.strerror}.") from error


def parse_world(text: str, file: str = "") -> World:
    """The world that a YAML text describes. Raises BadInput with every problem in it, by line."""
    try:
        data = YAML().load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise BadInput([Problem(file, line, f"This is no YAML: {error.problem}.")]) from error
    return build_world(data or {}, file)


def build_world(data: Mapping[str, Any], file: str = "") -> World:
    """The world from already parsed data. Raises BadInput with every problem; lines only where ruamel parsed it."""
    try:
        world = World.model_validate(data)
    except ValidationError as error:
        raise BadInput(
            Problem(file, _line(data, item["loc"]), f"{_dotted(item['loc'])}: {item['msg']}.")
            for item in error.errors(include_input=False)
        ) from error
    problems = [Problem(file, _line(data, at), f"{_dotted(at)}: {message}") for at, message in _inconsistencies(world)]
    if problems:
        raise BadInput(problems)
    return world


Where = tuple[int | str, ...]


def _dotted(at: Where) -> str:
    return ".".join(map(str, at)) or "the world"


def _line(data: Any, at: Where) -> int:
    """The line (from 1) of the deepest node on the way that ruamel knows; 0 for none."""
    line = 0
    for step in at:
        try:
            if isinstance(data, CommentedMap):
                line = data.lc.key(step)[0] + 1
            elif isinstance(data, CommentedSeq):
                line = data.lc.item(step)[0] + 1
            data = data[step]
        except (KeyError, IndexError, TypeError):
            break
    return line


def _inconsistencies(world: World) -> Iterator[tuple[Where, str]]:
    """What each part allows but the whole doesn't: unknown people, missing accounts, names used twice."""
    for system, at, people in _mentions(world):
        for person in people:
            if person not in world.people:
                yield at, f"nobody is called {person!r}; add them under people, or correct the name."
            elif getattr(world.people[person], system) is None:
                yield at, f"{person!r} has no {system} account; give them one under people."
    yield from _duplicates(world)
    yield from _dangling(world)


def _mentions(world: World) -> Iterator[tuple[str, Where, Iterable[PersonId]]]:
    """Every list of people in the file: the system it is about, where it stands, and who is in it."""
    yield "github", ("github", "owners"), world.github.owners
    yield "github", ("github", "members"), world.github.members
    for i, repo in enumerate(world.github.repos):
        yield "github", ("github", "repos", i, "collaborators"), repo.collaborators
        yield "github", ("github", "repos", i, "pushes"), repo.pushes
    for i, team in enumerate(world.github.teams):
        yield "github", ("github", "teams", i, "members"), team.members
        yield "github", ("github", "teams", i, "maintainers"), team.maintainers
    for name, assigned in world.github.org_roles.items():
        yield "github", ("github", "org_roles", name), assigned
    yield "github", ("github", "tokens"), [token.owner for token in world.github.tokens]
    yield "github", ("github", "saml"), [credential.owner for credential in world.github.saml or ()]
    for group, members in world.jira.groups.items():
        yield "jira", ("jira", "groups", group), members
    for i, project in enumerate(world.jira.projects):
        for role, actors in project.roles.items():
            yield "jira", ("jira", "projects", i, "roles", role), actors
    for i, channel in enumerate(world.slack.channels):
        yield "slack", ("slack", "channels", i, "members"), channel.members
    for i, usergroup in enumerate(world.slack.usergroups):
        yield "slack", ("slack", "usergroups", i, "members"), usergroup.members
    for name, vault_group in world.vault.groups.items():
        yield "vault", ("vault", "groups", name, "members"), vault_group.members


def _duplicates(world: World) -> Iterator[tuple[Where, str]]:
    """Names and ids that must be unique and aren't."""
    keys: dict[tuple[str, str], Callable[[str], str]] = {
        ("github", "login"): str.lower,
        ("github", "id"): str,
        ("jira", "account_id"): str,
        ("jira", "username"): str.lower,
        ("jira", "key"): str,
        ("slack", "id"): str,
        ("vault", "username"): str.lower,
    }
    for (system, field), fold in keys.items():
        seen: dict[str, PersonId] = {}
        for person, spec in world.people.items():
            if account := getattr(spec, system):
                value = fold(str(getattr(account, field)))
                if value in seen:
                    yield ("people", person, system, field), f"{value} is {seen[value]!r}'s already; use another."
                seen.setdefault(value, person)


def _dangling(world: World) -> Iterator[tuple[Where, str]]:
    """Names of repositories, roles and policies that nothing defines, and team members outside the organisation."""
    yield from _dangling_github(world.github)
    for name in set(world.jira.access) - world.jira.groups.keys():
        yield ("jira", "access"), f"there is no group {name!r}; add it under groups."
    for i, project in enumerate(world.jira.projects):
        for role in project.roles.keys() - set(world.jira.roles):
            yield ("jira", "projects", i, "roles", role), f"there is no role {role!r}; add it under roles."
    for group, spec in world.vault.groups.items():
        for policy in set(spec.policies) - world.vault.policies.keys():
            yield ("vault", "groups", group, "policies"), f"there is no policy {policy!r}; add it under policies."


def _dangling_github(github: GitHub) -> Iterator[tuple[Where, str]]:
    repos, slugs = {repo.name for repo in github.repos}, {team.slug for team in github.teams}
    inside, levels = {*github.owners, *github.members}, {*get_args(Permission), *github.custom_roles}
    for i, team in enumerate(github.teams):
        for name in team.repos.keys() - repos:
            yield ("github", "teams", i, "repos", name), f"there is no repository {name!r}; add it under repos."
        for person in {*team.members, *team.maintainers} - inside:
            yield ("github", "teams", i), f"{person!r} is no member of {github.org}; add them under members."
        if team.parent is not None and team.parent not in slugs:
            yield ("github", "teams", i, "parent"), f"there is no team {team.parent!r}; add it under teams."
    given = [(("github", "repos", i, "collaborators"), repo.collaborators) for i, repo in enumerate(github.repos)]
    given += [(("github", "teams", i, "repos"), team.repos) for i, team in enumerate(github.teams)]
    for at, held in given:
        for level in set(held.values()) - levels:
            yield at, f"there is no permission or custom role {level!r}; use one of {', '.join(sorted(levels))}."
