"""What a call costs of Slack's limits (see limits.py): each method of the Web API has its own, by its tier."""

from __future__ import annotations

from collections.abc import Mapping

from onboard.connectors.pacing import Cost

#: https://docs.slack.dev/reference/methods names each method's tier; one that isn't here counts as of tier 2.
_TIERS: Mapping[str, str] = {
    "auth.test": "tier_4",  # "hundreds a minute"
    "chat.update": "tier_3",
    "conversations.history": "tier_3",
    "conversations.invite": "tier_3",
    "conversations.kick": "tier_3",
    "conversations.members": "tier_4",
    "conversations.open": "tier_3",
    "users.conversations": "tier_3",
    "users.info": "tier_4",
    "users.lookupByEmail": "tier_3",
}

SCIM_READ = (Cost("scim_reads"),)
SCIM_USER = (Cost("scim_writes"), Cost("scim_users"))


def cost(method: str) -> Cost:
    """What one call of a method takes."""
    return Cost(_TIERS.get(method, "tier_2"), of=method)
