"""Tried as a user would: commands against `onboard sandbox --data DIR`, each killed at a random moment and typed again.

`python -m tests.crash.demo [--seed N]`. After every second try the ledger is verified and compared with the four
systems, which are asked with the vendors' own SDKs. In the end one row is edited with sqlite3, which verifying has to
name, and a person is erased and looked for in every file, backups from before included. Exit code 1 where anything is
not as it should be.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
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
    tried: int = 0
    killed: int = 0
    wrong: int = 0

    def __call__(self, *words: str, by: str = "", fine: frozenset[int] = FINE) -> None:
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
        problems = [*self._again(words, env, fine), *self._verified(), *self._differences()]
        self.tried, self.killed = self.tried + 1, self.killed + (not ended)
        fate = "ended by itself" if ended else "killed"
        self.judge(f"{' '.join(words)[:60]}: {fate} after {asked} requests; run again", problems)

    def judge(self, what: str, problems: Sequence[str]) -> None:
        """Say what came of something, and count it if that is wrong."""
        self.wrong += bool(problems)
        say(f"{what}: {'; '.join(problems) or 'as it should be'}")

    def _asked(self) -> int:
        return max((entry["n"] for entry in self.sandbox.requests()), default=0)

    def _again(self, words: tuple[str, ...], env: dict[str, str], fine: frozenset[int]) -> Iterator[str]:
        child = self.shell.start(*words, **env)
        out, err = child.communicate(timeout=300)
        if child.returncode not in fine:
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


def tampered(trial: Trial) -> Iterator[str]:
    """Edit one row of a copy with sqlite3; what is wrong with what verifying says then."""
    copy = Shell(trial.shell.folder.with_name("copy"), trial.shell.env)
    shutil.copytree(trial.shell.folder, copy.folder)
    with sqlite3.connect(copy.folder / "onboard.db") as edited:
        (last,) = edited.execute("SELECT max(seq) FROM journal").fetchone()
        row = trial.chance.randrange(1, last + 1)
        edited.execute("DROP TRIGGER journal_never_update")
        swapped = 'CAST(replace(canonical, \'"kind":"\', \'"kind":"x\') AS BLOB)'
        edited.execute(f"UPDATE journal SET canonical = {swapped} WHERE seq = ?", (row,))
    edited.close()
    child = copy.start("ledger", "verify")
    out, err = child.communicate(timeout=300)
    if child.returncode != 4 or f"broken at entry {row}:" not in out + err:
        yield f"row {row} of {last} was edited, and verify ended with {child.returncode}: {out}{err}"


def forget(trial: Trial) -> Iterator[str]:
    """Erase marta, killed on the way and typed again; what of her still stands in any file of the company's."""
    trial.shell("ledger", "backup", "before.db")
    digits = trial.ids["marta"][:12]
    for task in json.loads(trial.shell("tasks", "--json").stdout):
        (trial.shell.folder / "evidence").write_text("seen to")
        trial.shell("tasks", "done", task["id"], "--evidence", "evidence", VAULT_TOKEN=login(trial.sandbox, "ada"))
    trial("person", "erase", digits, "--yes", fine=frozenset({0, 2}))  # 2: nobody is known by that any more
    them = trial.sandbox.person("marta")
    words = {them.name, *them.name.split(), them.email, them.github["login"], str(them.github["id"])}
    words |= {*map(str, them.jira.values()), them.slack["id"]}
    for file in sorted(trial.shell.folder.iterdir()):
        content = file.read_bytes().decode("latin-1") if file.name not in ("roster.csv", "evidence") else ""
        found = [
            word for word in words if re.search(rf"(?<![\w+/-]){re.escape(word)}(?![\w+/-])", content, re.IGNORECASE)
        ]
        if found:
            yield f"{file.name} still holds {', '.join(sorted(found))}"
    yield from _restored(trial)


def _restored(trial: Trial) -> Iterator[str]:
    """What a ledger says of marta that is begun from a backup from before her erasure."""
    again = Shell(trial.shell.folder.with_name("again"), trial.shell.env)
    again.folder.mkdir()
    shutil.copy(trial.shell.folder / "onboard-people.keys", again.folder)
    again("ledger", "restore", trial.shell.folder / "before.db")
    known = {person["id"]: person["name"] for person in json.loads(again("person", "list", "--json").stdout)}
    if trial.ids["marta"] in known or known.get(trial.ids["jonas"]) != trial.sandbox.person("jonas").name:
        yield f"restored from before, these are known: {known}"


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
        trial.judge("one row edited with sqlite3", [*tampered(trial)])
        trial.judge("marta erased and looked for", [*forget(trial)])
    say(json.dumps({"commands": trial.tried, "killed": trial.killed, "wrong": trial.wrong}))
    return 1 if trial.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
