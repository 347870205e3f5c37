"""Every kind of access that a connector gives or takes, as cases for the behaviours that all of them share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import hvac

from onboard.model import AccountKind, Resource
from onboard.sandbox.slack.state import TEAM
from tests.connectors.github.world import demo
from tests.connectors.stand import Case, Stand
from tests.connectors.worlds import crowded_world


def _without_slack(person: str) -> dict[str, Any]:
    world = demo()
    del world["people"][person]["slack"]
    return world


def forbid(stand: Stand, request: tuple[str, str]) -> None:
    """Forbid a request, and whatever else would do the same."""
    others = {"slack-workspace": ("POST", "admin.users.remove"), "vault-login": ("POST", "identity/entity/name/")}
    for each in (request, others.get(stand.case.name)):
        if each:
            stand.fault("forbidden", each)


def crowd() -> dict[str, Any]:
    """The demo's world with so many people that vendors answer in several pages."""
    world, extra = demo(), [f"p{number:03}" for number in range(120)]
    world["people"] = world["people"] | crowded_world(len(extra))["people"]
    world["github"]["members"] += extra
    world["github"]["repos"][-1]["collaborators"] = dict.fromkeys(extra, "push")
    world["github"]["teams"][-1]["members"] = extra
    world["jira"]["groups"]["outsourced-engineers"] = extra
    return world


# What is never granted, in the vendors' own ways


def a_deploy_key(stand: Stand) -> Resource:
    made = stand.github(
        "marta", "POST", "/repos/acme/docs/keys", title="laptop", key="ssh-ed25519 AAAA", read_only=True
    )
    return Resource("github", "deploy-key", f"acme/docs#{made['id']}")


def an_org_role(_: Stand) -> Resource:
    return Resource("github", "org-role", "acme/auditor")


def a_credential(stand: Stand) -> Resource:
    (found,) = stand.github("octo-admin", "GET", "/orgs/acme/credential-authorizations")
    return Resource("github", "credential", f"acme/{found['credential_id']}")


def a_scheme_entry(stand: Stand) -> Resource:
    body = {"permission": "EDIT_ISSUES", "holder": {"type": "user", "parameter": stand.marta.external_id}}
    stand.jira("POST", "permissionscheme/10000/permission", **body)
    return Resource("jira", "permission-scheme", "Default software scheme")


def a_guest(stand: Stand) -> Resource:
    """Marta comes as a guest; her account is known once she was invited."""
    slack, bot = stand.slack(), stand.slack("bot_token")
    channels = bot.conversations_list(types="private_channel")["channels"]
    channel = next(each["id"] for each in channels if each["name"] == "payments-dev")
    slack.admin_users_invite(team_id=TEAM, email=stand.handle("marta"), channel_ids=[channel], is_restricted=True)
    found = stand.reader.find_account(stand.handle("marta"))
    assert found is not None
    stand.marta = replace(found, id=stand.marta.id, person=stand.marta.person)
    return Resource("slack", "workspace", "acme")


def a_policy(stand: Stand) -> Resource:
    stand.root().secrets.identity.update_entity(stand.marta.external_id, policies=["outsourced-data-read"])
    return Resource("vault", "policy", "outsourced-data-read")


def a_secret_id(stand: Stand) -> Resource:
    root = stand.root()
    root.sys.enable_auth_method("approle")
    root.auth.approle.create_or_update_approle("ci", token_policies=["default"])
    accessor = root.sys.list_auth_methods()["data"]["approle/"]["accessor"]
    role_id = root.auth.approle.read_role_id("ci")["data"]["role_id"]
    root.secrets.identity.create_or_update_entity_alias(role_id, stand.marta.external_id, accessor)
    root.auth.approle.generate_secret_id("ci")
    return _of_type(stand, "approle")


def a_token(stand: Stand) -> Resource:
    known = stand.sandbox.person("marta").vault
    hvac.Client(url=stand.sandbox.vault["addr"]).auth.userpass.login(known["username"], known["password"])
    return _of_type(stand, "token")


def _of_type(stand: Stand, type_: str) -> Resource:
    """What marta holds of a type whose names nobody knows beforehand."""
    (found,) = [h.resource for h in stand.reader.residue(stand.marta).remaining if h.resource.type == type_]
    return found


ORG = ("github:org:acme", "member")
LOGIN = ("vault:login:userpass", "enabled")
_MEMBERSHIP = "^/orgs/acme/memberships/"
_TEAM = "^/orgs/acme/teams/payments-engineers/memberships/"
_IN_DOCS = "^/repos/acme/docs/(collaborators/|invitations)"
_WEEK = timedelta(days=8)
_PAGE = {"kind": "partial"}

