"""A membership that can only be replaced as a whole, and several who change it at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from onboard.connectors.base import Hold, Writer
from onboard.connectors.slack.writer import SlackWriter
from onboard.engine.perform import container, perform
from onboard.errors import SystemFailed, Waiting
from onboard.ledger import Leases, Ledger, Profile
from onboard.ledger.records import Result
from onboard.lifecycle import offboarding
from onboard.model import OPERATOR, Account, Phase, Resource
from onboard.sandbox.client import SandboxClient
from tests.lifecycle.containers import Job, clients, done, now, tools
from tests.world import IDS, World

ROOT = Path(__file__).parents[2]
STAYS, LEAVES, JOINS = ["lena"], ["ada", "piet", "octo-admin"], ["marta", "jonas", "ines"]


@dataclass(frozen=True)
class Container:
    """A container with people in it, of whom some are to leave while others come."""

    sandbox: SandboxClient
    resource: Resource
    writer: Writer
    accounts: dict[str, Account]
    path: str

    def jobs(self, *people: str) -> list[Job]:
        return [Job(self.accounts[person], str(self.resource), person in JOINS) for person in people]

    def members(self) -> set[str]:
        """Who is in it as the system has it."""
        wanted = f"{self.resource.type}:{self.resource.name}"
        lines = [line for line in self.sandbox.holdings() if line["system"] == self.resource.system]
        return {line["person"] for line in lines if line["resource"] == wanted}

    def slowly(self) -> None:
        """Let each look and each write take so long that others come in between."""
        self.sandbox.fault(self.resource.system, "latency", path=self.path, ms=40)

    def writes(self) -> list[str]:
        return [entry["path"] for entry in self.sandbox.writes(self.resource.system)]


def user_group(sandbox: SandboxClient, folder: Path) -> Container:
    """Its writer has no admin's token, so that a cut-off goes through the user groups."""
    at, resource = sandbox.slack, Resource("slack", "usergroup", "qa-engineers")
    writer = SlackWriter("slack", at["base_url"], SecretStr(at["bot_token"]), None, None, now)
    people = {name: sandbox.person(name) for name in (*STAYS, *LEAVES, *JOINS)}
    accounts = {
        name: Account(f"a-{name}", "slack", them.slack["id"], them.email, IDS[name]) for name, them in people.items()
    }
    return _filled(Container(sandbox, resource, writer, accounts, "usergroups"))


def identity_group(sandbox: SandboxClient, folder: Path) -> Container:
    writer, resource = clients(sandbox.env, folder)[1]["vault"], Resource("vault", "group", "payments-dev")
    accounts = {}
    for name in (*STAYS, *LEAVES, *JOINS):
        account = Account(f"a-{name}", "vault", None, sandbox.person(name).vault["username"], IDS[name])
        made = writer.grant(account, Resource("vault", "login", "userpass"), "enabled")
        accounts[name] = replace(account, external_id=made.external_id)
    return _filled(Container(sandbox, resource, writer, accounts, "identity/group"))


def _filled(made: Container) -> Container:
    for person in (*STAYS, *LEAVES):
        made.writer.grant(made.accounts[person], made.resource, "member")
    return made


