"""One Prefect server for all these tests, and a company whose engineers nobody has started yet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hvac
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from onboard.cli.context import services
from onboard.cli.main import app
from onboard.ledger import Ledger, Record, records
from onboard.lifecycle import approvals
from onboard.model import OPERATOR
from onboard.sandbox.client import SandboxClient
from onboard.settings import Settings
from onboard.wiring import load_policy, open_ledger
from tests.flows.prefect_server import Prefect, server

PEOPLE = ("ada", "piet", "lena", "viktor", "marta")
MANIFEST = """\
vendor:
  id: nordwind
  name: Nordwind
  contract: {{starts: 2026-01-01, ends: 2099-12-31}}
  data_processing_agreement: 2099-12-31
engagement:
  id: payments
  name: Payments
  vendor: nordwind
  model: staff-augmentation
  classification: confidential
  starts: 2026-01-01
  ends: 2099-12-31
  sponsor: {ada}
  product_owner: {piet}
  company_lead: {lena}
  vendor_lead: {viktor}
  people:
    - {{person: {marta}, role: backend-engineer}}
  rota:
    - {{person: {marta}, from: 2026-01-01, until: 2099-12-31}}
"""


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    with server(tmp_path_factory.mktemp("prefect")) as started:
        yield started
        from onboard.flows.running import flush

        flush()


@pytest.fixture
def prefect(prefect_server: Prefect) -> Iterator[Prefect]:
    """The server, as the one that flows called in this process report to; without heartbeats, which take a second."""
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_HOME, temporary_settings

    with temporary_settings(
        {
            PREFECT_API_URL: prefect_server.url,
            PREFECT_HOME: prefect_server.folder,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        }
    ):
        yield prefect_server


@dataclass(frozen=True)
class Company:
    """Acme with its engagement loaded: what people there do, in few words."""

    sandbox: SandboxClient
    ids: dict[str, str]
    env: dict[str, str]

    @property
    def marta(self) -> str:
        """The engineer's person id."""
        return self.ids["marta"]

    def onboard(self, *arguments: str, env: dict[str, str] | None = None) -> Result:
        """The command line in this process."""
        return CliRunner().invoke(app, arguments, env=env)

    def record(self, *facts: str) -> None:
        """Put facts about the engineer on record, and leave it at that."""
        milestones = load_policy(self.settings).facts
        where = {name: "payments" if milestones[name].milestone else None for name in facts}
        noted = [records.happened(name, self.marta, engagement=where[name]) for name in facts]
        with self.ledger() as ledger:
            ledger.journal.append_many(noted, actor=OPERATOR, at=datetime.now(UTC))

    def note(self, record: Record) -> int:
        """Put something on record; its entry's number."""
        with self.ledger() as ledger:
            return ledger.journal.record(record, actor=OPERATOR, at=datetime.now(UTC)).seq

    def approve(self) -> None:
        """Have what is open approved by the sponsor and the product owner, each by their own Vault login."""
        for who in ("ada", "piet"):
            login = self.sandbox.person(who).vault
            vault = hvac.Client(url=self.sandbox.vault["addr"], token="")
            answer = vault.auth.userpass.login(login["username"], login["password"], use_token=False)
            with services() as opened:
                actor = approvals.authenticate(opened, SecretStr(answer["auth"]["client_token"]))
                for proposal in approvals.inbox(opened, actor):
                    approvals.approve(opened, proposal.digest, actor)

    def entries(self) -> int:
        """How many entries the journal has."""
        with self.ledger() as ledger:
            return ledger.journal.head().seq

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        opened = open_ledger(self.settings, lambda: datetime.now(UTC))
        try:
            yield opened
        finally:
            opened.close()

    @property
    def settings(self) -> Settings:
        return Settings.load(self.env)

    def held(self, system: str) -> set[str]:
        """What the engineer holds there, as the sandbox sees it."""
        return {
            f"{line['resource']} {line['level']}" for line in self.sandbox.holdings("marta") if line["system"] == system
        }


@pytest.fixture
def company(sandbox: SandboxClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    env = {**sandbox.env, "ONBOARD_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}", "HOME": str(tmp_path)}
    for name in ("VAULT_TOKEN", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    company = Company(sandbox, {}, env)
    roster = [["name", "email", "github", "jira", "slack", "vault"], *(_line(sandbox, who) for who in PEOPLE)]
    (tmp_path / "roster.csv").write_text("\n".join(map(",".join, roster)), encoding="utf-8")
    assert company.onboard("person", "import", "roster.csv").exit_code == 0
    known = {one["email"]: one["id"] for one in json.loads(company.onboard("person", "list", "--json").stdout)}
    company.ids.update({who: known[sandbox.person(who).email] for who in PEOPLE})
    (tmp_path / "payments.yaml").write_text(MANIFEST.format(**company.ids), encoding="utf-8")
    loaded = company.onboard("engagement", "load", "payments.yaml")
    assert loaded.exit_code == 0, loaded.output
    return company


def _line(sandbox: SandboxClient, who: str) -> list[str]:
    person = sandbox.person(who)
    handles = (person.github["login"], person.jira["account_id"], person.email, person.vault["username"])
    return [person.name, person.email, *map(str, handles)]


def private_words(sandbox: SandboxClient, text: str) -> set[str]:
    """What stands in a text, as a word of its own, that only those may see who may see names; or nobody: secrets."""
    known = set(_secrets(sandbox.ready))
    for who in sandbox.ready["people"]:
        person = sandbox.person(who)
        known |= {person.name, *person.name.split(), person.email, person.github["login"], str(person.github["id"])}
        known |= {person.jira["username"], person.jira["account_id"], person.slack["id"], person.vault["username"]}
    lowered = text.lower()
    met = (word for word in known if word.lower() in lowered)
    return {word for word in met if re.search(rf"(?<![\w-]){re.escape(word.lower())}(?![\w-])", lowered)}


def _secrets(tree: Mapping[str, Any]) -> Iterator[str]:
    """Every token and password of the sandbox's."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _secrets(value)
        elif key.endswith("token") or key == "password":
            yield str(value)
