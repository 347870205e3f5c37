"""What the simulated GitHub knows: one organisation, and the rules by which access in it arises and ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import BaseModel

from onboard.sandbox.core import Held
from onboard.sandbox.github.grants import App, Credential, OrgRole, Token

ORG_ID = 1
BOT_ID = 900000001
#: Both kinds of invitation can be accepted for this long.
INVITATION_LIFE = timedelta(days=7)

PERMISSIONS = ("pull", "triage", "push", "maintain", "admin")
#: A permission as `role_name` and as an invitation's `permissions` spell it.
ROLE_NAMES = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}


class User(BaseModel):
    """An account of GitHub; `person` is the sandbox id of the human behind it."""

    id: int
    login: str
    name: str
    email: str
    person: str | None = None


class OrgInvitation(BaseModel):
    """An invitation to the organisation, to a user or to an e-mail address; `teams` are joined on acceptance."""

    id: int
    user: int | None
    email: str | None
    admin: bool
    teams: dict[int, str]
    inviter: int
    at: datetime

    def addressed_to(self, user: User) -> bool:
        """Whether it means this user, by account or by e-mail address."""
        return self.user == user.id or (self.email or "").lower() == user.email.lower()

    def expired(self, now: datetime) -> bool:
        """Whether it can't be accepted any more."""
        return now >= self.at + INVITATION_LIFE


class RepoInvitation(BaseModel):
    """An invitation to a repository; it stays listed after it expired."""

    id: int
    user: int
    permission: str
    inviter: int
    at: datetime

    def expired(self, now: datetime) -> bool:
        """Whether it can't be accepted any more."""
        return now >= self.at + INVITATION_LIFE


class DeployKey(BaseModel):
    """A deploy key of a repository."""

    id: int
    title: str
    key: str
    read_only: bool
    at: datetime
    by: int | None = None


class Push(BaseModel):
    """A push to a repository, by a user."""

    id: int
    by: int
    at: datetime


class Repo(BaseModel):
    """A repository: direct collaborators by user id, invitations and keys by their own."""

    id: int
    name: str
    private: bool
    collaborators: dict[int, str] = {}
    invitations: dict[int, RepoInvitation] = {}
    keys: dict[int, DeployKey] = {}
    codeowners: str = ""
    pushes: list[Push] = []


class Team(BaseModel):
    """A team: user id → `member` or `maintainer`, repository id → permission; `parent` is the id of another team."""

    id: int
    slug: str
    name: str
    parent: int | None = None
    members: dict[int, str] = {}
    repos: dict[int, str] = {}


