"""The simulated GitHub: repositories, their collaborators, invitations and deploy keys."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from onboard.sandbox.github import views
from onboard.sandbox.github.http import Call, GitHubError, Reply, invalid, listed, not_found
from onboard.sandbox.github.state import PERMISSIONS, ROLE_NAMES, DeployKey, Repo, RepoInvitation, User

#: Where a repository's CODEOWNERS file lies here.
CODEOWNERS = ".github/CODEOWNERS"
#: The legacy `permission` field knows three levels only.
LEGACY = {"pull": "read", "triage": "read", "push": "write", "maintain": "write", "admin": "admin"}


def show_repo(call: Call) -> Reply:
    """GET /repos/{owner}/{repo}."""
    return Reply(views.full_repo(call, call.repo()))


def list_teams(call: Call) -> Reply:
    """GET /repos/{owner}/{repo}/teams: `permission` is what each team has there."""
    repo = call.repo(admin=True)
    having = [team for team in call.org.teams.values() if repo.id in team.repos]
    return listed(call, having, lambda call, team: views.team(call, team) | {"permission": team.repos[repo.id]})


def list_collaborators(call: Call) -> Reply:
    """GET collaborators: `direct` shows those who hold a direct grant, but with the highest role of every route too."""
    repo = call.repo()
    if call.org.base(call.held(repo) or PERMISSIONS[0]) not in PERMISSIONS[2:]:
        raise GitHubError(403, "Must have push access to view repository collaborators.")
    affiliation = call.query("affiliation", "all", ("all", "direct", "outside"))
    floor = call.query("permission", "pull", PERMISSIONS)
    held = [
        (who, level)
        for who, level in _collaborators(call, repo, affiliation)
        if call.org.rank(level) >= PERMISSIONS.index(floor)
    ]
    return listed(call, held, lambda call, line: views.with_role(call, views.user(call, line[0]), line[1]))


def _collaborators(call: Call, repo: Repo, affiliation: str) -> Iterator[tuple[User, str]]:
    """Users with the highest permission that they have by any route."""
    org = call.org
    everyone = {*org.members, *repo.collaborators} if affiliation == "all" else {*repo.collaborators}
    for id_ in sorted(everyone - (org.members.keys() if affiliation == "outside" else set())):
        if held := org.permission(repo, id_):
            yield org.users[id_], held


def check_collaborator(call: Call) -> Reply:
    """GET collaborators/{user}: 204 for access by any route, else 404."""
    if not call.org.permission(call.repo(), call.user().id):
        raise not_found()
    return Reply()


def show_permission(call: Call) -> Reply:
    """GET collaborators/{user}/permission: `role_name` is exact, `permission` knows three levels."""
    repo, who = call.repo(), call.user()
    held = call.org.permission(repo, who.id)
    shown = views.with_role(call, views.user(call, who), held)
    permission = LEGACY[call.org.base(held)] if held else "none"
    return Reply({"permission": permission, "role_name": shown["role_name"], "user": shown})


def add_collaborator(call: Call) -> Reply:
    """PUT collaborators/{user}: 204 for members and collaborators, else 201 with an invitation.

    Asking again changes the pending invitation; an expired one gives way to a new one.
    """
    repo, who, permission = call.repo(admin=True), call.user(), call.permission()
    _check_above_base(call, permission)
    if who.id in call.org.members or who.id in repo.collaborators:
        repo.collaborators[who.id] = permission
        return Reply()
    invitation = next((i for i in repo.invitations.values() if i.user == who.id), None)
    if invitation is None or invitation.expired(call.now):
        repo.invitations = {id_: i for id_, i in repo.invitations.items() if i.user != who.id}
        id_ = call.org.new_id()
        invitation = RepoInvitation(id=id_, user=who.id, permission=permission, inviter=call.actor.id, at=call.now)
        repo.invitations[id_] = invitation
    invitation.permission = permission
    return Reply(views.repo_invitation(call, repo, invitation), 201)


def _check_above_base(call: Call, permission: str) -> None:
    """Raises 422 for less than every member has anyway."""
    base = call.org.base_permission
    if base != "none" and call.org.rank(permission) < [*ROLE_NAMES.values()].index(base):
        name = ROLE_NAMES.get(permission, permission)
        message = f"Cannot assign {name} permission: it is lower than the base permission {base}."
        raise invalid("Repository", "permission", message, "unprocessable")


def remove_collaborator(call: Call) -> Reply:
    """DELETE collaborators/{user}: 204 whether or not there was a collaboration; invitations stay."""
    repo, who = call.repo(admin=True), call.user()
    repo.collaborators.pop(who.id, None)
    return Reply()


def list_invitations(call: Call) -> Reply:
    """GET invitations: pending and expired ones."""
    repo = call.repo(admin=True)
    return listed(call, repo.invitations.values(), lambda call, i: views.repo_invitation(call, repo, i))


def _invitation(call: Call) -> tuple[Repo, RepoInvitation]:
    repo = call.repo(admin=True)
    if found := repo.invitations.get(call.number("id")):
        return repo, found
    raise not_found()


def update_invitation(call: Call) -> Reply:
    """PATCH invitations/{id} with `permissions`."""
    repo, invitation = _invitation(call)
    names = {role: permission for permission, role in ROLE_NAMES.items()} | {
        role: role for role in call.org.custom_roles
    }
    held = ROLE_NAMES.get(invitation.permission, invitation.permission)
    invitation.permission = names[call.choice("permissions", held, names)]
    return Reply(views.repo_invitation(call, repo, invitation))


def cancel_invitation(call: Call) -> Reply:
    """DELETE invitations/{id}, expired or not."""
    repo, invitation = _invitation(call)
    del repo.invitations[invitation.id]
    return Reply()


def list_keys(call: Call) -> Reply:
    """GET keys."""
    repo = call.repo(admin=True)
    return listed(call, repo.keys.values(), lambda call, key: views.key(call, repo, key))


def _key(call: Call) -> tuple[Repo, DeployKey]:
    repo = call.repo(admin=True)
    if found := repo.keys.get(call.number("id")):
        return repo, found
    raise not_found()


def show_key(call: Call) -> Reply:
    """GET keys/{id}."""
    return Reply(views.key(call, *_key(call)))


def create_key(call: Call) -> Reply:
    """POST keys: 201; 422 without a key and for one that is in use."""
    repo = call.repo(admin=True)
    text = str(call.body.get("key", ""))
    if not text.startswith("ssh-"):
        raise invalid("PublicKey", "key", "key is invalid. You must supply a key in OpenSSH public key format")
    if any(key.key == text for other in call.org.repos.values() for key in other.keys.values()):
        raise invalid("PublicKey", "key", "key is already in use")
    id_ = call.org.new_id()
    title, read_only = str(call.body.get("title", "")), call.body.get("read_only") is True
    repo.keys[id_] = DeployKey(id=id_, title=title, key=text, read_only=read_only, at=call.now, by=call.actor.id)
    return Reply(views.key(call, repo, repo.keys[id_]), 201)


def remove_key(call: Call) -> Reply:
    """DELETE keys/{id}."""
    repo, key = _key(call)
    del repo.keys[key.id]
    return Reply()


def show_contents(call: Call) -> Reply:
    """GET contents/{path}: the sandbox's repositories hold a CODEOWNERS file, or nothing."""
    repo = call.repo()
    if call.request.path_params["path"] != CODEOWNERS or not repo.codeowners:
        raise not_found()
    content = base64.b64encode(repo.codeowners.encode()).decode()
    return Reply({"type": "file", "encoding": "base64", "name": "CODEOWNERS", "path": CODEOWNERS, "content": content})


_AT = "/repos/{owner}/{repo}"

ROUTES = (
    ("GET", _AT, show_repo),
    ("GET", f"{_AT}/teams", list_teams),
    ("GET", f"{_AT}/collaborators", list_collaborators),
    ("GET", f"{_AT}/collaborators/{{user}}", check_collaborator),
    ("PUT", f"{_AT}/collaborators/{{user}}", add_collaborator),
    ("DELETE", f"{_AT}/collaborators/{{user}}", remove_collaborator),
    ("GET", f"{_AT}/collaborators/{{user}}/permission", show_permission),
    ("GET", f"{_AT}/invitations", list_invitations),
    ("PATCH", f"{_AT}/invitations/{{id}}", update_invitation),
    ("DELETE", f"{_AT}/invitations/{{id}}", cancel_invitation),
    ("GET", f"{_AT}/keys", list_keys),
    ("POST", f"{_AT}/keys", create_key),
    ("GET", f"{_AT}/keys/{{id}}", show_key),
    ("DELETE", f"{_AT}/keys/{{id}}", remove_key),
    ("GET", f"{_AT}/contents/{{path:path}}", show_contents),
)
