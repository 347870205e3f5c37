"""What all threads, and through the ledger all workers, spend from: one budget a system, handing out single calls.

Calls are served in the order in which they asked, removals first, and a tenth of each limit is kept for these. What
the vendor says wins: it puts a limit to rest for everybody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from onboard.connectors.pacing import Cost, Limit, is_urgent, patience
from onboard.errors import SystemFailed
from onboard.ledger.budgets import Budgets, Rest, Slice, State, Want, Window, drawn
from onboard.ledger.instants import in_words, micros

#: The longest that a call waits for its turn (seconds): a minute's limit, and a part of its window.
LONGEST_WAIT = 65.0
#: Seconds between two looks at whose turn it is, at what other workers were told, and at a limit that is used up.
POLL, LOOK, AGAIN = 0.25, 0.25, 1.0
#: A wait of so many seconds or more is told to the user.
TOLD_FROM = 5.0
#: A limit whose window is shorter (seconds) isn't worth the ledger's time: each worker keeps below half by itself.
SHARED_FROM = 5.0
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class _Demand:
    """So many calls of one limit, under the name that all workers know it by; `want` is what to draw of it.

    What costs more than there is takes all that others may have.
    """

    kind: str
    title: str
    limit: Limit
    want: Want
    shared: bool

    @classmethod
    def of(cls, cost: Cost, limit: Limit, credential: str) -> _Demand:
        kind = f"{cost.limit} {cost.of}".strip() + (f" ({credential})" if limit.each_credential else "")
        amount, seconds = _window(limit)
        shared = seconds >= SHARED_FROM
        allowed = amount if shared else max(1, amount // 2)
        kept = max(1, allowed // 10) if limit.kept and allowed > 1 else 0
        want = Want(kind, min(cost.amount, allowed - kept), allowed, int(seconds * _SECOND), kept, urgent=False)
        return cls(kind, f"{limit.title} ({cost.of})" if cost.of else limit.title, limit, want, shared)


@dataclass(eq=False, slots=True)
class _Ticket:
    """A call's place in the queue; `short` are the limits that it waits for."""

    urgent: bool
    number: int
    demands: tuple[_Demand, ...]
    short: frozenset[str] = frozenset()

    def before(self, other: _Ticket) -> bool:
        return (not self.urgent, self.number) < (not other.urgent, other.number)


@dataclass(frozen=True, slots=True)
class _Hold:
    """Why a call can't be made now, until when (microseconds), and the limits that it waits for."""

    until: int
    short: frozenset[str]
    why: str


@dataclass(slots=True)
class _Lease:
    """What is left of a slice, to be used in its slot."""

    demand: _Demand
    slot: int
    tokens: int


@dataclass(slots=True)
class _Known:
    """What this worker knows of a system's limits between two looks at the ledger, by kind; times in microseconds.

    `refused` has, by kind and urgency, until when a limit was used up and when to ask again.
    """

    looked: int = 0
    rests: dict[str, Rest] = field(default_factory=dict)
    scarce: dict[str, int] = field(default_factory=dict)
    leases: dict[str, _Lease] = field(default_factory=dict)
    own: dict[str, State] = field(default_factory=dict)
    refused: dict[tuple[str, bool], tuple[int, int]] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)


