"""The sandbox as one process: the simulators, OpenBao behind its proxy, and the control API, on loopback only."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from onboard.errors import BadInput
from onboard.sandbox import snapshots
from onboard.sandbox.connections import Connections
from onboard.sandbox.control import Control
from onboard.sandbox.core import SYSTEMS, VAULT, Clock, Credentials, Held, Principal, Simulator
from onboard.sandbox.faults import Faults
from onboard.sandbox.github.simulator import GitHubSimulator
from onboard.sandbox.jira.simulator import JiraSimulator
from onboard.sandbox.mail import MAIL, PostOffice
from onboard.sandbox.middleware import Gate, Recording, RequestLog, Target
from onboard.sandbox.openbao import seed
from onboard.sandbox.openbao.proxy import OpenBaoProxy
from onboard.sandbox.openbao.server import OpenBao, end_stale
from onboard.sandbox.ready import ready_line
from onboard.sandbox.slack.simulator import SlackSimulator
from onboard.sandbox.store import Store
from onboard.sandbox.world import World, demo_world

HOST = "127.0.0.1"
CONTROL = "control"
#: What listens: the control API and the systems for clients, and OpenBao's own two ports.
OURS = (CONTROL, *SYSTEMS)
OPENBAO_PORTS = ("openbao", "openbao-cluster")


@dataclass(frozen=True, slots=True)
class Options:
    """What a sandbox is started with: a world (None: the kept or the demo one), a folder to keep state in, latency."""

    world: World | None = None
    data: Path | None = None
    latency_ms: int = 0


def build_simulators(world: World, clock: Clock, credentials: Credentials) -> dict[str, Simulator]:
    """The vendors at the world's starting state, by system."""
    made: tuple[Simulator, ...] = (
        GitHubSimulator(world, clock, credentials),
        JiraSimulator(world, clock, credentials, "cloud"),
        JiraSimulator(world, clock, credentials, "data-center"),
        SlackSimulator(world, clock, credentials),
    )
    return {simulator.name: simulator for simulator in made}


