"""The simulated GitHub as a world file describes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from onboard.sandbox.core import BOT
from onboard.sandbox.github.grants import App, Credential, OrgRole, Token
from onboard.sandbox.github.state import BOT_ID, Org, Push, Repo, Team, User
from onboard.sandbox.world import GitHub, World


def build(world: World, now: datetime) -> Org:
    """The organisation as the world file describes it, with the automation's own account as an owner."""
    spec = world.github
    ids = {person: who.github.id for person, who in world.people.items() if who.github}
    org = Org(login=spec.org, base_permission=spec.base_permission, users=_users(world))
    org.members = {ids[person]: "member" for person in spec.members}
    org.members |= {ids[person]: "admin" for person in spec.owners} | {BOT_ID: "admin"}
    org.custom_roles = dict(spec.custom_roles)
    org.graphql_points = spec.graphql_points
    _add_repos(org, spec, ids, now)
    _add_teams(org, spec, ids)
    _add_routes(org, spec, ids, now)
    return org


def _users(world: World) -> dict[int, User]:
    users = {
        who.github.id: User(id=who.github.id, login=who.github.login, name=who.name, email=who.email, person=person)
        for person, who in world.people.items()
        if who.github
    }
    bot = User(id=BOT_ID, login=BOT, name="onboard", email=f"{BOT}@{world.github.org}.example")
    return users | {BOT_ID: bot}


def _add_repos(org: Org, spec: GitHub, ids: Mapping[str, int], now: datetime) -> None:
    for repo in spec.repos:
        id_, given = org.new_id(), {ids[person]: level for person, level in repo.collaborators.items()}
        org.repos[id_] = Repo(
            id=id_, name=repo.name, private=repo.private, collaborators=given, codeowners=repo.codeowners
        )
        org.repos[id_].pushes = [
            Push(id=org.new_id(), by=ids[person], at=now - timedelta(days=days)) for person, days in repo.pushes.items()
        ]


def _add_teams(org: Org, spec: GitHub, ids: Mapping[str, int]) -> None:
    for team in spec.teams:
        id_ = org.new_id()
        members = {ids[p]: "member" for p in team.members} | {ids[p]: "maintainer" for p in team.maintainers}
        repos = {repo.id: team.repos[repo.name] for repo in org.repos.values() if repo.name in team.repos}
        org.teams[id_] = Team(id=id_, slug=team.slug, name=team.name, members=members, repos=repos)
    by_slug = {team.slug: team for team in org.teams.values()}
    for team in spec.teams:
        by_slug[team.slug].parent = by_slug[team.parent].id if team.parent else None


def _add_routes(org: Org, spec: GitHub, ids: Mapping[str, int], now: datetime) -> None:
    """What a member may hold besides teams and repositories, and the App."""
    for name, people in spec.org_roles.items():
        id_ = org.new_id()
        org.org_roles[id_] = OrgRole(id=id_, name=name, users=[ids[person] for person in people])
    for token in spec.tokens:
        id_, owner = org.new_id(), ids[token.owner]
        org.tokens[id_] = Token(
            id=id_, owner=owner, name=token.name, repositories=token.repositories, requested=token.requested, at=now
        )
    if spec.saml is not None:
        org.credentials = {}
        for credential in spec.saml:
            id_ = org.new_id()
            org.credentials[id_] = Credential(id=id_, owner=ids[credential.owner], kind=credential.kind, at=now)
    if spec.app:
        org.app = App.model_validate(spec.app.model_dump())
