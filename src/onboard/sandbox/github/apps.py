"""The simulated GitHub: what a GitHub App may do, and how it gets the token that it acts with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt

from onboard.sandbox.github.grants import App, Installation
from onboard.sandbox.github.http import GitHubError, not_found
from onboard.sandbox.github.views import time

#: An installation's token is good for an hour.
LIFE = timedelta(hours=1)

#: The permission that a path needs, by its beginning; the first that fits. Reading needs `read`, anything else `write`.
_NEEDED = (
    ("/orgs/{org}/organization-roles/{role_id}/users", "members"),
    ("/orgs/{org}/organization-roles/users", "members"),
    ("/orgs/{org}/organization-roles/teams", "members"),
    ("/orgs/{org}/organization-roles", "organization_custom_org_roles"),
    ("/orgs/{org}/custom-repository-roles", "organization_custom_roles"),
    ("/orgs/{org}/blocks", "organization_user_blocking"),
    ("/orgs/{org}/personal-access-token-requests", "organization_personal_access_token_requests"),
    ("/orgs/{org}/personal-access-tokens", "organization_personal_access_tokens"),
    ("/orgs/{org}/credential-authorizations", "organization_administration"),
    ("/orgs/{org}/repos", "metadata"),
    ("/orgs/{org}/", "members"),
    ("/organizations/", "members"),
    ("/repos/{owner}/{repo}/contents", "contents"),
    ("/repos/{owner}/{repo}/activity", "contents"),
    ("/repos/{owner}/{repo}/", "administration"),
)


def needed(method: str, path: str) -> tuple[str, str] | None:
    """The permission and its level that a route (`/orgs/{org}/members`) needs; None for those open to every token."""
    level = "read" if method == "GET" else "write"
    return next(((name, level) for prefix, name in _NEEDED if path.startswith(prefix)), None)


def check(installation: Installation, need: tuple[str, str] | None, path: str) -> None:
    """Raises 403 where an App's token lacks the permission, or asks for what only a user has."""
    if path.startswith("/user") and not path.startswith("/users/"):
        if path != "/user/{id}":
            raise GitHubError(403, "Resource not accessible by integration")
    elif need and not (need == ("metadata", "read") or installation.may(*need)):
        raise GitHubError(403, "Resource not accessible by integration")


def installation_token(
    app: App | None, token: str | None, installation: int, wanted: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """A token for an installation, with fewer permissions if asked, for a JWT that the App's key signed."""
    if app is None or not _signed(app, token or ""):
        raise GitHubError(401, "A JSON web token could not be decoded")
    if app.installation != installation:
        raise not_found()
    if any(not app.may(name, level) for name, level in wanted.items()):
        raise GitHubError(422, "The permissions requested are not granted to this installation.")
    value, permissions = f"ghs_{secrets.token_hex(20)}", dict(wanted) or app.permissions
    app.tokens[value] = Installation(permissions=permissions, until=now + LIFE)
    return {
        "token": value,
        "expires_at": time(now + LIFE),
        "permissions": permissions,
        "repository_selection": "all",
    }


def _signed(app: App, token: str) -> bool:
    """Whether the JWT is the App's own and in date, by the real time that clients sign with."""
    try:
        claims = jwt.decode(token, app.public_key, algorithms=["RS256"], options={"verify_iat": False})
    except jwt.InvalidTokenError:
        return False
    return str(claims.get("iss")) == str(app.id)