class Sandbox:
    """Everything behind the ports, and what the control API does to it."""

    def __init__(self, store: Store, options: Options) -> None:
        self._store = store
        self._kept = store.opened(options.world, default=demo_world())
        self.clock = Clock(timedelta(seconds=self._kept.offset_seconds))
        self.log, self.faults, self.connections = RequestLog(), Faults(), Connections()
        self.recording = Recording()
        end_stale(store.folder / "openbao")
        self._sockets = {name: self._listener(name) for name in (*OURS, *OPENBAO_PORTS, MAIL)}
        self._bao = OpenBao(
            store.folder / "openbao", self.port("openbao"), self.port("openbao-cluster"), durable=not store.temporary
        )
        self._proxy = OpenBaoProxy(self._bao, self._logged_in)
        self._gate = Gate(
            log=self.log,
            recording=self.recording,
            faults=self.faults,
            clock=self.clock,
            latency=options.latency_ms / 1000,
            principal=self._principal,
            changed=self.save,
            drop=self.connections.drop,
        )
        self.mail = PostOffice(self.faults, self.clock, self._save_mail)
        self._snapshots: list[snapshots.Snapshot] = []
        self._control = Control(self).app
        self._post: asyncio.Server | None = None
        self._build()
        self._restore()

    @property
    def world(self) -> World:
        """The world whose starting state it began with or was last reset to."""
        return self._kept.visited or self._kept.world

    @property
    def sockets(self) -> list[socket.socket]:
        """The bound sockets to serve on."""
        return [self._sockets[name] for name in OURS]

    def port(self, name: str) -> int:
        """The port of the control API or of a system."""
        return int(self._sockets[name].getsockname()[1])

    def url(self, name: str) -> str:
        """The address of the control API or of a system, without a slash at the end."""
        return f"http://{HOST}:{self.port(name)}"

    async def start(self) -> None:
        """Bring OpenBao up, seeded. Raises SystemFailed where it doesn't come up."""
        self._post = await self.mail.serve(self._sockets[MAIL])
        await self._bao.start()
        for name in OPENBAO_PORTS:
            self._sockets[name].close()
        self._proxy.touched = self._proxy.touched_logins = True
        if self._kept.seeded:
            await seed.tokens(self._bao, self.credentials)
        else:
            await self._seed_vault(same_people=False)
        self.save_self()

    async def stop(self) -> None:
        """End OpenBao and the mail server, and let go of the folder."""
        if self._post is not None:
            self._post.close()
        await self._bao.stop()
        self._store.close()

    def save(self, name: str) -> None:
        """Keep what a simulator knows now, where anything is kept. OpenBao keeps its own."""
        if not self._store.temporary and (simulator := self.simulators.get(name)):
            self._store.write(name, simulator.state())

    def save_self(self) -> None:
        """Keep ports, worlds and clock."""
        self._kept.offset_seconds = self.clock.offset.total_seconds()
        self._store.write("sandbox", self._kept.model_dump(mode="json"))

    async def reset(self, world: World | None) -> None:
        """To the starting state of its own world, or to that of another one; tokens of the same people stay."""
        before, self._kept.visited = self.world, world
        same = self.world == before
        vault_differs = not same or self._proxy.touched
        self._kept.seeded = not vault_differs
        self.clock.offset = timedelta()
        self.faults.clear()
        self._snapshots.clear()
        self.mail.take_up([])
        self._save_mail()
        self._build()
        for name in self.simulators:
            self.save(name)
        self.save_self()
        if vault_differs:
            await self._seed_vault(same_people=same)
            self.save_self()
        self.log.clear()
        self.recording.forget()

    @property
    def traffic(self) -> dict[str, int]:
        """How many requests are being dealt with, and how many connections are open, the asking one included."""
        return {"requests": self._gate.busy, "connections": len(self.connections)}

    async def snapshot(self) -> int:
        """Remember how everything stands, until the next reset; the number to return by."""
        mail = tuple(self.mail.messages())
        self._snapshots.append(await snapshots.taken(self.simulators, self.clock.offset, mail, self._bao))
        return len(self._snapshots) - 1

    async def put_back(self, number: int) -> None:
        """Return to a snapshot; faults, rate limits and the request log begin anew. Raises BadInput for none."""
        if number not in range(len(self._snapshots)):
            raise BadInput.one(f"There is no snapshot {number} since the last reset; take one first.")
        snapshot = self._snapshots[number]
        self.clock.offset = snapshot.ahead
        self.faults.clear()
        self.mail.take_up(snapshot.mail)
        self._save_mail()
        self.simulators = build_simulators(self.world, self.clock, self.credentials)
        await snapshots.put_back(snapshot, self.simulators, self._bao)
        for name in self.simulators:
            self.save(name)
        self.save_self()
        self.log.clear()

    async def holdings(self) -> list[Held]:
        """Who holds what on every system, now."""
        held = [line for simulator in self.simulators.values() for line in simulator.holdings()]
        return held + await seed.holdings(self._bao, self.world)

    async def forget_login(self, person: str) -> None:
        """Delete the person's login at OpenBao."""
        if account := self.world.people[person].vault:
            self._proxy.touched = self._proxy.touched_logins = True
            await seed.forget(self._bao, account.username)

    def ready(self) -> dict[str, Any]:
        """What the ready line says: addresses, tokens, people, and the environment that onboard needs."""
        urls = {name: self.url(name) for name in OURS}
        return ready_line(self.world, self.credentials, urls, self._bao.root_token, (HOST, self.port(MAIL)))

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every port's application: the control API's paths first, then the system whose port it is."""
        name = next(name for name in OURS if self.port(name) == scope["server"][1])
        if scope["path"].startswith("/_sandbox/"):
            await self._control(scope, receive, send)
        elif name == CONTROL:
            await PlainTextResponse("Only /_sandbox/… is here.\n", 404)(scope, receive, send)
        else:
            target: Target = self._proxy if name == VAULT else self.simulators[name]
            await self._gate.handle(target, scope, receive, send)

    def _principal(self, system: str, token: str | None) -> Principal | None:
        return self.credentials.principal(system, token)

    def _build(self) -> None:
        self.credentials = Credentials(bytes.fromhex(self._kept.key), self.world)
        self.credentials.register(VAULT, self._bao.root_token, "root")
        self.simulators = build_simulators(self.world, self.clock, self.credentials)

    def _restore(self) -> None:
        for name, simulator in self.simulators.items():
            if (state := self._store.read(name)) is not None:
                simulator.restore(state)
        self.mail.take_up(self._store.read(MAIL) or [])

    def _save_mail(self) -> None:
        self._store.write(MAIL, self.mail.messages())

    async def _seed_vault(self, *, same_people: bool) -> None:
        keep_logins = same_people and not self._proxy.touched_logins
        self._proxy.touched = self._proxy.touched_logins = False
        await seed.wipe(self._bao, self.credentials, keep_logins=keep_logins)
        await seed.seed(self._bao, self.world, self.credentials)
        self._kept.seeded = True

    def _logged_in(self, username: str, token: str) -> None:
        for person, who in self.world.people.items():
            if who.vault and who.vault.username == username.lower():
                self.credentials.register(VAULT, token, f"person:{person}")

    def _listener(self, name: str) -> socket.socket:
        """A socket bound to the port kept for that name, or to any free one. Raises BadInput where it is taken."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = self._kept.ports.get(name, 0)
        try:
            bound.bind((HOST, port))
        except OSError as error:
            bound.close()
            message = f"Port {port}, which {self._store.folder} keeps for {name}, is taken. Stop what listens there."
            raise BadInput.one(message) from error
        self._kept.ports[name] = bound.getsockname()[1]
        return bound


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again before we have cleaned up."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(options: Options, announce: Callable[[Mapping[str, Any]], None]) -> None:
    store = Store(options.data)
    try:
        sandbox = Sandbox(store, options)
    except BaseException:
        store.close()
        raise
    try:
        await sandbox.start()
        await _until_told(sandbox, announce)
    finally:
        await sandbox.stop()


async def _until_told(sandbox: Sandbox, announce: Callable[[Mapping[str, Any]], None]) -> None:
    """Answer requests until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        sandbox.app,
        http=sandbox.connections.protocol(),
        interface="asgi3",
        ws="none",
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    serving = asyncio.create_task(server.serve(sockets=sandbox.sockets))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        announce(sandbox.ready())
    await serving


def run(options: Options, announce: Callable[[Mapping[str, Any]], None]) -> None:
    """Run a sandbox in the foreground until SIGTERM or SIGINT; `announce` is called once it is ready.

    Raises BadInput for a folder in use, another world in it, a taken port or a missing binary; SystemFailed where
    OpenBao doesn't come up.
    """
    asyncio.run(_serve(options, announce))
