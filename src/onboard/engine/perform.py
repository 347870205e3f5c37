"""One change carried out: intent recorded before, outcome after, repeated only after reading whether it took effect."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime

from onboard.connectors.base import Reader, Scope, Writer
from onboard.engine.plan import Change
from onboard.errors import SystemFailed, SystemRefused
from onboard.ledger import Ledger, records
from onboard.ledger.records import Result
from onboard.model import Account, Actor, Holding, HoldingState, Receipt, Resource, scale_of

#: How often one write is tried in all, and the longest that a vendor's Retry-After is waited for (seconds).
TRIES = 3
LONGEST_WAIT = 5.0
#: Seconds that a replaced container's lease lives: longer than the calls made inside it can take.
CONTAINER_TTL = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change; `reason` is for people to read and is never journalled."""

    change: Change
    result: Result
    receipt: Receipt | None = None
    reason: str = ""


@dataclass(frozen=True)
class Tools:
    """Everything that applying needs. `pause` waits between tries; `worker` names this process on leases."""

    readers: Mapping[str, Reader]
    writers: Mapping[str, Writer]
    ledger: Ledger
    clock: Callable[[], datetime]
    worker: str
    pause: Callable[[float], None] = time.sleep


def carry_out(change: Change, digest: str, actor: Actor, tools: Tools) -> Outcome:
    """Record the intent, make the change, record its outcome. Raises nothing for what a system does."""
    journal, at = tools.ledger.journal, tools.clock
    intent = journal.record(records.intended(digest, change.record()), actor=actor, at=at())
    writer = tools.writers[change.resource.system]
    container = f"container:{change.resource}"
    lease = (
        tools.ledger.leases.hold([container], tools.worker, ttl=CONTAINER_TTL, wait=CONTAINER_TTL)
        if writer.replaces_all(change.resource)
        else nullcontext()
    )
    with lease:
        outcome = perform(writer, tools.readers[change.resource.system], change, tools.clock, tools.pause)
    if outcome.receipt and outcome.receipt.external_id:
        account = change.account
        tools.ledger.people.bind(account.id, change.person, account.system, outcome.receipt.external_id, account.handle)
    journal.record(records.outcome(intent.seq, outcome.result, outcome.receipt), actor=actor, at=at())
    return outcome


def perform(
    writer: Writer,
    reader: Reader,
    change: Change,
    clock: Callable[[], datetime],
    pause: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Make one change, at most TRIES times: a repeat only after a reading says that the last try did not take effect."""
    failure: SystemFailed | None = None
    for attempt in range(TRIES):
        if attempt and failure:
            pause(min(failure.retry_after or 0.2 * attempt, LONGEST_WAIT))
        try:
            return Outcome(change, Result.DONE, _write(writer, change))
        except SystemRefused as refusal:
            return Outcome(change, Result.FAILED, reason=refusal.reason)
        except SystemFailed as error:
            failure = error
        effect = in_effect(reader, change) if failure.uncertain else False
        if effect:
            return Outcome(change, Result.DONE, Receipt("read back", clock()))
        if effect is None:
            return Outcome(change, Result.UNCERTAIN, reason=failure.reason)
    assert failure is not None
    return Outcome(change, Result.FAILED, reason=failure.reason)


def _write(writer: Writer, change: Change) -> Receipt:
    if change.after is not None:
        return writer.grant(change.account, change.resource, change.after)
    return writer.revoke(change.account, change.resource, change.before or "")


def in_effect(reader: Reader, change: Change) -> bool | None:
    """Whether what the change wants is so now: read from the system; None where that can't be told."""
    account = change.account
    if account.external_id is None:
        account = _found(reader, account) or account
        if account.external_id is None:
            return None
    reading = reader.read(Scope(frozenset({change.resource}))).of(change.resource)
    if reading.unknown is not None:
        return None
    return fulfilled(reading.holdings, account.external_id, change.resource, change.before, change.after)


def fulfilled(
    holdings: Iterable[Holding], external_id: str, resource: Resource, before: str | None, after: str | None
) -> bool:
    """Whether these holdings are what a change from `before` to `after` wants for the account: there, or gone."""
    held = {h.level: h.state for h in holdings if h.account == external_id and h.via == "direct"}
    if after is None:
        return before not in held if scale_of(resource).open else not held
    return held.get(after, HoldingState.EXPIRED) is not HoldingState.EXPIRED


def _found(reader: Reader, account: Account) -> Account | None:
    try:
        found = reader.find_account(account.handle)
    except SystemFailed:
        return None
    return replace(account, external_id=found.external_id) if found else None
