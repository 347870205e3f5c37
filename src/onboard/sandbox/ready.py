"""What the sandbox says once it is ready: one line of JSON for programs, a banner for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onboard.sandbox.core import BOT, GITHUB, JIRA, JIRA_DATA_CENTER, SLACK, VAULT, Credentials
from onboard.sandbox.jira.state import BOT_EMAIL
from onboard.sandbox.mail import SENDER
from onboard.sandbox.openbao.seed import password
from onboard.sandbox.world import Person, World

Json = dict[str, Any]


def ready_line(
    world: World, credentials: Credentials, urls: Mapping[str, str], root_token: str, mail: tuple[str, int]
) -> Json:
    """Addresses, tokens and people, and `env`: every ONBOARD_… setting that points onboard at this sandbox."""
    token = credentials.token
    systems: dict[str, Json] = {
        "github": {"base_url": urls[GITHUB], "org": world.github.org} | _pair(credentials, GITHUB),
        "jira": _jira(credentials, urls, JIRA, "cloud"),
        "jira_data_center": _jira(credentials, urls, JIRA_DATA_CENTER, "data-center"),
        "slack": {
            "base_url": f"{urls[SLACK]}/api/",
            "scim_base_url": f"{urls[SLACK]}/scim/v1/",
            "bot_token": token(SLACK, "write"),
            "admin_token": token(SLACK, "admin"),
            "read_token": token(SLACK, "read"),
            "read_admin_token": token(SLACK, "read-admin"),
        },
        "vault": {"addr": urls[VAULT]} | _pair(credentials, VAULT) | {"root_token": root_token},
    }
    systems["mail"] = {"host": mail[0], "port": mail[1], "sender": SENDER, "tls": "none"}
    systems["listen"] = {
        "slack_signing_secret": credentials.secret("slack-signing"),
        "jira_webhook_secret": credentials.secret("jira-webhook"),
    }
    people = {id_: _person(credentials, id_, who) for id_, who in world.people.items()}
    return {"ready": True, "control": urls["control"], **systems, "people": people, "env": _env(systems)}


def _pair(credentials: Credentials, system: str) -> Json:
    return {"token": credentials.token(system, "write"), "read_token": credentials.token(system, "read")}


def _jira(credentials: Credentials, urls: Mapping[str, str], system: str, deployment: str) -> Json:
    address = {"base_url": urls[system], "email": BOT_EMAIL}
    return address | _pair(credentials, system) | {"deployment": deployment}


def _person(credentials: Credentials, id_: str, who: Person) -> Json:
    """A person's accounts with the credentials of their own."""
    shown: Json = {"name": who.name, "email": who.email}
    own = f"person:{id_}"
    if who.github:
        shown["github"] = who.github.model_dump() | {"token": credentials.token(GITHUB, own)}
    if who.jira:
        tokens = {
            "token": credentials.token(JIRA, own),
            "data_center_token": credentials.token(JIRA_DATA_CENTER, own),
        }
        shown["jira"] = who.jira.model_dump() | tokens
    if who.slack:
        shown["slack"] = {"id": who.slack.id, "kind": who.slack.kind, "token": credentials.token(SLACK, own)}
    if who.vault:
        shown["vault"] = {"username": who.vault.username, "password": password(credentials, id_)}
    return shown


def _env(systems: Mapping[str, Json]) -> dict[str, str]:
    """The settings of the default four systems (Jira: the Cloud one), mail and listener; root's token is nobody's."""
    return {
        f"ONBOARD_{system}__{name}".upper(): str(value)
        for system in ("github", "jira", "slack", "vault", "mail", "listen")
        for name, value in systems[system].items()
        if name != "root_token"
    } | {"ONBOARD_GITHUB__PROTECTED": BOT}


def _roster_line(person: Mapping[str, Any]) -> str:
    """One person as onboard's rosters write them."""
    fields = (("github", "login"), ("jira", "account_id"), ("slack", "id"), ("vault", "username"))
    handles = (str(person.get(system, {}).get(field, "")) for system, field in fields)
    return ",".join((person["name"], person["email"], *handles))


def banner(ready: Mapping[str, Any]) -> str:
    """The ready line for people: where everything listens, who lives there, and the lines to copy."""
    listening = [
        ("GitHub", ready["github"]["base_url"]),
        ("Jira Cloud", ready["jira"]["base_url"]),
        ("Jira Data Center", ready["jira_data_center"]["base_url"]),
        ("Slack", ready["slack"]["base_url"]),
        ("Vault (OpenBao)", ready["vault"]["addr"]),
        ("Mail (SMTP)", f"{ready['mail']['host']}:{ready['mail']['port']}, read at {ready['control']}/_sandbox/mail"),
        ("Control", f"{ready['control']}/_sandbox/"),
    ]
    people = ready["people"]
    lines = [
        "The sandbox is ready. It listens on 127.0.0.1 only; nobody else on the network can reach it.",
        "",
        *(f"  {name:<17} {url}" for name, url in listening),
        "",
        "Who lives here, as a roster (roster.csv):",
        "",
        "name,email,github,jira,slack,vault",
        *(_roster_line(person) for person in people.values()),
        "",
        "Their Vault logins, for bao login -method=userpass username=…:",
        "",
        *(f"  {p['vault']['username']:<17} {p['vault']['password']}" for p in people.values() if "vault" in p),
        "",
        "To point onboard at it, paste this into another terminal:",
        "",
        *(f"export {name}={value}" for name, value in ready["env"].items()),
        f"export VAULT_ADDR={ready['vault']['addr']}",
        f"export SANDBOX={ready['control']}/_sandbox",
        "",
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines)