class Org(BaseModel):
    """The organisation with everything in it, and every user of GitHub. `members` says who is `admin` or `member`."""

    login: str
    base_permission: str
    users: dict[int, User] = {}
    members: dict[int, str] = {}
    invitations: dict[int, OrgInvitation] = {}
    teams: dict[int, Team] = {}
    repos: dict[int, Repo] = {}
    custom_roles: dict[str, str] = {}
    org_roles: dict[int, OrgRole] = {}
    tokens: dict[int, Token] = {}
    credentials: dict[int, Credential] | None = None
    blocked: list[int] = []
    app: App | None = None
    graphql_points: int = 10_000
    last_id: int = 5000

    def new_id(self) -> int:
        """The next number for something new."""
        self.last_id += 1
        return self.last_id

    # Finding

    def user(self, login: str) -> User | None:
        """Who has that login now, upper or lower case alike."""
        return next((user for user in self.users.values() if user.login.lower() == login.lower()), None)

    def user_of(self, person: str) -> User | None:
        """The account of that simulated human."""
        return next((user for user in self.users.values() if user.person == person), None)

    def repo(self, name: str) -> Repo | None:
        """The repository of that name."""
        return next((repo for repo in self.repos.values() if repo.name.lower() == name.lower()), None)

    def team(self, slug: str) -> Team | None:
        """The team with that slug."""
        return next((team for team in self.teams.values() if team.slug == slug.lower()), None)

    def pending(self, user: User, now: datetime) -> OrgInvitation | None:
        """The invitation to the organisation that this user could accept now, addressed to the account or e-mail."""
        return next(
            (
                invitation
                for invitation in self.invitations.values()
                if not invitation.expired(now) and invitation.addressed_to(user)
            ),
            None,
        )

    def above(self, team: Team) -> Iterator[Team]:
        """The team itself, its parent, that one's parent, and so on."""
        following: Team | None = team
        while following:
            yield following
            following = self.teams.get(following.parent or 0)

    def within(self, team: Team) -> dict[int, str]:
        """Everybody in the team or in one nested in it, with the role held nearest to it."""
        inner = [other for other in self.teams.values() if other.parent is not None and other is not team]
        nested = [other for other in inner if any(each is team for each in self.above(other))]
        return {user: "member" for other in nested for user in other.members} | team.members

    def team_repos(self, team: Team) -> dict[int, str]:
        """What a team has on which repository, its parents' share included."""
        lines = [line for each in self.above(team) for line in each.repos.items()]
        return {repo: max((p for r, p in lines if r == repo), key=self.rank) for repo, _ in lines}

    # What somebody may do

    def base(self, permission: str) -> str:
        """One of PERMISSIONS: what a custom role builds on, or the permission itself."""
        return self.custom_roles.get(permission, permission)

    def rank(self, permission: str) -> float:
        """Higher means more; a custom role stands just above what it builds on."""
        return PERMISSIONS.index(self.base(permission)) + (0.5 if permission in self.custom_roles else 0)

    def routes(self, repo: Repo, user: int) -> Iterator[tuple[str, str]]:
        """Each way by which a user has access to a repository, with the permission that it gives."""
        if self.members.get(user) == "admin":
            yield "org owner", "admin"
        elif user in self.members and self.base_permission != "none":
            yield "org base permission", _permission(self.base_permission)
        for team in self.teams.values():
            if repo.id in team.repos and user in self.within(team):
                yield f"team:{team.slug}", team.repos[repo.id]
        if user in repo.collaborators:
            yield "direct", repo.collaborators[user]

    def permission(self, repo: Repo, user: int) -> str | None:
        """The highest permission of all routes; None for no access (a public repository's readers included)."""
        if self.members.get(user) == "admin":
            return "admin"
        return max((given for _, given in self.routes(repo, user)), key=self.rank, default=None)

    def outsiders(self) -> list[User]:
        """Who is a direct collaborator somewhere and no member."""
        ids = {user for repo in self.repos.values() for user in repo.collaborators} - self.members.keys()
        return [self.users[user] for user in sorted(ids)]

    # Changes

    def invite(
        self, user: User | None, inviter: User, now: datetime, *, email: str | None = None, admin: bool = False
    ) -> OrgInvitation:
        """Invite to the organisation. An expired invitation to the same user gives way to the new one."""
        for old in [i for i in self.invitations.values() if user and i.user == user.id]:
            del self.invitations[old.id]
        invitation = OrgInvitation(
            id=self.new_id(),
            user=user.id if user else None,
            email=email,
            admin=admin,
            teams={},
            inviter=inviter.id,
            at=now,
        )
        self.invitations[invitation.id] = invitation
        return invitation

    def join(self, user: User, invitation: OrgInvitation) -> list[str]:
        """Accept an invitation to the organisation, its teams included; answers what was joined."""
        del self.invitations[invitation.id]
        self.members[user.id] = "admin" if invitation.admin else "member"
        joined = [f"org:{self.login}"]
        for id_, role in invitation.teams.items():
            if team := self.teams.get(id_):
                team.members[user.id] = role
                joined.append(f"team:{self.login}/{team.slug}")
        return joined

    def collaborate(self, repo: Repo, invitation: RepoInvitation) -> str:
        """Accept an invitation to a repository; answers what was joined."""
        del repo.invitations[invitation.id]
        repo.collaborators[invitation.user] = invitation.permission
        return f"repo:{self.login}/{repo.name}"

    def remove(self, user: int, *, keep_repos: bool = False) -> None:
        """End a membership: teams, collaborations, organisation roles and the access of tokens go with it.

        Deploy keys and credentials authorised for single sign-on stay listed. With `keep_repos` (conversion to
        outside collaborator) what teams gave becomes direct first.
        """
        for repo in self.repos.values():
            given = [p for via, p in self.routes(repo, user) if via == "direct" or via.startswith("team:")]
            repo.collaborators.pop(user, None)
            if keep_repos and given:
                repo.collaborators[user] = max(given, key=self.rank)
        for team in self.teams.values():
            team.members.pop(user, None)
        for role in self.org_roles.values():
            role.users = [id_ for id_ in role.users if id_ != user]
        self.tokens = {id_: token for id_, token in self.tokens.items() if token.owner != user}
        self.members.pop(user, None)

    def delete_user(self, user: User) -> None:
        """The account ceases to exist, and everything that named it."""
        self.remove(user.id)
        for repo in self.repos.values():
            repo.invitations = {id_: i for id_, i in repo.invitations.items() if i.user != user.id}
        self.invitations = {id_: i for id_, i in self.invitations.items() if i.user != user.id}
        if self.credentials is not None:
            self.credentials = {id_: c for id_, c in self.credentials.items() if c.owner != user.id}
        self.blocked = [id_ for id_ in self.blocked if id_ != user.id]
        del self.users[user.id]


def _permission(name: str) -> str:
    """The permission that a role name (`read`, `write`…) stands for."""
    return next(permission for permission, role in ROLE_NAMES.items() if role == name)


def holdings(org: Org, now: datetime) -> Iterator[Held]:
    """Who holds what in the organisation, invitations included; on repositories only what is held directly."""
    for id_, role in org.members.items():
        yield _held(org.users[id_], f"org:{org.login}", role)
    for team in org.teams.values():
        for id_, role in team.members.items():
            yield _held(org.users[id_], f"team:{org.login}/{team.slug}", role)
    for repo in org.repos.values():
        for id_, permission in repo.collaborators.items():
            yield _held(org.users[id_], f"repo:{org.login}/{repo.name}", permission)
    yield from _invited(org, now)


def _invited(org: Org, now: datetime) -> Iterator[Held]:
    for invitation in org.invitations.values():
        user = org.users.get(invitation.user or 0) or User(id=0, login="", name="", email=invitation.email or "")
        state = "expired" if invitation.expired(now) else "invited"
        yield _held(user, f"org:{org.login}", "admin" if invitation.admin else "member", state)
        for id_, role in invitation.teams.items():
            yield _held(user, f"team:{org.login}/{org.teams[id_].slug}", role, state)
    for repo in org.repos.values():
        for offer in repo.invitations.values():
            state = "expired" if offer.expired(now) else "invited"
            yield _held(org.users[offer.user], f"repo:{org.login}/{repo.name}", offer.permission, state)


def _held(user: User, resource: str, level: str, state: str = "active") -> Held:
    """A line for that user; somebody invited by an address alone is `email:ADDRESS`."""
    account = str(user.id) if user.id else f"email:{user.email}"
    return Held("github", user.person, account, user.login or user.email, resource, level, state)
