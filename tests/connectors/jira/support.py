"""What the tests of Jira share: one deployment as the product would talk to it, and how people are known there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.jira.client import Deployment
from onboard.connectors.jira.reader import JiraReader
from onboard.connectors.jira.writer import JiraWriter
from onboard.model import Account, Reading, Resource
from onboard.sandbox.client import SandboxClient

GROUP = Resource("jira", "group", "outsourced-engineers")
PROJECT = Resource("jira", "project", "PAY")
OTHER = Resource("jira", "project", "OPS")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """One deployment, as the product would talk to it, and how people are known there."""

    sandbox: SandboxClient
    deployment: Deployment

    @property
    def system(self) -> str:
        """Its name in the sandbox."""
        return "jira" if self.cloud else "jira-data-center"

    @property
    def cloud(self) -> bool:
        return self.deployment == "cloud"

    @property
    def settings(self) -> dict[str, str]:
        return dict(self.sandbox.jira if self.cloud else self.sandbox.jira_data_center)

    @property
    def reader(self) -> JiraReader:
        at = self.settings
        return JiraReader("jira", at["base_url"], at["email"], SecretStr(at["read_token"]), self.deployment, now)

    @property
    def writer(self) -> JiraWriter:
        at = self.settings
        return JiraWriter("jira", at["base_url"], at["email"], SecretStr(at["token"]), self.deployment, now)

    def handle(self, person: str) -> str:
        return str(self.sandbox.person(person).jira["account_id" if self.cloud else "username"])

    def account(self, person: str) -> Account:
        found = self.reader.find_account(self.handle(person))
        assert found is not None
        return found

    def reading(self, resource: Resource) -> Reading:
        return self.reader.read(Scope(frozenset({resource}))).of(resource)

    def held(self, resource: Resource, account: Account) -> list[str]:
        reading = self.reading(resource)
        assert reading.unknown is None
        return [holding.level for holding in reading.holdings if holding.account == account.external_id]


def as_bot(site: Site, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """A call to the vendor's own API with the token that may write; the answer's body."""
    at = site.settings
    session = requests.Session()
    session.trust_env = False
    session.headers.update({} if site.cloud else {"Authorization": f"Bearer {at['token']}"})
    session.auth = (at["email"], at["token"]) if site.cloud else None
    answer = session.request(method, f"{at['base_url']}/rest/api/2/{path}", json=body, timeout=5)
    answer.raise_for_status()
    return answer.json()
