"""What earlier runs left unsaid, resolved by reading: begun writes without an outcome, and grants that are gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from onboard.engine.diff import reading_of
from onboard.engine.perform import fulfilled
from onboard.engine.plan import Plan
from onboard.ledger import Journal, Register, records
from onboard.ledger.records import ChangeRecord, Result
from onboard.model import Account, Actor, Receipt


def settle(
    plan: Plan,
    accounts: Mapping[str, Account],
    register: Register,
    journal: Journal,
    clock: Callable[[], datetime],
    actor: Actor,
) -> None:
    """Give every unresolved intent of the plan's people an outcome, as far as what was read can tell.

    Call it under those people's leases: then an intent without an outcome is a dead process's, not a running one's.
    """
    for intent in register.unresolved():
        account = accounts.get(intent.change.account)
        so = _is_so(plan, account, intent.change) if account else None
        if so is not None:
            now = clock()
            receipt = Receipt("read back", now) if so else None
            journal.record(
                records.outcome(intent.seq, Result.DONE if so else Result.FAILED, receipt), actor=actor, at=now
            )


def _is_so(plan: Plan, account: Account, change: ChangeRecord) -> bool | None:
    """Whether what was intended is so now; None where it couldn't be read or the account's id isn't known yet."""
    holdings = reading_of(plan.observed, change.resource)
    if isinstance(holdings, str) or account.external_id is None:
        return None
    return fulfilled(holdings, account.external_id, change.resource, change.before, change.after)
