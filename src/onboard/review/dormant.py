"""What engineers may write to and have not written to for long, as far as a system tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from onboard.adopt.usage import Evidence, evidence, last_use, long_held, tells
from onboard.ledger import Register
from onboard.lifecycle.standing import rules_of
from onboard.model import Grant, Resource
from onboard.review.findings import Finding, FindingKind, Severity
from onboard.wiring import Services


def dormant(services: Services, register: Register) -> tuple[tuple[Finding, ...], tuple[tuple[str, str], ...]]:
    """A finding for each grant unused for longer than the settings say, and what couldn't be read (what: reason).

    One question for each repository that somebody may push to; none at all where the settings name no days.
    """
    days = services.settings.review.dormant_days
    if not days:
        return (), ()
    since = services.clock() - timedelta(days=days)
    grants = [g for g in rules_of(services, register).desired(sorted(register.people)) if tells(services, g)]
    old = [grant for grant in grants if long_held(register, grant, since)]
    told = evidence(services, old, since)
    unused = [grant for grant in old if _unused(services, register, grant, told)]
    unknown = tuple((str(resource), why) for resource, why in told.items() if isinstance(why, str))
    return tuple(_finding(services, register, grant, days) for grant in unused), unknown


def _unused(services: Services, register: Register, grant: Grant, told: Mapping[Resource, Evidence]) -> bool:
    writes = told[grant.resource]
    return not isinstance(writes, str) and last_use(services, register, grant, writes) is None


def _finding(services: Services, register: Register, grant: Grant, days: int) -> Finding:
    account = register.bindings(grant.person)[grant.resource.system].account
    handle = services.ledger.people.account(account).handle
    message = f"nothing was pushed for {days} days; see onboard policy suggest, or take it away"
    return Finding(
        FindingKind.DORMANT, Severity.MEDIUM, grant.resource, grant.level, grant.person, account, handle, message
    )
