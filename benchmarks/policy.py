"""Deriving grants and asking the guardrails about them, for many people at once.

    python benchmarks/policy.py [--people 10000] [--entitlements 30]

The starter guardrails, over twenty generated roles that carry that many entitlements each on all four systems. People,
all in full operation, are spread over fifty engagements of ten vendors and a year of days on which their NDAs and
trainings end, so that nearly everybody's dates are their own. A plain register answers from memory: what is timed
is policy, not the ledger. One process, one thread; the seconds are the processor's.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from common import conclude, peak_memory_mb

from onboard.extras import Extra
from onboard.model import (
    Assignment,
    Classification,
    Engagement,
    EngagementModel,
    Fact,
    Kind,
    Phase,
    Proof,
    Source,
    Vendor,
)
from onboard.policy.catalogue import Policy
from onboard.policy.desired import desired
from onboard.policy.rules.guardrails import Guard

TODAY = date(2026, 6, 1)
STARTER = Path(__file__).parents[1] / "policies"
SYSTEMS = {kind.value: kind for kind in Kind}
ROLES = 20
NEVER = Source("benchmark", 1)
#: Kinds of resource in turn: declaration, name, level, and from which phase on it is granted.
SORTS = (
    ("github:repo:acme/service-{}", "{owner: team, classification: confidential, tags: [production]}", "push"),
    ("jira:project:P{}", "{owner: team, classification: internal, levels: [Developers]}", "Developers"),
    ("slack:channel:team-{}", "{owner: team, classification: internal}", "member"),
    ("vault:group:dev-{}", "{owner: team, classification: restricted, tags: [secrets]}", "member"),
)
FOUNDATION = (
    ("github:org:acme", "{owner: team, classification: internal}", "member"),
    ("vault:login:userpass", "{owner: team, classification: internal}", "enabled"),
)


@dataclass(frozen=True)
class Memory:
    """A register that holds everything in memory."""

    engagements: Mapping[str, Engagement]
    vendors: Mapping[str, Vendor]
    works: Mapping[str, tuple[Assignment, ...]]
    held: Mapping[str, Mapping[str, Fact]]
    reached: Mapping[str, Fact]
    began: Fact

    def assignments(self, person: str) -> tuple[Assignment, ...]:
        """Theirs."""
        return self.works[person]

    def facts(self, person: str) -> Mapping[str, Fact]:
        """Theirs."""
        return self.held[person]

    def milestones(self, person: str, engagement: str) -> Mapping[str, Fact]:
        """The same for all."""
        return self.reached

    def started(self, person: str, engagement: str) -> Fact | None:
        """The same for all."""
        return self.began

    def left(self, person: str) -> None:
        """Nobody left."""

    def proof(self, person: str, system: str) -> str:
        """The same for all."""
        return Proof.WORK_EMAIL

    def extras(self, person: str) -> tuple[Extra, ...]:
        """Nobody has any."""
        return ()


def policy(entitlements: int) -> Policy:
    """The starter guardrails, with generated resources and roles."""
    names = ("facts.yaml", "playbooks/default.yaml", "guardrails/*", "authority/*")
    paths = [path for name in names for path in STARTER.glob(name)]
    files = {path.relative_to(STARTER).as_posix(): path.read_text() for path in paths}
    declared = dict.fromkeys(f"  {name}: {spec}" for name, spec, _ in FOUNDATION)
    for number in range(ROLES):
        lines = [(name, spec, level, Phase.DISCOVERY) for name, spec, level in FOUNDATION]
        for place in range(entitlements - len(FOUNDATION)):
            name, spec, level = SORTS[place % len(SORTS)]
            lines.append((name.format(number * 50 + place), spec, level, list(Phase)[place * 4 // entitlements]))
        declared |= dict.fromkeys(f"  {name}: {spec}" for name, spec, _, _ in lines)
        files[f"roles/role-{number}.yaml"] = "\n".join(_role(number, lines))
    return Policy.from_files({**files, "resources.yaml": "\n".join(["resources:", *declared])}, SYSTEMS)


def _role(number: int, lines: list[tuple[str, str, str, Phase]]) -> Iterator[str]:
    yield from (f"role: role-{number}", "title: Role", "because: Benchmark", "needs: [nda_signed]", "grants:")
    for phase in Phase:
        yield f"  {phase}:"
        for name, _, level, begins in lines:
            needs = ", needs: [security_training]" if name.startswith("vault") else ""
            if begins is phase:
                yield f"    - {{resource: {name}, level: {level}{needs}}}"


def register(people: int, draw: random.Random) -> Memory:
    """So many people in fifty engagements of ten vendors."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    ends = date(2027, 12, 31)
    vendors = {f"v{n}": Vendor(f"v{n}", "V", at.date(), ends, NEVER, ends) for n in range(10)}
    engagements = {name: _engagement(name, number) for number, name in enumerate(f"e{n}" for n in range(50))}
    ids = [f"p-{number:032x}" for number in range(people)]

    def facts() -> dict[str, Fact]:
        ends = {name: TODAY + timedelta(days=draw.randrange(365)) for name in ("nda_signed", "security_training")}
        return {name: Fact(name, at, 1, until) for name, until in ends.items()}

    def work(person: str) -> tuple[Assignment, ...]:
        where, role = draw.choice(list(engagements)), f"role-{draw.randrange(ROLES)}"
        return (Assignment(person, where, role, Phase.FULL_OPERATION),)

    works, held = {person: work(person) for person in ids}, {person: facts() for person in ids}
    return Memory(engagements, vendors, works, held, {}, Fact("started", at, 1))


def _engagement(name: str, number: int) -> Engagement:
    return Engagement(
        id=name,
        name=name,
        vendor=f"v{number % 10}",
        model=(EngagementModel.DEDICATED_TEAM, EngagementModel.STAFF_AUGMENTATION)[number % 2],
        classification=list(Classification)[number % 4],
        starts=date(2026, 1, 1),
        ends=date(2027, 6, 1) + timedelta(days=number),
        sponsor="p-sponsor",
        product_owner="p-owner",
        vendor_lead="p-lead",
        company_lead="p-company",
        staffing=(),
        source=NEVER,
    )


def main() -> None:
    """Derive, check, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--entitlements", type=int, default=30)
    sizes = parser.parse_args()
    inforce, record = policy(sizes.entitlements), register(sizes.people, random.Random(5))
    began = time.process_time()
    grants = desired(inforce, record, record.works, TODAY)
    derived = time.process_time()
    guard = Guard(inforce, record, TODAY)
    refusals = guard.check(grants)
    ended = time.process_time()
    rules = len(inforce.guardrails.rules)
    print(f"{len(grants)} grants of {sizes.people} people derived in {derived - began:.2f} s")
    print(
        f"{rules} guardrails asked about each in {ended - derived:.2f} s: Cedar answered {guard.judge.asked} questions"
    )
    conclude(
        {
            "people": sizes.people,
            "grants": len(grants),
            "rules": rules,
            "refusals": len(refusals),
            "cedar_questions": guard.judge.asked,
            "derivation_seconds": round(derived - began, 3),
            "guardrail_seconds": round(ended - derived, 3),
            "seconds": round(ended - began, 3),
            "peak_memory_mb": peak_memory_mb(),
        }
    )


if __name__ == "__main__":
    main()