@pytest.fixture(params=[user_group, identity_group], ids=["slack", "vault"])
def filled(request: pytest.FixtureRequest, sandbox: SandboxClient, tmp_path: Path) -> Container:
    make: Callable[[SandboxClient, Path], Container] = request.param
    return make(sandbox, tmp_path)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger that knows the people and none of their accounts."""
    url = f"sqlite:///{tmp_path / 'containers.db'}"
    begun = Ledger.begin(url, now)
    for name in (*STAYS, *LEAVES, *JOINS):
        begun.people.add(IDS[name], Profile(name, f"{name}@acme.example", {}))
    begun.close()
    return url


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger.open(url, now)
    yield opened
    opened.close()


def holding(ledger: Ledger, worker: str = "another machine:1", wait: float = 30) -> Hold:
    return partial(container, ledger=ledger, worker=worker, wait=wait)


def test_threads_lose_nobody_and_bring_nobody_back(filled: Container, url: str, tmp_path: Path) -> None:
    mine = tools(url, filled.sandbox.env, tmp_path)
    filled.slowly()

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda job: done([job], mine), filled.jobs(*LEAVES, *JOINS)))

    assert {outcome.result for each in outcomes for outcome in each} == {Result.DONE}
    assert filled.members() == {*STAYS, *JOINS}
    mine.ledger.close()


def test_processes_lose_nobody_and_bring_nobody_back(filled: Container, url: str, tmp_path: Path) -> None:
    work = [filled.jobs("ada", "marta", "piet"), filled.jobs("jonas", "octo-admin", "ines")]
    with _worker(url, filled.sandbox, tmp_path) as one, _worker(url, filled.sandbox, tmp_path) as other:
        told = [_line(worker) for worker in (one, other)]
        filled.slowly()
        for worker, jobs in zip((one, other), work, strict=True):
            _tell(worker, json.dumps([job.line() for job in jobs]))
        answers = [json.loads(_line(worker)) for worker in (one, other)]

    assert (told, answers) == (["ready\n"] * 2, [["done"] * 3] * 2)
    assert filled.members() == {*STAYS, *JOINS}


def test_a_cut_off_takes_nobody_else_out_and_brings_nobody_back(filled: Container, ledger: Ledger) -> None:
    filled.slowly()
    calls: list[Callable[[], object]] = [
        *(partial(filled.writer.cut_off, filled.accounts[person], holding(ledger)) for person in LEAVES),
        *(partial(_join, filled, person, holding(ledger)) for person in JOINS),
    ]

    with ThreadPoolExecutor(6) as pool:
        for ended in [pool.submit(call) for call in calls]:
            ended.result()

    assert filled.members() == {*STAYS, *JOINS}


def test_a_container_that_another_has_fails_its_own_lever_only(filled: Container, ledger: Ledger) -> None:
    piet, impatient = filled.accounts["piet"], replace(ledger, leases=Leases(ledger.database, now, lambda _: None))
    other = Resource(filled.resource.system, filled.resource.type, _another(filled.resource))
    filled.writer.grant(piet, other, "member")

    with (
        ledger.leases.hold([f"container:{filled.resource}"], "another machine:1", ttl=600, wait=0),
        pytest.raises(SystemFailed, match=f"{filled.resource} wasn't changed: .* held by another machine:1") as failed,
    ):
        filled.writer.cut_off(piet, holding(impatient, "this machine:2", wait=1))

    assert "piet" in filled.members()
    assert failed.value.uncertain  # the other levers took effect
    held = {line["resource"] for line in filled.sandbox.holdings("piet") if line["system"] == filled.resource.system}
    assert held == {f"{filled.resource.type}:{filled.resource.name}"}


def test_who_lost_the_container_meanwhile_writes_nothing(filled: Container, ledger: Ledger) -> None:
    late = Leases(ledger.database, lambda: now().replace(year=now().year + 1))
    readers, _ = clients(filled.sandbox.env, Path.cwd())
    before = filled.writes()

    @contextmanager
    def lost(resource: Resource) -> Iterator[Callable[[], None]]:
        """A lease that runs out, and is taken over, after the membership was read."""
        with (
            container(resource, ledger, "slow machine:1", 0) as still,
            late.hold([f"container:{resource}"], "another machine:2", ttl=60, wait=0),
        ):
            yield still

    for job in filled.jobs("ada", "marta"):
        with lost(filled.resource) as still:
            outcome = perform(
                filled.writer, readers[filled.resource.system], job.change(), now, pause=lambda _: None, renew=still
            )
        assert outcome.result is Result.FAILED
        assert "taken over by another machine:2" in outcome.reason
    with pytest.raises(SystemFailed, match="taken over"):
        filled.writer.cut_off(filled.accounts["ada"], lost)

    path = "identity/group" if filled.resource.system == "vault" else "usergroups"
    assert [each for each in filled.writes()[len(before) :] if path in each] == []
    assert filled.members() == {*STAYS, *LEAVES}


def test_a_person_is_cut_off_though_another_worker_has_a_group(world: World) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)
    group = next(line for line in world.held("marta") if line.startswith("vault group")).split()[1]
    mine = world.services.ledger
    impatient = Leases(mine.database, world.clock, lambda _: None)
    hurried = replace(world.services, ledger=replace(mine, leases=impatient))

    with mine.leases.hold([f"container:vault:{group}"], "another machine:1", ttl=600, wait=0):
        cut = offboarding.cut_off(hurried, IDS["marta"], OPERATOR)

    assert cut.exit_code == 5
    assert {lever.system for lever in cut.levers if lever.failure} == {"vault"}
    assert world.held("marta") == [f"vault {group} member"]  # of an entity that is disabled

    again = offboarding.cut_off(world.services, IDS["marta"], OPERATOR)
    assert not [lever.failure for lever in again.levers if lever.failure]
    assert world.held("marta") == []


def test_a_name_in_capitals_is_the_same_container(ledger: Ledger) -> None:
    written, listed = Resource("vault", "group", "Payments-Dev"), Resource("vault", "group", "payments-dev")

    with (
        container(written, ledger, "another machine:1", 0),
        pytest.raises(Waiting),
        container(listed, ledger, "b:2", 0),
    ):
        pass


def _another(resource: Resource) -> str:
    return "payments-engineers" if resource.system == "slack" else "data-read"


def _join(filled: Container, person: str, hold: Hold) -> None:
    filled.writer.grant(filled.accounts[person], filled.resource, "member", hold)


@contextmanager
def _worker(url: str, sandbox: SandboxClient, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.lifecycle.containers", url]
    environment = {**sandbox.env, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "HOME": str(folder)}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def _line(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline()


def _tell(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin is not None
    worker.stdin.write(line + "\n")
    worker.stdin.flush()
