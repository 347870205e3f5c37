"""A process of its own that draws from a ledger's budgets: `budget_worker.py COMMAND URL MICROSECONDS`."""

from __future__ import annotations

import os
import signal
import sys

from onboard.ledger.budgets import Budgets, Want
from onboard.ledger.storage.database import Database

MINUTE = 60_000_000


def drain(budgets: Budgets, now: int) -> None:
    """Draw until there is nothing left, and say how much it was."""
    want, total = Want("content", 1, 800, MINUTE, 80, urgent=False), 0
    while taken := budgets.draw("github", [want], now)[0].tokens:
        total += taken
    sys.stdout.write(f"{total}\n")


def die(budgets: Budgets, now: int) -> None:
    """Draw a slice and be killed with it."""
    budgets.draw("github", [Want("content", 1, 800, MINUTE, 0, urgent=False)], now)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    command, url, now = sys.argv[1:]
    database = Database.open(url)
    {"drain": drain, "die": die}[command](Budgets(database), int(now))
    database.close()
