"""The simulated GitHub: organisation roles, custom repository roles, blocks, fine-grained tokens, SAML credentials."""

from __future__ import annotations

from onboard.sandbox.github import views
from onboard.sandbox.github.grants import Credential, OrgRole, Token
from onboard.sandbox.github.http import Call, GitHubError, Reply, listed, not_found
from onboard.sandbox.github.state import ROLE_NAMES, User


def list_org_roles(call: Call) -> Reply:
    """GET /orgs/{org}/organization-roles: all at once, not in pages."""
    call.check_owner()
    roles = [_org_role(call, role) for role in call.org.org_roles.values()]
    return Reply({"total_count": len(roles), "roles": roles})


def _org_role(call: Call, role: OrgRole) -> views.Json:
    shown = {"id": role.id, "name": role.name, "description": None, "permissions": [], "source": "Organization"}
    return shown | views.SINCE | {"organization": views.org_account(call)}


def _role(call: Call) -> OrgRole:
    call.check_owner()
    if found := call.org.org_roles.get(call.number("role_id")):
        return found
    raise not_found()


def list_role_users(call: Call) -> Reply:
    """GET organization-roles/{role_id}/users: whom a team's assignment reaches among them."""
    role = _role(call)
    teams = [call.org.teams[id_] for id_ in role.teams if id_ in call.org.teams]
    reached = {*role.users, *(user for team in teams for user in call.org.within(team))}
    return listed(call, sorted(reached), lambda call, id_: _assigned(call, role, call.org.users[id_]))


def _assigned(call: Call, role: OrgRole, who: User) -> views.Json:
    teams = [call.org.teams[id_] for id_ in role.teams if who.id in call.org.within(call.org.teams[id_])]
    direct = who.id in role.users
    assignment = "mixed" if direct and teams else "direct" if direct else "indirect"
    return views.user(call, who) | {
        "assignment": assignment,
        "inherited_from": [views.team(call, team) for team in teams],
    }


def assign_role(call: Call) -> Reply:
    """PUT organization-roles/users/{user}/{role_id}; 422 for whoever is no member."""
    role, who = _role(call), call.user()
    if who.id not in call.org.members:
        raise GitHubError(422, "User is not a member of the organization.")
    role.users = sorted({*role.users, who.id})
    return Reply()


def unassign_role(call: Call) -> Reply:
    """DELETE organization-roles/users/{user}/{role_id}: 204 whether or not it was assigned."""
    role, who = _role(call), call.user()
    role.users = [id_ for id_ in role.users if id_ != who.id]
    return Reply()


def assign_role_to_team(call: Call) -> Reply:
    """PUT organization-roles/teams/{slug}/{role_id}."""
    role, team = _role(call), call.team()
    role.teams = sorted({*role.teams, team.id})
    return Reply()


def list_custom_roles(call: Call) -> Reply:
    """GET /orgs/{org}/custom-repository-roles."""
    call.check_owner()
    roles: list[views.Json] = [
        {"id": 8000 + i, "name": name, "base_role": ROLE_NAMES[base], "permissions": [], "description": None}
        | views.SINCE
        | {"organization": views.org_account(call)}
        for i, (name, base) in enumerate(call.org.custom_roles.items())
    ]
    return Reply({"total_count": len(roles), "custom_roles": roles})


def list_blocks(call: Call) -> Reply:
    """GET /orgs/{org}/blocks."""
    call.check_owner()
    return listed(call, [call.org.users[id_] for id_ in call.org.blocked], views.user)


def block(call: Call) -> Reply:
    """PUT /orgs/{org}/blocks/{user}: 422 for a member."""
    call.check_owner()
    who = call.user()
    if who.id in call.org.members:
        raise GitHubError(422, "You cannot block a member of the organization.")
    call.org.blocked = sorted({*call.org.blocked, who.id})
    return Reply()


def unblock(call: Call) -> Reply:
    """DELETE /orgs/{org}/blocks/{user}."""
    call.check_owner()
    who = call.user()
    call.org.blocked = [id_ for id_ in call.org.blocked if id_ != who.id]
    return Reply()


def _for_apps(call: Call) -> None:
    """Raises 403 for every token but an App's."""
    call.check_org()
    if call.app is None:
        raise GitHubError(403, "Resource not accessible by personal access token")


def _tokens(call: Call, *, requested: bool) -> Reply:
    _for_apps(call)
    found = [token for token in call.org.tokens.values() if token.requested == requested]
    return listed(call, found, _token)


