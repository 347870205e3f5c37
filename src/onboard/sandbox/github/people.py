"""The simulated GitHub: users, and what a person does with their own token."""

from __future__ import annotations

from onboard.sandbox.github import views
from onboard.sandbox.github.http import Call, GitHubError, Reply, listed, not_found
from onboard.sandbox.github.state import Repo, RepoInvitation


def show_self(call: Call) -> Reply:
    """GET /user."""
    return Reply(views.full_user(call, call.actor))


def show_user(call: Call) -> Reply:
    """GET /users/{login}: a former login is 404, or whoever took it since."""
    return Reply(views.full_user(call, call.user()))


def show_user_by_id(call: Call) -> Reply:
    """GET /user/{id}."""
    if who := call.org.users.get(call.number("id")):
        return Reply(views.full_user(call, who))
    raise not_found()


def list_own_repos(call: Call) -> Reply:
    """GET /user/repos: those that one has access to by any route."""
    return listed(call, [r for r in call.org.repos.values() if call.org.permission(r, call.actor.id)], views.own_repo)


def list_own_invitations(call: Call) -> Reply:
    """GET /user/repository_invitations: one's own that can still be accepted."""
    own = [
        (repo, invitation)
        for repo in call.org.repos.values()
        for invitation in repo.invitations.values()
        if invitation.user == call.actor.id and not invitation.expired(call.now)
    ]
    return listed(call, own, lambda call, line: views.repo_invitation(call, *line))


def _own_invitation(call: Call) -> tuple[Repo, RepoInvitation]:
    """One's own invitation to a repository that the path names. Raises 404 for another's and for an expired one."""
    id_ = call.number("id")
    for repo in call.org.repos.values():
        found = repo.invitations.get(id_)
        if found and found.user == call.actor.id and not found.expired(call.now):
            return repo, found
    raise not_found()


def accept_invitation(call: Call) -> Reply:
    """PATCH /user/repository_invitations/{id}: 204."""
    call.org.collaborate(*_own_invitation(call))
    return Reply()


def decline_invitation(call: Call) -> Reply:
    """DELETE /user/repository_invitations/{id}: 204."""
    repo, invitation = _own_invitation(call)
    del repo.invitations[invitation.id]
    return Reply()


def _own_memberships(call: Call) -> list[views.Json]:
    """One's membership of the organisation, active or pending, where there is one."""
    if role := call.org.members.get(call.actor.id):
        return [views.membership(call, call.actor, role, "active")]
    if invitation := call.org.pending(call.actor, call.now):
        return [views.membership(call, call.actor, "admin" if invitation.admin else "member", "pending")]
    return []


def list_own_memberships(call: Call) -> Reply:
    """GET /user/memberships/orgs."""
    state = call.query("state", "all", ("all", "active", "pending"))
    return listed(call, [m for m in _own_memberships(call) if state in ("all", m["state"])], lambda _, shown: shown)


def show_own_membership(call: Call) -> Reply:
    """GET /user/memberships/orgs/{org}."""
    call.check_org()
    if shown := _own_memberships(call):
        return Reply(shown[0])
    raise not_found()


def accept_membership(call: Call) -> Reply:
    """PATCH /user/memberships/orgs/{org} with state `active`: accepts the invitation; 404 where it expired."""
    call.check_org()
    if call.body.get("state") != "active":
        raise GitHubError(422, "You can only update an organization membership's state to 'active'.")
    if invitation := call.org.pending(call.actor, call.now):
        call.org.join(call.actor, invitation)
    return show_own_membership(call)


ROUTES = (
    ("GET", "/user", show_self),
    ("GET", "/users/{user}", show_user),
    ("GET", "/user/repos", list_own_repos),
    ("GET", "/user/repository_invitations", list_own_invitations),
    ("PATCH", "/user/repository_invitations/{id}", accept_invitation),
    ("DELETE", "/user/repository_invitations/{id}", decline_invitation),
    ("GET", "/user/memberships/orgs", list_own_memberships),
    ("GET", "/user/memberships/orgs/{org}", show_own_membership),
    ("PATCH", "/user/memberships/orgs/{org}", accept_membership),
    ("GET", "/user/{id}", show_user_by_id),
)
