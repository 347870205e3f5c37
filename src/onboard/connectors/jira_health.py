"""What a Jira token is, and what it can and can't do here: shown by `doctor`, changes nothing."""

from __future__ import annotations

from onboard.connectors.base import Health
from onboard.connectors.http import MALFORMED, malformed
from onboard.connectors.jira_client import JiraClient
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


def _unreadable(client: JiraClient) -> list[str]:
    """Jira shows a role's actors only to whoever administers the project: no permission of its own says so."""
    for project in client.projects()[:1]:
        try:
            client.roles(project)
        except SystemRefused:
            return [f"reading the roles of {project} (Administer Projects, or the scope read:project-role:jira)"]
    return []
