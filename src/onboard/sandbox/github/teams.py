"""The simulated GitHub: teams, by slug and by id, their members and repositories."""

from __future__ import annotations

from onboard.sandbox.github import views
from onboard.sandbox.github.http import Call, Reply, listed, not_found
from onboard.sandbox.github.state import OrgInvitation, Repo, Team, User


def list_teams(call: Call) -> Reply:
    """GET /orgs/{org}/teams."""
    call.check_org()
    if not call.member:
        raise not_found()
    return listed(call, call.org.teams.values(), views.team)


def show_team(call: Call) -> Reply:
    """GET a team."""
    return Reply(views.full_team(call, call.team()))


def list_child_teams(call: Call) -> Reply:
    """GET a team's child teams."""
    parent = call.team()
    return listed(call, [team for team in call.org.teams.values() if team.parent == parent.id], views.team)


def list_members(call: Call) -> Reply:
    """GET a team's members, those of nested teams among them; who was invited and hasn't accepted is absent."""
    team = call.team()
    role = call.query("role", "all", ("all", "member", "maintainer"))
    return listed(
        call, [call.org.users[id_] for id_, held in call.org.within(team).items() if role in ("all", held)], views.user
    )


def check_member(call: Call) -> Reply:
    """GET members/{user} (legacy): 204 or 404."""
    if call.user().id not in call.org.within(call.team()):
        raise not_found()
    return Reply()


def list_invitations(call: Call) -> Reply:
    """GET a team's pending invitations: those to the organisation that include the team."""
    team = call.team()
    pending = [i for i in call.org.invitations.values() if team.id in i.teams and not i.expired(call.now)]
    return listed(call, pending, views.org_invitation)


def _pending(call: Call, team: Team, who: User) -> OrgInvitation | None:
    invitation = call.org.pending(who, call.now)
    return invitation if invitation and team.id in invitation.teams else None


def show_membership(call: Call) -> Reply:
    """GET memberships/{user}: active, or pending with the invitation to the organisation."""
    team, who = call.team(), call.user()
    if invitation := _pending(call, team, who):
        return Reply(views.team_membership(call, team, who, invitation.teams[team.id], "pending"))
    if who.id not in team.members:
        raise not_found()
    return Reply(views.team_membership(call, team, who, team.members[who.id], "active"))


def set_membership(call: Call) -> Reply:
    """PUT memberships/{user}: who isn't in the organisation is invited to it, and is pending until then."""
    team, who = call.team(), call.user()
    call.check_team_admin(team)
    role = call.choice("role", "member", ("member", "maintainer"))
    if who.id in call.org.members:
        team.members[who.id] = "maintainer" if call.org.members[who.id] == "admin" else role
        return Reply(views.team_membership(call, team, who, team.members[who.id], "active"))
    invitation = call.org.pending(who, call.now) or call.org.invite(who, call.actor, call.now)
    invitation.teams[team.id] = role
    return Reply(views.team_membership(call, team, who, role, "pending"))


def remove_membership(call: Call) -> Reply:
    """DELETE memberships/{user}: takes the team out of a pending invitation, which itself stays."""
    team, who = call.team(), call.user()
    call.check_team_admin(team)
    invitation = _pending(call, team, who)
    if invitation:
        del invitation.teams[team.id]
    elif who.id not in team.members:
        raise not_found()
    team.members.pop(who.id, None)
    return Reply()


def list_repos(call: Call) -> Reply:
    """GET a team's repositories, its parent's among them, each with what the team may do there."""
    held = call.org.team_repos(call.team())
    return listed(
        call,
        [call.org.repos[id_] for id_ in held],
        lambda call, repo: views.with_role(call, views.repo(call, repo), held[repo.id]),
    )


def check_repo(call: Call) -> Reply:
    """GET repos/{owner}/{repo}: 204 or 404; the repository itself where the Accept header asks for it."""
    team, repo = call.team(), call.repo()
    if repo.id not in team.repos:
        raise not_found()
    if "repository+json" in call.request.headers.get("accept", ""):
        return Reply(views.with_role(call, views.repo(call, repo), team.repos[repo.id]))
    return Reply()


def add_repo(call: Call) -> Reply:
    """PUT repos/{owner}/{repo} with a permission."""
    team, repo = _administered(call)
    team.repos[repo.id] = call.permission(default="pull")
    return Reply()


def remove_repo(call: Call) -> Reply:
    """DELETE repos/{owner}/{repo}."""
    team, repo = _administered(call)
    team.repos.pop(repo.id, None)
    return Reply()


def _administered(call: Call) -> tuple[Team, Repo]:
    """Team and repository of the path, the latter with admin rights."""
    return call.team(), call.repo(admin=True)


_ROUTES = (
    ("GET", "", show_team),
    ("GET", "/teams", list_child_teams),
    ("GET", "/members", list_members),
    ("GET", "/members/{user}", check_member),
    ("GET", "/invitations", list_invitations),
    ("GET", "/memberships/{user}", show_membership),
    ("PUT", "/memberships/{user}", set_membership),
    ("DELETE", "/memberships/{user}", remove_membership),
    ("GET", "/repos", list_repos),
    ("GET", "/repos/{owner}/{repo}", check_repo),
    ("PUT", "/repos/{owner}/{repo}", add_repo),
    ("DELETE", "/repos/{owner}/{repo}", remove_repo),
)

ROUTES = (
    ("GET", "/orgs/{org}/teams", list_teams),
    *((method, f"/orgs/{{org}}/teams/{{slug}}{path}", handler) for method, path, handler in _ROUTES),
    *((method, f"/organizations/{{org_id}}/team/{{team_id}}{path}", handler) for method, path, handler in _ROUTES),
)
