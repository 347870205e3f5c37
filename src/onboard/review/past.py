"""Who held what then: from the ledger alone, with the policy of that time, so that it needs no system.

What onboard gave and hadn't taken back at that moment, under which policy, approved by whom, with the system's receipt.
What others gave outside onboard is not in the ledger; it is in what the access reviews of that time found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from onboard.errors import BadInput
from onboard.ledger import Approval, Attempt, Ledger, Register
from onboard.levels import scale_of
from onboard.model import Grant, Kind, Receipt, Resource
from onboard.policy.catalogue import Policy
from onboard.policy.desired import desired, why_not


@dataclass(frozen=True, slots=True)
class HeldThen:
    """One level that was held, and what it rested on.

    `policy` and `revision` (git's, where it was known) are those under which it was given; `grant` is what the policy
    in force at the moment asked about gave for it, None where it gave nothing or can't be read any more.
    """

    attempt: Attempt
    policy: str | None
    revision: str | None
    approvals: tuple[Approval, ...]
    receipt: Receipt | None
    grant: Grant | None


@dataclass(frozen=True)
class Past:
    """What was so at a moment. `register` is as it stood then; `problem` says why its `policy` can't be read now."""

    at: datetime
    register: Register
    held: tuple[HeldThen, ...]
    policy: Policy | None
    problem: str | None


def past(
    ledger: Ledger,
    kinds: Mapping[str, Kind],
    at: datetime,
    *,
    person: str | None = None,
    resource: Resource | None = None,
) -> Past:
    """What a person held, or who held something on a resource, or everything, at a moment.

    Raises OnboardError where the journal can't be read.
    """
    then = ledger.as_of(at)
    policy, problem = _policy(ledger, kinds, then)
    attempts = ledger.history.held(at, person=person, resource=str(resource) if resource else None)
    grants = desired(policy, then, {a.person for a in attempts}, at.date(), at) if policy else ()
    behind = ledger.archive.of_attempts(attempts)
    held = tuple(_held(behind, then, grants, attempt) for attempt in attempts)
    return Past(at, then, held, policy, problem)


def _policy(ledger: Ledger, kinds: Mapping[str, Kind], then: Register) -> tuple[Policy | None, str | None]:
    """The policy that was in force then, read from the bundle that the ledger keeps; or why it can't be."""
    if then.policy is None:
        return None, "no policy was in force yet"
    try:
        return Policy.kept(ledger.bundles.get(then.policy), kinds), None
    except BadInput as error:
        count = len(error.problems)
        return None, f"policy {then.policy[:7]} can't be read by this version or for these systems ({count} problems)"


def _held(behind: Register, then: Register, grants: Iterable[Grant], attempt: Attempt) -> HeldThen:
    resource = Resource.parse(attempt.resource)
    episode = behind.episode(attempt.entry)
    policy = behind.proposal(attempt.digest).policy
    covering = (g for g in grants if (g.person, g.resource) == (attempt.person, resource) and _covers(g, attempt))
    return HeldThen(
        attempt, policy, then.revision(policy), episode.approvals, episode.intent.receipt, next(covering, None)
    )


def _covers(grant: Grant, attempt: Attempt) -> bool:
    return scale_of(grant.resource).includes(grant.level, attempt.after or "")


@dataclass(frozen=True)
class PastExplanation:
    """Why a person held, or didn't hold, something at a moment: as `Past`, with what stood in the way of more then."""

    past: Past
    person: str
    resource: Resource
    grants: tuple[Grant, ...]
    against: tuple[str, ...]


def explain_then(
    ledger: Ledger, kinds: Mapping[str, Kind], person: str, resource: Resource, at: datetime
) -> PastExplanation:
    """The chain from policy line to receipt as it stood at a moment. Raises as `past`."""
    found = past(ledger, kinds, at, person=person, resource=resource)
    policy = found.policy
    if policy is None:
        return PastExplanation(found, person, resource, (), (found.problem or "",))
    grants = tuple(g for g in desired(policy, found.register, [person], at.date(), at) if g.resource == resource)
    against = why_not(policy, found.register, person, resource, at.date(), at)
    return PastExplanation(found, person, resource, grants, against)
