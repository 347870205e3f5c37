"""What Slack tokens may do, against what reading or writing needs: scopes that are missing, and scopes too many."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from onboard.connectors.base import Capability, Health
from onboard.connectors.slack.api import Slack
from onboard.connectors.slack.routes import lacking
from onboard.connectors.slack.scim import Scim
from onboard.errors import SystemFailed, SystemRefused

_READS = frozenset({"users:read", "users:read.email", "channels:read", "groups:read", "usergroups:read"})
_WRITES = frozenset(
    {
        "users:read",
        "channels:read",
        "channels:manage",
        "groups:read",
        "groups:write",
        "usergroups:read",
        "usergroups:write",
    }
)
_ADMINS = frozenset({"admin", "admin.users:write"})
#: What says nothing and changes nothing, and, for writing, the messages that onboard's own bot sends.
_HARMLESS = frozenset({"identify", "team:read", "users.profile:read", "emoji:read"})
#: What lists Slack Connect invitations, and could decline them; Slack has no lesser scope. And what lists sessions.
_MORE_ROUTES = frozenset({"conversations.connect:manage", "admin.users:read"})
_SESSIONS = frozenset({"admin.users:read"})
_INVITES = frozenset({"conversations.connect:write"})
_TALKS = frozenset({"chat:write", "im:write", "im:history", "users:read.email"})


def reader_health(slack: Slack, admin: Slack | None = None) -> Health:
    """The health of a reading token. What isn't needed to read members is too much: messages, writing, admin.

    An administrator's token, where one is configured for reading, must be able to list sessions and no more.
    """
    health = _health(slack, _READS, _HARMLESS | _MORE_ROUTES)
    if admin is None:
        return health
    lists = _health(admin, _SESSIONS, _HARMLESS | _READS)
    problem = "; ".join(filter(None, dict.fromkeys((health.problem, lists.problem))))
    missing = (*health.missing, *(f"{scope} of the admin token" for scope in lists.missing))
    excess = (*health.excess, *(f"{scope} of the admin token" for scope in lists.excess))
    return Health(health.reachable, health.identity, health.rights, missing, excess, problem)


def writer_health(slack: Slack, admin: Slack | None, scim: Scim | None) -> Health:
    """The health of a writing bot token, and whether the admin's token and SCIM, where configured, are good for it."""
    health = _health(slack, _WRITES, _HARMLESS | _TALKS | _MORE_ROUTES | _INVITES)
    problems = [health.problem]
    if admin:
        ends = _health(admin, _ADMINS, frozenset())
        problems += [ends.problem, *(f"the admin token lacks {scope}" for scope in ends.missing)]
    if scim:
        problems.append(_problem(scim))
    problem = "; ".join(filter(None, dict.fromkeys(problems)))
    return Health(health.reachable, health.identity, health.rights, health.missing, health.excess, problem)


def capabilities(slack: Slack, admin: Slack) -> tuple[Capability, ...]:
    """What the tokens and the workspace's plan let be read. Each is tried; None where it couldn't be told."""

    def probed(name: str, ask: Callable[[], object]) -> Capability:
        try:
            ask()
        except SystemFailed as failure:
            return Capability(name, False if lacking(failure) else None, failure.reason)
        return Capability(name, True)

    def sessions() -> object:
        return admin.find("list one session", lambda c: c.admin_users_session_list(limit=1))

    def invitations() -> object:
        return slack.find("list a Slack Connect invitation", lambda c: c.conversations_listConnectInvites(count=1))

    return (
        probed("reading users", lambda: slack.find("list a user", lambda c: c.users_list(limit=1))),
        probed("reading channels", lambda: slack.find("list a channel", lambda c: c.conversations_list(limit=1))),
        probed("reading user groups", slack.user_groups),
        probed("reading sessions (Enterprise)", sessions),
        probed("reading Slack Connect invitations", invitations),
        Capability("reading private channels without our bot", False, "Slack shows them to their members only"),
        Capability("deactivating accounts (SCIM)", None, "known to the admin token: see the health of what writes"),
    )


def _problem(scim: Scim) -> str:
    try:
        scim.check()
    except SystemFailed as failure:
        return failure.reason
    return ""


def _health(slack: Slack, needed: frozenset[str], tolerated: frozenset[str]) -> Health:
    try:
        answer = slack.find("ask whose token it is", lambda c: c.auth_test())
    except SystemRefused as refused:
        return Health(reachable=True, problem=refused.reason)
    except SystemFailed as failure:
        return Health(reachable=False, problem=failure.reason)
    identity = f"{answer.get('user', '')} in {answer.get('team', '')}"
    told = {name.lower(): value for name, value in answer.headers.items()}.get("x-oauth-scopes")
    if told is None:
        return Health(reachable=True, identity=identity, problem="Slack didn't say which scopes the token has.")
    scopes = {scope.strip() for scope in told.split(",") if scope.strip()}
    return Health(
        reachable=True,
        identity=identity,
        rights=_listed(scopes),
        missing=_listed(needed - scopes),
        excess=_listed(scopes - needed - tolerated),
    )


def _listed(scopes: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(scopes))
