"""What a Jira token is, and what it can and can't do here: shown by `doctor`, changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import requests

from onboard.connectors.base import Capability, Health
from onboard.connectors.http import MALFORMED, malformed
from onboard.connectors.jira.client import JiraClient
from onboard.connectors.jira.schemes import entries
from onboard.errors import SystemFailed, SystemRefused

_ASKED = ("USER_PICKER", "BROWSE_PROJECTS", "ADMINISTER_PROJECTS", "ADMINISTER")
_NEEDED = {
    False: ("USER_PICKER", "BROWSE_PROJECTS"),
    True: ("USER_PICKER", "BROWSE_PROJECTS", "ADMINISTER_PROJECTS", "ADMINISTER"),
}
_TOO_MANY = {False: ("ADMINISTER", "SYSTEM_ADMIN"), True: ("SYSTEM_ADMIN",)}


def health(client: JiraClient, *, writes: bool) -> Health:
    """Whether Jira answers, as whom, and which permissions are missing or too many for reading (or for `writes`).

    Permissions by Jira's own keys (GET myself, GET mypermissions). That roles can be read is tried on one project.
    """
    try:
        me = client.parsed(client.read("ask who the token belongs to", "myself").body)
        asked = _ASKED if client.cloud else (*_ASKED, "SYSTEM_ADMIN")
        held = client.may(asked)
        missing = [name for name in _NEEDED[writes] if not held[name]]
        missing += _unreadable(client) if not missing else []
    except SystemFailed as failure:
        return Health(reachable=isinstance(failure, SystemRefused), problem=failure.reason)
    except MALFORMED:
        return Health(reachable=True, problem=malformed("who the token belongs to"))
    excess = tuple(name for name in _TOO_MANY[writes] if held.get(name))
    return Health(True, me.shown, tuple(name for name in asked if held[name]), tuple(missing), excess)


def capabilities(client: JiraClient) -> tuple[Capability, ...]:
    """Deployment, rights, and which routes can be read. Each is asked for; None where it couldn't be told."""

    def told(name: str, ask: Callable[[], tuple[bool, str]]) -> Capability:
        try:
            return Capability(name, *ask())
        except SystemFailed as failure:
            return Capability(name, False if type(failure) is SystemRefused else None, failure.reason)
        except MALFORMED:
            return Capability(name, None, malformed(name))

    def holds(permission: str) -> tuple[bool, str]:
        return client.may([permission])[permission], permission

    def roles() -> tuple[bool, str]:
        lacking = _unreadable(client)
        return not lacking, "; ".join(lacking)

    def schemes() -> tuple[bool, str]:
        return True, f"{len(entries(client))} schemes"

    return (
        told("deployment", lambda: _deployment(client)),
        told("administering Jira", lambda: holds("ADMINISTER")),
        told("administering projects", lambda: holds("ADMINISTER_PROJECTS")),
        told("browsing users and groups", lambda: holds("USER_PICKER")),
        told("reading groups", lambda: (True, f"{len(client.groups())} groups")),
        told("reading project roles", roles),
        told("reading permission schemes", schemes),
        Capability("deactivating accounts", not client.cloud, _ACCOUNTS[client.cloud]),
    )


_ACCOUNTS = {
    True: "an Atlassian account is closed by its owner or by the organisation that manages it",
    False: "by PUT user, where the account is in Jira's own directory",
}


def _deployment(client: JiraClient) -> tuple[bool, str]:
    """GET serverInfo: whether it is what the settings say."""
    answer = client.read("ask for the version", "serverInfo", expect=[requests.codes.not_found])
    if answer.status == requests.codes.not_found:
        return False, "the address has no REST API of this deployment: check base_url, or set deployment"
    found, wanted = str(answer.body["deploymentType"]), "Cloud" if client.cloud else "Server"
    if found != wanted:
        return False, f"it is {found}, and the settings say {wanted}: set deployment"
    return True, f"{'Cloud' if client.cloud else 'Data Center'} {answer.body['version']}"


def _unreadable(client: JiraClient) -> list[str]:
    """Jira shows a role's actors only to whoever administers the project: no permission of its own says so."""
    for project in client.projects()[:1]:
        try:
            client.roles(project)
        except SystemRefused:
            return [f"reading the roles of {project} (Administer Projects, or the scope read:project-role:jira)"]
    return []
