"""What an organisation's plan and our credential can and can't do: each is tried, none is assumed."""

from __future__ import annotations

from collections.abc import Callable

from onboard.connectors.base import Capability
from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.graphql import GitHubGraph
from onboard.connectors.github.rest import GitHubRest
from onboard.connectors.http import MALFORMED, Answer, malformed, side_by_side
from onboard.errors import SystemFailed, SystemRefused

Probe = Callable[[GitHubClient], tuple[bool | None, str]]


def capabilities(client: GitHubClient) -> tuple[Capability, ...]:
    """Every capability, tried side by side. Raises nothing for what GitHub does: what can't be told is None."""
    return tuple(side_by_side(lambda name: _probed(client, name, _PROBES[name]), _PROBES))


def _probed(client: GitHubClient, name: str, probe: Probe) -> Capability:
    try:
        return Capability(name, *probe(client))
    except SystemRefused as refusal:
        return Capability(name, False, refusal.reason)
    except SystemFailed as failure:
        return Capability(name, None, failure.reason)
    except MALFORMED:
        return Capability(name, None, malformed(name))


def _app(client: GitHubClient) -> tuple[bool | None, str]:
    if client.is_app:
        return True, "acts as an installation; its tokens live an hour"
    return False, "acts with a token: fine-grained tokens of members stay out of sight"


def _graphql(client: GitHubClient) -> tuple[bool | None, str]:
    left, limit = GitHubGraph(client).budget()
    return True, f"{left} of {limit} points are left this hour"


def _base_permission(client: GitHubClient) -> tuple[bool | None, str]:
    base = GitHubRest(client).base_permission()
    if base is None:
        return False, "GitHub doesn't tell this credential (Administration: read of the organisation)"
    return True, f"every member has {base} on every repository" if base != "none" else "members have none by default"


def _custom_roles(client: GitHubClient) -> tuple[bool | None, str]:
    answer = _tried(client, "custom-repository-roles")
    roles = [role["name"] for role in answer.body["custom_roles"]] if answer.status == 200 else []
    return _told(answer, f"in use: {', '.join(roles)}" if roles else "none is defined")


def _org_roles(client: GitHubClient) -> tuple[bool | None, str]:
    answer = _tried(client, "organization-roles")
    return _told(answer, f"{len(answer.body['roles'])} are defined" if answer.status == 200 else "")


def _tokens(client: GitHubClient) -> tuple[bool | None, str]:
    if not client.is_app:
        return False, "shown to GitHub Apps only (Personal access tokens: read)"
    return _told(_tried(client, "personal-access-tokens"), "members' tokens and requests can be listed and revoked")


def _saml(client: GitHubClient) -> tuple[bool | None, str]:
    return _told(_tried(client, "credential-authorizations"), "authorised credentials can be listed and removed")


def _blocks(client: GitHubClient) -> tuple[bool | None, str]:
    return _told(_tried(client, "blocks"), "blocked users can be listed")


def _codeowners(client: GitHubClient) -> tuple[bool | None, str]:
    """By the first repository: without the right GitHub answers 403, without a file 404."""
    repos = client.read("list repositories", f"/orgs/{client.org}/repos", {"per_page": 1}).body
    if not repos:
        return None, "there is no repository to try it on"
    path = f"/repos/{client.org}/{repos[0]['name']}/contents/.github/CODEOWNERS"
    answer = client.read("read a CODEOWNERS file", path, expect=[403, 404])
    if answer.status == 404:
        return None, f"{repos[0]['name']}, on which it was tried, has no .github/CODEOWNERS"
    return _told(answer, "files can be read")


def _tried(client: GitHubClient, ending: str) -> Answer:
    """The answer of a list; those of roles come whole, the others in pages."""
    page = {} if ending.endswith("-roles") else {"per_page": 1}
    return client.read("try a right", f"/orgs/{client.org}/{ending}", page, expect=[403, 404])


def _told(answer: Answer, detail: str) -> tuple[bool | None, str]:
    """Whether it was allowed; where not, the permission that GitHub names in `X-Accepted-GitHub-Permissions`."""
    if answer.status == 404:
        return False, "the organisation's plan or set-up doesn't have it, or this credential can't see it"
    if answer.status == 403:
        needed = answer.headers.get("x-accepted-github-permissions")
        return False, f"this credential may not ({needed} is needed)" if needed else "this credential may not"
    return True, detail


_PROBES: dict[str, Probe] = {
    "GitHub App": _app,
    "GraphQL": _graphql,
    "base permission": _base_permission,
    "custom repository roles": _custom_roles,
    "organisation roles": _org_roles,
    "fine-grained tokens": _tokens,
    "single sign-on credentials": _saml,
    "blocked users": _blocks,
    "CODEOWNERS": _codeowners,
}
