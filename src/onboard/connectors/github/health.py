"""What a GitHub token is, and what it can and can't do here: shown by `doctor`, changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onboard.connectors.base import Health
from onboard.connectors.github.client import GitHubClient
from onboard.connectors.http import MALFORMED, Answer, malformed
from onboard.errors import SystemFailed, SystemRefused

#: Classic scopes that include others (https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps).
_INCLUDES = {"admin:org": {"write:org", "read:org"}, "write:org": {"read:org"}}
_NEEDED = {False: {"read:org"}, True: {"admin:org", "repo"}}
#: A classic token can't read private repositories without `repo`, which writes too: a fine-grained one can.
_TOO_MANY_TO_READ = {"admin:org", "write:org", "repo", "delete_repo", "admin:enterprise", "site_admin"}
_TOO_MANY_TO_WRITE = {"delete_repo", "admin:enterprise", "site_admin"}
#: What an App must be able to do, by GitHub's names for its permissions.
_APP_NEEDS = {
    False: {"members": "read", "administration": "read"},
    True: {"members": "write", "administration": "write"},
}
#: What an App that writes may write; and an App that reads writes nothing.
_APP_WRITES = frozenset(
    {
        "administration",
        "members",
        "organization_administration",
        "organization_custom_org_roles",
        "organization_personal_access_token_requests",
        "organization_personal_access_tokens",
    }
)


def health(client: GitHubClient, *, writes: bool) -> Health:
    """Whether GitHub answers, as whom, and what is missing or too much for reading (or for `writes`).

    A classic token tells its scopes in `X-OAuth-Scopes`, an App's its permissions when it is made. A fine-grained token
    doesn't: what it can read is tried, and what it can write is judged by the account's role in the organisation.
    """
    try:
        if (held := client.app_permissions()) is not None:
            return _app_health(client, held, writes=writes)
        user = client.read("ask who the token belongs to", "/user", expect=[403])
        identity = str(user.body["login"]) if user.status != 403 else "nobody that GitHub names"
        scopes = _scopes(user)
        missing = [*_scopes_missing(scopes, writes), *_unreadable(client), *_not_owner(client, writes, user)]
    except SystemFailed as failure:
        return Health(reachable=isinstance(failure, SystemRefused), problem=failure.reason)
    except MALFORMED:
        return Health(reachable=True, problem=malformed("who the token belongs to"))
    excess = (_TOO_MANY_TO_WRITE if writes else _TOO_MANY_TO_READ) & set(scopes or ())
    rights = tuple(sorted(scopes)) if scopes is not None else ("fine-grained: GitHub doesn't list its permissions",)
    return Health(True, identity, rights, tuple(missing), tuple(sorted(excess)))


def _app_health(client: GitHubClient, held: Mapping[str, str], *, writes: bool) -> Health:
    """An App's health, by the permissions that it was given on the organisation."""
    enough = {"read": {"read", "write", "admin"}, "write": {"write", "admin"}}
    missing = [f"{name}: {level}" for name, level in _APP_NEEDS[writes].items() if held.get(name) not in enough[level]]
    may_write = _APP_WRITES if writes else frozenset()
    excess = [f"{name}: {level}" for name, level in held.items() if level != "read" and name not in may_write]
    return Health(
        True,
        "an installation of a GitHub App",
        tuple(sorted(f"{name}: {level}" for name, level in held.items())),
        (*missing, *(() if missing else _unreadable(client))),
        tuple(sorted(excess)),
    )


def _scopes(answer: Answer) -> frozenset[str] | None:
    """A classic token's scopes; None for the kinds of token that have none."""
    listed = answer.headers.get("x-oauth-scopes")
    return None if listed is None else frozenset(scope.strip() for scope in listed.split(",") if scope.strip())


def _scopes_missing(scopes: frozenset[str] | None, writes: bool) -> Iterator[str]:
    if scopes is not None:
        held = scopes.union(*(_INCLUDES.get(scope, set()) for scope in scopes))
        yield from sorted(f"scope {scope}" for scope in _NEEDED[writes] - held)


def _unreadable(client: GitHubClient) -> Iterator[str]:
    """What the reader needs and isn't shown; repositories are judged by the first one."""
    org = f"/orgs/{client.org}"
    needed = {f"{org}/members": "members", f"{org}/invitations": "organisation invitations", f"{org}/teams": "teams"}
    for path, what in needed.items():
        if _refused(client, path):
            yield f"reading {what} of {client.org} (organisation permission Members: read)"
    repositories = client.read("list repositories", f"{org}/repos", {"per_page": 1}, expect=[403, 404])
    for repository in repositories.body if repositories.status == 200 else ():
        path = f"/repos/{client.org}/{repository['name']}"
        if _refused(client, f"{path}/collaborators") or _refused(client, f"{path}/invitations"):
            yield f"reading collaborators and invitations of {repository['name']} (Administration: read)"


def _not_owner(client: GitHubClient, writes: bool, user: Answer) -> Iterator[str]:
    """Changing memberships needs an owner."""
    if not writes or user.status == 403:
        return
    path = f"/user/memberships/orgs/{client.org}"
    membership = client.read("read the token's own membership", path, expect=[403, 404])
    if membership.status != 200 or membership.body["role"] != "admin":
        yield f"ownership of {client.org} (or a GitHub App with Members: write and Administration: write)"


def _refused(client: GitHubClient, path: str) -> bool:
    return client.read("try a right", path, {"per_page": 1}, expect=[403, 404]).status in (403, 404)
