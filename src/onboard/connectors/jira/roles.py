"""Every project role of every project, read with as few waits as can be.

Roles are shared by Jira's projects (GET role, which wants Administer Jira), except those that a team-managed project on
Cloud has of its own. So the shared ones are looked at in every project while each project is asked for its list of
roles (GET project/KEY/role); what stands on that list and wasn't found by then is looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from onboard.connectors.http import documented, side_by_side
from onboard.connectors.jira.client import Actors, JiraClient
from onboard.connectors.levers import AT_ONCE, shared
from onboard.errors import SystemFailed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Role:
    """A role in a project; `path` is where its actors are read and changed."""

    project: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Looked(Generic[T]):
    """What was made of all roles, and why the roles of some projects couldn't be listed."""

    found: tuple[T, ...]
    failures: tuple[SystemFailed, ...]


#: Makes something of a role and its actors, or of the reason why these can't be read. Called in several threads.
Use = Callable[[Role, Actors | SystemFailed], T]


def look_at_all(client: JiraClient, use: Use[T]) -> Looked[T]:
    """What `use` makes of every role there is. Raises SystemFailed where the projects can't be listed."""
    asked: tuple[Callable[[], Any], ...] = (
        shared((client.system, "projects"), client.projects),
        shared((client.system, "roles"), client.shared_roles),
    )
    projects, everywhere = side_by_side(lambda ask: ask(), asked)
    roles = [Role(key, name, f"project/{key}/role/{id_}") for key in projects for id_, name in everywhere.items()]
    work: list[Callable[[], Any]] = [partial(_looked, client, use, role) for role in roles]
    work += [partial(_listed, client, key) for key in projects]
    told = side_by_side(lambda step: step(), work, AT_ONCE)
    used = {role: made for role, made in zip(roles, told, strict=False) if made is not None}
    lists: list[list[Role] | SystemFailed] = told[len(roles) :]
    rest = [role for found in lists if isinstance(found, list) for role in found if role not in used]
    late = side_by_side(partial(_used, client, use), rest, AT_ONCE)
    return Looked((*used.values(), *late), tuple(found for found in lists if isinstance(found, SystemFailed)))


def _looked(client: JiraClient, use: Use[T], role: Role) -> T | None:
    """What `use` makes of a shared role; None where the project hasn't got it."""
    try:
        with documented(client.system, f"read role {role.name} of {role.project}"):
            actors = shared(
                (client.system, role.path), partial(client.find_actors, role.project, role.name, role.path)
            )()
    except SystemFailed as failure:
        return use(role, failure)
    return None if actors is None else use(role, actors)


def _used(client: JiraClient, use: Use[T], role: Role) -> T:
    try:
        with documented(client.system, f"read role {role.name} of {role.project}"):
            actors = client.actors(role.project, role.name, role.path)
    except SystemFailed as failure:
        return use(role, failure)
    return use(role, actors)


def _listed(client: JiraClient, project: str) -> list[Role] | SystemFailed:
    try:
        with documented(client.system, f"list the roles of {project}"):
            roles = shared((client.system, f"roles of {project}"), partial(client.roles, project))()
            return [Role(project, name, path) for name, path in roles.items()]
    except SystemFailed as failure:
        return failure
