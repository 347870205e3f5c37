"""Tried as a user would: commands against `onboard sandbox --data DIR`, each killed at a random moment and typed again.

`python -m tests.crash.demo [--seed N]`. After every second try the ledger is verified and compared with the four
systems, which are asked with the vendors' own SDKs. Exit code 1 where they differ.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onboard.ledger import Ledger, Register
from onboard.model import Resource
from onboard.sandbox.client import SandboxClient
from tests.cli.house import PEOPLE, in_days, login, write_manifest, write_roster
from tests.e2e.shell import Shell, kill_9
from tests.e2e.vendors import held
from tests.world import Clock

#: Commands end with one of these where nothing is wrong: done, or waiting for somebody.
FINE = frozenset({0, 6})
#: A command is killed once it has made so many requests at most, if it makes that many.
MOST = 90


@dataclass
class Trial:
    """One company, its terminal, and chance."""

    shell: Shell
    sandbox: SandboxClient
    ids: dict[str, str]
    chance: random.Random
    wrong: int = 0

    def __call__(self, *words: str, by: str = "") -> None:
        """Type a command, kill it at some moment, type it again, and see whether all agree."""
        env = {"VAULT_TOKEN": login(self.sandbox, by)} if by else {}
        before, wanted = self._asked(), self.chance.randrange(MOST)
        child = self.shell.start(*words, **env)
        while child.poll() is None and self._asked() - before < wanted:
            time.sleep(0.002)
        ended = child.poll() is not None
        if ended:
            child.communicate()
        else:
            kill_9(child)
        asked = self._asked() - before
        problems = [*self._again(words, env), *self._verified(), *self._differences()]
        self.wrong += bool(problems)
        fate = "ended by itself" if ended else "killed"
        what, came = " ".join(words)[:60], "; ".join(problems) or "as it should be"
        say(f"{what}: {fate} after {asked} requests; run again: {came}")

    def _asked(self) -> int:
        return max((entry["n"] for entry in self.sandbox.requests()), default=0)

    def _again(self, words: tuple[str, ...], env: dict[str, str]) -> Iterator[str]:
        child = self.shell.start(*words, **env)
        out, err = child.communicate(timeout=300)
        if child.returncode not in FINE:
            yield f"exit code {child.returncode}: {out}{err}"

    def _verified(self) -> Iterator[str]:
        child = self.shell.start("ledger", "verify")
        out, err = child.communicate(timeout=300)
        if child.returncode:
            yield f"ledger verify: {out}{err}"

    def _differences(self) -> Iterator[str]:
        """What the ledger says that marta holds, and what the vendors say."""
        theirs, ours = set(map(_bare, held(self.sandbox, "marta"))), set(self.owned())
        yield from (f"unknown to the ledger: {line}" for line in sorted(theirs - ours))
        yield from (f"only in the ledger: {line}" for line in sorted(ours - theirs))

    def owned(self) -> Iterator[str]:
        """What is marta's by the ledger, in the words of tests.e2e.vendors."""
        for (person, _, resource), levels in self.register().owned().items():
            if person == self.ids["marta"]:
                yield from (_in_words(resource, level) for level in levels)

    def register(self) -> Register:
        """The register as the ledger stands."""
        ledger = Ledger.open(f"sqlite:///{self.shell.folder / 'onboard.db'}", Clock())
        try:
            return Register.replay(ledger.journal.entries())
        finally:
            ledger.close()

    def plan(self) -> str:
        """The digest of marta's open plan."""
        return next(p.digest for p in self.register().open_proposals() if p.person == self.ids["marta"])


def _in_words(resource: Resource, level: str) -> str:
    name = resource.name.removeprefix("acme/")
    match resource.system, resource.type:
        case "github", "repo":
            return f"repo {name}"
        case "jira", "project":
            return f"jira {name} {level}"
        case "jira", "group":
            return f"jira group {name}"
        case "vault", "login":
            return "vault login"
        case "vault", "group":
            return f"vault group {name}"
    return f"{resource.type} {name}"


def _bare(line: str) -> str:
    """Without whether it was accepted, and without the level of a repository, which vendors name in their own way."""
    bare = line.removesuffix(", invited")
    return bare.rpartition(" ")[0] if bare.startswith("repo ") else bare


def say(text: str) -> None:
    """One line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def play(trial: Trial) -> None:
    """From nothing to full operation, another role, out, and back."""
    milestones = ("knowledge_transfer_done", "tooling_verified", "first_merge", "ramp_up_review")
    trial("start", "marta")
    trial("record", "marta", "nda_signed", f"--until={in_days(90)}")
    _granted(trial)
    trial("record", "marta", "security_training")
    trial("record", "marta", milestones[0])
    trial("advance", "marta")
    _granted(trial)
    trial("record", "marta", milestones[1])
    trial("advance", "marta")
    _granted(trial)
    trial("change-role", "marta", "qa-engineer")
    _granted(trial)
    trial("offboard", "marta", "--yes")
    trial("restore", "marta")
    trial("cutoff", "marta", "--yes")


def _granted(trial: Trial) -> None:
    """Have the open plan approved by everybody whom it needs, and apply it."""
    digest = trial.plan()
    proposal = trial.register().proposal(digest)
    for who in ("ada", "piet"):
        if any(trial.ids[who] in need["people"] for need in proposal.terms["needs"]):
            trial.shell("approve", digest, VAULT_TOKEN=login(trial.sandbox, who))
    trial("apply", digest)
    trial.sandbox.accept("marta")


@contextmanager
def sandbox(folder: Path) -> Iterator[SandboxClient]:
    """`onboard sandbox --data DIR`, in a terminal of its own."""
    child = Shell(folder).start("sandbox", "--data", folder / "sandbox", "--json")
    if child.stdout is None:
        raise AssertionError("the sandbox has no standard output")
    try:
        yield SandboxClient(json.loads(child.stdout.readline()))
    finally:
        child.terminate()
        child.communicate(timeout=30)


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(prog="python -m tests.crash.demo")
    options.add_argument("--seed", type=int, default=1)
    seed = options.parse_args().seed
    with tempfile.TemporaryDirectory() as name, sandbox(Path(name)) as client:
        folder = Path(name) / "work"
        folder.mkdir()
        shell = Shell(folder, client.env)
        shell("person", "import", write_roster(folder, client))
        people = json.loads(shell("person", "list", "--json").stdout)
        ids = {who: next(p["id"] for p in people if p["email"] == client.person(who).email) for who in PEOPLE}
        shell("engagement", "load", write_manifest(folder, ids))
        trial = Trial(shell, client, ids, random.Random(seed))
        play(trial)
    say(json.dumps({"wrong": trial.wrong}))
    return 1 if trial.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
