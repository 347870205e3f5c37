"""Changes of one membership list, carried out by threads and by processes: `python -m tests.lifecycle.containers`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from onboard import wiring
from onboard.connectors.base import Reader, Writer
from onboard.engine.perform import Outcome, Tools, carry_out
from onboard.engine.plan import Change
from onboard.ledger import Ledger, owner_here
from onboard.model import OPERATOR, Account, Resource
from onboard.settings import Settings


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Job:
    """Somebody is to be in a container, or out of it."""

    account: Account
    resource: str
    joins: bool

    def change(self) -> Change:
        before, after = (None, "member") if self.joins else ("member", None)
        return Change(self.account.person or "", self.account, Resource.parse(self.resource), before, after)

    def line(self) -> dict[str, Any]:
        return {**asdict(self), "account": {**asdict(self.account), "kind": "member", "state": "active"}}

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Job:
        return cls(Account(**line["account"]), line["resource"], line["joins"])


def clients(environment: Mapping[str, str], folder: Path) -> tuple[Mapping[str, Reader], Mapping[str, Writer]]:
    settings = Settings.load({**environment, "ONBOARD_LEDGER_URL": "sqlite:////nowhere"}, folder)
    return wiring.readers(settings, now), wiring.writers(settings, now)


def tools(url: str, environment: Mapping[str, str], folder: Path) -> Tools:
    readers, writers = clients(environment, folder)
    return Tools(readers, writers, Ledger.open(url, now), now, owner_here())


def done(jobs: Iterable[Job], with_tools: Tools) -> list[Outcome]:
    return [carry_out(job.change(), "d" * 64, OPERATOR, with_tools) for job in jobs]


def work(url: str) -> None:
    """Say that all is ready, wait for the jobs, and do them: one line each way."""
    mine = tools(url, os.environ, Path.cwd())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    outcomes = done([Job.of(line) for line in json.loads(sys.stdin.readline())], mine)
    sys.stdout.write(json.dumps([outcome.result.value for outcome in outcomes]) + "\n")


if __name__ == "__main__":
    work(sys.argv[1])
