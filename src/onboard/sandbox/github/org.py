"""The simulated GitHub: the organisation, its members, invitations and outside collaborators."""

from __future__ import annotations

from onboard.sandbox.github import views
from onboard.sandbox.github.http import Call, GitHubError, Reply, invalid, listed, not_found
from onboard.sandbox.github.state import OrgInvitation, User


def show_org(call: Call) -> Reply:
    """GET /orgs/{org}."""
    call.check_org()
    return Reply(views.org(call))


def list_repos(call: Call) -> Reply:
    """GET /orgs/{org}/repos: those that whoever asks can see."""
    call.check_org()
    seen = [r for r in call.org.repos.values() if not r.private or call.held(r)]
    return listed(call, seen, views.repo)


def list_members(call: Call) -> Reply:
    """GET /orgs/{org}/members: pending ones are absent. Everybody here uses two factors and conceals membership."""
    call.check_org()
    role = call.query("role", "all", ("all", "admin", "member"))
    without_2fa = call.query("filter", "all", ("all", "2fa_disabled", "2fa_insecure")) != "all"
    if without_2fa and not call.owner:
        raise GitHubError(422, "Only owners can use this filter.")
    shown = [] if without_2fa or not call.member else sorted(call.org.members.items())
    return listed(call, [call.org.users[id_] for id_, held in shown if role in ("all", held)], views.user)


def check_member(call: Call) -> Reply:
    """GET /orgs/{org}/members/{user}: 204 or 404."""
    call.check_org()
    if not call.member or call.user().id not in call.org.members:
        raise not_found()
    return Reply()


def list_public_members(call: Call) -> Reply:
    """GET /orgs/{org}/public_members: nobody has made their membership public."""
    call.check_org()
    return listed(call, list[User](), views.user)


def show_membership(call: Call) -> Reply:
    """GET /orgs/{org}/memberships/{user}: active or pending; 404 where the invitation expired."""
    call.check_org()
    who = call.user()
    if not call.member and who.id != call.actor.id:
        raise GitHubError(403, "You must be a member of this organization to see membership information.")
    return Reply(_membership(call, who))


def _membership(call: Call, who: User) -> views.Json:
    if role := call.org.members.get(who.id):
        return views.membership(call, who, role, "active")
    if invitation := call.org.pending(who, call.now):
        return views.membership(call, who, "admin" if invitation.admin else "member", "pending")
    raise not_found()


def set_membership(call: Call) -> Reply:
    """PUT /orgs/{org}/memberships/{user}: invites who isn't a member, else sets the role."""
    call.check_owner()
    role = call.choice("role", "member", ("member", "admin"))
    who = call.user()
    if who.id in call.org.members:
        _keep_an_owner(call, who, role)
        call.org.members[who.id] = role
    elif invitation := call.org.pending(who, call.now):
        invitation.admin = role == "admin"
    else:
        call.org.invite(who, call.actor, call.now, admin=role == "admin")
    return Reply(_membership(call, who))


def remove_membership(call: Call) -> Reply:
    """DELETE /orgs/{org}/memberships/{user}: ends a membership or a pending invitation; 404 where that expired."""
    call.check_owner()
    who = call.user()
    if who.id in call.org.members:
        _keep_an_owner(call, who, "")
        call.org.remove(who.id)
    elif invitation := call.org.pending(who, call.now):
        del call.org.invitations[invitation.id]
    else:
        raise not_found()
    return Reply()


def remove_member(call: Call) -> Reply:
    """DELETE /orgs/{org}/members/{user}: ends a membership, and doesn't touch invitations."""
    call.check_owner()
    who = call.user()
    if who.id not in call.org.members:
        raise not_found()
    _keep_an_owner(call, who, "")
    call.org.remove(who.id)
    return Reply()


def _keep_an_owner(call: Call, who: User, role: str) -> None:
    """Raises 403 where the organisation would be left without an owner."""
    owners = {id_ for id_, held in call.org.members.items() if held == "admin"}
    if role != "admin" and owners == {who.id}:
        raise GitHubError(403, "Cannot remove or demote the last owner of an organization.")


def list_invitations(call: Call) -> Reply:
    """GET /orgs/{org}/invitations: those that can still be accepted."""
    call.check_owner()
    return listed(call, [i for i in call.org.invitations.values() if not i.expired(call.now)], views.org_invitation)


def list_failed_invitations(call: Call) -> Reply:
    """GET /orgs/{org}/failed_invitations: those that expired."""
    call.check_owner()
    return listed(call, [i for i in call.org.invitations.values() if i.expired(call.now)], views.org_invitation)


