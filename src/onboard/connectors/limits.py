"""The vendors' published limits, as data. A tenant with others names them: `[systems.NAME.rates]` in onboard.toml.

Sources; what a tenant measures otherwise, it names:
- GitHub, "Rate limits for the REST API" and "Rate limits and query limits for the GraphQL API": an hour's points
  differ by plan and kind of credential, and every answer tells what is left; the secondary limits (900 points a minute
  by REST and 2,000 by GraphQL, 80 writes that create content a minute and 500 an hour) are told only once they are
  passed, by a 403 or 429 that asks for a minute unless it says more. Invitations: 50 to a repository and 50 to an
  organisation a day (500 where it is paid for or older than a month). Enterprise Server has none of these unless its
  administrators say so.
- Jira Cloud, "Rate limiting": by tenant, endpoint and method, 100 GET or POST and 50 PUT or DELETE a second unless an
  endpoint says otherwise. Data Center's are its administrators'.
- Slack, "Rate limits": by method and workspace, in tiers (20, 50 or 100 a minute). "SCIM API": by organisation, 1,000
  reads and 600 writes a minute, of these 180 updates or deletions of a user, 20 at once.
- Vault and OpenBao: none, unless an operator sets a quota.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from onboard.connectors.pacing import DAY, HOUR, MINUTE, SECOND, Limit
from onboard.model import Kind

LIMITS: Mapping[Kind, Mapping[str, Limit]] = {
    Kind.GITHUB: {
        "requests": Limit("requests", None, MINUTE, each_credential=True, unsaid=MINUTE),
        "points": Limit("REST requests an hour", None, HOUR, each_credential=True),
        "graphql": Limit("GraphQL points an hour", None, HOUR, each_credential=True, unsaid=MINUTE),
        "points_a_minute": Limit("REST points a minute", 900, MINUTE, each_credential=True),
        "graphql_a_minute": Limit("GraphQL points a minute", 2_000, MINUTE, each_credential=True),
        "content": Limit("content writes a minute", 80, MINUTE, unsaid=MINUTE),
        "content_an_hour": Limit("content writes an hour", 500, HOUR),
        "invitations": Limit("invitations to the organisation a day", 50, DAY, kept=False),
        "repository_invitations": Limit("invitations to a repository a day", 50, DAY, kept=False),
    },
    Kind.JIRA: {
        "requests": Limit("requests", None, MINUTE, unsaid=SECOND),
        "reads": Limit("reads a second", 100, SECOND, unsaid=SECOND),
        "posts": Limit("POST requests a second", 100, SECOND, unsaid=SECOND),
        "puts": Limit("PUT requests a second", 50, SECOND, unsaid=SECOND),
        "deletes": Limit("DELETE requests a second", 50, SECOND, unsaid=SECOND),
    },
    Kind.SLACK: {
        "tier_2": Limit("calls a minute", 20, MINUTE, unsaid=MINUTE),
        "tier_3": Limit("calls a minute", 50, MINUTE, unsaid=MINUTE),
        "tier_4": Limit("calls a minute", 100, MINUTE, unsaid=MINUTE),
        "scim_reads": Limit("SCIM reads a minute", 1_000, MINUTE, unsaid=MINUTE),
        "scim_writes": Limit("SCIM writes a minute", 600, MINUTE, unsaid=MINUTE),
        "scim_users": Limit("SCIM changes of users a minute", 180, MINUTE, burst=20, unsaid=MINUTE),
    },
    Kind.VAULT: {
        "requests": Limit("requests a minute", None, MINUTE),
    },
}

#: Where the vendors themselves serve: these hosts, and all that end in a dot and one of them.
_VENDORS: Mapping[Kind, tuple[str, ...]] = {
    Kind.GITHUB: ("api.github.com", "ghe.com"),
    Kind.JIRA: ("atlassian.net", "api.atlassian.com", "jira.com", "atlassian-us-gov-mod.net"),
    Kind.SLACK: ("slack.com", "slack-gov.com"),
    Kind.VAULT: (),
}


def limits_of(kind: Kind, address: str, others: Mapping[str, int]) -> dict[str, Limit]:
    """The limits that hold at an address, by name: the vendor's own where it serves there, `others` in any case.

    A server of one's own has none that could be known before it says so.
    """
    known = LIMITS[kind] if _is_vendors(kind, address) else {name: _untold(it) for name, it in LIMITS[kind].items()}
    return {name: replace(limit, amount=others.get(name, limit.amount)) for name, limit in known.items()}


def _untold(limit: Limit) -> Limit:
    return replace(limit, amount=None, unsaid=0.0)


def _is_vendors(kind: Kind, address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return any(host == its or host.endswith(f".{its}") for its in _VENDORS[kind])
