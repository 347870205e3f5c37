"""What a command works with: the process's environment, working directory and clock enter here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onboard.ledger import Ledger
    from onboard.settings import Settings
    from onboard.wiring import Services


def clock() -> datetime:
    """Now, aware UTC."""
    return datetime.now(UTC)


def settings() -> Settings:
    """The settings that hold here. Raises BadInput with every problem at once."""
    from onboard.settings import Settings

    return Settings.load(os.environ, Path.cwd())


@contextmanager
def ledger() -> Iterator[Ledger]:
    """The ledger alone, for commands that need no system."""
    from onboard import wiring

    opened = wiring.open_ledger(settings(), clock)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def services() -> Iterator[Services]:
    """Everything: ledger, policy and readers."""
    from onboard import wiring

    built = wiring.build(settings(), clock)
    try:
        yield built
    finally:
        built.ledger.close()
