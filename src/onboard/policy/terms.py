"""The terms that policy files are written in, as frozen values. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from onboard.model import AccountKind, Classification, EngagementModel, Entitlement, Phase, Proof, Resource, Source


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """A resource that may be granted: who owns it, how sensitive it is, which kinds of account it admits.

    `exclusive` says that nobody but those whom the policies name may hold it. `levels` are the levels of a resource
    whose scale is open (the roles of a Jira project), empty elsewhere. `reaches` are the paths, as Vault's policies
    write them, that a Vault group's policies may open; empty where that isn't said. `duties` says what a level lets
    somebody do (deploy, approve-change), for rules about what nobody may do together. A `decoy` is granted to nobody:
    whoever is found there raises an alarm.
    """

    resource: Resource
    owner: str
    classification: Classification
    source: Source
    tags: frozenset[str] = frozenset()
    admits: frozenset[AccountKind] = frozenset({AccountKind.MEMBER})
    exclusive: bool = False
    levels: tuple[str, ...] = ()
    reaches: tuple[str, ...] = ()
    duties: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    decoy: bool = False


def fits(line: Entitlement, model: EngagementModel) -> bool:
    """Whether a role's line is carried in engagements of that model."""
    return not line.models or model in line.models


@dataclass(frozen=True, slots=True)
class FactSpec:
    """A fact that policies may ask for.

    A milestone belongs to an assignment and stays reached; any other fact (an NDA, a training) belongs to the person
    and may lapse.
    """

    name: str
    title: str
    milestone: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Role:
    """A role: its entitlements in the order of their phases, and after how many days at most they end."""

    name: str
    title: str
    because: str
    entitlements: tuple[Entitlement, ...]
    source: Source
    playbook: str = "default"
    max_days: int | None = None

    def carried(self, phase: Phase) -> tuple[Entitlement, ...]:
        """What the role carries in a phase: what begins there and what the phases before it gave."""
        return tuple(line for line in self.entitlements if phase.reaches(line.phase))

    @property
    def common_needs(self) -> frozenset[str]:
        """What every line of it needs: in its file that is one line, at its top."""
        needs = [frozenset(line.needs) for line in self.entitlements]
        return frozenset.intersection(*needs) if needs else frozenset()


class Host(StrEnum):
    """Who of an engagement holds a session."""

    SPONSOR = "sponsor"
    PRODUCT_OWNER = "product-owner"
    VENDOR_LEAD = "vendor-lead"
    COMPANY_LEAD = "company-lead"


@dataclass(frozen=True, slots=True)
class Session:
    """A knowledge-transfer session: with whom, and how long in minutes."""

    name: str
    title: str
    held_with: Host
    minutes: int
    source: Source


@dataclass(frozen=True, slots=True)
class Task:
    """A starter task."""

    name: str
    title: str
    source: Source


@dataclass(frozen=True, slots=True)
class Stage:
    """What happens in a phase besides access, and its gates: facts needed to enter it, and to leave it for the next."""

    phase: Phase
    source: Source
    sessions: tuple[Session, ...] = ()
    tasks: tuple[Task, ...] = ()
    enter: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Playbook:
    """A stage for every phase."""

    name: str
    title: str
    stages: Mapping[Phase, Stage]
    source: Source


@dataclass(frozen=True, slots=True)
class Holds:
    """A line of a policy test: `github:repo:acme/docs pull`; supposed, it may last `until` a day."""

    resource: Resource
    level: str
    source: Source
    until: date | None = None

    def __str__(self) -> str:
        return f"{self.resource} {self.level}"


@dataclass(frozen=True, slots=True)
class Case:
    """A policy test: given a person in a role and phase with these facts, exactly these grants, or these refusals.

    `facts` gives each prerequisite's last day, None for without end. `suppose` adds grants as if the role had them, to
    test a guardrail. `proof` is how the person's accounts were shown to be theirs; `started` when they began, None for
    on the test's day. `dpa`: the vendor has a data-processing agreement. `locations` are the engagement's, `location`
    is the person's; `on_call`: they have a shift on the test's day.
    """

    name: str
    role: str
    phase: Phase
    model: EngagementModel
    classification: Classification
    on: date
    expect: tuple[Holds, ...]
    refused: tuple[str, ...]
    source: Source
    facts: Mapping[str, date | None] = field(default_factory=lambda: MappingProxyType({}))
    milestones: tuple[str, ...] = ()
    suppose: tuple[Holds, ...] = ()
    proof: Proof = Proof.WORK_EMAIL
    started: date | None = None
    dpa: bool = True
    location: str | None = None
    locations: tuple[str, ...] = ()
    on_call: bool = False


@dataclass(frozen=True, slots=True)
class Spared:
    """A mutant that no test needs to notice, named as `onboard policy test --mutants` names it, and why not."""

    mutant: str
    because: str
    source: Source
