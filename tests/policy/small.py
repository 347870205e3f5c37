"""A small policy, register and manifest to start tests from: start identical, change one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from onboard.errors import BadInput
from onboard.extras import Extra, ExtraKind
from onboard.model import (
    OPERATOR,
    Assignment,
    Classification,
    Engagement,
    EngagementModel,
    Fact,
    Kind,
    Phase,
    Proof,
    Resource,
    Source,
    Vendor,
)
from onboard.policy.catalogue import Policy

SYSTEMS = {kind.value: kind for kind in Kind}
MARTA, ADA, PIET, LENA, VIKTOR = (f"p-{number:032x}" for number in range(1, 6))
TODAY = date(2026, 6, 1)

RESOURCES = """\
resources:
  github:org:acme: {owner: team-platform, classification: internal}
  github:repo:acme/api: {owner: team-pay, classification: confidential}
  github:repo:acme/docs: {owner: team-pay, classification: internal, admits: [member, outside-collaborator]}
  jira:project:PAY: {owner: team-pay, classification: internal, levels: [Viewers, Developers]}
  slack:channel:dev: {owner: team-pay, classification: internal, admits: [member, guest]}
  vault:login:userpass: {owner: team-platform, classification: internal}
  vault:group:dev: {owner: team-pay, classification: restricted, tags: [secrets], exclusive: true}
"""

FACTS = """\
prerequisites:
  nda_signed: Signed the NDA
  security_training: Passed the training
milestones:
  first_merge: Merged a first change
"""

ROLE = """\
role: engineer
title: Engineer
because: Builds the API
needs: [nda_signed]
grants:
  discovery:
    - {resource: github:org:acme, level: member}
    - {resource: github:repo:acme/api, level: pull}
    - {resource: github:repo:acme/docs, level: pull}
    - {resource: jira:project:PAY, level: Viewers}
  tooling-setup:
    - {resource: slack:channel:dev, level: member}
    - {resource: vault:login:userpass, level: enabled, needs: [security_training]}
    - {resource: vault:group:dev, level: member, needs: [security_training]}
  ramp-up:
    - {resource: github:repo:acme/api, level: push, after: first_merge}
    - {resource: jira:project:PAY, level: Developers}
"""

PLAYBOOK = """\
playbook: default
title: Default
phases:
  discovery:
    sessions:
      - {name: tour, title: Tour, with: company-lead, minutes: 60}
    tasks:
      - {name: read, title: Read}
    leave: [security_training]
"""

SCHEMA = (Path(__file__).parents[2] / "policies" / "guardrails" / "schema.cedarschema").read_text()

NO_ADMIN = """\
// A comment; with a semicolon.
@id("no-admin")
@because("An administrator decides for others")
@control("CC6.3")
forbid (principal, action == Action::"hold", resource)
when { principal.outsourced && context.level == "admin" };
"""

FILES = {
    "resources.yaml": RESOURCES,
    "facts.yaml": FACTS,
    "roles/engineer.yaml": ROLE,
    "playbooks/default.yaml": PLAYBOOK,
    "guardrails/schema.cedarschema": SCHEMA,
    "guardrails/admin.cedar": NO_ADMIN,
}


def policy(**changed: str) -> Policy:
    """The small policy, with whole files replaced: `policy(**{"facts.yaml": …})`."""
    return Policy.from_files({**FILES, **changed}, SYSTEMS)


def kept(**changed: str) -> Policy:
    """The same, without asking whether a line can be of use to anybody."""
    return Policy.kept({**FILES, **changed}, SYSTEMS)


def edited(file: str, old: str, new: str) -> dict[str, str]:
    """The small policy's files with one passage of one file changed."""
    assert old in FILES[file]
    return {**FILES, file: FILES[file].replace(old, new, 1)}


def complaints(files: Mapping[str, str]) -> list[str]:
    """Every problem that loading these files reports, as shown to people."""
    with pytest.raises(BadInput) as caught:
        Policy.from_files(files, SYSTEMS)
    return [str(problem) for problem in caught.value.problems]


def fact(name: str, until: date | None = None) -> Fact:
    """A fact recorded on New Year's Day."""
    return Fact(name, datetime(2026, 1, 1, tzinfo=UTC), 1, until)


def vendor(**changed: Any) -> Vendor:
    """Nordwind, under contract for the whole of 2026."""
    plain: dict[str, Any] = {
        "id": "nordwind",
        "name": "Nordwind",
        "contract_starts": date(2026, 1, 1),
        "contract_ends": date(2026, 12, 31),
        "source": Source("engagements/nordwind.yaml", 1),
        "data_processing_agreement": date(2026, 12, 31),
    }
    return Vendor(**{**plain, **changed})


def engagement(id_: str = "payments", **changed: Any) -> Engagement:
    """Payments, for the whole of 2026."""
    plain: dict[str, Any] = {
        "id": id_,
        "name": id_.title(),
        "vendor": "nordwind",
        "model": EngagementModel.STAFF_AUGMENTATION,
        "classification": Classification.CONFIDENTIAL,
        "starts": date(2026, 1, 1),
        "ends": date(2026, 12, 31),
        "sponsor": ADA,
        "product_owner": PIET,
        "vendor_lead": VIKTOR,
        "company_lead": LENA,
        "staffing": (),
        "source": Source(f"engagements/{id_}.yaml", 1),
    }
    return Engagement(**{**plain, **changed})


@dataclass(frozen=True)
class Register:
    """What is on record, spelled out."""

    works: tuple[Assignment, ...] = ()
    held: Mapping[str, Fact] = field(default_factory=dict)
    reached: Mapping[str, Fact] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    engagements: Mapping[str, Engagement] = field(default_factory=lambda: {"payments": engagement()})
    vendors: Mapping[str, Vendor] = field(default_factory=lambda: {"nordwind": vendor()})
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    beside: tuple[Extra, ...] = ()

    def assignments(self, person: str) -> tuple[Assignment, ...]:
        return tuple(each for each in self.works if each.person == person)

    def facts(self, person: str) -> Mapping[str, Fact]:
        return self.held

    def milestones(self, person: str, engagement: str) -> Mapping[str, Fact]:
        return self.reached

    def started(self, person: str, engagement: str) -> Fact | None:
        return fact("started")

    def left(self, person: str) -> Fact | None:
        return fact("left") if person in self.gone else None

    def proof(self, person: str, system: str) -> str:
        return self.proofs.get(system, Proof.WORK_EMAIL)

    def extras(self, person: str) -> tuple[Extra, ...]:
        return tuple(extra for extra in self.beside if extra.person == person)


def register(phase: Phase | None = Phase.RAMP_UP, role: str = "engineer", **changed: Any) -> Register:
    """Marta works for payments, with an NDA and a training without end, and a first change merged."""
    plain: dict[str, Any] = {
        "works": (Assignment(MARTA, "payments", role, phase),),
        "held": {name: fact(name) for name in ("nda_signed", "security_training")},
        "reached": {"first_merge": fact("first_merge")},
    }
    return Register(**{**plain, **changed})


def extra(resource: str, level: str, *, hours: float = 4, **changed: Any) -> Extra:
    """Marta asked for this on the first of June at nine."""
    asked = datetime(2026, 6, 1, 9, tzinfo=UTC)
    plain: dict[str, Any] = {"entry": 41, "kind": ExtraKind.REQUEST, "person": MARTA, "engagement": "payments"}
    plain |= {"resource": Resource.parse(resource), "level": level, "at": asked, "asked_by": OPERATOR}
    return Extra(**{**plain, "ends": asked + timedelta(hours=hours), **changed})