def create_invitation(call: Call) -> Reply:
    """POST /orgs/{org}/invitations with invitee_id or email, role and team_ids: 201, or 422 where invited already."""
    call.check_owner()
    role = call.choice("role", "direct_member", ("direct_member", "admin"))
    who, email = _invitee(call)
    _check_invitable(call, who, email)
    teams = call.body.get("team_ids", [])
    if not isinstance(teams, list) or not all(team in call.org.teams for team in teams):
        raise invalid("OrganizationInvitation", "team_ids", "team_ids names a team that doesn't exist", "invalid")
    invitation = call.org.invite(who, call.actor, call.now, email=email, admin=role == "admin")
    invitation.teams = dict.fromkeys(teams, "member")
    return Reply(views.org_invitation(call, invitation), 201)


def _invitee(call: Call) -> tuple[User | None, str | None]:
    """Whom the body means: a user, or an e-mail address. Raises 404 and 422."""
    id_, email = call.body.get("invitee_id"), call.body.get("email")
    if (id_ is None) == (email is None):
        raise invalid("OrganizationInvitation", "invitee_id", "Either invitee_id or email is required", "missing_field")
    if id_ is None:
        if "@" not in str(email):
            raise invalid("OrganizationInvitation", "email", "email is not an address", "invalid")
        return None, str(email)
    who = call.org.users.get(id_) if isinstance(id_, int) else None
    if who is None:
        raise not_found()
    return who, None


def _check_invitable(call: Call, who: User | None, email: str | None) -> None:
    """Raises 422 for a member and for whoever has a pending invitation."""
    members = [call.org.users[id_] for id_ in call.org.members]
    if who in members or email in [member.email for member in members]:
        raise invalid("OrganizationInvitation", "data", "Invitee is already a part of this org", "unprocessable")
    same_address = any(i.email == email and not i.expired(call.now) for i in call.org.invitations.values() if email)
    if same_address or (who and call.org.pending(who, call.now)):
        raise invalid("OrganizationInvitation", "data", "Invitee already has a pending invitation", "unprocessable")


def _invitation(call: Call) -> OrgInvitation:
    invitation = call.org.invitations.get(call.number("id"))
    if invitation is None or invitation.expired(call.now):
        raise not_found()
    return invitation


def cancel_invitation(call: Call) -> Reply:
    """DELETE /orgs/{org}/invitations/{id}: 204; 404 for an unknown, cancelled or expired one."""
    call.check_owner()
    del call.org.invitations[_invitation(call).id]
    return Reply()


def list_invitation_teams(call: Call) -> Reply:
    """GET /orgs/{org}/invitations/{id}/teams."""
    call.check_owner()
    return listed(call, [call.org.teams[id_] for id_ in _invitation(call).teams], views.team)


def list_outside_collaborators(call: Call) -> Reply:
    """GET /orgs/{org}/outside_collaborators."""
    call.check_owner()
    without_2fa = call.query("filter", "all", ("all", "2fa_disabled", "2fa_insecure")) != "all"
    return listed(call, [] if without_2fa else call.org.outsiders(), views.user)


def remove_outside_collaborator(call: Call) -> Reply:
    """DELETE /orgs/{org}/outside_collaborators/{user}: off every repository; 422 for a member."""
    call.check_owner()
    who = call.user()
    if who.id in call.org.members:
        raise GitHubError(422, "You cannot specify an organization member to remove as an outside collaborator.")
    call.org.remove(who.id)
    return Reply()


def convert_to_outside_collaborator(call: Call) -> Reply:
    """PUT /orgs/{org}/outside_collaborators/{user}: no member any more; what teams gave stays, directly."""
    call.check_owner()
    who = call.user()
    if who.id not in call.org.members:
        raise GitHubError(403, f"{who.login} is not a member of the {call.org.login} organization.")
    _keep_an_owner(call, who, "")
    call.org.remove(who.id, keep_repos=True)
    return Reply()


ROUTES = (
    ("GET", "/orgs/{org}", show_org),
    ("GET", "/orgs/{org}/repos", list_repos),
    ("GET", "/orgs/{org}/members", list_members),
    ("GET", "/orgs/{org}/members/{user}", check_member),
    ("DELETE", "/orgs/{org}/members/{user}", remove_member),
    ("GET", "/orgs/{org}/public_members", list_public_members),
    ("GET", "/orgs/{org}/memberships/{user}", show_membership),
    ("PUT", "/orgs/{org}/memberships/{user}", set_membership),
    ("DELETE", "/orgs/{org}/memberships/{user}", remove_membership),
    ("GET", "/orgs/{org}/invitations", list_invitations),
    ("POST", "/orgs/{org}/invitations", create_invitation),
    ("DELETE", "/orgs/{org}/invitations/{id}", cancel_invitation),
    ("GET", "/orgs/{org}/invitations/{id}/teams", list_invitation_teams),
    ("GET", "/orgs/{org}/failed_invitations", list_failed_invitations),
    ("GET", "/orgs/{org}/outside_collaborators", list_outside_collaborators),
    ("DELETE", "/orgs/{org}/outside_collaborators/{user}", remove_outside_collaborator),
    ("PUT", "/orgs/{org}/outside_collaborators/{user}", convert_to_outside_collaborator),
)
