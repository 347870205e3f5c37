"""Worlds for the sandbox's reset that its own world is too small for."""

from __future__ import annotations

from typing import Any


def crowded_world(size: int) -> dict[str, Any]:
    """A world of so many people: members of a GitHub team, collaborators of a repository, members of a Jira group."""
    ids = [f"p{number:03}" for number in range(size)]
    return {
        "people": {id_: _person(id_, number) for number, id_ in enumerate(ids, start=1)},
        "github": {
            "org": "acme",
            "members": ids,
            "repos": [{"name": "docs", "collaborators": dict.fromkeys(ids, "push")}, {"name": "quiet"}],
            "teams": [{"slug": "payments-engineers", "name": "Payments engineers", "members": ids}],
        },
        "jira": {
            "groups": {"outsourced-engineers": ids},
            "roles": ["Developers", "Administrators"],
            "projects": [{"key": "PAY", "name": "Payments", "roles": {"Developers": ids[:2]}}],
        },
    }


def _person(id_: str, number: int) -> dict[str, Any]:
    return {
        "name": id_,
        "email": f"{id_}@acme.example",
        "github": {"login": id_, "id": number},
        "jira": {"account_id": f"account-{id_}", "username": id_, "key": f"JIRAUSER{number}"},
    }
