"""A test world: one company, one vendor and its engineers, on the sandbox, with a ledger of their own.

Everything goes through what the product goes through: lifecycle functions over real readers and writers, approvals by a
real Vault login. What came of it is read from the sandbox, not from us.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import hvac
import pytest
import requests
from github import Auth, Github
from github.Repository import Repository
from github.Team import Team
from pydantic import SecretStr
from ruamel.yaml import YAML
from slack_sdk import WebClient

from onboard import wiring
from onboard.ledger import Ledger, Profile, Proposal, Record, Register, records
from onboard.lifecycle import approvals, discovery
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import register_of
from onboard.model import (
    OPERATOR,
    Actor,
    Classification,
    Engagement,
    EngagementModel,
    Phase,
    Source,
    Staffing,
    Vendor,
)
from onboard.policy.catalogue import Policy
from onboard.sandbox.client import SandboxClient
from onboard.settings import Settings
from onboard.wiring import Services

#: Sandbox id to person id: the same in every test, so that a failure is easy to read.
IDS = {
    name: f"p-{number:032x}"
    for number, name in enumerate(
        ("ada", "piet", "lena", "octo-admin", "marta", "jonas", "ines", "viktor", "mallory"), 1
    )
}
#: What has to be on record before each phase; a phase includes what stands above it.
FACTS: Mapping[Phase, tuple[str, ...]] = {
    Phase.DISCOVERY: ("nda_signed",),
    Phase.TOOLING_SETUP: ("security_training", "knowledge_transfer_done"),
    Phase.RAMP_UP: ("tooling_verified",),
    Phase.FULL_OPERATION: ("first_merge", "ramp_up_review"),
}
PREREQUISITES = frozenset({"nda_signed", "security_training"})


@dataclass
class Clock:
    """The machine's time and what was added to it."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class World:
    """The sandbox with people entered and one engagement loaded. Sandbox ids name people."""

    sandbox: SandboxClient
    services: Services
    clock: Clock
    database: Path

    # Who and what there is

    @property
    def register(self) -> Register:
        return register_of(self.services)

    @property
    def today(self) -> date:
        return self.clock().date()

    def enter(self, *people: str, **handles: str) -> None:
        """Enter sandbox people, with the handles that they have on the four systems, or others."""
        for name in people:
            them = self.sandbox.person(name)
            own = {
                "github": them.github["login"],
                "jira": them.jira["account_id"],
                "slack": them.slack["id"],
                "vault": them.vault["username"],
            }
            chosen = {system: handle for system, handle in {**own, **handles}.items() if handle}
            self.services.ledger.people.add(IDS[name], Profile(them.name, them.email, chosen))
            self.note(records.person_added(IDS[name]))

    def load(self, name: str = "payments", *, vendor: str = "nordwind", **roles: str) -> Engagement:
        """Load an engagement whose people are given as `marta="qa-engineer"`; ada sponsors it, piet owns it."""
        self.note(records.vendor_loaded(self._vendor(vendor)))
        engagement = self.engagement(name, vendor=vendor, **roles)
        self.state(engagement)
        return engagement

    def state(self, engagement: Engagement) -> None:
        """Load a manifest that says this."""
        self.note(records.engagement_loaded(engagement))

    def _vendor(self, name: str) -> Vendor:
        source = Source(f"vendors/{name}.yaml", 1)
        begins, ends = self.today - timedelta(days=60), self.today + timedelta(days=900)
        return Vendor(name, name.title(), begins, ends, source, data_processing_agreement=ends)

    def engagement(self, name: str = "payments", *, vendor: str = "nordwind", **roles: str) -> Engagement:
        source = Source(f"engagements/{name}.yaml", 1)
        return Engagement(
            id=name,
            name=name.title(),
            vendor=vendor,
            model=EngagementModel.DEDICATED_TEAM,
            classification=Classification.CONFIDENTIAL,
            starts=self.today - timedelta(days=30),
            ends=self.today + timedelta(days=600),
            sponsor=IDS["ada"],
            product_owner=IDS["piet"],
            vendor_lead=IDS["viktor"],
            company_lead=IDS["lena"],
            staffing=tuple(Staffing(IDS[person], role, source) for person, role in roles.items()),
            source=source,
        )

    def note(self, *facts: Record) -> None:
        """Put facts on record, and leave it at that."""
        self.services.ledger.journal.append_many(facts, actor=OPERATOR, at=self.clock())

    def signed(self, person: str, *facts: str, until: date | None = None) -> None:
        """Record prerequisites of a person."""
        self.note(*(records.happened(name, IDS[person], until=until) for name in facts or ("nda_signed",)))

    # What is done

    def start(self, person: str, engagement: str | None = None) -> Report:
        return discovery.start(self.services, IDS[person], engagement, OPERATOR)

    def reconcile(self, *people: str, digest: str | None = None) -> Report:
        return reconcile(self.services, [IDS[person] for person in people], OPERATOR, digest=digest)

    def login(self, person: str) -> SecretStr:
        """The person's own Vault token, by userpass."""
        them = self.sandbox.person(person).vault
        url = f"{self.sandbox.vault['addr']}/v1/auth/userpass/login/{them['username']}"
        answer = requests.post(url, json={"password": them["password"]}, timeout=10)
        answer.raise_for_status()
        return SecretStr(answer.json()["auth"]["client_token"])

    def actor(self, person: str) -> Actor:
        """Who the person is by their own Vault login."""
        return approvals.authenticate(self.services, self.login(person))

    def approve(self, digest: str, person: str, *accepts: str) -> Proposal:
        return approvals.approve(self.services, digest, self.actor(person), accepts)

    def apply(self, digest: str) -> Report:
        return approvals.apply_digest(self.services, digest, OPERATOR)

    def granted(self, report: Report) -> Report:
        """Approve what a report leaves open, as sponsor and as product owner where both are needed, and apply it."""
        for part in report.open:
            self.approve(part.digest, "ada")
            if any("product owner" in need.role for need in part.needs):
                self.approve(part.digest, "piet")
        return self.reconcile(*(name for name, id_ in IDS.items() if id_ in report.plan.people))

    def accept(self, person: str, *systems: str) -> list[str]:
        return self.sandbox.accept(person, *systems)

    def standing(
        self, person: str, phase: Phase = Phase.DISCOVERY, *, engagement: str = "payments", facts: Sequence[str] = ()
    ) -> None:
        """Put on record what brings a person into a phase, without touching any system."""
        who, role = IDS[person], self._role(person, engagement)
        told: list[Record] = [records.started(who, engagement, role)]
        for step in Phase:
            if phase.reaches(step):
                told += [records.advanced(who, engagement, step)] if step is not Phase.DISCOVERY else []
                told += [self._fact(name, who, engagement) for name in FACTS[step]]
        self.note(*told, *(self._fact(name, who, engagement) for name in facts))

    def _role(self, person: str, engagement: str) -> str:
        return next(a.role for a in self.register.assignments(IDS[person]) if a.engagement == engagement)

    def _fact(self, name: str, who: str, engagement: str) -> Record:
        return records.happened(name, who, engagement=None if name in PREREQUISITES else engagement)

    def onboarded(self, *people: str, phase: Phase = Phase.DISCOVERY, engagement: str = "payments") -> Report:
        """Bring people into a phase with everything that it gives granted and accepted."""
        for person in people:
            self.standing(person, phase, engagement=engagement)
        report = self.granted(self.reconcile(*people))
        for person in people:
            self.accept(person)
        assert not report.failed, [outcome.reason for outcome in report.failed]
        return report

    def advance_time(self, **amount: float) -> None:
        """Move our own time and the simulators'; OpenBao's stays the machine's."""
        self.clock.ahead += timedelta(**amount)
        self.sandbox.advance(seconds=timedelta(**amount).total_seconds())

    # The vendors' own SDKs, as an administrator uses them past onboard

    def github(self) -> Github:
        settings = self.sandbox.github
        return Github(
            base_url=settings["base_url"],
            auth=Auth.Token(settings["token"]),
            seconds_between_requests=0,
            seconds_between_writes=0,
            retry=None,
        )

    def repository(self, name: str) -> Repository:
        return self.github().get_repo(f"acme/{name}")

    def team(self, slug: str) -> Team:
        return self.github().get_organization("acme").get_team_by_slug(slug)

    def login_of(self, person: str) -> str:
        return str(self.sandbox.person(person).github["login"])

    def slack(self) -> WebClient:
        return WebClient(token=self.sandbox.slack["bot_token"], base_url=self.sandbox.slack["base_url"])

    def vault(self) -> Any:
        return hvac.Client(url=self.sandbox.vault["addr"], token=self.sandbox.vault["root_token"])

    def join_vault_group(self, person: str, group: str) -> None:
        """Put the entity of a person who has logged in before into a group, beside whoever is in it."""
        identity = self.vault().secrets.identity
        name = self.sandbox.person(person).vault["username"]
        accessor = self.vault().sys.list_auth_methods()["data"]["userpass/"]["accessor"]
        entity = identity.lookup_entity(alias_name=name, alias_mount_accessor=accessor)["data"]["id"]
        found = identity.read_group_by_name(group)["data"]
        identity.update_group(
            found["id"],
            group,
            group_type="internal",
            metadata=found["metadata"] or {},
            policies=found["policies"],
            member_group_ids=found["member_group_ids"] or [],
            member_entity_ids=[*(found["member_entity_ids"] or []), entity],
        )

    # What there is on the systems

    def held(self, person: str) -> list[str]:
        """What a person's accounts hold, as the systems have it: `github repo:acme/docs pull`, pending ones marked."""
        lines = self.sandbox.holdings(person)
        return sorted(_told(line) for line in lines if line["system"] in self.services.readers)

    def writes(self) -> list[str]:
        """Every write request so far: `github PUT /orgs/…`."""
        return [f"{w['system']} {w['method']} {w['path']}" for w in self.sandbox.writes()]

    def with_settings(self, **changed: Any) -> World:
        """The same world under other settings."""
        settings = self.services.settings.model_copy(update=changed)
        return replace(self, services=replace(self.services, settings=settings))

    def with_policy(self, **changed: str) -> World:
        """The same world under policies of which whole files are replaced."""
        old = self.services.policy
        policy = Policy.from_files({**old.files, **changed}, self.services.settings.kinds)
        return replace(self, services=replace(self.services, policy=policy))