GITHUB = (
    Case(
        "github-org", "github", ("DELETE", _MEMBERSHIP), "graphql|/orgs/acme/(members|invitations)", *ORG,
        puts=("POST", "^/orgs/acme/invitations$"), part=_PAGE, invites=True, lapses=_WEEK,
    ),
    Case(
        "github-team", "github", ("DELETE", _TEAM), "graphql|/teams", "github:team:acme/payments-engineers",
        puts=("PUT", _TEAM), part=_PAGE, needs=[ORG],
    ),
    Case(
        "github-team-of-a-stranger", "github", ("DELETE", _TEAM), "graphql|/teams",
        "github:team:acme/payments-engineers", "maintainer", puts=("PUT", _TEAM), part=_PAGE, invites=True,
        lapses=_WEEK,
    ),
    Case(
        "github-repo", "github", ("DELETE", _IN_DOCS), "graphql|/repos/acme/docs/", "github:repo:acme/docs", "push",
        puts=("PUT", _IN_DOCS), part=_PAGE, invites=True, lapses=_WEEK,
    ),
    Case(
        "github-repo-of-a-member", "github", ("DELETE", _IN_DOCS), "graphql|/repos/acme/docs/",
        "github:repo:acme/docs", "triage", puts=("PUT", _IN_DOCS), part=_PAGE, needs=[ORG],
    ),
)  # fmt: skip
GITHUB_TAKEN = (
    Case(
        "github-deploy-key", "github", ("DELETE", "^/repos/acme/docs/keys/"), "/repos/acme/docs/keys", level="read",
        bring=a_deploy_key,
        world=demo(members=["marta"], repos=[{"name": "docs", "collaborators": {"marta": "admin"}}]),
    ),
    Case(
        "github-org-role", "github", ("DELETE", "^/orgs/acme/organization-roles/"), "organization-roles",
        level="assigned", bring=an_org_role, world=demo(members=["marta"], org_roles={"auditor": ["marta"]}, teams=[]),
    ),
    Case(
        "github-credential", "github", ("DELETE", "^/orgs/acme/credential-authorizations/"),
        "credential-authorizations", level="personal access token", bring=a_credential,
        world=demo(members=["marta"], saml=[{"owner": "marta"}], teams=[]),
    ),
)  # fmt: skip
JIRA = tuple(
    case
    for system in ("jira", "jira-data-center")
    for case in (
        Case(
            f"{system}-group", system, ("DELETE", "group/user$"), "group/member", "jira:group:outsourced-engineers",
            puts=("POST", "group/user$"), part=_PAGE, accepts_what_is_so=False,
        ),
        Case(
            f"{system}-role", system, ("DELETE", "project/PAY/role/"), "project/PAY/role", "jira:project:PAY",
            "Developers", puts=("POST", "project/PAY/role/"), accepts_what_is_so=False,
            part={"kind": "forbidden", "path": "project/PAY/role/", "skip": 1},
        ),
    )
)  # fmt: skip
JIRA_TAKEN = tuple(
    Case(
        f"{system}-permission", system, ("DELETE", "permissionscheme/"), "permissionscheme", level="EDIT_ISSUES",
        bring=a_scheme_entry,
    )
    for system in ("jira", "jira-data-center")
)  # fmt: skip
SLACK = (
    Case(
        "slack-channel", "slack", ("POST", "conversations.kick"), "conversations.members", "slack:channel:payments-dev",
        puts=("POST", "conversations.invite"), part=_PAGE, accepts_what_is_so=False,
    ),
    Case(
        "slack-channel-of-a-guest", "slack", ("POST", "conversations.kick"), "conversations.members",
        "slack:channel:payments-dev", puts=("POST", "conversations.invite"), part=_PAGE, accepts_what_is_so=False,
        kind=AccountKind.GUEST,
    ),
    Case(
        "slack-usergroup", "slack", ("POST", "usergroups.users.update"), "usergroups.list",
        "slack:usergroup:payments-engineers", puts=("POST", "usergroups.users.update"),
        part={"kind": "partial", "path": "users.list"},
    ),
)  # fmt: skip
SLACK_TAKEN = (
    Case(
        "slack-workspace", "slack", ("DELETE", "/scim/v1/Users/"), "users.list", level="guest", bring=a_guest,
        invites=True, lapses=timedelta(days=31), world=_without_slack("marta"),
    ),
)  # fmt: skip
VAULT = (
    Case(
        "vault-login", "vault", ("POST", "^/v1/identity/entity/id/"), "identity/entity", *LOGIN,
        puts=("POST", "^/v1/identity/entity-alias"), part={"kind": "forbidden", "path": "entity/id/", "method": "GET"},
    ),
    Case(
        "vault-group", "vault", ("POST", "^/v1/identity/group/id/"), "identity/group", "vault:group:payments-dev",
        puts=("POST", "^/v1/identity/group/id/"), needs=[LOGIN], accepts_what_is_so=True,
        part={"kind": "forbidden", "path": "identity/group/name/"},
    ),
)  # fmt: skip
VAULT_TAKEN = (
    Case(
        "vault-policy", "vault", ("POST", "^/v1/identity/entity/id/"), "identity/entity/id/", level="direct",
        needs=[LOGIN], bring=a_policy,
    ),
    Case(
        "vault-secret-id", "vault", ("POST", "secret-id-accessor/destroy"), "/role/", level="usable",
        needs=[LOGIN], bring=a_secret_id, route="AppRole secret ids",
    ),
    Case(
        "vault-token", "vault", ("POST", "revoke-accessor"), "lookup-accessor", level="live", needs=[LOGIN],
        bring=a_token,
    ),
)  # fmt: skip

GRANTED = (*GITHUB, *JIRA, *SLACK, *VAULT)
EVERY = (*GRANTED, *GITHUB_TAKEN, *JIRA_TAKEN, *SLACK_TAKEN, *VAULT_TAKEN)
