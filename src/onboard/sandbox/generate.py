"""Worlds of any size, for measuring: as many people, repositories, teams, groups and channels as asked for.

The same numbers give the same world. Everybody is in a few things, nobody in everything, as in a company.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from onboard.errors import BadInput, Problem
from onboard.sandbox.world import World, build_world

#: What can be asked for, and how much of it there is unless asked.
SIZES: Mapping[str, int] = {
    "people": 100,
    "repos": 20,
    "teams": 10,
    "collaborators": 2,
    "projects": 10,
    "jira-groups": 10,
    "channels": 20,
    "usergroups": 5,
    "vault-people": 20,
    "vault-groups": 5,
}
ROLES = ("Viewers", "Developers", "Testers", "Administrators")
PERMISSIONS = ("pull", "triage", "push", "maintain")


def parse_sizes(text: str) -> dict[str, int]:
    """`people=1000,repos=200` as numbers over the defaults. Raises BadInput with every problem at once."""
    sizes, problems = dict(SIZES), []
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = item.partition("=")
        if name not in SIZES:
            close = get_close_matches(name, SIZES, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(SIZES)}."
            problems.append(Problem("", 0, f"--generate: {name!r} can't be generated. {hint}"))
        elif not number.isdigit():
            problems.append(Problem("", 0, f"--generate: expected {name}=NUMBER and found {item!r}."))
        else:
            sizes[name] = int(number)
    if problems:
        raise BadInput(problems)
    sizes["vault-people"] = min(sizes["vault-people"], sizes["people"])
    return sizes


def generate(sizes: Mapping[str, int]) -> World:
    """A world of these sizes. A userpass login costs a slow hash: hence `vault-people`, fewer than people."""
    people = [f"person-{number}" for number in range(sizes["people"])]
    return build_world(
        {
            "people": {id_: _person(number, vault=number < sizes["vault-people"]) for number, id_ in enumerate(people)},
            "github": _github(people, sizes),
            "jira": _jira(people, sizes),
            "slack": _slack(people, sizes),
            "vault": _vault(people[: sizes["vault-people"]], sizes),
        }
    )


def _person(number: int, *, vault: bool) -> dict[str, Any]:
    return {
        "name": f"Person {number}",
        "email": f"person-{number}@generated.example",
        "github": {"login": f"person-{number}", "id": 100_000 + number},
        "jira": {"account_id": f"5b{number:022x}", "username": f"person{number}", "key": f"JIRAUSER{20_000 + number}"},
        "slack": {"id": f"UG{number:08d}", "kind": "guest" if number % 10 == 9 else "member"},
        **({"vault": {"username": f"person-{number}"}} if vault else {}),
    }


def _every(people: list[str], parts: int, part: int) -> list[str]:
    """One of `parts` equal shares of the people."""
    return people[part::parts] if parts else []


def _some(people: list[str], part: int, count: int) -> list[str]:
    """`count` people, others for each part."""
    return list(dict.fromkeys(people[(part * count + i) % len(people)] for i in range(count))) if people else []


def _github(people: list[str], sizes: Mapping[str, int]) -> dict[str, Any]:
    inside = [person for number, person in enumerate(people) if number % 10]
    repos = [f"repo-{number}" for number in range(sizes["repos"])]
    return {
        "org": "acme",
        "members": inside,
        "repos": [
            {
                "name": name,
                "collaborators": {
                    person: PERMISSIONS[(number + i) % len(PERMISSIONS)]
                    for i, person in enumerate(_some(people, number, sizes["collaborators"]))
                },
            }
            for number, name in enumerate(repos)
        ],
        "teams": [
            {
                "slug": f"team-{number}",
                "name": f"Team {number}",
                "members": _every(inside, sizes["teams"], number),
                "repos": dict.fromkeys(repos[number :: sizes["teams"]], "push"),
            }
            for number in range(sizes["teams"])
        ],
    }


def _jira(people: list[str], sizes: Mapping[str, int]) -> dict[str, Any]:
    groups = [f"group-{number}" for number in range(sizes["jira-groups"])]
    return {
        "groups": {name: _every(people, len(groups), number) for number, name in enumerate(groups)},
        "access": groups,
        "roles": list(ROLES),
        "projects": [
            {
                "key": f"P{number}",
                "name": f"Project {number}",
                "roles": {role: _some(people, number * len(ROLES) + i, 3) for i, role in enumerate(ROLES)},
            }
            for number in range(sizes["projects"])
        ],
    }


def _slack(people: list[str], sizes: Mapping[str, int]) -> dict[str, Any]:
    members = [person for number, person in enumerate(people) if number % 10 != 9]
    return {
        "workspace": "acme",
        "channels": [
            {
                "name": f"channel-{number}",
                "private": bool(number % 2),
                "members": _every(people, sizes["channels"], number),
            }
            for number in range(sizes["channels"])
        ],
        "usergroups": [
            {"handle": f"group-{number}", "name": f"Group {number}", "members": _some(members, number, 20)}
            for number in range(sizes["usergroups"])
        ],
    }


def _vault(people: list[str], sizes: Mapping[str, int]) -> dict[str, Any]:
    names = [f"group-{number}" for number in range(sizes["vault-groups"])]
    return {
        "policies": {
            f"outsourced-{name}": f'path "secret/data/{name}/*" {{ capabilities = ["read"] }}' for name in names
        },
        "groups": {
            name: {"policies": [f"outsourced-{name}"], "members": _every(people, len(names), number)}
            for number, name in enumerate(names)
        },
    }
