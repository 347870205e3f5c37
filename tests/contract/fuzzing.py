"""Requests made up from a vendor's description, right ones and wrong ones, sent to the sandbox.

Only what the simulators have is asked for, and names and ids are often ones that exist, so that requests get past the
first 404. The same seed makes the same requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from requests.exceptions import InvalidHeader, InvalidURL
from schemathesis import Case, GenerationMode
from starlette.routing import Match

from onboard.sandbox.client import SandboxClient
from onboard.sandbox.core import Clock, Credentials
from onboard.sandbox.server import build_simulators
from onboard.sandbox.slack.simulator import METHODS
from onboard.sandbox.world import demo_world
from tests.contract.description import Description, Exchange, Finding, Operation
from tests.contract.schemas import references
from tests.contract.vendors import SAME_AS_GET

SEED = 20261122
#: Requests for each operation, of each kind: those that the description allows and those that it doesn't.
EXAMPLES = 5

POOLS: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "github": {
        "org": ["acme"],
        "owner": ["acme"],
        "repo": ["docs", "payments-api"],
        "username": ["marta-nw", "ada", "nobody"],
        "team_slug": ["payments-engineers", "outsourced-readers"],
        "account_id": [90001, 10001, 1],
        "invitee_id": [90001, 90002],
        "team_ids": [[1], []],
    },
    "jira": {
        "accountId": ["5b10a2844c20165700ede21a", "5b10a2844c20165700ede001", "nobody"],
        "projectIdOrKey": ["PAY", "10000", "NONE"],
        "groupname": ["outsourced-engineers", "nobodys"],
        "groupName": [["outsourced-engineers"]],
        "id": [10001, 10002, 7],
        "user": [["5b10a2844c20165700ede21a"], ["nobody"]],
        "group": [["outsourced-engineers"], []],
        "permissions": ["BROWSE_PROJECTS,ADMINISTER", "NONE"],
    },
    "jira-data-center": {
        "username": ["mkowalska", "aberg", "nobody"],
        "key": ["JIRAUSER10101", "nobody"],
        "name": ["mkowalska", "outsourced-engineers", "nobody"],
        "projectIdOrKey": ["PAY", "10000", "NONE"],
        "groupname": ["outsourced-engineers", "nobodys"],
        "id": [10001, 10002, 7],
    },
    "slack": {
        "user": ["U0MARTA0001", "U0ADA000001", "U0NOBODY000"],
        "user_id": ["U0MARTA0001", "U0ONBOARDADM", "U0NOBODY000"],
        "users": ["U0MARTA0001", "U0ADA000001,U0MARTA0001", "U0NOBODY000"],
        "team_id": ["T0ACME00001"],
    },
    "scim": {"id": ["U0MARTA0001", "U0ONBOARDADM", "U0NOBODY000"], "filter": ['userName eq "marta"', "x"]},
}


class Fuzz:
    """One API of the sandbox, under fire."""

    def __init__(self, api: str, description: Description, sandbox: SandboxClient) -> None:
        self._api = api
        self._description = description
        self._sandbox = sandbox
        self._session = requests.Session()
        self._session.trust_env = False
        self._pool = {**POOLS[api], **_seen(api, sandbox)}
        self.sent = 0

    def run(self) -> set[Finding]:
        """Every operation that the simulator has, from the starting state each time; what was wrong with answers."""
        findings: set[Finding] = set()
        chosen = implemented(self._api, self._description)
        schema = schemathesis.openapi.from_dict(self._document(chosen))
        for operation in chosen:
            self._sandbox.reset()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                findings |= self._shoot(schema[operation.template][operation.method], operation, mode)
        return findings

    def _shoot(self, target: Any, operation: Operation, mode: GenerationMode) -> set[Finding]:
        findings: set[Finding] = set()
        if mode is GenerationMode.NEGATIVE and not (operation.parameters or operation.bodies):
            return findings

        @seed(SEED)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=target.as_strategy(generation_mode=mode))
        def one(case: Case[Any]) -> None:
            findings.update(self._ask(operation, case))

        with suppress(*([Unsatisfiable] if mode is GenerationMode.NEGATIVE else [])):  # where anything is right
            one()
        return findings

    def _ask(self, operation: Operation, case: Case[Any]) -> Iterable[Finding]:
        url = base_url(self._api, self._sandbox)
        try:
            answer = case.call(base_url=url, session=self._session, **credentials(self._api, operation, self._sandbox))
        except (InvalidHeader, InvalidURL, ValueError):
            return ()  # what no client can send
        self.sent += 1
        if answer.status_code >= 500:
            return [Finding(str(operation), f"answer {answer.status_code}", "/", f"to {case.as_curl_command()[:400]}")]
        path = str(answer.request.path_url).partition("?")[0]
        if self._description.operation(operation.method, path) is not operation:
            return ()
        return self._description.check_answer(operation, _exchange(operation, answer))

    def _document(self, chosen: Iterable[Operation]) -> dict[str, Any]:
        """The description, of these operations only, with what exists put where names are wanted."""
        paths: dict[str, Any] = {}
        for operation in chosen:
            parameters = [self._tempting(item) for item in operation.parameters if item["in"] != "header"]
            raw: dict[str, Any] = {"parameters": parameters, "responses": {}}
            if operation.bodies:
                content = {kind: self._tempting_body(told) for kind, told in operation.bodies.items()}
                raw["requestBody"] = {**operation.raw["requestBody"], "content": content}
            paths.setdefault(operation.template, {})[operation.method.lower()] = raw
        schemas = self._description.document.get("components", {}).get("schemas", {})
        document = {"openapi": "3.0.3", "info": {"title": self._api, "version": "1"}, "paths": paths}
        return {**document, "components": {"schemas": needed(paths, schemas)}}

    def _tempting(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {**item, "schema": self._or_known(item["name"], item.get("schema", {}), only=item["in"] == "path")}

    def _tempting_body(self, told: Mapping[str, Any]) -> dict[str, Any]:
        schema = told.get("schema", {})
        if "properties" not in schema:
            return dict(told)
        inner = {name: self._or_known(name, part) for name, part in schema["properties"].items()}
        return {**told, "schema": {**schema, "properties": inner}}

    def _or_known(self, name: str, schema: Mapping[str, Any], *, only: bool = False) -> Mapping[str, Any]:
        known = self._pool.get(name)
        if known is None:
            return schema
        return {"enum": list(known)} if only else {"anyOf": [{"enum": list(known)}, schema]}


def needed(paths: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The named schemas that these paths refer to: all of them would cost the fuzzer a minute."""
    found: dict[str, Any] = {}
    waiting = list(references(paths))
    while waiting:
        name = waiting.pop().rpartition("/")[2]
        if name not in found:
            found[name] = schemas[name]
            waiting += references(schemas[name])
    return found


