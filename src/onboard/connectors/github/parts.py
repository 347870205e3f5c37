"""What has to be asked for a scope, and in which order: as much as possible side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from onboard.connectors.github.holdings import through_teams
from onboard.connectors.github.observed import Told
from onboard.connectors.github.routes import ROUTES
from onboard.connectors.github.sweep import Invitations, Part, Sweep
from onboard.connectors.github.told import Team
from onboard.connectors.http import side_by_side
from onboard.model import Resource

#: What is asked, by kind and name.
Work = dict[tuple[str, str], Callable[[], Part[Any]]]


def name_of(resource: Resource) -> str:
    """What follows the organisation in a resource's name."""
    return resource.name.partition("/")[2]


def some(sweep: Sweep, resources: Iterable[Resource], at: datetime) -> Told:
    """What these resources need, and the members, by whom everybody's kind is told."""
    types = {resource.type for resource in resources}
    slugs = {name_of(r) for r in resources if r.type == "team"}
    repos = {name_of(r).partition("#")[0] for r in resources if r.type in ("repo", "deploy-key", "codeowners")}
    work: Work = {
        **({("members", ""): sweep.members} if types else {}),
        **({("invitations", ""): sweep.invitations} if "org" in types else {}),
        **({("base", ""): sweep.base} if "base-permission" in types else {}),
        **{("team", slug): partial(sweep.team, slug) for slug in sorted(slugs)},
        **{("repo", name): partial(sweep.repository, name) for name in sorted(repos)},
        **{("route", route): partial(sweep.lines, route) for route in ROUTES if route in types},
    }
    parts = dict(zip(work, side_by_side(lambda each: each(), work.values()), strict=True))
    return _finished(sweep, at, parts)


def everything(sweep: Sweep, at: datetime) -> Told:
    """All routes, side by side; then what depends on their answers."""
    work: Work = {
        ("repos", ""): sweep.repositories,
        ("members", ""): sweep.members,
        ("teams", ""): sweep.teams,
        ("invitations", ""): sweep.invitations,
        ("base", ""): sweep.base,
        **{("route", route): partial(sweep.lines, route) for route in ROUTES},
    }
    parts = dict(zip(work, side_by_side(lambda each: each(), work.values()), strict=True))
    for kind, plural, key in (("team", "teams", "slug"), ("repo", "repos", "name")):
        listed = parts.pop((plural, ""))
        found = {(kind, getattr(each, key)): Part(each) for each in listed.value or ()}
        parts |= found if listed.value is not None else {(kind, "*"): listed}
    return _finished(sweep, at, parts, whole=True)


def _finished(sweep: Sweep, at: datetime, parts: Mapping[tuple[str, str], Part[Any]], *, whole: bool = False) -> Told:
    """The parts in their places, with what is listed repository by repository and the levels of team invitations."""
    by_kind: dict[str, dict[str, Part[Any]]] = {}
    for (kind, name), part in parts.items():
        by_kind.setdefault(kind, {})[name] = part
    teams, repos = by_kind.get("team", {}), by_kind.get("repo", {})
    invited: list[Team] = [part.value for part in teams.values() if part.value and part.value.invited]
    levels = side_by_side(sweep.levels, invited)
    invitations = by_kind.get("invitations", {}).get("")
    if invitations is None:
        invitations = sweep.invitations() if invited else Part(Invitations([], []))
    return Told(
        at,
        by_kind.get("members", {"": Part([])})[""],
        invitations,
        by_kind.get("base", {"": Part()})[""],
        teams,
        {team.slug: part for team, part in zip(invited, levels, strict=True)},
        repos,
        sweep.listed(part.value for part in repos.values() if part.value),
        by_kind.get("route", {}),
        through_teams(part.value for part in teams.values() if part.value) if whole else {},
        whole,
    )
