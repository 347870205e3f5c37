"""The access review: read all four systems completely, find what isn't as it should be, and put it on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from onboard.connectors.base import Scope
from onboard.engine.parallel import each
from onboard.errors import BadInput
from onboard.ledger import Register, records
from onboard.lifecycle.accounts import resolved
from onboard.lifecycle.proposing import bind_everybody
from onboard.lifecycle.standing import note, protected_by, register_of, rules_of, subject_of
from onboard.model import Account, Actor, Classification, Grant, Observation, Resource
from onboard.policy.rules.guardrails import check
from onboard.review.decoys import audited, paths_of, raised
from onboard.review.dormant import dormant
from onboard.review.exceptions import InForce, excepted
from onboard.review.findings import Books, Bound, Finding, find, gravest_first
from onboard.review.reaching import far_reaching
from onboard.wiring import Services


@dataclass(frozen=True, slots=True)
class Review:
    """What one review found, how it compares with the one before, and what couldn't be read (resource: reason).

    `fallen_back` is set where the policies can't be read, and says which ones held instead.
    `exceptions` to guardrails are in force; `untold`: who couldn't be told of an alarm, and why.
    `older`: resources on which a part that costs a request each was seen to hold nothing, and when; it waits its turn.
    """

    at: datetime
    people: int
    systems: tuple[str, ...]
    findings: tuple[Finding, ...]
    new: int
    still_open: int
    resolved: int
    unknown: tuple[tuple[str, str], ...]
    older: tuple[tuple[str, datetime], ...] = ()
    fallen_back: str | None = None
    exceptions: tuple[InForce, ...] = ()
    untold: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """5 where something couldn't be read or told, 4 where there are findings or policies can't be read, else 0."""
        return 5 if self.unknown or self.untold else 4 if self.findings or self.fallen_back else 0


def review(services: Services, actor: Actor, audit: Path | None = None) -> Review:
    """Review everybody's access on every resource of every system, having bound whom we know. Changes no system.

    `audit`: the file of Vault's audit device, where that isn't the one that the settings name. Raises BadInput where
    the policies can't be read and none were ever in force: there is nothing to hold access against.
    """
    if services.fallen_back and register_of(services).policy is None:
        raise BadInput.one("The policies can't be read, and none were ever in force. See onboard policy check.")
    bind_everybody(services, actor)
    register = register_of(services)
    scope = Scope(None, fresh=frozenset(services.policy.resources))
    observed = each(lambda system: services.readers[system].read(scope), sorted(services.readers))
    books = books_of(services, register)
    reaching, unread = far_reaching(services.readers, observed, books.bound, services.policy.resources)
    unused, unasked = dormant(services, register)
    exceptions, stale = excepted(services, register, [g for theirs in books.wanted.values() for g in theirs])
    touched = audited(audit or services.settings.alarms.vault_audit, dict(paths_of(services)), books)
    findings = gravest_first([*find(observed, books), *reaching, *unused, *touched.findings, *stale])
    keys = Counter(finding.key for finding in findings)
    before: Counter[str] = Counter(register.last_review)
    missed, untold = raised(services, findings, register.last_review)
    entry = records.reviewed(sorted(key for key in keys.elements() if key not in missed))
    note(services, entry, actor)
    return Review(
        at=services.clock(),
        people=sum(bool(register.assignments(person)) for person in register.people),
        systems=tuple(sorted(services.readers)),
        findings=findings,
        new=(keys - before).total(),
        still_open=(keys & before).total(),
        resolved=(before - keys).total(),
        unknown=(*_unknown(observed), *unread, *unasked, *touched.unknown),
        older=tuple((str(r.resource), r.at) for o in observed for r in o.readings.values() if r.at is not None),
        fallen_back=services.fallen_back,
        exceptions=exceptions,
        untold=untold,
    )


def books_of(services: Services, register: Register) -> Books:
    """The register, the policy and the settings, to hold observations against."""
    rules, policy = rules_of(services, register), services.policy

    def classification(resource: Resource) -> Classification:
        spec = policy.resources.get(resource)
        return spec.classification if spec else Classification.INTERNAL

    wanted: dict[tuple[str, Resource], tuple[Grant, ...]] = {}
    for grant in rules.desired(sorted(register.people)):
        wanted[grant.person, grant.resource] = (*wanted.get((grant.person, grant.resource), ()), grant)
    return Books(
        wanted=wanted,
        bound=_bound(services, register),
        owned=register.owned(),
        exclusive=rules.exclusive,
        classification=classification,
        protected=lambda account: protected_by(services, account),
        forbidden=_forbidden(services, register, wanted),
        decoys=frozenset(spec.resource for spec in policy.resources.values() if spec.decoy),
    )


def _forbidden(
    services: Services, register: Register, wanted: Mapping[tuple[str, Resource], tuple[Grant, ...]]
) -> dict[tuple[str, Resource, str], tuple[str, ...]]:
    grants = [grant for theirs in wanted.values() for grant in theirs]
    found: dict[tuple[str, Resource, str], tuple[str, ...]] = {}
    for refusal in check(services.policy, grants, register, services.clock().date()):
        key = (refusal.grant.person, refusal.grant.resource, refusal.grant.level)
        found[key] = (*found.get(key, ()), f"guardrail {refusal.rule} forbids it: {refusal.because}")
    return found


def _bound(services: Services, register: Register) -> dict[tuple[str, str], Bound]:
    index = {}
    for person in register.people:
        for account in _accounts(services, register, person):
            if account.external_id is not None:
                index[account.system, account.external_id] = Bound(
                    account=account.id,
                    person=person,
                    left=register.left(person) is not None,
                    outsourced=bool(register.assignments(person)),
                )
    return index


def _accounts(services: Services, register: Register, person: str) -> tuple[Account, ...]:
    return tuple(resolved(services, account) for account in subject_of(services, register, person).everything)


def _unknown(observed: list[Observation]) -> list[tuple[str, str]]:
    whole = [(o.system, o.unknown) for o in observed if o.unknown is not None]
    parts = [(str(r.resource), r.unknown) for o in observed for r in o.readings.values() if r.unknown is not None]
    return [*whole, *parts]
