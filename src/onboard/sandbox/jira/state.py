"""What a simulated Jira knows: users, groups, project roles and who is in them, seeded from a world file."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from onboard.sandbox.core import BOT
from onboard.sandbox.world import World

#: The address that the automation's API tokens on Cloud belong to.
BOT_EMAIL = f"{BOT}@sandbox.example"

USER_ACTOR = "atlassian-user-role-actor"
GROUP_ACTOR = "atlassian-group-role-actor"

#: The one permission scheme, by role name. A role that isn't named here lets its actors browse the project.
SCHEME: dict[str, tuple[str, ...]] = {
    "Viewers": ("BROWSE_PROJECTS",),
    "Testers": ("BROWSE_PROJECTS", "CREATE_ISSUES", "ADD_COMMENTS", "TRANSITION_ISSUES"),
    "Developers": (
        "BROWSE_PROJECTS",
        "CREATE_ISSUES",
        "ADD_COMMENTS",
        "TRANSITION_ISSUES",
        "EDIT_ISSUES",
        "ASSIGN_ISSUES",
    ),
    "Administrators": (
        "BROWSE_PROJECTS",
        "CREATE_ISSUES",
        "ADD_COMMENTS",
        "TRANSITION_ISSUES",
        "EDIT_ISSUES",
        "ASSIGN_ISSUES",
        "ADMINISTER_PROJECTS",
    ),
}
#: What an issue can be, at first the first.
STATUSES = ("To Do", "Approved", "Rejected")
PROJECT_PERMISSIONS = SCHEME["Administrators"]
GLOBAL_PERMISSIONS = ("ADMINISTER", "USER_PICKER")


class User(BaseModel):
    """An account. `person` is the sandbox id of the human; `admin` marks the site administrator, the automation."""

    account_id: str
    username: str
    key: str
    name: str
    email: str
    person: str | None = None
    admin: bool = False
    active: bool = True


class Group(BaseModel):
    """A group; `members` are user keys, in the order in which they came."""

    id: str
    name: str
    members: list[str] = []


class Actor(BaseModel):
    """One entry of a project role: a user (`ref` is the user key) or a group (`ref` is the group id)."""

    id: int
    type: str
    ref: str


class SchemeGrant(BaseModel):
    """A permission that the scheme gives to a `user` (`ref` is the user key) or a `group` (its id) by name."""

    id: int
    permission: str
    type: str
    ref: str


class Comment(BaseModel):
    """A comment on an issue; `body` is text, or a document (API version 3). `author` is the user key."""

    id: int
    author: str
    body: str | dict[str, Any]
    at: datetime


class Issue(BaseModel):
    """An issue and what was said about it. `moves` counts how often it changed its status."""

    id: int
    key: str
    summary: str
    labels: list[str] = []
    description: str | dict[str, Any] = ""
    status: str = STATUSES[0]
    moves: int = 0
    comments: list[Comment] = []


class Project(BaseModel):
    """A project; `actors` by role id."""

    id: int
    key: str
    name: str
    actors: dict[int, list[Actor]] = {}
    issues: list[Issue] = []


class JiraState(BaseModel):
    """All of it. Users by key; roles are shared by all projects, id → name; `access` as in the world."""

    users: dict[str, User] = {}
    groups: list[Group] = []
    access: list[str] = []
    roles: dict[int, str] = {}
    projects: list[Project] = []
    scheme_grants: list[SchemeGrant] = []
    next_actor: int = 10240
    next_grant: int = 10500
    next_issue: int = 10000

    @classmethod
    def seeded(cls, world: World) -> JiraState:
        """The starting state of that world, with the automation's account."""
        state = cls(users={user.key: user for user in _users(world)})
        state.groups = [Group(id=_group_id(name), name=name) for name in world.jira.groups]
        for group in state.groups:
            group.members = [_key(world, person) for person in world.jira.groups[group.name]]
        state.access = list(world.jira.access)
        state.roles = {10001 + i: name for i, name in enumerate(world.jira.roles)}
        state.projects = [Project(id=10000 + i, key=p.key, name=p.name) for i, p in enumerate(world.jira.projects)]
        for project, spec in zip(state.projects, world.jira.projects, strict=True):
            for role, name in state.roles.items():
                project.actors[role] = []
                for person in spec.roles.get(name, ()):
                    state.add_actor(project, role, USER_ACTOR, _key(world, person))
        return state

    def user(self, *, account_id: str = "", username: str = "", key: str = "") -> User | None:
        """The user with that id, username (any case) or key; None where there is none."""
        for user in self.users.values():
            if user.account_id == account_id or user.key == key or user.username.lower() == username.lower():
                return user
        return None

    def of_person(self, person: str) -> User | None:
        """The account of that simulated human."""
        return next((user for user in self.users.values() if user.person == person), None)

    def group(self, *, group_id: str = "", name: str = "") -> Group | None:
        """The group with that id or exact name."""
        return next((group for group in self.groups if group.id == group_id or group.name == name), None)

    def add_group(self, name: str) -> Group:
        """A new, empty group."""
        group = Group(id=_group_id(name), name=name)
        self.groups.append(group)
        return group

    def groups_of(self, user: User) -> list[Group]:
        """The groups that the user is in."""
        return [group for group in self.groups if user.key in group.members]

    def may_enter(self, user: User) -> bool:
        """Whether one of the user's groups gives access to the application; on Cloud nobody gets in without."""
        return not self.access or user.admin or any(group.name in self.access for group in self.groups_of(user))

    def project(self, ref: str) -> Project | None:
        """The project with that key (its case counts) or id."""
        return next((project for project in self.projects if ref in (project.key, str(project.id))), None)

    def add_actor(self, project: Project, role: int, kind: str, ref: str) -> None:
        """Put a user or group into a role of a project."""
        project.actors.setdefault(role, []).append(Actor(id=self.next_actor, type=kind, ref=ref))
        self.next_actor += 1

    def add_issue(self, project: Project, summary: str) -> Issue:
        """A new issue of a project, numbered in its order."""
        issue = Issue(id=self.next_issue, key=f"{project.key}-{len(project.issues) + 1}", summary=summary)
        project.issues.append(issue)
        self.next_issue += 1
        return issue

    def add_comment(self, issue: Issue, author: str, body: str | dict[str, Any], at: datetime) -> Comment:
        """A new comment, the last on the issue."""
        comment = Comment(id=issue.id * 1000 + len(issue.comments), author=author, body=body, at=at)
        issue.comments.append(comment)
        return comment

    def roles_of(self, user: User, project: Project) -> Iterator[str]:
        """The role names that the user has in the project, directly or through a group."""
        refs = self._refs(user)
        for role, actors in project.actors.items():
            if any(actor.ref in refs for actor in actors):
                yield self.roles[role]

    def _refs(self, user: User) -> set[str]:
        return {user.key, *(group.id for group in self.groups_of(user))}

    def permissions_of(self, user: User, projects: Iterable[Project]) -> set[str]:
        """What the user may do in at least one of the projects, global rights included; an inactive user nothing."""
        if not user.active:
            return set()
        if user.admin:
            return {*GLOBAL_PERMISSIONS, *PROJECT_PERMISSIONS}
        held: set[str] = set()
        for project in projects:
            held |= {given for role in self.roles_of(user, project) for given in SCHEME.get(role, ("BROWSE_PROJECTS",))}
            held |= {grant.permission for grant in self.scheme_grants if grant.ref in self._refs(user)}
        return held

    def remove_everywhere(self, user: User) -> None:
        """Take the user out of every group, project role and permission scheme."""
        self.scheme_grants = [grant for grant in self.scheme_grants if grant.ref != user.key]
        for group in self.groups:
            group.members = [key for key in group.members if key != user.key]
        for project in self.projects:
            for role, actors in project.actors.items():
                project.actors[role] = [actor for actor in actors if actor.ref != user.key]


def _users(world: World) -> Iterator[User]:
    yield User(
        account_id=f"712020:{uuid.uuid5(uuid.NAMESPACE_URL, BOT)}",
        username=BOT,
        key="JIRAUSER10000",
        name="Onboard Bot",
        email=BOT_EMAIL,
        admin=True,
    )
    for person, spec in world.people.items():
        if spec.jira:
            yield User(**spec.jira.model_dump(), name=spec.name, email=spec.email, person=person)


def _key(world: World, person: str) -> str:
    """The key of somebody who is named in a list: the world was checked, so they have the account."""
    return next(account.key for account in [world.people[person].jira] if account)


def _group_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"jira-group:{name}"))
