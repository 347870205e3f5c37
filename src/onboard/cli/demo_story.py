"""The demo's acts. Commands run as a person would type them; each phase is a Prefect flow run for each engineer."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from onboard.cli import context
from onboard.cli.demo_stage import Stage
from onboard.cli.demo_tampering import Expected, Scene, tamper
from onboard.cli.output import say, table
from onboard.errors import SystemFailed
from onboard.sandbox.client import Person

COMPANY = ("ada", "piet", "lena", "octo-admin")
ENGINEERS = ("marta", "jonas", "ines")
LEAD = "viktor"
ROLES = ("backend-engineer", "qa-engineer", "data-engineer")
ENGAGEMENT = "payments"
#: Each phase as a title, and the facts that open its gate.
PHASES = (
    ("Discovery: knowledge transfer, read-only", ("nda_signed", "security_training")),
    ("Tooling setup: controlled access", ("knowledge_transfer_done",)),
    ("Ramp-up: small, well-defined first tasks", ("tooling_verified",)),
    ("Full operation: write access, earned by milestones", ("first_merge", "ramp_up_review")),
)


class Command(Protocol):
    """The command line itself, as Typer made it."""

    def main(self, args: list[str], prog_name: str, *, standalone_mode: bool) -> int | None:
        """Run with these words; the exit code."""
        ...


class Story:
    """Three engineers of one vendor, cast by what `draw` draws."""

    def __init__(self, stage: Stage, draw: random.Random, onboard: Command) -> None:
        self.stage = stage
        self.draw = draw
        self.onboard = onboard
        self.today = datetime.now(UTC).date()
        self.roles = dict(zip(ENGINEERS, draw.sample(ROLES, len(ROLES)), strict=True))
        self.mover, self.leaver, self.stayer = draw.sample(ENGINEERS, 3)
        self.ids: dict[str, str] = {}

    def tell(self) -> bool:
        """From the roster to the review. Returns whether the review found exactly what was tampered with."""
        from onboard.flows.running import flush, many_in_this_process

        self.arrive()
        with many_in_this_process():
            for number in range(len(PHASES)):
                self.phase(number)
        self.move()
        self.leave()
        right = self.tamper()
        self.close()
        flush()
        return right

    def arrive(self) -> None:
        """People from a roster, the engagement from a manifest."""
        act("A vendor arrives", "People come from a roster; vendor and engagement are a file for git, naming only ids.")
        self.run("person", "import", self._roster())
        with context.ledger() as ledger:
            self.ids = {who: ledger.people.find(self.person(who).email)[0] for who in (*COMPANY, *ENGINEERS, LEAD)}
        self.run("engagement", "load", self._manifest())

    def person(self, who: str) -> Person:
        """Somebody of the sandbox's."""
        return self.stage.sandbox.person(who)

    def phase(self, number: int) -> None:
        """One phase: its facts, a flow run each that proposes, the approvals, and the runs again that apply."""
        title, facts = PHASES[number]
        act(title, f"Recorded for each: {', '.join(facts)}. Then a flow run for each, which proposes.")
        for engineer in ENGINEERS:
            for fact in facts:
                self.record(engineer, fact)
            self.flow(number, engineer)
        self.run("plan", "--person", ENGINEERS[number % len(ENGINEERS)])
        self.approve()
        say("Approved; the same flows again, which now apply. Each engineer accepts the invitations.")
        for engineer in ENGINEERS:
            self.flow(number, engineer)
            self.stage.sandbox.accept(engineer)

    def record(self, engineer: str, fact: str) -> None:
        """A fact; prerequisites hold for some months."""
        lasting = {"nda_signed": 210, "security_training": 120}
        until = ["--until", f"{self.today + timedelta(days=lasting[fact])}"] if fact in lasting else []
        with contextlib.redirect_stdout(io.StringIO()):
            self.command("record", engineer, fact, *until)

    def flow(self, number: int, engineer: str) -> None:
        """A flow run in this process, recorded by the Prefect server."""
        from onboard.flows.discovery import discovery
        from onboard.flows.ramp_up import ramp_up
        from onboard.flows.tooling_setup import tooling_setup

        flow = (discovery, tooling_setup, ramp_up, ramp_up)[number]
        state = flow(self.ids[engineer], ENGAGEMENT, "operator", return_state=True)
        say(f"  flow {flow.name} {self.roles[engineer]} {engineer}: {state.name}, {state.message}")
        if state.name not in ("Done", "Waiting"):
            raise SystemFailed("demo", f"the flow ended {state.name}: {state.message}")

    def approve(self) -> None:
        """Sponsor and product owner, each by their own Vault login, approve what waits for them."""
        from onboard.lifecycle import approvals

        for approver in ("ada", "piet"):
            with self.logged_in(approver), context.services() as services:
                actor = approvals.authenticate(services, context.vault_token())
                waiting = [proposal.digest[:8] for proposal in approvals.inbox(services, actor)]
                if waiting:
                    say(f"{self.person(approver).name} logs in to Vault and finds {len(waiting)} in the inbox.")
                for digest in waiting:
                    self.run("approve", digest)

    @contextlib.contextmanager
    def logged_in(self, who: str) -> Iterator[None]:
        """Their own token, by their own userpass login."""
        import hvac

        login = self.person(who).vault
        vault = hvac.Client(url=self.stage.sandbox.vault["addr"], token="")
        answer = vault.auth.userpass.login(login["username"], login["password"], use_token=False)
        os.environ["VAULT_TOKEN"] = answer["auth"]["client_token"]
        try:
            yield
        finally:
            del os.environ["VAULT_TOKEN"]

    def move(self) -> None:
        """A role change: what the old role gave is gone before anybody approves anything."""
        name, was = self.person(self.mover).name, self.roles[self.mover]
        role = self.draw.choice([role for role in ROLES if role != was])
        act(f"{name} changes role", f"From {was} to {role}: what the old role gave goes at once, the new one waits.")
        self.run("change-role", self.mover, role)
        self.approve()
        self.roles[self.mover] = role
        self.run("plans")
        self._apply_open()

    def _apply_open(self) -> None:
        with context.services() as services:
            from onboard.lifecycle.standing import register_of

            digests = [proposal.digest[:8] for proposal in register_of(services).open_proposals()]
        for digest in digests:
            self.run("apply", digest)

    def leave(self) -> None:
        """An offboarding, and what an ordinary reading finds of the person afterwards."""
        name = self.person(self.leaver).name
        act(f"{name} leaves", "Everything goes, everywhere, whoever granted it, and is read back.")
        self.run("offboard", self.leaver, "--yes")
        self.run("access", self.leaver)

    def tamper(self) -> bool:
        """Changes behind the tool's back, and a review that has to find them all and nothing else."""
        act("Somebody tampers", "Changes made with the vendors' own APIs, drawn from the seed.")
        before = self._review()
        scene = Scene(
            self.stage.sandbox,
            active=self.person(self.stayer),
            other=self.person(self.mover),
            gone=self.person(self.leaver),
            stranger=self.person("mallory"),
        )
        done = tamper(scene, self.draw)
        for change in done:
            say(f"  {change.told}")
        self.run("review")
        expected = sorted(each for change in done for each in change.expected)
        found = sorted(self._review())
        right = not before and found == expected
        say(f"{len(expected)} expected, {len(found)} found: {'exactly those' if right else 'NOT THE SAME'}.")
        if not right:
            table((str(each),) for each in (*before, *found))
        return right

    def _review(self) -> list[Expected]:
        from onboard.model import SCHEDULER
        from onboard.review.access import review

        with context.services() as services:
            name = context.names(services)
            return [
                Expected(f.kind, str(f.resource), f.level, name(f.person) if f.person else f.handle)
                for f in review(services, SCHEDULER).findings
            ]

    def close(self) -> None:
        """Who holds what now, and whether the ledger is whole."""
        act("Who holds what", "Read from the systems, each with the policy line behind it.")
        for engineer in (self.stayer, self.mover):
            self.run("access", engineer)
        self.run("explain", self.stayer, "jira:project:PAY")
        self.run("ledger", "verify")

    def run(self, *words: str) -> None:
        """Show a command as it would be typed, and run it. Raises as `command`."""
        shown = [Path(word).name if Path(word).is_absolute() else word for word in words]
        say(f"$ onboard {' '.join(shown)}", style="bold")
        self.command(*words)
        say()

    def command(self, *words: str) -> None:
        """Run a command in this process. Raises SystemFailed unless it ends done, with findings, or waiting."""
        code = self.onboard.main(list(words), prog_name="onboard", standalone_mode=False)
        if code not in (None, 0, 4, 6):
            raise SystemFailed("demo", f"onboard {words[0]} ended with exit code {code}")

    def _roster(self) -> str:
        path = self.stage.folder / "roster.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(("name", "email", "github", "jira", "slack", "vault"))
            for who in map(self.person, (*COMPANY, *ENGINEERS, LEAD)):
                handles = (who.github["login"], who.jira["account_id"], who.slack["id"], who.vault["username"])
                lines.writerow((who.name, who.email, *handles))
        return str(path)

    def _manifest(self) -> str:
        path = self.stage.folder / "payments.yaml"
        starts, ends = self.today - timedelta(days=7), self.today + timedelta(days=180)
        line = "    - {{person: {}, role: {}, location: PL}}"
        people = "\n".join(line.format(self.ids[who], self.roles[who]) for who in ENGINEERS)
        shift = f"from: {self.today}, until: {self.today + timedelta(days=13)}"
        rota = "\n".join(f"    - {{person: {self.ids[who]}, {shift}}}" for who in ENGINEERS)
        path.write_text(
            MANIFEST.format(
                starts=starts,
                ends=ends,
                contract_ends=ends + timedelta(days=90),
                sponsor=self.ids["ada"],
                product_owner=self.ids["piet"],
                vendor_lead=self.ids[LEAD],
                company_lead=self.ids["lena"],
                people=people,
                rota=rota,
            )
        )
        return str(path)


MANIFEST = """\
vendor:
  id: nordwind
  name: Nordwind
  contract: {{starts: {starts}, ends: {contract_ends}}}
  data_processing_agreement: {contract_ends}

engagement:
  id: payments
  name: Payments platform
  vendor: nordwind
  model: staff-augmentation
  classification: confidential
  starts: {starts}
  ends: {ends}
  sponsor: {sponsor}
  product_owner: {product_owner}
  vendor_lead: {vendor_lead}
  company_lead: {company_lead}
  locations: [DE, PL]
  people:
{people}
  rota:
{rota}
"""


def act(title: str, told: str) -> None:
    """A heading, and a sentence about what happens."""
    say()
    say(f"== {title} ==", style="bold")
    say(told)
    say()
