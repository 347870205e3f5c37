"""The simulated GitHub's things as JSON, with the fields that clients read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from onboard.sandbox.github_http import Call
from onboard.sandbox.github_state import (
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


def time(at: datetime) -> str:
    """As GitHub writes it: `2026-11-21T10:00:00Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def user(call: Call, who: User) -> Json:
    """A user as lists show them: without name and e-mail."""
    return {
        "login": who.login,
        "id": who.id,
        "node_id": f"U_{who.id}",
        "url": f"{call.base}/users/{who.login}",
        "html_url": f"https://github.com/{who.login}",
        "type": "User",
        "site_admin": False,
    }


def inviter(call: Call, id_: int) -> Json | None:
    """Who sent an invitation; None once that account is deleted."""
    who = call.org.users.get(id_)
    return user(call, who) if who else None


def full_user(call: Call, who: User) -> Json:
    """A user as GET /users/{login} shows them."""
    return user(call, who) | {"name": who.name, "email": who.email, "company": None}


def org_reference(call: Call) -> Json:
    """The organisation as a part of other things."""
    login = call.org.login
    return {"login": login, "id": ORG_ID, "node_id": f"O_{ORG_ID}", "url": f"{call.base}/orgs/{login}"}


def org(call: Call) -> Json:
    """The organisation; what members may do is shown to owners only."""
    shown = org_reference(call) | {
        "html_url": f"https://github.com/{call.org.login}",
        "name": call.org.login,
        "type": "Organization",
        "public_repos": sum(not repo.private for repo in call.org.repos.values()),
    }
    if call.owner:
        shown |= {
            "default_repository_permission": call.org.base_permission,
            "two_factor_requirement_enabled": True,
            "total_private_repos": sum(repo.private for repo in call.org.repos.values()),
            "plan": {"name": "enterprise", "seats": 10_000, "filled_seats": len(call.org.members)},
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
    """A team. Its URL goes by ids, as GitHub's does."""
    url = f"{call.base}/organizations/{ORG_ID}/team/{which.id}"
    parent = call.org.teams.get(which.parent or 0)
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
        "parent": None if parent is None else {"id": parent.id, "slug": parent.slug, "name": parent.name},
        "organization": org_reference(call),
        "members_count": len(which.members),
        "repos_count": len(which.repos),
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
    """A repository with what whoever asks may do there."""
    full_name = f"{call.org.login}/{which.name}"
    return {
        "id": which.id,
        "node_id": f"R_{which.id}",
        "name": which.name,
        "full_name": full_name,
        "owner": org_reference(call) | {"type": "Organization"},
        "organization": org_reference(call),
        "private": which.private,
        "visibility": "private" if which.private else "public",
        "fork": False,
        "archived": False,
        "default_branch": "main",
        "url": f"{call.base}/repos/{full_name}",
        "html_url": f"https://github.com/{full_name}",
        "permissions": permissions(call.org, call.held(which)),
    }


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
