"""One change carried out: intent recorded before, outcome after, repeated only after reading whether it took effect."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from onboard.connectors.base import Hold, Reader, Scope, Writer
from onboard.connectors.pacing import patient_for, urgent
from onboard.engine.plan import Change
from onboard.errors import SystemFailed, SystemRefused, Waiting
from onboard.ledger import Lease, Ledger, records
from onboard.ledger.records import Result
from onboard.levels import scale_of
from onboard.model import Actor, Holding, HoldingState, Receipt, Resource

#: How often one write is tried in all, and the longest that a vendor's Retry-After is waited for (seconds).
TRIES = 3
LONGEST_WAIT = 65.0
#: Seconds that a replaced container's lease lives from the beginning of each try: longer than the calls of one take.
CONTAINER_TTL = 60.0
#: Seconds that a call waits for its turn while it holds a container: less than the lease lives, with time for the call.
CONTAINER_PATIENCE = 45.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change; `reason` is for people to read and is never journalled."""

    change: Change
    result: Result
    receipt: Receipt | None = None
    reason: str = ""


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Tools:
    """Everything that applying needs. `pause` waits between tries; `worker` names this process on leases.

    `check` raises Waiting where this process may no longer act for the people it acts for. `under` are their leases:
    without them the journal takes no intent.
    """

    readers: Mapping[str, Reader]
    writers: Mapping[str, Writer]
    ledger: Ledger
    clock: Callable[[], datetime]
    worker: str
    check: Callable[[], None] = _nothing
    pause: Callable[[float], None] = time.sleep
    under: tuple[Lease, ...] = ()


def carry_out(change: Change, digest: str, actor: Actor, tools: Tools) -> Outcome:
    """Record the intent, make the change, record its outcome. Raises nothing for what a system does.

    Without the leases that it needs the change fails before its intent. What a connector raises beyond its contract
    leaves an uncertain outcome, and is raised.
    """
    try:
        tools.check()
        with urgent() if change.removes else nullcontext(), _container(change, tools) as renew:
            return _recorded(change, digest, actor, tools, renew)
    except Waiting as waiting:
        return Outcome(change, Result.FAILED, reason=str(waiting))


@contextmanager
def _container(change: Change, tools: Tools) -> Iterator[Callable[[], None]]:
    """Hold the container's lease where a write replaces its whole membership; yields how to renew it."""
    if not tools.writers[change.resource.system].replaces_all(change.resource):
        yield _nothing
        return
    with container(change.resource, tools.ledger, tools.worker, CONTAINER_TTL) as renew:
        yield renew


@contextmanager
def container(resource: Resource, ledger: Ledger, worker: str, wait: float) -> Iterator[Callable[[], None]]:
    """Hold a container's lease, having waited at most `wait` seconds for it; yields how to renew it. Raises Waiting.

    A name is the same one in capitals, as it is to the systems that have such containers.
    """
    held = ledger.leases.hold([f"container:{resource}".lower()], worker, ttl=CONTAINER_TTL, wait=wait)
    with held as lease, patient_for(CONTAINER_PATIENCE):
        yield lease.renew


def _recorded(change: Change, digest: str, actor: Actor, tools: Tools, renew: Callable[[], None]) -> Outcome:
    journal, at, system = tools.ledger.journal, tools.clock, change.resource.system
    intent = journal.record(records.intended(digest, change.record()), actor=actor, at=at(), under=tools.under)
    try:
        outcome = perform(tools.writers[system], tools.readers[system], change, at, tools.pause, renew)
        if outcome.receipt and outcome.receipt.external_id:
            account, found = change.account, outcome.receipt.external_id
            tools.ledger.people.bind(account.id, change.person, account.system, found, account.handle)
    except Exception:
        journal.record(records.outcome(intent.seq, Result.UNCERTAIN), actor=actor, at=at())
        raise
    journal.record(records.outcome(intent.seq, outcome.result, outcome.receipt), actor=actor, at=at())
    return outcome