def _token(call: Call, token: Token) -> views.Json:
    shown: views.Json = {
        "id": token.id,
        "owner": views.user(call, call.org.users[token.owner]),
        "repository_selection": token.repositories,
        "repositories_url": f"{call.base}/orgs/{call.org.login}/personal-access-tokens/{token.id}/repositories",
        "permissions": {"repository": {"contents": "write", "metadata": "read"}},
        "token_id": token.id + 100_000,
        "token_name": token.name,
        "token_expired": False,
        "token_expires_at": None,
        "token_last_used_at": None,
    }
    at = views.time(token.at)
    return shown | ({"reason": None, "created_at": at} if token.requested else {"access_granted_at": at})


def list_tokens(call: Call) -> Reply:
    """GET /orgs/{org}/personal-access-tokens: for Apps only."""
    return _tokens(call, requested=False)


def list_token_requests(call: Call) -> Reply:
    """GET /orgs/{org}/personal-access-token-requests: for Apps only."""
    return _tokens(call, requested=True)


def _one_token(call: Call, *, requested: bool) -> Token:
    _for_apps(call)
    token = call.org.tokens.get(call.number("id"))
    if token is None or token.requested != requested:
        raise not_found()
    return token


def revoke_token(call: Call) -> Reply:
    """POST personal-access-tokens/{id} with action `revoke`: 204."""
    token = _one_token(call, requested=False)
    call.choice("action", "", ("revoke",))
    del call.org.tokens[token.id]
    return Reply()


def review_token(call: Call) -> Reply:
    """POST personal-access-token-requests/{id} with action `approve` or `deny`: 204."""
    token = _one_token(call, requested=True)
    if call.choice("action", "", ("approve", "deny")) == "deny":
        del call.org.tokens[token.id]
    token.requested = False
    return Reply()


def _credentials(call: Call) -> dict[int, Credential]:
    """Raises 404 where single sign-on isn't set up."""
    call.check_owner()
    if call.org.credentials is None:
        raise not_found()
    return call.org.credentials


def list_credentials(call: Call) -> Reply:
    """GET /orgs/{org}/credential-authorizations, of everybody or of one `login`."""
    login = call.request.query_params.get("login")
    found = [
        (credential, call.org.users[credential.owner].login)
        for credential in _credentials(call).values()
        if login is None or call.org.users[credential.owner].login.lower() == login.lower()
    ]
    return listed(call, found, lambda _, line: _credential(*line))


def _credential(credential: Credential, login: str) -> views.Json:
    return {
        "login": login,
        "credential_id": credential.id,
        "credential_type": credential.kind,
        "token_last_eight": f"{credential.id:08d}" if credential.kind != "SSH key" else None,
        "credential_authorized_at": views.time(credential.at),
        "credential_accessed_at": None,
        "authorized_credential_id": credential.id + 200_000,
        "authorized_credential_title": None,
        "authorized_credential_note": None,
        "authorized_credential_expires_at": None,
    }


def remove_credential(call: Call) -> Reply:
    """DELETE /orgs/{org}/credential-authorizations/{id}: 204; 404 for an unknown one."""
    credentials = _credentials(call)
    if credentials.pop(call.number("id"), None) is None:
        raise not_found()
    return Reply()


_ORG = "/orgs/{org}"

ROUTES = (
    ("GET", f"{_ORG}/organization-roles", list_org_roles),
    ("GET", f"{_ORG}/organization-roles/{{role_id}}/users", list_role_users),
    ("PUT", f"{_ORG}/organization-roles/users/{{user}}/{{role_id}}", assign_role),
    ("DELETE", f"{_ORG}/organization-roles/users/{{user}}/{{role_id}}", unassign_role),
    ("PUT", f"{_ORG}/organization-roles/teams/{{slug}}/{{role_id}}", assign_role_to_team),
    ("GET", f"{_ORG}/custom-repository-roles", list_custom_roles),
    ("GET", f"{_ORG}/blocks", list_blocks),
    ("PUT", f"{_ORG}/blocks/{{user}}", block),
    ("DELETE", f"{_ORG}/blocks/{{user}}", unblock),
    ("GET", f"{_ORG}/personal-access-tokens", list_tokens),
    ("POST", f"{_ORG}/personal-access-tokens/{{id}}", revoke_token),
    ("GET", f"{_ORG}/personal-access-token-requests", list_token_requests),
    ("POST", f"{_ORG}/personal-access-token-requests/{{id}}", review_token),
    ("GET", f"{_ORG}/credential-authorizations", list_credentials),
    ("DELETE", f"{_ORG}/credential-authorizations/{{id}}", remove_credential),
)