class Budget:
    """One system's limits. `clock` gives aware UTC times, `say` gets a line for people where a wait is long."""

    def __init__(
        self,
        system: str,
        limits: Mapping[str, Limit],
        shared: Budgets,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        say: Callable[[str], None],
    ) -> None:
        self._system = system
        self._limits = limits
        self._shared = shared
        self._clock = clock
        self._sleep = sleep
        self._say = say
        self._lock = threading.Lock()
        self._known = _Known()
        self._waiting: list[_Ticket] = []
        self._asked = 0
        self._demands: dict[tuple[str, Cost], _Demand] = {}

    def paced(self, credential: str) -> Paced:
        """The pace for a client with that credential, which has some limits by itself."""
        return Paced(self, credential)

    def take(self, credential: str, costs: Sequence[Cost]) -> None:
        """As `Pace.take`."""
        ticket = self._ticket([self._demand(credential, cost) for cost in costs])
        waited = 0.0
        try:
            while (hold := self._held_up(ticket)) is not None:
                seconds = self._bearable(hold, waited)
                self._sleep(seconds)
                waited += seconds
        finally:
            self._leave(ticket)

    def give_back(self, credential: str, costs: Sequence[Cost]) -> None:
        """As `Pace.give_back`. Where that part of the window has ended it stays counted, to be safe."""
        with self._lock:
            now = self._now()
            for demand in (self._demand(credential, cost) for cost in costs):
                lease = self._known.leases.get(demand.kind)
                if lease is not None and _current(lease, now):
                    lease.tokens += demand.want.tokens

    def limited(self, credential: str, cost: Cost, wait: float | None) -> None:
        """As `Pace.limited`."""
        demand = self._demand(credential, cost)
        seconds = demand.limit.unsaid if wait is None else wait
        if seconds > 0:
            self._rest(demand.kind, Rest(asleep=self._now() + int(seconds * _SECOND)))

    def left(self, credential: str, cost: Cost, remaining: int, limit: int, reset: float) -> None:
        """As `Pace.left`: the last tenth is kept for removals."""
        kept = limit // 10
        if remaining > 2 * kept:
            return
        demand = self._demand(credential, cost)
        until = self._now() + int(min(max(reset, 0.0), demand.limit.seconds) * _SECOND)
        self._known.scarce[demand.kind] = until
        if remaining <= kept:
            self._rest(demand.kind, Rest(low=until, asleep=until if remaining <= 0 else 0))

    def close(self) -> None:
        """Give back what isn't used. The budget can be used on."""
        with self._lock:
            leases, self._known.leases = self._known.leases.values(), {}
            unused = [replace(it.demand.want, back=(it.slot, it.tokens)) for it in leases if it.demand.shared]
            if unused:
                self._shared.give_back(self._system, unused)

    def _demand(self, credential: str, cost: Cost) -> _Demand:
        found = self._demands.get((credential, cost))
        if found is None:
            found = self._demands[credential, cost] = _Demand.of(cost, self._limits[cost.limit], credential)
        return found

    def _now(self) -> int:
        return micros(self._clock())

    def _rest(self, kind: str, rest: Rest) -> None:
        """Let every worker rest a limit; many calls may come back with the same word, which is written once."""
        with self._lock:
            known = self._known.rests.get(kind, Rest())
            if rest.asleep <= known.asleep + _SECOND and rest.low <= known.low + _SECOND:
                return
            self._known.rests[kind] = Rest(max(rest.asleep, known.asleep), max(rest.low, known.low))
            self._shared.rest(self._system, kind, rest)

    # The queue

    def _ticket(self, demands: Iterable[_Demand]) -> _Ticket:
        with self._lock:
            self._asked += 1
            return _Ticket(is_urgent(), self._asked, tuple(demands))

    def _held_up(self, ticket: _Ticket) -> _Hold | None:
        """Why the call can't be made yet; None where it can, and is paid for."""
        with self._lock:
            now = self._now()
            self._look(ticket, now)
            hold = self._resting(ticket, now) or self._behind(ticket, now) or self._unpaid(ticket, now)
            if hold is not None:
                ticket.short = hold.short
                if ticket not in self._waiting:
                    self._waiting.append(ticket)
            return hold

    def _leave(self, ticket: _Ticket) -> None:
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def _bearable(self, hold: _Hold, waited: float) -> float:
        """Seconds to sleep before the next look. Raises SystemFailed where the whole wait is longer than it may be."""
        seconds, most = max(0.0, (hold.until - self._now()) / _SECOND), patience()
        too_long = seconds > LONGEST_WAIT or (most is not None and waited + seconds > most)
        if too_long or seconds >= TOLD_FROM:
            self._tell(hold)
        if too_long:
            raise SystemFailed(self._system, f"nothing was sent: {hold.why}.", retry_after=seconds)
        return min(seconds, POLL)

    def _tell(self, hold: _Hold) -> None:
        """Say it once until the limit goes on."""
        kind = min(hold.short)
        with self._lock:
            told, now = self._known.told.get(kind, 0), self._now()
            self._known.told[kind] = max(told, hold.until)
        if told <= now:
            self._say(f"{self._system}: {hold.why}.")

    # With the lock held

    def _look(self, ticket: _Ticket, now: int) -> None:
        """Hear what other workers were told; before each call where the vendor has said that little is left."""
        scarce = any(self._known.scarce.get(demand.kind, 0) > now for demand in ticket.demands)
        if scarce or not 0 <= now - self._known.looked < LOOK * _SECOND:
            self._known.rests = self._shared.resting(self._system, now)
            self._known.looked = now

    def _resting(self, ticket: _Ticket, now: int) -> _Hold | None:
        """What the vendor has put to rest."""
        for demand in ticket.demands:
            rest = self._known.rests.get(demand.kind, Rest())
            until = rest.asleep if ticket.urgent else max(rest.asleep, rest.low)
            if until > now:
                what = "has nothing left" if rest.asleep > now else "has only left what is kept for removals"
                why = f"by its own word {self._system} {what} of {demand.title}, until {in_words(until)}"
                return _Hold(until, frozenset({demand.kind}), why)
        return None

    def _behind(self, ticket: _Ticket, now: int) -> _Hold | None:
        """Calls that wait for the same limit, and whose turn is before."""
        kinds = {demand.kind for demand in ticket.demands}
        for other in self._waiting:
            if other is not ticket and other.before(ticket) and other.short & kinds:
                why = f"others wait for {', '.join(sorted(other.short & kinds))}"
                return _Hold(now + int(POLL * _SECOND), other.short & kinds, why)
        return None

    def _unpaid(self, ticket: _Ticket, now: int) -> _Hold | None:
        """The limits of which there isn't enough; None where there was of each, and it is taken."""
        counted = [demand for demand in ticket.demands if demand.limit.amount is not None]
        self._draw([demand for demand in counted if self._to_be_asked(demand, ticket, now)], ticket, now)
        short = [demand for demand in counted if not self._covered(demand, now)]
        if not short:
            for demand in counted:
                self._known.leases[demand.kind].tokens -= demand.want.tokens
            return None
        until, last = max((self._known.refused[demand.kind, ticket.urgent][0], demand.title) for demand in short)
        kinds = frozenset(demand.kind for demand in short)
        return _Hold(until, kinds, f"the budget of {last} is used up: it resumes at {in_words(until)}")

    def _covered(self, demand: _Demand, now: int) -> bool:
        lease = self._known.leases.get(demand.kind)
        return lease is not None and _current(lease, now) and lease.tokens >= demand.want.tokens

    def _to_be_asked(self, demand: _Demand, ticket: _Ticket, now: int) -> bool:
        """Whether to ask for more now: not again at once where there was none."""
        _, again = self._known.refused.get((demand.kind, ticket.urgent), (0, 0))
        return again <= now and not self._covered(demand, now)

    def _draw(self, demands: Sequence[_Demand], ticket: _Ticket, now: int) -> None:
        """Slices of the shared limits in one go, and what is needed of those that each worker counts by itself."""
        shared = [demand for demand in demands if demand.shared]
        if shared:
            slices = self._shared.draw(self._system, [self._want(demand, ticket) for demand in shared], now)
            for demand, found in zip(shared, slices, strict=True):
                self._keep(demand, found, ticket, now)
        for demand in (demand for demand in demands if not demand.shared):
            want = self._want(demand, ticket)
            state = self._known.own.get(demand.kind) or State(Window(now // want.length))
            self._known.own[demand.kind], found = drawn(state, want, now, slices=False)
            self._keep(demand, found, ticket, now)

    def _want(self, demand: _Demand, ticket: _Ticket) -> Want:
        lease = self._known.leases.get(demand.kind)
        return replace(demand.want, urgent=ticket.urgent, back=(lease.slot, lease.tokens) if lease else None)

    def _keep(self, demand: _Demand, found: Slice, ticket: _Ticket, now: int) -> None:
        self._known.leases[demand.kind] = _Lease(demand, found.slot, found.tokens)
        again = min(found.until, now + int(AGAIN * _SECOND))
        self._known.refused[demand.kind, ticket.urgent] = (found.until, again)


@dataclass(frozen=True, slots=True)
class Paced:
    """A budget as the clients of one credential see it (`Pace`)."""

    budget: Budget
    credential: str

    def take(self, costs: Sequence[Cost]) -> None:
        """As `Pace.take`."""
        self.budget.take(self.credential, costs)

    def give_back(self, costs: Sequence[Cost]) -> None:
        """As `Pace.give_back`."""
        self.budget.give_back(self.credential, costs)

    def limited(self, cost: Cost, wait: float | None) -> None:
        """As `Pace.limited`."""
        self.budget.limited(self.credential, cost, wait)

    def left(self, cost: Cost, remaining: int, limit: int, reset: float) -> None:
        """As `Pace.left`."""
        self.budget.left(self.credential, cost, remaining, limit, reset)


def _window(limit: Limit) -> tuple[int, float]:
    """How much in how many seconds: a burst's share of both where the limit has one."""
    amount, burst = limit.amount or 0, limit.burst or 0
    return (burst, limit.seconds * burst / amount) if 0 < burst < amount else (amount, limit.seconds)


def _current(lease: _Lease, now: int) -> bool:
    return lease.slot >= now // lease.demand.want.length
