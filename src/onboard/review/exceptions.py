"""The exceptions to guardrails: those in force, for how long, and which of them nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from onboard.ledger import Register
from onboard.model import Grant
from onboard.policy.beside import RuleException
from onboard.policy.rules.guardrails import Guard
from onboard.review.findings import Finding, FindingKind, Severity
from onboard.wiring import Services


@dataclass(frozen=True, slots=True)
class InForce:
    """An exception in force: what it lifts, for whom, who answers, its last day, and on how many grants it counts."""

    rule: str
    resource: str
    whom: str
    owner: str
    because: str
    ends: date
    days: int
    grants: int
    source: str


def excepted(
    services: Services, register: Register, wanted: Iterable[Grant]
) -> tuple[tuple[InForce, ...], tuple[Finding, ...]]:
    """The exceptions in force, and a finding for each that is over or that nothing rests on."""
    exceptions, today = services.policy.exceptions, services.clock().date()
    if not exceptions:
        return (), ()
    resting = [exception for exception, _ in Guard(services.policy, register, today).lifted(wanted)]
    inforce = tuple(_in_force(x, today, resting.count(x)) for x in exceptions if x.holds(today))
    over = [
        _finding(x, f"the exception for {x.whom} ended on {x.ends}; delete it") for x in exceptions if today > x.ends
    ]
    unused = [
        _finding(x, f"nothing rests on the exception for {x.whom}; delete it")
        for x in exceptions
        if x.holds(today) and x not in resting
    ]
    return inforce, (*over, *unused)


def _in_force(one: RuleException, today: date, grants: int) -> InForce:
    left, source = (one.ends - today).days + 1, str(one.source)
    return InForce(one.rule, str(one.resource), one.whom, one.owner, one.because, one.ends, left, grants, source)


def _finding(one: RuleException, what: str) -> Finding:
    message = f"{what} ({one.source})"
    return Finding(FindingKind.EXCEPTION, Severity.LOW, one.resource, one.rule, None, None, one.owner, message)
