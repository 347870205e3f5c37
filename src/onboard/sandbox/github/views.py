"""The simulated GitHub's things as JSON, with the fields that clients read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from onboard.sandbox.github import links
from onboard.sandbox.github.http import Call
from onboard.sandbox.github.state import (
    INVITATION_LIFE,
    ORG_ID,
    PERMISSIONS,
    ROLE_NAMES,
    DeployKey,
    Org,
    OrgInvitation,
    Repo,
    RepoInvitation,
    Team,
    User,
)

Json = dict[str, Any]

#: When everything and everybody began.
SINCE = {"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z"}


def time(at: datetime) -> str:
    """As GitHub writes it: `2026-11-21T10:00:00Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def user(call: Call, who: User) -> Json:
    """A user as lists show them: without name and e-mail."""
    return links.of_user(call.base, who.login, who.id) | {
        "login": who.login,
        "id": who.id,
        "node_id": f"U_{who.id}",
        "gravatar_id": "",
        "type": "User",
        "site_admin": False,
    }


def inviter(call: Call, id_: int) -> Json | None:
    """Who sent an invitation, the App (0) as its bot; None once that account is deleted."""
    app = call.org.app
    if app and not id_:
        return user(call, User(id=0, login=f"app-{app.id}[bot]", name="App", email="")) | {"type": "Bot"}
    who = call.org.users.get(id_)
    return user(call, who) if who else None


def full_user(call: Call, who: User) -> Json:
    """A user as GET /users/{login} shows them."""
    nothing = dict.fromkeys(("company", "blog", "location", "hireable", "bio"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    return user(call, who) | nothing | counts | SINCE | {"name": who.name, "email": who.email}


def org_reference(call: Call) -> Json:
    """The organisation as a part of other things."""
    login = call.org.login
    shown = {"login": login, "id": ORG_ID, "node_id": f"O_{ORG_ID}", "description": None}
    return links.of_org(call.base, login, ORG_ID) | shown


def org_account(call: Call) -> Json:
    """The organisation as an account: whoever owns a repository is shown like a user."""
    login = call.org.login
    return links.of_user(call.base, login, ORG_ID) | {
        "login": login,
        "id": ORG_ID,
        "node_id": f"O_{ORG_ID}",
        "gravatar_id": "",
        "type": "Organization",
        "site_admin": False,
    }


def org(call: Call) -> Json:
    """The organisation; what members may do is shown to owners only."""
    counts = dict.fromkeys(("public_gists", "followers", "following"), 0)
    shown = (
        org_reference(call)
        | counts
        | SINCE
        | {
            "html_url": f"https://github.com/{call.org.login}",
            "name": call.org.login,
            "type": "Organization",
            "has_organization_projects": True,
            "has_repository_projects": True,
            "archived_at": None,
            "public_repos": sum(not repo.private for repo in call.org.repos.values()),
        }
    )
    if call.owner:
        shown |= {
            "default_repository_permission": call.org.base_permission,
            "two_factor_requirement_enabled": True,
            "total_private_repos": sum(repo.private for repo in call.org.repos.values()),
            "plan": {
                "name": "enterprise",
                "space": 976562499,
                "private_repos": 999999,
                "seats": 10_000,
                "filled_seats": len(call.org.members),
            },
        }
    return shown


def membership(call: Call, who: User, role: str, state: str) -> Json:
    """A membership of the organisation, pending or active."""
    url = f"{call.base}/orgs/{call.org.login}"
    return {
        "url": f"{url}/memberships/{who.login}",
        "state": state,
        "role": role,
        "organization_url": url,
        "organization": org_reference(call),
        "user": user(call, who),
    }


def org_invitation(call: Call, invitation: OrgInvitation) -> Json:
    """An invitation to the organisation; a failed one says when and why."""
    who = call.org.users.get(invitation.user or 0)
    failed = invitation.expired(call.now)
    return {
        "id": invitation.id,
        "node_id": f"OI_{invitation.id}",
        "login": who.login if who else None,
        "email": invitation.email,
        "role": "admin" if invitation.admin else "direct_member",
        "created_at": time(invitation.at),
        "failed_at": time(invitation.at + INVITATION_LIFE) if failed else None,
        "failed_reason": "Invitation expired" if failed else None,
        "inviter": inviter(call, invitation.inviter),
        "team_count": len(invitation.teams),
        "invitation_teams_url": f"{call.base}/orgs/{call.org.login}/invitations/{invitation.id}/teams",
        "invitation_source": "member",
    }


def team(call: Call, which: Team) -> Json:
    """A team, as lists show it."""
    parent = call.org.teams.get(which.parent or 0)
    return _simple_team(call, which) | {"parent": _simple_team(call, parent) if parent else None}


def full_team(call: Call, which: Team) -> Json:
    """A team, asked for by its name."""
    counts = {"members_count": len(which.members), "repos_count": len(which.repos)}
    return team(call, which) | counts | SINCE | {"organization": org(call)}


def _simple_team(call: Call, which: Team) -> Json:
    """A team as a part of others. Its URL goes by ids, as GitHub's does."""
    url = f"{call.base}/organizations/{ORG_ID}/team/{which.id}"
    return {
        "id": which.id,
        "node_id": f"T_{which.id}",
        "url": url,
        "html_url": f"https://github.com/orgs/{call.org.login}/teams/{which.slug}",
        "name": which.name,
        "slug": which.slug,
        "description": "",
        "privacy": "closed",
        "permission": "pull",
        "members_url": f"{url}/members{{/member}}",
        "repositories_url": f"{url}/repos",
        "type": "organization",
    }


def team_membership(call: Call, which: Team, who: User, role: str, state: str) -> Json:
    """A membership of a team, pending or active."""
    url = f"{call.base}/organizations/{ORG_ID}/team/{which.id}/memberships/{who.login}"
    return {"url": url, "role": role, "state": state}


def permissions(org: Org, held: str | None) -> dict[str, bool]:
    """The permission hash: everything up to what is held, or to what a held custom role builds on."""
    rank = PERMISSIONS.index(org.base(held)) if held else -1
    return {name: i <= rank for i, name in enumerate(PERMISSIONS)}


def repo(call: Call, which: Repo) -> Json:
    """A repository as lists show it, with what whoever asks may do there."""
    full_name = f"{call.org.login}/{which.name}"
    return links.of_repo(call.base, full_name) | {
        "id": which.id,
        "node_id": f"R_{which.id}",
        "name": which.name,
        "full_name": full_name,
        "description": None,
        "owner": org_account(call),
        "private": which.private,
        "visibility": "private" if which.private else "public",
        "fork": False,
        "archived": False,
        "default_branch": "main",
        "permissions": permissions(call.org, call.held(which)),
    }


def own_repo(call: Call, which: Repo) -> Json:
    """A repository as whoever has access lists it; nobody works in those of the sandbox."""
    counts = ("forks", "open_issues", "watchers", "stargazers")
    none = dict.fromkeys(("homepage", "language", "license"))
    zero = dict.fromkeys((*counts[:3], *(f"{name}_count" for name in counts)), 0)
    able = dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_discussions", "has_downloads"), True)
    more = {"has_pages": False, "disabled": False, "size": 0, "pushed_at": SINCE["updated_at"]}
    clone = links.to_clone(f"{call.org.login}/{which.name}")
    return repo(call, which) | none | zero | able | more | clone | SINCE


def full_repo(call: Call, which: Repo) -> Json:
    """A repository, asked for by its name."""
    counts = {"network_count": 0, "subscribers_count": 0}
    return own_repo(call, which) | counts | {"organization": org_account(call)}


def with_role(call: Call, thing: Json, held: str | None) -> Json:
    """A user or repository with the permission that somebody holds; `role_name` alone tells of a custom role."""
    role = ROLE_NAMES.get(held, held) if held else "none"
    return thing | {"permissions": permissions(call.org, held), "role_name": role}


def repo_invitation(call: Call, which: Repo, invitation: RepoInvitation) -> Json:
    """An invitation to a repository, expired or not."""
    url = f"{call.base}/repos/{call.org.login}/{which.name}/invitations/{invitation.id}"
    return {
        "id": invitation.id,
        "node_id": f"RI_{invitation.id}",
        "repository": repo(call, which),
        "invitee": user(call, call.org.users[invitation.user]),
        "inviter": inviter(call, invitation.inviter),
        "permissions": ROLE_NAMES.get(invitation.permission, invitation.permission),
        "created_at": time(invitation.at),
        "expired": invitation.expired(call.now),
        "url": url,
        "html_url": f"https://github.com/{call.org.login}/{which.name}/invitations",
    }


def key(call: Call, which: Repo, what: DeployKey) -> Json:
    """A deploy key; who added it is named by login, and by nothing once that account is deleted."""
    adder = call.org.users.get(what.by or 0)
    return {
        "id": what.id,
        "key": what.key,
        "title": what.title,
        "read_only": what.read_only,
        "verified": True,
        "enabled": True,
        "created_at": time(what.at),
        "added_by": adder.login if adder else None,
        "last_used": None,
        "url": f"{call.base}/repos/{call.org.login}/{which.name}/keys/{what.id}",
    }
