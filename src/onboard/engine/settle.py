"""What earlier runs left unsaid, resolved by reading: begun writes without an outcome, and grants that are gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from onboard.engine.diff import reading_of
from onboard.engine.perform import fulfilled
from onboard.engine.plan import Plan
from onboard.ledger import Journal, Register, records
from onboard.model import Account, Actor, Receipt, Resource


def settle(
    plan: Plan, accounts: dict[str, Account], register: Register, journal: Journal, clock: Callable[[], datetime], actor: Actor
) -> None:
    """Give every unresolved intent of the plan's people an outcome, as far as what was read can tell.

    Call it under those people's leases: then an intent without an outcome is a dead process's, not a running one's.
    """
    for intent in register.unresolved():
        account = accounts.get(intent.change["account"] or "")
        if account is None:
            continue
        so = _is_so(plan, account, Resource.parse(intent.change["resource"] or ""), intent.change)
        if so is not None:
            now = clock()
            receipt = Receipt("read back", now) if so else None
            result = "done" if so else "failed"
            journal.append(
                *records.outcome(intent.seq, result, receipt), actor=actor, at=now, subject=intent.change["person"]
            )


def _is_so(plan: Plan, account: Account, resource: Resource, change: dict[str, str | None]) -> bool | None:
    """Whether what was intended is so now; None where it couldn't be read or the account's id isn't known yet."""
    holdings = reading_of(plan.observed, resource)
    if isinstance(holdings, str) or account.external_id is None:
        return None
    return fulfilled(holdings, account.external_id, resource, change["before"], change["after"])
