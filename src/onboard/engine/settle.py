"""What earlier runs left unsaid, resolved by reading: begun writes whose outcome isn't known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from onboard.engine.diff import Sight
from onboard.engine.perform import fulfilled, holdings_of
from onboard.ledger import Journal, Register, records
from onboard.ledger.records import ChangeRecord, Result
from onboard.model import Account, Actor, Observation, Receipt

#: The type under which the journal keeps that everything on one account was pulled.
WHOLE_ACCOUNT = "account"


def settle(
    observed: Mapping[str, Observation],
    accounts: Mapping[str, Account],
    register: Register,
    journal: Journal,
    clock: Callable[[], datetime],
    actor: Actor,
) -> None:
    """Give every unresolved intent about these accounts an outcome, as far as what was read can tell.

    Of each account it is known who it is: one without an immutable id was looked up, and doesn't exist yet.
    Call it under the leases of the accounts' people: then an intent without an outcome is a dead process's, not a
    running one's.
    """
    sight = Sight(observed)
    for intent in register.unresolved():
        account = accounts.get(intent.change.account)
        so = _is_so(sight, account, intent.change) if account else None
        if so is not None:
            now = clock()
            receipt = Receipt("read back", now) if so else None
            result = Result.DONE if so else Result.FAILED
            journal.record(records.outcome(intent.seq, result, receipt), actor=actor, at=now)


def _is_so(sight: Sight, account: Account, change: ChangeRecord) -> bool | None:
    """Whether what was intended is so now; None where it couldn't be read."""
    if account.external_id is None:
        return change.after is None
    if change.resource.type == WHOLE_ACCOUNT:
        return _bare(sight, account)
    if sight.unknown(change.resource) is not None:
        return None
    held = holdings_of(sight.held(account).get(change.resource, []), account.external_id)
    return fulfilled(held, change.resource, change.before, change.after)


def _bare(sight: Sight, account: Account) -> bool | None:
    """Whether an account that was cut off holds nothing any more; None where a part of its system wasn't read."""
    observation = sight.observed.get(account.system)
    if observation is None or observation.unknown or any(r.unknown for r in observation.readings.values()):
        return None
    return not sight.held(account)
