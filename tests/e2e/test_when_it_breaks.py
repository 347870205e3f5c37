"""Power cuts, dead systems and wrong files, met by the command as its users run it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from onboard.ledger import Ledger, Register
from onboard.sandbox.client import SandboxClient
from tests.cli.house import House
from tests.e2e.shell import Shell, kill_9
from tests.e2e.vendors import held

BACKEND = {
    "org acme",
    "team outsourced-readers",
    "repo payments-api read",
    "jira group outsourced-engineers",
    "jira PAY Viewers",
    "channel onboarding",
}


#: What applying discovery writes, in its order.
WRITES = (
    ("github", "POST", "^/orgs/acme/invitations"),
    ("github", "PUT", "^/repos/acme/payments-api/collaborators/"),
    ("github", "PUT", "^/orgs/acme/teams/outsourced-readers/memberships/"),
    ("jira", "POST", "^/rest/api/3/group/user"),
    ("jira", "POST", "^/rest/api/3/project/PAY/role/"),
    ("slack", "POST", "^/api/conversations.invite"),
)


def until(so: Callable[[], bool]) -> None:
    """Wait for something to become so; the sandbox's log tells when."""
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


@contextmanager
def in_minutes(house: House, minutes: int) -> Iterator[Ledger]:
    """The ledger as it is opened so much later."""
    later = datetime.now(UTC) + timedelta(minutes=minutes)
    ledger = Ledger.open(f"sqlite:///{house.folder / 'onboard.db'}", lambda: later)
    try:
        yield ledger
    finally:
        ledger.close()


def let_leases_lapse(house: House, who: str) -> None:
    """What a dead worker still holds runs out, as it does by itself after a while."""
    with in_minutes(house, 30) as ledger, ledger.leases.hold([f"person:{house.ids[who]}"], "test", ttl=1, wait=0):
        pass


def attempted(house: House, who: str) -> set[str]:
    """The resources on which the ledger knows that something of a person's is, or may be."""
    with in_minutes(house, 0) as ledger:
        owned = Register.replay(ledger.journal.entries()).owned()
    return {f"{resource.type}:{resource.name}" for person, _, resource in owned if person == house.ids[who]}


def on_systems(house: House, who: str) -> set[str]:
    return {line["resource"] for line in house.sandbox.holdings(who)}


@pytest.mark.parametrize("moment", [0, 3, 5], ids=["in the first write", "amid them", "in the last write"])
def test_an_apply_killed_in_a_write_is_finished_by_the_same_command_and_no_write_is_made_twice(
    house: House, shell: Shell, sandbox: SandboxClient, moment: int
) -> None:
    digest = house.start()
    house("approve", digest, by="ada")
    system, method, path = WRITES[moment]
    sandbox.fault(system, "latency", method=method, path=path, times=1, ms=1000)

    child = shell.start("apply", digest)
    until(lambda: _faults(sandbox) == [])  # that write has arrived, and will take effect when nobody waits for it
    kill_9(child)
    until(lambda: len(sandbox.writes()) == moment + 1)

    assert len(on_systems(house, "marta")) == moment + 1
    assert on_systems(house, "marta") <= attempted(house, "marta")
    let_leases_lapse(house, "marta")
    shell("apply", digest)
    assert [(w["system"], w["method"]) for w in sandbox.writes()] == [write[:2] for write in WRITES]
    sandbox.accept("marta")
    assert held(sandbox, "marta") == BACKEND
    assert sandbox.holdings("jonas") == []
    shell("ledger", "verify")


def test_an_offboarding_that_is_killed_is_finished_by_the_same_command(
    house: House, shell: Shell, sandbox: SandboxClient
) -> None:
    house.settle()
    sandbox.fault("jira", "latency", method="DELETE", times=1, ms=1000)

    child = shell.start("offboard", "marta", "--yes")
    until(lambda: _faults(sandbox) == [])
    kill_9(child)

    let_leases_lapse(house, "marta")
    shell("offboard", "marta", "--yes")
    assert held(sandbox, "marta") == set()
    shell("ledger", "verify")


def _faults(sandbox: SandboxClient) -> list[object]:
    answer = requests.get(f"{sandbox.ready['control']}/_sandbox/faults", timeout=10)
    return list(answer.json()["faults"])


def test_with_one_system_down_the_rest_is_planned_and_nothing_is_taken_there(
    house: House, shell: Shell, sandbox: SandboxClient
) -> None:
    house.settle()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        down = {"ONBOARD_JIRA__BASE_URL": f"http://127.0.0.1:{closed.getsockname()[1]}"}

        result = shell("change-role", "marta", "platform-engineer", code=5, **down)

    assert "could not be read" in result.stdout
    assert "3 of 4 systems read" in result.stdout
    left = held(sandbox, "marta")
    assert "repo payments-api read" not in left
    assert {"jira group outsourced-engineers", "jira PAY Viewers"} <= left


def test_five_mistakes_in_the_policies_are_five_messages_and_nothing_is_written(
    house: House, shell: Shell, sandbox: SandboxClient
) -> None:
    house.settle()
    shell("init")
    kept, writes = house.json("ledger", "verify"), len(sandbox.writes())
    mistakes = _spoil(shell.folder / "policies" / "roles" / "qa-engineer.yaml")

    checked = shell("policy", "check", code=2)
    planned = shell("plan", "--person", "marta", code=2)

    for said in (checked.stderr, planned.stderr):
        lines = [line for line in said.splitlines() if "qa-engineer.yaml:" in line]
        assert sorted(int(line.split(":")[1].split()[0]) for line in lines) == mistakes, said
        assert "5 problems in 1 file; nothing was changed." in said
    (shell.folder / "policies").rename(shell.folder / "spoilt")
    assert house.json("ledger", "verify") == kept
    assert len(sandbox.writes()) == writes


def _spoil(role: Path) -> list[int]:
    """Make five different mistakes in a role; the lines on which they stand."""
    lines = role.read_text(encoding="utf-8").splitlines()
    mistakes = (
        ("jira:project:PAY, level: Viewers", "jira:project:PAYS, level: Viewers"),
        ("slack:channel:payments-dev, level: member", "slack:channel:payments-dev, level: members"),
        ("level: push, after: first_merge", "level: write, after: first_merge"),
        ("jira:project:PAY, level: Testers", "jira:project:PAY, level: Administrators"),
        (
            "slack:usergroup:qa-engineers, level: member",
            "slack:usergroup:qa-engineers, level: member, after: frist_merge",
        ),
    )
    wrong = []
    for right, spoilt in mistakes:
        at = next(n for n, line in enumerate(lines) if right in line)
        lines[at] = lines[at].replace(right, spoilt)
        wrong.append(at + 1)
    role.write_text("\n".join(lines), encoding="utf-8")
    return wrong
