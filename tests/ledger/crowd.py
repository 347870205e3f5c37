"""Many workers on one ledger: `crowd.py WHAT URL`, told on standard input about whom, a line of ids for each worker.

One process that has everything imported forks them all, so that twenty begin at the same moment. Each opens the ledger
by itself, tells on a line of JSON how it ended, and is a real process of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from onboard import wiring
from onboard.engine.perform import Tools, carry_out
from onboard.engine.plan import Change
from onboard.errors import OnboardError
from onboard.ledger import owner_here
from onboard.lifecycle.reconciling import reconcile
from onboard.model import OPERATOR, Account, Resource
from onboard.policy.catalogue import Policy
from onboard.settings import Settings
from onboard.wiring import Services


def now() -> datetime:
    return datetime.now(UTC)


def complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def settled(url: str) -> Settings:
    return Settings.load({**os.environ, "ONBOARD_LEDGER_URL": url}, Path.cwd())


def opened(settings: Settings, policy: Policy) -> Services:
    """What the product works with; the policy, which is inert, was read before forking."""
    ledger = wiring.open_ledger(settings, now)
    shared = wiring.budgets(settings, ledger, now, complain)
    return Services(settings, ledger, policy, wiring.readers(settings, now, shared), now, shared)


def work(services: Services, people: list[str]) -> dict[str, object]:
    """Make so what should be so for these people."""
    try:
        report = reconcile(services, people, OPERATOR)
        return {"code": report.exit_code, "changes": len(report.removed) + len(report.granted)}
    except OnboardError as error:
        return {"code": error.exit_code, "said": str(error)}
    finally:
        services.ledger.close()


def crowd(settings: Settings, policy: Policy) -> None:
    """Fork a worker for each line, let them all go at once, and wait for every one."""
    for module in ("psycopg", *(f"onboard.connectors.{system.kind}" for system in settings.systems.values())):
        importlib.import_module(module)
    lines = [line.split() for line in sys.stdin.read().splitlines()]
    gate, opening = os.pipe()
    children = []
    for people in lines:
        if (child := os.fork()) == 0:
            os.close(opening)
            os.read(gate, 1)
            sys.stdout.write(json.dumps(work(opened(settings, policy), people)) + "\n")
            sys.stdout.flush()
            os._exit(0)
        children.append(child)
    os.close(opening)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


def zombie(settings: Settings, policy: Policy) -> None:
    """Hold a person for a moment, fall asleep until a line comes, and then go on as if nothing had happened."""
    person, account = sys.stdin.readline().split()
    services = opened(settings, policy)
    with services.ledger.leases.hold([f"person:{person}"], "another machine:1", ttl=0.2, wait=9) as lease:
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.readline()
        tools = Tools(
            services.readers, services.writers(), services.ledger, services.clock, owner_here(), under=(lease,)
        )
        whom = Account("a-" + "9" * 32, "jira", account, account, person)
        change = Change(person, whom, Resource("jira", "group", "outsourced-engineers"), None, "member")
        outcome = carry_out(change, "d" * 64, OPERATOR, tools)
    sys.stdout.write(f"{outcome.result.value}: {outcome.reason}\n")


if __name__ == "__main__":
    here = settled(sys.argv[2])
    {"crowd": crowd, "zombie": zombie}[sys.argv[1]](here, wiring.load_policy(here))
