"""The vendors' descriptions, and a sandbox that records."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from onboard.sandbox.client import SandboxClient
from tests.contract.description import Exchange
from tests.contract.vendors import SETTING, Rules, Vendors, exchanges


def missing(environment: dict[str, str]) -> str | None:
    """Why there are no descriptions; None where there are."""
    folder = environment.get(SETTING, "")
    if not folder:
        return f"{SETTING} is not set: it names the folder with the vendors' API descriptions"
    return None if Path(folder).is_dir() else f"{SETTING} names {folder}, which is no folder"


@pytest.fixture(scope="session")
def specs() -> Path:
    """The folder of descriptions. Without it tests are skipped; in CI that is a failure."""
    if (reason := missing(dict(os.environ))) is None:
        return Path(os.environ[SETTING])
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason}. In CI these tests must run.")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def rules() -> Rules:
    return Rules.read()


@pytest.fixture(scope="session")
def vendors(specs: Path, rules: Rules) -> Vendors:
    return Vendors(specs, rules)


@pytest.fixture
def recorded(sandbox: SandboxClient) -> Callable[..., dict[str, list[Exchange]]]:
    """Runs something while the sandbox records, in a world of its own if need be, and gives what was said, by API."""
    control = f"{sandbox.ready['control']}/_sandbox/recording"

    def run(talk: Callable[[], None], world: Mapping[str, Any] | None = None) -> dict[str, list[Exchange]]:
        if world is not None:
            sandbox.reset(world)
        requests.post(control, json={"on": True}, timeout=10).raise_for_status()
        talk()
        requests.post(control, json={"on": False}, timeout=10).raise_for_status()
        return exchanges(requests.get(control, timeout=10).json()["exchanges"])

    return run
