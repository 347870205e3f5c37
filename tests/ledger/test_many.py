"""Several real processes on one ledger and the same systems: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from onboard import wiring
from onboard.ledger import Ledger, Profile, Result, records
from onboard.ledger.privacy.keyring import FileKeyring
from onboard.ledger.proof.proofs import verify
from onboard.lifecycle import approvals
from onboard.lifecycle.reconciling import reconcile
from onboard.model import OPERATOR, Actor, Phase
from onboard.sandbox.client import SandboxClient
from onboard.settings import Settings
from tests.ledger.crowd import now
from tests.world import IDS, Clock, World, demo_world

__all__ = ["demo_world"]

ROOT = Path(__file__).parents[2]
CROWD = Path(__file__).with_name("crowd.py")
#: Seconds until every worker must have ended.
PATIENCE = 300
MANY = {f"p-{number:032x}": f"w{number:02}" for number in range(101, 121)}
#: What full operation as a backend engineer gives on the systems that are configured here.
HELD = [
    "jira group:outsourced-engineers member",
    "jira project:PAY Developers",
    "jira project:PAY Viewers",
    "slack channel:onboarding member",
    "slack channel:payments-dev member",
    "slack channel:payments-incidents member",
    "slack usergroup:payments-engineers member",
]
#: Two systems are enough to be busy with.
ELSEWHERE = ("ONBOARD_GITHUB", "ONBOARD_VAULT")


def environment(sandbox: SandboxClient) -> dict[str, str]:
    """Just these systems, and nothing of whoever runs the tests."""
    settings = {name: value for name, value in sandbox.env.items() if not name.startswith(ELSEWHERE)}
    return {**settings, "PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}


@pytest.fixture
def start(sandbox: SandboxClient, tmp_path: Path, url: str) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a process of `crowd.py` on this ledger and this sandbox."""
    started: list[subprocess.Popen[str]] = []

    def starting(what: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(CROWD), what, url],
            cwd=tmp_path,
            env={**environment(sandbox), "ONBOARD_LEDGER__KEYRING_FILE": "people.keys"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield starting
    for process in started:
        process.kill()
        process.communicate()


Start = Callable[[str], subprocess.Popen[str]]


def at_once(start: Start, workers: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Let a worker run for each of these groups of people, all at the same moment; how they ended."""
    told, _ = start("crowd").communicate("\n".join(map(" ".join, workers)), timeout=PATIENCE)
    ended = [json.loads(line) for line in told.splitlines()]
    assert len(ended) == len(workers)
    return ended


@pytest.fixture
def ledger(url: str, tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.begin(url, now, FileKeyring(tmp_path / "people.keys"))
    yield opened
    opened.close()


def opened(sandbox: SandboxClient, url: str, folder: Path) -> Iterator[World]:
    env = {**environment(sandbox), "ONBOARD_LEDGER_URL": url, "ONBOARD_LEDGER__KEYRING_FILE": "people.keys"}
    services = wiring.build(Settings.load(env, folder), now, print)
    made = World(sandbox, services, Clock(), folder)
    made.enter("ada", "piet", "lena", "marta", "viktor")
    yield made
    services.ledger.close()


@pytest.fixture
def world(sandbox: SandboxClient, ledger: Ledger, url: str, tmp_path: Path) -> Iterator[World]:
    """The sandbox's people on two systems, marta a backend engineer."""
    for made in opened(sandbox, url, tmp_path):
        made.load(marta="backend-engineer")
        yield made


@pytest.fixture
def crowded(
    sandbox: SandboxClient,
    ledger: Ledger,
    url: str,
    tmp_path: Path,
    demo_world: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """Twenty backend engineers who have all that full operation asks for, and nothing yet of what it gives."""
    for number, (person, name) in enumerate(MANY.items(), 1):
        monkeypatch.setitem(IDS, name, person)
        demo_world["people"][name] = {
            "name": f"Worker {name}",
            "email": f"{name}@nordwind.example",
            "jira": {"account_id": f"5b{number:022x}", "username": name, "key": f"JIRAUSER{20_000 + number}"},
            "slack": {"id": f"UW{number:08d}", "kind": "member"},
        }
    sandbox.reset(demo_world)
    for made in opened(sandbox, url, tmp_path):
        ledger.people.add_all({person: profile(sandbox, name) for person, name in MANY.items()})
        made.note(*map(records.person_added, MANY))
        made.load(**dict.fromkeys(MANY.values(), "backend-engineer"))
        for name in MANY.values():
            made.standing(name, Phase.FULL_OPERATION)
        yield made


def profile(sandbox: SandboxClient, name: str) -> Profile:
    who = sandbox.person(name)
    return Profile(who.name, who.email, {"jira": who.jira["account_id"], "slack": who.slack["id"]})


def approved(world: World, people: Sequence[str]) -> None:
    """Have everything approved that these people are to get in full operation, and nothing of it applied."""
    report = reconcile(world.services, people, OPERATOR)
    for part in report.open:
        for approver in ("ada", "piet")[: len(part.needs)]:
            approvals.approve(world.services, part.digest, Actor(IDS[approver], "vault login"))


def sound(ledger: Ledger, sandbox: SandboxClient) -> bool:
    """Whether the journal is one unbroken chain, and each change in it was intended, sent and done once."""
    assert verify(ledger.journal.rows()).problem is None
    intended = {entry.seq: entry.body["change"] for entry in ledger.journal.entries(kinds={"intended"})}
    ended = [(e.body["intent"], e.body["result"]) for e in ledger.journal.entries(kinds={"outcome"})]
    assert sorted(ended) == [(seq, Result.DONE.value) for seq in intended]
    assert len({json.dumps(change, sort_keys=True) for change in intended.values()}) == len(intended)
    assert len(sandbox.writes()) == len(intended)
    return True


def test_two_processes_on_the_same_person_write_everything_once(
    world: World, start: Start, ledger: Ledger, sandbox: SandboxClient
) -> None:
    world.standing("marta", Phase.FULL_OPERATION)
    approved(world, [IDS["marta"]])

    ended = at_once(start, [[IDS["marta"]], [IDS["marta"]]])

    assert sorted(one["changes"] for one in ended) == [0, len(HELD)]
    assert world.held("marta") == HELD
    assert sound(ledger, sandbox)


def test_twenty_processes_on_different_people_lose_nothing(
    crowded: World, start: Start, ledger: Ledger, sandbox: SandboxClient
) -> None:
    approved(crowded, [*MANY])

    ended = at_once(start, [[person] for person in MANY])

    assert [one["changes"] for one in ended] == [len(HELD)] * len(MANY)
    assert {who: crowded.held(who) for who in MANY.values()} == dict.fromkeys(MANY.values(), HELD)
    assert sound(ledger, sandbox)


def test_a_worker_that_slept_through_the_end_of_its_lease_writes_nothing_any_more(
    world: World, start: Start, ledger: Ledger, sandbox: SandboxClient
) -> None:
    sleeper = start("zombie")
    assert sleeper.stdin is not None
    assert sleeper.stdout is not None
    account = sandbox.person("marta").jira["account_id"]
    sleeper.stdin.write(f"{IDS['marta']} {account}\n")
    sleeper.stdin.flush()
    assert sleeper.stdout.readline() == "held\n"
    before = ledger.journal.head()

    with ledger.leases.hold([f"person:{IDS['marta']}"], "awake", ttl=PATIENCE, wait=PATIENCE):
        told, _ = sleeper.communicate("wake up\n", timeout=PATIENCE)

    assert told == f"failed: person:{IDS['marta']} was taken over by awake: run this again.\n"
    assert ledger.journal.head() == before
    assert sandbox.writes() == []


def test_a_worker_that_was_killed_keeps_nobody_waiting(world: World, start: Start, ledger: Ledger) -> None:
    victim = start("zombie")
    assert victim.stdin is not None
    assert victim.stdout is not None
    victim.stdin.write(f"{IDS['marta']} nobody\n")
    victim.stdin.flush()
    assert victim.stdout.readline() == "held\n"
    victim.kill()
    victim.wait()

    with ledger.leases.hold([f"person:{IDS['marta']}"], "next", ttl=9, wait=PATIENCE) as lease:
        assert list(lease.tokens.values()) == [2]
