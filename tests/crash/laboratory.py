"""One sandbox in which a story is prepared once and then run again and again, each time disturbed at another point."""

from __future__ import annotations

import gc
import importlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from onboard.errors import OnboardError
from onboard.ledger import Ledger, Register
from onboard.policy.catalogue import Policy
from onboard.sandbox.client import SandboxClient
from onboard.sandbox.core import Clock as SandboxClock
from onboard.sandbox.core import Credentials
from onboard.sandbox.openbao.proxy import OpenBaoProxy
from onboard.sandbox.server import build_simulators
from onboard.sandbox.world import demo_world
from onboard.settings import Settings
from onboard.wiring import Services
from tests.crash import picture
from tests.crash.bomb import Bomb, Ended, Point, in_a_child, points
from tests.world import Clock, World, open_services, services_of

#: What a run imports only when it comes to it.
WARM = (*(f"onboard.connectors.{kind}" for kind in ("github", "jira", "slack", "vault")), "onboard.cli.main")

#: The requests that invite somebody, or may.
_INVITES = re.compile(r"/(collaborators|memberships|invitations)\b|invite")
#: How long before the story everything happened that it rests on.
AGO = timedelta(hours=1)


@dataclass(frozen=True)
class Scene:
    """What a story acts in: the services, the folder that its files are in, the environment of a shell there, and what
    `before` left for it."""

    services: Services
    folder: Path
    env: Mapping[str, str]
    left: Any


@dataclass(frozen=True)
class Story:
    """`before` prepares, and may leave something for JSON; `act` is what is disturbed, and returns its exit code.

    `code` is how it ends undisturbed. `refuses`: run again after it was done, it may say that it was. `repeats`: run
    again, it writes again to the systems, what is so already.
    """

    before: Callable[[World], Any]
    act: Callable[[Scene], int]
    code: int = 0
    refuses: bool = False
    repeats: bool = False


@dataclass(frozen=True)
class Prepared:
    """A story about to begin, many times over, and how it ends undisturbed."""

    story: Story
    snapshot: int
    folder: Path
    left: Any
    before: picture.Held
    whole: Ended
    held: picture.Held
    told: Mapping[str, Any]
    invitations: Mapping[str, int]

    @property
    def points(self) -> list[Point]:
        """Where it can be disturbed, as found by running it."""
        return points(self.whole.trail)

    def what(self, point: Point) -> str:
        """What is done there, in the undisturbed run."""
        return [step.what for step in self.whole.trail if step.kind is point.kind][point.nth - 1]


@dataclass(frozen=True)
class Verdict:
    """What came of one disturbed run. `reached` is False where it ended before it came to its point."""

    reached: bool
    problems: tuple[str, ...]