def _told(line: Mapping[str, Any]) -> str:
    pending = "" if line["state"] == "active" else f" ({line['state']})"
    return f"{line['system']} {line['resource']} {line['level']}{pending}"


def open_services(sandbox: SandboxClient, database: Path, policy: Policy, clock: Clock) -> Services:
    """What the product would work with, against this sandbox."""
    settings = Settings.load({**sandbox.env, "ONBOARD_LEDGER_URL": f"sqlite:///{database}"}, database.parent)
    return services_of(settings, policy, clock)


def services_of(settings: Settings, policy: Policy, clock: Clock) -> Services:
    """The same under settings that were loaded before."""
    ledger = Ledger.begin(settings.ledger_url.get_secret_value(), clock)
    budgets = wiring.budgets(settings, ledger, lambda: datetime.now(UTC), print)  # the sandbox counts in real time
    return Services(settings, ledger, policy, wiring.readers(settings, clock, budgets, ledger), clock, budgets)


@pytest.fixture(scope="session")
def starter_policy(sandbox_process: Any) -> Policy:
    settings = Settings.load({**sandbox_process.client.env, "ONBOARD_LEDGER_URL": "sqlite:////nowhere"}, Path("/"))
    return wiring.load_policy(settings)


@pytest.fixture
def world(sandbox: SandboxClient, starter_policy: Policy, tmp_path: Path) -> Iterator[World]:
    """Everybody entered, engagement payments loaded with marta as backend engineer and jonas as QA engineer."""
    clock = Clock()
    database = tmp_path / "ledger.db"
    services = open_services(sandbox, database, starter_policy, clock)
    made = World(sandbox, services, clock, database)
    made.enter("ada", "piet", "lena", "marta", "jonas", "ines", "viktor")
    made.load(marta="backend-engineer", jonas="qa-engineer")
    yield made
    services.ledger.close()


@pytest.fixture
def demo_world() -> dict[str, Any]:
    """The sandbox's world file, to be changed and given to `sandbox.reset`."""
    text = resources.files("onboard.sandbox").joinpath("worlds/demo.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe").load(text))