def implemented(api: str, description: Description) -> list[Operation]:
    """The operations that the simulator answers itself."""
    if api == "scim":
        return description.operations
    if api == "slack":
        once = [op for op in description.operations if SAME_AS_GET not in op.raw]
        return [op for op in once if op.template.removeprefix("/") in METHODS]
    world = demo_world()
    simulator: Any = build_simulators(world, Clock(), Credentials(b"", world))[api]
    return [op for op in description.operations if _answers(simulator.app, f"{description.prefix}{op.template}", op)]


def _answers(app: Any, template: str, operation: Operation) -> bool:
    path = "/".join("1" if part.startswith("{") else part for part in template.split("/"))
    scope = {"type": "http", "method": operation.method, "path": path}
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


def base_url(api: str, sandbox: SandboxClient) -> str:
    """Where the description's paths begin."""
    if api == "github":
        return sandbox.github["base_url"]
    if api == "slack":
        return sandbox.slack["base_url"].rstrip("/")
    if api == "scim":
        return sandbox.slack["scim_base_url"].rstrip("/")
    return sandbox.jira["base_url"] if api == "jira" else f"{sandbox.jira_data_center['base_url']}/rest"


def credentials(api: str, operation: Operation, sandbox: SandboxClient) -> dict[str, Any]:
    """The automation's own, which may write; Slack's admin token where a method takes no bot."""
    if api == "jira":
        return {"auth": (sandbox.jira["email"], sandbox.jira["token"])}
    token = {"github": sandbox.github["token"], "jira-data-center": sandbox.jira_data_center["token"]}.get(api)
    if token is None:
        method = METHODS.get(operation.template.removeprefix("/"))
        token = sandbox.slack["admin_token" if method is None or method.user_token else "bot_token"]
    return {"headers": {"Authorization": f"Bearer {token}"}}


def _seen(api: str, sandbox: SandboxClient) -> dict[str, Sequence[Any]]:
    """Ids that the sandbox made up itself."""
    if api != "slack":
        return {}
    headers = {"Authorization": f"Bearer {sandbox.slack['bot_token']}"}
    url = sandbox.slack["base_url"]
    query = {"types": "public_channel,private_channel"}
    channels = requests.get(f"{url}conversations.list", query, headers=headers, timeout=10).json()["channels"]
    groups = requests.get(f"{url}usergroups.list", headers=headers, timeout=10).json()["usergroups"]
    ids = [channel["id"] for channel in channels]
    return {"channel": [*ids, "C0NONE"], "channel_ids": ids, "usergroup": [group["id"] for group in groups]}


def _exchange(operation: Operation, answer: Any) -> Exchange:
    kind = (answer.headers.get("content-type") or [""])[0]
    body = answer.content.decode("utf-8", "replace")
    return Exchange(operation.method, "", "", "", "", answer.status_code, kind, body)
