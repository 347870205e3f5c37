"""A company that works with the command line alone: a roster, a manifest, and the sandbox for its four systems."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from typer.testing import CliRunner, Result

from onboard.cli.main import app
from onboard.sandbox.client import SandboxClient

PEOPLE = ("ada", "piet", "lena", "octo-admin", "marta", "jonas", "viktor")
NEXT = re.compile(r"^Next: (.+)$", re.MULTILINE)
MANIFEST = """\
vendor:
  id: nordwind
  name: Nordwind
  contract: {{starts: {starts}, ends: {contract_ends}}}
  data_processing_agreement: {contract_ends}

engagement:
  id: payments
  name: Payments platform
  vendor: nordwind
  model: staff-augmentation
  classification: confidential
  starts: {starts}
  ends: {ends}
  sponsor: {ada}
  product_owner: {piet}
  vendor_lead: {viktor}
  company_lead: {lena}
  people:
    - {{person: {marta}, role: backend-engineer}}
    - {{person: {jonas}, role: qa-engineer}}
  rota:
    - {{person: {marta}, from: {starts}, until: {ends}}}
"""


def in_days(days: int) -> str:
    """A day as it is typed."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def write_roster(folder: Path, sandbox: SandboxClient, *people: str) -> Path:
    """The sandbox's people as a roster."""
    path = folder / "roster.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("name", "email", "github", "jira", "slack", "vault"))
        for who in map(sandbox.person, people or PEOPLE):
            handles = (who.github["login"], who.jira["account_id"], who.slack["id"], who.vault["username"])
            lines.writerow((who.name, who.email, *handles))
    return path


def write_manifest(folder: Path, ids: Mapping[str, str]) -> Path:
    """Vendor Nordwind and its engagement `payments`, in a file for git."""
    path = folder / "payments.yaml"
    dates = {"starts": in_days(-7), "ends": in_days(180), "contract_ends": in_days(270)}
    path.write_text(MANIFEST.format(**dates, **ids), encoding="utf-8")
    return path


def login(sandbox: SandboxClient, who: str) -> str:
    """Somebody's own Vault token, by their userpass login."""
    them = sandbox.person(who).vault
    url = f"{sandbox.vault['addr']}/v1/auth/userpass/login/{them['username']}"
    answer = requests.post(url, json={"password": them["password"]}, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["auth"]["client_token"])


@dataclass
class House:
    """Commands typed in one folder, each by an operator or, with `by`, under somebody's own Vault login."""

    folder: Path
    sandbox: SandboxClient
    ids: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, by: str = "", typed: str | None = None, code: int = 0, **env: str) -> Result:
        """Run a command; it has to end with this exit code, and whatever happens without a traceback."""
        variables = {**self.sandbox.env, "COLUMNS": "80", **env}
        if by:
            variables["VAULT_TOKEN"] = login(self.sandbox, by)
        result = CliRunner().invoke(app, list(words), env=variables, input=typed)
        assert result.exit_code == code, f"onboard {' '.join(words)}: {result.exit_code}\n{result.output}"
        assert "Traceback" not in result.output
        return result

    def json(self, *words: str, by: str = "", code: int = 0) -> Any:
        """What a command says as JSON: one document on stdout."""
        return json.loads(self(*words, "--json", by=by, code=code).stdout)

    def arrive(self) -> None:
        """Everybody entered, the engagement loaded."""
        self("person", "import", str(write_roster(self.folder, self.sandbox)))
        everybody = {line["email"]: line["id"] for line in self.json("person", "list")}
        self.ids = {who: everybody[self.sandbox.person(who).email] for who in PEOPLE}
        self("engagement", "load", str(write_manifest(self.folder, self.ids)))

    def as_in(self, other: House) -> None:
        """Begin where another house arrived: its ledger and its keyring, copied."""
        for kept in (*other.folder.glob("onboard.db*"), *other.folder.glob("*.keys")):
            shutil.copy(kept, self.folder)
        self.ids = dict(other.ids)

    def start(self, who: str = "marta") -> str:
        """Start somebody whose NDA is signed; the digest of what is proposed."""
        self("start", who, code=6)
        return str(self.json("record", who, "nda_signed", f"--until={in_days(90)}", code=6)["open"][0]["digest"])

    def settle(self, who: str = "marta") -> None:
        """Start somebody, approve and apply what discovery gives, and accept the invitations."""
        digest = self.start(who)
        self("approve", digest, by="ada")
        self("apply", digest)
        self.sandbox.accept(who)

    def held(self, who: str) -> list[str]:
        """What the systems say that a person holds: `repo:acme/docs pull`, with its state unless active."""
        lines = self.sandbox.holdings(who)
        return sorted(
            f"{line['resource']} {line['level']}{'' if line['state'] == 'active' else ' ' + line['state']}"
            for line in lines
        )


def next_command(result: Result) -> list[str]:
    """The words of the command that the output ends with, without `onboard`."""
    found = NEXT.search(result.stdout)
    assert found, f"no next step in:\n{result.stdout}"
    words = found[1].split()
    assert words[0] == "onboard"
    return words[1:]
