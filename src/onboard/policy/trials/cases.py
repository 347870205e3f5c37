"""Policy tests: given somebody in a role and phase with these facts, exactly these grants follow, or this refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType

from onboard.extras import Extra
from onboard.lasting import Limit
from onboard.model import (
    Assignment,
    Engagement,
    Fact,
    Grant,
    Source,
    Staffing,
    Vendor,
    Warrant,
)
from onboard.policy.catalogue import Policy
from onboard.policy.desired import desired
from onboard.policy.rules.guardrails import Refusal, check
from onboard.policy.terms import Case, Holds
from onboard.rota import Shift

_PERSON, _COMPANY = f"p-{1:032x}", f"p-{2:032x}"
_NAME = "test"


@dataclass(frozen=True, slots=True)
class Result:
    """How a policy test went: `wrong` says what is missing, what is too much and which rules refused."""

    name: str
    source: Source
    wrong: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.wrong


@dataclass(frozen=True, slots=True)
class _Imagined:
    """A register in which only the person of a test exists, under a contract that runs a year around the test's day."""

    case: Case
    vendors: Mapping[str, Vendor]
    engagements: Mapping[str, Engagement]
    at: datetime

    def assignments(self, person: str) -> tuple[Assignment, ...]:
        """The one assignment."""
        mine = Assignment(person, _NAME, self.case.role, self.case.phase, location=self.case.location)
        return (mine,) if person == _PERSON else ()

    def facts(self, person: str) -> Mapping[str, Fact]:
        """The facts that the test gives."""
        held = self.case.facts if person == _PERSON else {}
        return {name: Fact(name, self.at, 0, until) for name, until in held.items()}

    def milestones(self, person: str, engagement: str) -> Mapping[str, Fact]:
        """The milestones that the test gives."""
        reached = self.case.milestones if (person, engagement) == (_PERSON, _NAME) else ()
        return {name: Fact(name, self.at, 0) for name in reached}

    def started(self, person: str, engagement: str) -> Fact | None:
        """On the day that the test gives, else on its own day."""
        began = datetime.combine(self.case.started, time(), UTC) if self.case.started else self.at
        return Fact("started", began, 0) if (person, engagement) == (_PERSON, _NAME) else None

    def left(self, person: str) -> None:
        """Nobody left."""

    def proof(self, person: str, system: str) -> str:
        """The proof that the test gives, on every system."""
        return self.case.proof

    def extras(self, person: str) -> tuple[Extra, ...]:
        """None: tests are about roles."""
        return ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A policy test, played: what the person would hold, what refuses it, and what isn't as the test expects."""

    case: Case
    grants: tuple[Grant, ...]
    refusals: tuple[Refusal, ...]
    wrong: tuple[str, ...]

    @property
    def result(self) -> Result:
        """How it went."""
        return Result(self.case.name, self.case.source, self.wrong)


def play_all(policy: Policy) -> tuple[Trial, ...]:
    """Every policy test, played, in the order of files and lines."""
    return tuple(play(policy, case) for case in policy.tests)


def play(policy: Policy, case: Case) -> Trial:
    """One policy test, played."""
    grants = granted(policy, case)
    refusals = check(policy, grants, _imagined(case), case.on)
    return Trial(case, grants, refusals, wrong(case, grants, refusals))


def granted(policy: Policy, case: Case) -> tuple[Grant, ...]:
    """What the roles give in a test, and what it supposes; guardrails have no say in it."""
    derived = desired(policy, _imagined(case), [_PERSON], case.on)
    return (*derived, *(_supposed(holds, case) for holds in case.suppose))


def wrong(case: Case, grants: Iterable[Grant], refusals: Iterable[Refusal]) -> tuple[str, ...]:
    """What isn't as a test expects, if this is granted and these refuse."""
    refusals = tuple(refusals)
    if case.refused:
        refusing = {refusal.rule for refusal in refusals}
        silent = (f"guardrail {rule} does not refuse it" for rule in case.refused if rule not in refusing)
        return (*silent, *(refusal.message for refusal in refusals if refusal.rule not in case.refused))
    expected = {str(holds) for holds in case.expect}
    held = {f"{grant.resource} {grant.level}" for grant in grants}
    return (
        *(f"{line} is not granted" for line in sorted(expected - held)),
        *(f"{line} is granted and not expected" for line in sorted(held - expected)),
        *(refusal.message for refusal in refusals),
    )


def _supposed(holds: Holds, case: Case) -> Grant:
    limit = Limit(holds.until or case.on, "test")
    warrant = Warrant(_NAME, case.role, case.phase, holds.source, (), None, limit)
    return Grant(_PERSON, holds.resource, holds.level, (warrant,))


def _imagined(case: Case) -> _Imagined:
    begin, end = case.on - timedelta(days=180), case.on + timedelta(days=180)
    vendor = Vendor(_NAME, _NAME, begin, end, case.source, end if case.dpa else None)
    engagement = Engagement(
        id=_NAME,
        name=_NAME,
        vendor=_NAME,
        model=case.model,
        classification=case.classification,
        starts=begin,
        ends=end,
        sponsor=_COMPANY,
        product_owner=_COMPANY,
        vendor_lead=_PERSON,
        company_lead=_COMPANY,
        staffing=(Staffing(_PERSON, case.role, case.source),),
        source=case.source,
        locations=case.locations,
        rota=(Shift(_PERSON, case.on, case.on),) if case.on_call else (),
    )
    at = datetime.combine(case.on, time(), UTC)
    return _Imagined(case, MappingProxyType({_NAME: vendor}), MappingProxyType({_NAME: engagement}), at)