@dataclass
class Laboratory:
    """A sandbox of its own, and stories prepared in it. `folder` is for ledgers."""

    sandbox: SandboxClient
    policy: Policy
    folder: Path
    _prepared: dict[str, Prepared] = field(default_factory=dict)
    _settings: dict[Path, Settings] = field(default_factory=dict)
    _systems: dict[int, Any] = field(default_factory=dict)
    _beginning: int = -1

    def __post_init__(self) -> None:
        for module in WARM:  # else every child would import them anew
            importlib.import_module(module)
        gc.freeze()
        self._beginning = self.sandbox.snapshot()
        credentials = Credentials(bytes(32), demo_world())
        simulators = build_simulators(demo_world(), SandboxClock(), credentials)
        addresses = {"github": self.sandbox.github["base_url"], "jira": self.sandbox.jira["base_url"]}
        addresses |= {"slack": self.sandbox.slack["base_url"], "vault": self.sandbox.vault["addr"]}
        proxy = OpenBaoProxy.__new__(OpenBaoProxy)  # only to be asked what a write is
        self._systems = {_port(url): simulators.get(name, proxy) for name, url in addresses.items()}

    def prepare(self, name: str, story: Story) -> Prepared:
        """Everything as it is before a story, and how it ends undisturbed. Kept under its name."""
        if name not in self._prepared:
            self._prepared[name] = self._prepare(self.folder / name.replace(" ", "-"), story)
        return self._prepared[name]

    def _prepare(self, folder: Path, story: Story) -> Prepared:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.sandbox.restore(self._beginning)
        made = in_a_child(lambda: self._before(folder, story), Bomb(None, self._is_write))
        if made.error:
            raise AssertionError(f"it could not be prepared: {made.error}")
        self.sandbox.wait_until_quiet()
        snapshot, before = self.sandbox.snapshot(), picture.held(self.sandbox)
        work = self._begin(folder, snapshot)
        whole = self._run(story, work, made.value)
        if whole.error or whole.value != story.code:
            raise AssertionError(f"undisturbed it ended with {whole.value}, not {story.code}: {whole.error}")
        ledger, register = self._open(work)
        found, wrong = picture.told(ledger, register), list(picture.faults(ledger, register))
        ledger.close()
        if wrong:
            raise AssertionError(f"undisturbed: {wrong}")
        held, invitations = picture.held(self.sandbox), self._invitations()
        return Prepared(story, snapshot, folder, made.value, before, whole, held, found, invitations)

    def _before(self, folder: Path, story: Story) -> Any:
        clock, database = Clock(-AGO), folder / "onboard.db"
        sandbox = SandboxClient(self.sandbox.ready)
        services = open_services(sandbox, database, self.policy, clock)
        world = World(sandbox, services, clock, database)
        world.enter("ada", "piet", "lena", "marta", "jonas", "ines", "viktor")
        world.load(marta="backend-engineer", jonas="qa-engineer")
        left = story.before(world)
        services.ledger.close()
        return left

    def disturb(self, prepared: Prepared, point: Point) -> Verdict:
        """Run a story, struck at that point, then once more; what isn't as if nothing had happened."""
        story, work = prepared.story, self._begin(prepared.folder, prepared.snapshot)
        struck = self._run(story, work, prepared.left, point)
        self.sandbox.wait_until_quiet()
        problems = [f"unknown to the ledger: {line}" for line in self._unknown(work, prepared)]
        again = self._run(story, work, prepared.left)
        problems += self._ended_well(story, again)
        problems += self._differences(work, prepared)
        if not story.repeats:
            thrice = self._run(story, work, prepared.left)
            problems += [f"run a third time, it wrote: {what}" for what in thrice.writes]
        return Verdict(struck.struck, tuple(problems))

    def _begin(self, folder: Path, snapshot: int) -> Path:
        """The systems as they were, and the ledger in a folder of its own."""
        self.sandbox.restore(snapshot)
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        for file in folder.iterdir():
            if file.is_file():
                shutil.copy(file, work)
        return work

    def _run(self, story: Story, folder: Path, left: Any, point: Point | None = None) -> Ended:
        env = {**self.sandbox.env, "ONBOARD_LEDGER_URL": _url(folder), "HOME": str(folder)}
        if folder not in self._settings:
            self._settings[folder] = Settings.load(env, folder)
        settings = self._settings[folder]

        def work() -> int:
            for variable in ("VAULT_TOKEN", "PREFECT_API_URL"):
                os.environ.pop(variable, None)
            os.chdir(folder)
            services = services_of(settings, self.policy, Clock())
            try:
                return story.act(Scene(services, folder, env, left))
            except OnboardError as error:
                if story.refuses:
                    return error.exit_code
                raise
            finally:
                services.ledger.close()

        return in_a_child(work, Bomb(point, self._is_write))

    def _ended_well(self, story: Story, again: Ended) -> list[str]:
        if again.error:
            return [f"run again, it raised {again.error.strip().rpartition(chr(10))[2]}"]
        wrong = again.value != story.code and not story.refuses
        return [f"run again, it ended with {again.value}, not {story.code}"] if wrong else []

    def _unknown(self, folder: Path, prepared: Prepared) -> list[str]:
        ledger, register = self._open(folder)
        ledger.close()
        return picture.unknown_to(register, picture.held(self.sandbox), prepared.before)

    def _differences(self, folder: Path, prepared: Prepared) -> list[str]:
        """What isn't as it is after the undisturbed run, or is wrong in itself."""
        ledger, register = self._open(folder)
        try:
            now, wrong = picture.told(ledger, register), list(picture.faults(ledger, register))
        finally:
            ledger.close()
        held, invited = picture.held(self.sandbox), self._invitations()
        wrong += [f"unknown to the ledger in the end: {x}" for x in picture.unknown_to(register, held, prepared.before)]
        wrong += [f"held in the end, and not undisturbed: {line}" for line in (held - prepared.held).elements()]
        wrong += [f"not held in the end, but undisturbed: {line}" for line in (prepared.held - held).elements()]
        wrong += [f"invited {n} times: {what}" for what, n in invited.items() if n > prepared.invitations.get(what, 0)]
        return wrong + list(_apart("the register", prepared.told, now))

    def _invitations(self) -> dict[str, int]:
        """How often each request that invites somebody took effect since the story began."""
        made: dict[str, int] = {}
        for entry in self.sandbox.writes():
            if (
                entry["method"] in ("PUT", "POST")
                and _INVITES.search(entry["path"])
                and 200 <= (entry["status"] or 0) < 300
            ):
                what = f"{entry['method']} {entry['path']} {entry['query']}"
                made[what] = made.get(what, 0) + 1
        return made

    def _open(self, folder: Path) -> tuple[Ledger, Register]:
        ledger = Ledger.open(_url(folder), Clock())
        return ledger, Register.replay(ledger.journal.entries())

    def _is_write(self, port: int, method: str, path: str) -> bool | None:
        system = self._systems.get(port)
        return None if system is None else bool(system.is_write(method, path))


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'onboard.db'}"


def _port(url: str) -> int:
    return int(url.split("://")[1].partition("/")[0].rpartition(":")[2])


def _apart(where: str, was: Any, now: Any) -> Iterator[str]:
    """What two pictures have in which they differ, place by place."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted({*was, *now}):
            yield from _apart(f"{where}, {key}", was.get(key), now.get(key))
    elif isinstance(was, (list, tuple)) and isinstance(now, (list, tuple)):
        yield from (f"{where}: lacks {line}" for line in (Counter(was) - Counter(now)).elements())
        yield from (f"{where}: has {line}" for line in (Counter(now) - Counter(was)).elements())
    elif was != now:
        yield f"{where}: {now} instead of {was}"
