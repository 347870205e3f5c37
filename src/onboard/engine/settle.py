"""What earlier runs left unsaid, resolved by reading: begun writes of unknown outcome, and what is gone since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from onboard.engine.diff import Sight
from onboard.engine.perform import fulfilled, holdings_of
from onboard.ledger import Journal, Register, records
from onboard.ledger.records import FOUND_GONE, WHOLE_ACCOUNT, ChangeRecord, Result
from onboard.levels import scale_of
from onboard.model import Account, Actor, Grant, Observation, Receipt

#: The status of a receipt that no system gave: a reading showed what was meant.
READ_BACK = "read back"
#: For how long a request that a dead process sent may still be carried out, so that "not there" isn't the last word.
LATE = timedelta(minutes=2)


def settle(
    observed: Mapping[str, Observation],
    accounts: Mapping[str, Account],
    register: Register,
    journal: Journal,
    clock: Callable[[], datetime],
    actor: Actor,
) -> None:
    """Give every unresolved intent about these accounts an outcome, as far as what was read can tell.

    Of each account it is known who it is: one without an immutable id was looked up, and doesn't exist yet. A grant
    that isn't there stays unresolved for as long as it may arrive late. Call it under the leases of the accounts'
    people: then an intent without an outcome is a dead process's, not a running one's.
    """
    sight = Sight(observed)
    for intent in register.unresolved():
        account, now = accounts.get(intent.change.account), clock()
        so = _is_so(sight, account, intent.change) if account else None
        late = intent.change.after is not None and now - intent.at < LATE
        if so is None or (late and not so):
            continue
        receipt = Receipt(READ_BACK, now) if so else None
        journal.record(records.outcome(intent.seq, Result.DONE if so else Result.FAILED, receipt), actor=actor, at=now)


def write_off(
    observed: Mapping[str, Observation],
    accounts: Mapping[str, Account],
    wanted: Iterable[Grant],
    register: Register,
    journal: Journal,
    clock: Callable[[], datetime],
    actor: Actor,
) -> None:
    """Put on record that what we gave, and nobody wants any more, was read to be gone.

    It went with something else, such as a membership that a killed run ended, or by another hand. Without this the
    ledger would go on saying that it is held. Call it as `settle`, and after it.
    """
    sight, needed = Sight(observed), {(grant.person, grant.resource) for grant in wanted}
    for change in tuple(_gone(sight, accounts, register, clock())):
        if (change.person, change.resource) not in needed:
            intent = journal.record(records.intended(FOUND_GONE, change), actor=actor, at=clock())
            receipt = Receipt(READ_BACK, clock(), changed=False)
            journal.record(records.outcome(intent.seq, Result.DONE, receipt), actor=actor, at=clock())


def _gone(sight: Sight, accounts: Mapping[str, Account], register: Register, now: datetime) -> Iterator[ChangeRecord]:
    """What is ours by the ledger and isn't there, where that was read, and nothing is under way."""
    doubtful = {(intent.change.account, intent.change.resource) for intent in register.unresolved()}
    for (person, id_, resource), levels in register.owned().items():
        account = accounts.get(id_)
        if account is None or account.external_id is None or (id_, resource) in doubtful:
            continue
        if sight.unknown(resource) is not None or resource.type == WHOLE_ACCOUNT:
            continue
        held = {h.level for h in holdings_of(sight.held(account).get(resource, []), account.external_id)}
        scale = scale_of(resource)
        lost = sorted(levels - held) if scale.open else ([] if held else [scale.join(levels)])
        given = register.last_attempt(person, resource)
        if lost and given and now - given.at >= LATE:
            yield from (ChangeRecord(person, account.system, id_, resource, level, None) for level in lost)


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
