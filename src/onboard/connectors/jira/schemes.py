"""Jira's permission schemes: users and groups that one names itself, beside the project roles it is meant for.

Rests on GET permissionscheme?expand=permissions,user (every scheme with its entries in one call) and DELETE
permissionscheme/{id}/permission/{id}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onboard.connectors.jira.client import JiraClient


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a scheme: a permission of a user (accountId, or key on Data Center) or of a group (its name)."""

    scheme: str
    path: str
    permission: str
    user: str | None = None
    shown: str = ""
    group: str | None = None


def entries(client: JiraClient) -> dict[str, list[Entry]]:
    """By scheme, the entries that name users or groups; none where a scheme names only roles and the like."""
    query = {"expand": "permissions,user"}
    schemes = client.read("list the permission schemes", "permissionscheme", query).body["permissionSchemes"]
    return {scheme["name"]: list(_entries(client, scheme)) for scheme in schemes}


def _entries(client: JiraClient, scheme: Mapping[str, Any]) -> Iterator[Entry]:
    for told in scheme["permissions"]:
        holder, path = told["holder"], f"permissionscheme/{scheme['id']}/permission/{told['id']}"
        if holder["type"] == "user":
            user = client.parsed(holder["user"]) if holder.get("user") else None
            named = user.id if user else holder.get("value") or holder["parameter"]
            yield Entry(scheme["name"], path, told["permission"], named, user.shown if user else named)
        elif holder["type"] == "group":
            yield Entry(scheme["name"], path, told["permission"], group=holder["parameter"])