def perform(
    writer: Writer,
    reader: Reader,
    change: Change,
    clock: Callable[[], datetime],
    pause: Callable[[float], None] = time.sleep,
    renew: Callable[[], None] = _nothing,
) -> Outcome:
    """Make one change, at most TRIES times: a repeat only after a reading says that the last try did not take effect.

    A grant that may still arrive late stays uncertain, so that it is ours to revoke. `renew` renews what has to be held
    during the next try, and raises Waiting where it is lost: before each try, and again right before it replaces.
    """
    doubt, attempt = False, 0
    while True:
        attempt += 1
        answer = _tried(writer, change, renew)
        if isinstance(answer, Receipt):
            return Outcome(change, Result.DONE, answer)
        doubt = doubt or answer.uncertain
        effect = in_effect(reader, change) if doubt else Effect(so=False)
        if effect is None:
            return Outcome(change, Result.UNCERTAIN, reason=answer.reason)
        if effect.so:
            return Outcome(change, Result.DONE, Receipt("read back", clock(), external_id=effect.external_id))
        wait = 0.2 * attempt if answer.retry_after is None else answer.retry_after
        final = isinstance(answer, SystemRefused) or attempt == TRIES or wait > LONGEST_WAIT
        if final or not _renewed(renew, wait, pause):
            late = doubt and change.after is not None
            return Outcome(change, Result.UNCERTAIN if late else Result.FAILED, reason=answer.reason)


def _renewed(renew: Callable[[], None], wait: float, pause: Callable[[float], None]) -> bool:
    """Wait, then renew what has to be held during the next try; False where that is lost."""
    pause(wait)
    try:
        renew()
    except Waiting:
        return False
    return True


def _tried(writer: Writer, change: Change, renew: Callable[[], None]) -> Receipt | SystemFailed:
    try:
        return _write(writer, change, lambda _: nullcontext(renew))
    except SystemFailed as failure:
        return failure


def _write(writer: Writer, change: Change, hold: Hold) -> Receipt:
    if change.after is not None:
        return writer.grant(change.account, change.resource, change.after, hold)
    return writer.revoke(change.account, change.resource, change.before or "", hold)


@dataclass(frozen=True, slots=True)
class Effect:
    """Whether what a change wants is so now, and the account's id where it was found only now."""

    so: bool
    external_id: str | None = None


def in_effect(reader: Reader, change: Change) -> Effect | None:
    """Whether what the change wants is so now: read from the system; None where that can't be told."""
    account, found = change.account, None
    if account.external_id is None:
        try:
            answering = reader.find_account(account.handle)
        except SystemFailed:
            return None
        if answering is None or answering.external_id is None:
            return Effect(so=change.after is None)
        found = answering.external_id
    reading = reader.read(Scope(frozenset({change.resource}))).of(change.resource)
    if reading.unknown is not None:
        return None
    held = holdings_of(reading.holdings, found or account.external_id)
    return Effect(fulfilled(held, change.resource, change.before, change.after), found)


def holdings_of(holdings: Iterable[Holding], external_id: str | None) -> list[Holding]:
    """What an account holds directly, of the holdings on a resource."""
    return [h for h in holdings if h.account == external_id and h.via == "direct"]


def fulfilled(mine: Iterable[Holding], resource: Resource, before: str | None, after: str | None) -> bool:
    """Whether what an account holds is what a change from `before` to `after` wants: there, or gone.

    On a closed scale a level that was to be given is there with any level above it, too.
    """
    scale = scale_of(resource)
    held = {holding.level for holding in mine}
    live = {holding.level for holding in mine if holding.state is not HoldingState.EXPIRED}
    if after is None:
        return before not in held if scale.open else not held
    raises = not scale.open and scale.rank(after) > scale.rank(before)
    return after in live or (raises and any(scale.rank(level) > scale.rank(after) for level in live))
