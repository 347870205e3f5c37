"""The loop that most teams would write over the same SDKs, call after call; its pacing set to zero, to be fair."""

from __future__ import annotations

import hvac
from github import Auth, Github
from jira import JIRA, User
from slack_sdk import WebClient

from onboard.sandbox.client import SandboxClient


def github(client: SandboxClient) -> int:
    """Organisation, teams, collaborators and invitations of each repository."""
    api = client.github
    hub = Github(
        base_url=api["base_url"],
        auth=Auth.Token(api["read_token"]),
        per_page=100,
        seconds_between_requests=0,
        seconds_between_writes=0,
        retry=None,
    )
    org = hub.get_organization(api["org"])
    found = sum(1 for _ in org.get_members()) + sum(1 for _ in org.invitations())
    for team in org.get_teams():
        found += sum(1 for _ in team.get_members(role="member"))
        found += sum(1 for _ in team.get_members(role="maintainer"))
        found += sum(1 for _ in team.invitations())
    for repo in org.get_repos():
        found += sum(1 for _ in repo.get_collaborators(affiliation="direct"))
        found += sum(1 for _ in repo.get_pending_invitations())
        found += sum(1 for _ in repo.get_keys())
    return found


def jira(client: SandboxClient) -> int:
    """Members of each group, actors of each role of each project."""
    api = client.jira
    site = JIRA(
        server=api["base_url"],
        basic_auth=(api["email"], api["read_token"]),
        max_retries=0,
        options={"rest_api_version": "3"},
    )
    found = 0
    for name in site.groups(maxResults=1000):
        found += len(site._fetch_pages(User, "values", "group/member", 0, 50, {"groupname": name}))
    for project in site.projects():
        for role in site.project_roles(project.key).values():
            found += len(site.project_role(project.key, role["id"]).actors)
    return found


def slack(client: SandboxClient) -> int:
    """Members of each channel and of each user group, and who they are, one by one as they are met."""
    api = client.slack
    web = WebClient(token=api["read_token"], base_url=api["base_url"])
    found = 0
    known: set[str] = set()
    for page in web.conversations_list(types="public_channel,private_channel", limit=200):
        for channel in page["channels"]:
            for members in web.conversations_members(channel=channel["id"], limit=200):
                found += len(members["members"])
                known.update(members["members"])
    for group in web.usergroups_list()["usergroups"]:
        found += len(web.usergroups_users_list(usergroup=group["id"])["users"])
    for user in known:
        web.users_info(user=user)
    return found


def vault(client: SandboxClient) -> int:
    """Each entity and each group by itself."""
    api = client.vault
    identity = hvac.Client(url=api["addr"], token=api["read_token"]).secrets.identity
    found = 0
    for entity in identity.list_entities()["data"]["keys"]:
        found += bool(identity.read_entity(entity)["data"]["aliases"])
    for name in identity.list_groups_by_name()["data"]["keys"]:
        found += len(identity.read_group_by_name(name)["data"]["member_entity_ids"] or [])
    return found


LOOPS = {"github": github, "jira": jira, "slack": slack, "vault": vault}
