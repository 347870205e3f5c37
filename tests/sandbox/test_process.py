"""The sandbox as a process: what survives it, what doesn't outlive it, and what it refuses to start on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from onboard.errors import SystemFailed
from onboard.sandbox.client import SandboxClient, SandboxProcess
from onboard.sandbox.openbao.server import OpenBao

WORLD = """\
people:
  marta:
    name: Marta
    email: marta@x.example
    github: {login: marta, id: 7}
    vault: {username: marta}
github: {repos: [{name: docs}]}
vault: {policies: {p: 'path "x" { capabilities = ["read"] }'}, groups: {g: {policies: [p]}}}
"""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    file = tmp_path / "world.yaml"
    file.write_text(WORLD)
    return file


def invite(sandbox: SandboxClient) -> None:
    url = f"{sandbox.github['base_url']}/repos/acme/docs/collaborators/marta"
    requests.put(url, headers={"Authorization": f"token {sandbox.github['token']}"}, timeout=10).raise_for_status()


def log_in(sandbox: SandboxClient) -> None:
    marta = sandbox.person("marta").vault
    url = f"{sandbox.vault['addr']}/v1/auth/userpass/login/{marta['username']}"
    requests.post(url, json={"password": marta["password"]}, timeout=10).raise_for_status()


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_kill_9_leaves_no_openbao_and_a_restart_goes_on_where_it_was(tmp_path: Path, world: Path) -> None:
    data = tmp_path / "data"
    first = SandboxProcess(world, data)
    invite(first.client)
    log_in(first.client)
    first.client.advance(days=8)
    before, ready = first.client.holdings(), first.client.ready
    openbao = int((data / "openbao" / "pid").read_text())

    first.kill()
    deadline = time.monotonic() + 10
    while runs(openbao) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not runs(openbao)

    with SandboxProcess(data=data) as second:
        assert second.ready == ready
        assert second.holdings() == before
        assert [line["state"] for line in before if line["person"]] == ["expired", "active"]
        assert requests.get(f"{second.vault['addr']}/v1/sys/health", timeout=10).json()["initialized"]
        with pytest.raises(SystemFailed, match="Another sandbox runs on"):
            SandboxProcess(data=data)


def test_a_dead_openbao_is_named_where_it_is_missed(tmp_path: Path, world: Path) -> None:
    data = tmp_path / "data"
    with SandboxProcess(world, data) as sandbox:
        os.kill(int((data / "openbao" / "pid").read_text()), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while (answer := requests.get(f"{sandbox.vault['addr']}/v1/sys/health", timeout=10)).ok:
            assert time.monotonic() < deadline

        assert (answer.status_code, "OpenBao doesn't answer" in answer.text) == (502, True)
        with pytest.raises(SystemFailed, match="OpenBao doesn't answer"):
            sandbox.holdings()


def test_a_port_that_another_program_took_is_said_to_be_taken_whatever_that_one_answers(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        Thread(target=other.serve_forever, daemon=True).start()
        bao = OpenBao(tmp_path / "openbao", other.server_port, 0, durable=False)

        with pytest.raises(SystemFailed, match=rf"another program listens on one of its ports, {other.server_port} "):
            asyncio.run(bao.start())
        other.shutdown()


def test_a_folder_of_another_world_is_not_taken_over(tmp_path: Path, world: Path) -> None:
    data = tmp_path / "data"
    SandboxProcess(world, data).stop()
    world.write_text(WORLD.replace("docs", "code"))

    with pytest.raises(SystemFailed, match="holds a sandbox of another world"):
        SandboxProcess(world, data)

    assert all(file.stat().st_mode & 0o077 == 0 for file in data.glob("*.json"))


def test_without_a_folder_nothing_stays(tmp_path: Path, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    with SandboxProcess(world, latency_ms=1) as sandbox:
        assert sandbox.env["ONBOARD_GITHUB__BASE_URL"] == sandbox.github["base_url"]
        assert list(tmp_path.glob("onboard-sandbox-*"))

    assert not list(tmp_path.glob("onboard-sandbox-*"))


def test_a_wrong_world_is_refused_with_every_line_that_is_wrong(world: Path) -> None:
    world.write_text(WORLD.replace("id: 7", "id: seven").replace("repos:", "repositories:"))

    ended = subprocess.run(
        [sys.executable, "-m", "onboard.sandbox", "--world", str(world)], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert [line.split("  ")[0] for line in ended.stderr.splitlines()] == [f"{world}:5", f"{world}:7"]


def test_it_starts_without_the_environments_own_vault_settings(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_ADDR", "http://192.0.2.1:8200")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")

    with SandboxProcess(world) as sandbox:
        assert sandbox.holdings("marta") == []


def test_the_banner_says_that_nobody_else_can_reach_it_and_what_to_export(world: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "onboard.sandbox", "--world", str(world)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        lines: list[str] = []
        while "Ctrl-C ends it." not in (lines or [""])[-1]:
            lines.append(child.stdout.readline().rstrip())
        child.terminate()

    assert "127.0.0.1 only" in lines[0]
    assert any(line.startswith("export ONBOARD_VAULT__READ_TOKEN=") for line in lines)
    assert child.returncode == 0
