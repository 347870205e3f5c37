"""What a person holds, asked with the vendors' own SDKs: no code of ours but the sandbox's addresses and tokens."""

from __future__ import annotations

from collections.abc import Iterator

import hvac
from github import Auth, Github
from jira import JIRA
from slack_sdk import WebClient

from onboard.sandbox.client import SandboxClient


def held(sandbox: SandboxClient, who: str) -> set[str]:
    """Everything on all four systems, pending invitations too."""
    return {*_github(sandbox, who), *_jira(sandbox, who), *_slack(sandbox, who), *_vault(sandbox, who)}


def _github(sandbox: SandboxClient, who: str) -> Iterator[str]:
    me = sandbox.person(who).github["login"]
    api = Github(
        base_url=sandbox.github["base_url"], auth=Auth.Token(sandbox.github["token"]), seconds_between_requests=0
    )
    org = api.get_organization(sandbox.github["org"])
    yield from ("org acme" for member in org.get_members() if member.login == me)
    yield from ("org acme, invited" for invitation in org.invitations() if invitation.login == me)
    for repo in org.get_repos():
        for user in repo.get_collaborators(affiliation="direct"):
            if user.login == me:
                yield f"repo {repo.name} {repo.get_collaborator_role_name(user)}"
        for pending in repo.get_pending_invitations():
            if pending.invitee.login == me:
                yield f"repo {repo.name} {pending.permissions}, invited"
    for team in org.get_teams():
        yield from (f"team {team.slug}" for member in team.get_members() if member.login == me)
        yield from (f"team {team.slug}, invited" for pending in team.invitations() if pending.login == me)


def _jira(sandbox: SandboxClient, who: str) -> Iterator[str]:
    me = sandbox.person(who).jira["account_id"]
    settings = sandbox.jira
    api = JIRA(
        server=settings["base_url"],
        basic_auth=(settings["email"], settings["token"]),
        max_retries=0,
        options={"rest_api_version": "3"},
    )
    for group in api.user(me, expand="groups").groups.items:
        yield f"jira group {group.name}"
    for project in api.projects():
        for name, role in api.project_roles(project.key).items():
            actors = getattr(api.project_role(project.key, role["id"]), "actors", [])
            if any(getattr(actor, "actorUser", None) and actor.actorUser.accountId == me for actor in actors):
                yield f"jira {project.key} {name}"


def _slack(sandbox: SandboxClient, who: str) -> Iterator[str]:
    me = sandbox.person(who).slack["id"]
    api = WebClient(token=sandbox.slack["bot_token"], base_url=sandbox.slack["base_url"])
    kinds = "public_channel,private_channel"
    for channel in api.conversations_list(types=kinds, limit=200)["channels"]:
        if me in api.conversations_members(channel=channel["id"], limit=200)["members"]:
            yield f"channel {channel['name']}"
    for group in api.usergroups_list(include_users=True)["usergroups"]:
        if me in group["users"]:
            yield f"usergroup {group['handle']}"


def _vault(sandbox: SandboxClient, who: str) -> Iterator[str]:
    me = sandbox.person(who).vault["username"]
    api = hvac.Client(url=sandbox.vault["addr"], token=sandbox.vault["root_token"])
    mount = api.sys.list_auth_methods()["userpass/"]["accessor"]
    found = api.secrets.identity.lookup_entity(alias_name=me, alias_mount_accessor=mount)
    if not isinstance(found, dict):  # 204: nobody has logged in or been entered under that name
        return
    entity = found["data"]
    if not entity["disabled"]:
        yield "vault login"
    for id_ in entity["group_ids"]:
        yield f"vault group {api.secrets.identity.read_group(id_)['data']['name']}"
