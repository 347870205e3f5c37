"""Access changed behind the tool's back, through the vendors' own APIs, in ways that a seed draws."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import hvac
import requests

from onboard.sandbox.client import Person, SandboxClient

#: Seconds for one call.
TIMEOUT = 10


@dataclass(frozen=True, slots=True, order=True)
class Expected:
    """A finding that the review has to make: kind, resource, level, and the handle or name it is about."""

    kind: str
    resource: str
    level: str
    who: str


@dataclass(frozen=True, slots=True)
class Tampering:
    """What was done, in words, and the findings that have to follow."""

    told: str
    expected: tuple[Expected, ...]


@dataclass(frozen=True)
class Scene:
    """Who is there: two engineers who stay, one who left, and a stranger."""

    sandbox: SandboxClient
    active: Person
    other: Person
    gone: Person
    stranger: Person


def tamper(scene: Scene, draw: random.Random, times: int = 4) -> list[Tampering]:
    """Tamper in `times` different ways."""
    return [way(scene) for way in draw.sample(WAYS, times)]


def _github(scene: Scene, method: str, path: str, **body: str) -> None:
    api = scene.sandbox.github
    headers = {"Authorization": f"Bearer {scene.sandbox.person('octo-admin').github['token']}"}
    requests.request(method, f"{api['base_url']}{path}", json=body, headers=headers, timeout=TIMEOUT).raise_for_status()


def _raised_to_admin(scene: Scene) -> Tampering:
    login = scene.active.github["login"]
    _github(scene, "PUT", f"/repos/acme/docs/collaborators/{login}", permission="admin")
    told = f"GitHub: an owner made {scene.active.name} admin of acme/docs"
    return Tampering(told, (Expected("drift", "github:repo:acme/docs", "admin", scene.active.name),))


def _stranger_invited(scene: Scene) -> Tampering:
    login = scene.stranger.github["login"]
    _github(scene, "PUT", f"/repos/acme/data-pipelines/collaborators/{login}", permission="push")
    scene.sandbox.accept(scene.stranger.id, "github")
    told = f"GitHub: {login}, whom nobody knows, was invited to acme/data-pipelines and accepted"
    return Tampering(told, (Expected("stranger", "github:repo:acme/data-pipelines", "push", login),))


def _team_membership_removed(scene: Scene) -> Tampering:
    login = scene.other.github["login"]
    _github(scene, "DELETE", f"/orgs/acme/teams/outsourced-readers/memberships/{login}")
    told = f"GitHub: {scene.other.name} was taken out of the team outsourced-readers"
    return Tampering(told, (Expected("missing", "github:team:acme/outsourced-readers", "member", scene.other.name),))


def _leaver_back_in_jira(scene: Scene) -> Tampering:
    api = scene.sandbox.jira
    requests.post(
        f"{api['base_url']}/rest/api/3/group/user",
        params={"groupname": "outsourced-engineers"},
        json={"accountId": scene.gone.jira["account_id"]},
        auth=(api["email"], api["token"]),
        timeout=TIMEOUT,
    ).raise_for_status()
    told = f"Jira: {scene.gone.name}, who has left, was put back into outsourced-engineers"
    return Tampering(told, (Expected("left-behind", "jira:group:outsourced-engineers", "member", scene.gone.name),))


def _into_a_vault_group(scene: Scene) -> Tampering:
    api = scene.sandbox.vault
    client = hvac.Client(url=api["addr"], token=api["root_token"])
    identity = client.secrets.identity
    accessor = client.sys.list_auth_methods()["data"]["userpass/"]["accessor"]
    alias = {"alias_name": scene.other.vault["username"], "alias_mount_accessor": accessor}
    entity = identity.lookup_entity(**alias)["data"]["id"]
    group = identity.read_group_by_name("platform-ops")["data"]
    members = [*(group["member_entity_ids"] or []), entity]
    identity.create_or_update_group_by_name("platform-ops", policies=group["policies"], member_entity_ids=members)
    told = f"Vault: {scene.other.name} was added to the group platform-ops"
    return Tampering(told, (Expected("drift", "vault:group:platform-ops", "member", scene.other.name),))


def _slack(scene: Scene, method: str, **body: str) -> None:
    api = scene.sandbox.slack
    headers = {"Authorization": f"Bearer {api['bot_token']}"}
    channels = requests.get(
        f"{api['base_url']}conversations.list",
        params={"types": "public_channel,private_channel"},
        headers=headers,
        timeout=TIMEOUT,
    ).json()
    body["channel"] = next(channel["id"] for channel in channels["channels"] if channel["name"] == body["channel"])
    answer = requests.post(f"{api['base_url']}{method}", data=body, headers=headers, timeout=TIMEOUT).json()
    if not answer["ok"]:
        raise RuntimeError(f"{method}: {answer['error']}")


def _stranger_in_a_channel(scene: Scene) -> Tampering:
    _slack(scene, "conversations.invite", channel="data-platform", users=scene.stranger.slack["id"])
    told = f"Slack: {scene.stranger.name} was invited to the private channel data-platform"
    return Tampering(told, (Expected("stranger", "slack:channel:data-platform", "member", scene.stranger.email),))


def _kicked_from_a_channel(scene: Scene) -> Tampering:
    _slack(scene, "conversations.kick", channel="onboarding", user=scene.active.slack["id"])
    told = f"Slack: {scene.active.name} was removed from the channel onboarding"
    return Tampering(told, (Expected("missing", "slack:channel:onboarding", "member", scene.active.name),))


WAYS: tuple[Callable[[Scene], Tampering], ...] = (
    _raised_to_admin,
    _stranger_invited,
    _team_membership_removed,
    _leaver_back_in_jira,
    _into_a_vault_group,
    _stranger_in_a_channel,
    _kicked_from_a_channel,
)
