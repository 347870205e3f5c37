"""A process that asks GitHub by GraphQL until it is told to stop: `pacing_worker.py LEDGER_URL BASE_URL TOKEN`.

Prints how many queries were answered, and the failure that ended it.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from onboard.connectors.github.client import GitHubClient
from onboard.connectors.limits import limits_of
from onboard.engine.budget import Budget
from onboard.errors import SystemFailed
from onboard.ledger import Ledger
from onboard.ledger.budgets import Budgets
from onboard.model import Kind


def now() -> datetime:
    return datetime.now(UTC)


def told(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(url: str, address: str, token: str) -> None:
    ledger = Ledger.open(url, now)
    limits = limits_of(Kind.GITHUB, address, {})
    pace = Budget("github", limits, Budgets(ledger.database), now, time.sleep, told).paced("writing")
    client, answered, failure = GitHubClient("github", address, "acme", token, now, pace), 0, ""
    while not failure:
        try:
            client.graphql("ask for the budget", "{ rateLimit { remaining } }")
            answered += 1
        except SystemFailed as error:
            failure = str(error)
    sys.stdout.write(f"{answered}\n{failure}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
