"""What is taken of vendors' limits, shared by every worker that uses this ledger.

A worker draws a slice of a limit at a time, good for the present part of the limit's window, and gives back what it
didn't use. What a killed worker had drawn counts as used until its window has passed. In any stretch of time as long as
the window no more is drawn than the limit allows: each part counts until a whole window after its end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, insert, select, update

from onboard.ledger.storage.database import Database
from onboard.ledger.storage.tables import budgets

#: The parts of a window. A finer division wastes less of a limit and asks the database more often.
SLOTS = 20
#: A slice is this part of the limit, at least one call.
SLICES = 40
#: Microseconds for which others stand back beyond the moment at which something urgent can go on, and at most in all.
GRACE, STANDS_BACK = 1_000_000, 65_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """What was taken in each of the last slots, newest first; `slot` counts from 1970."""

    slot: int
    spent: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """What is taken in all."""
        return sum(self.spent)

    def at(self, slot: int) -> Window:
        """The window as it is in a later slot; an earlier one, by another host's clock, counts as this."""
        ahead = slot - self.slot
        if not -SLOTS <= ahead <= SLOTS:
            return Window(slot)
        return self if ahead <= 0 else Window(slot, ((0,) * ahead + self.spent)[: SLOTS + 1])

    def plus(self, tokens: int, slot: int) -> Window:
        """With so many more, or fewer, taken in a slot; what is out of the window doesn't matter."""
        age = self.slot - slot
        if not 0 <= age <= SLOTS:
            return self
        spent = [*self.spent, *(0 for _ in range(age + 1 - len(self.spent)))]
        spent[age] = max(0, spent[age] + tokens)
        return replace(self, spent=tuple(spent))

    def slot_with(self, tokens: int, allowed: int) -> int:
        """The slot from which on so many are free again, if nobody takes any until then."""
        free, ages = allowed - self.total, range(len(self.spent) - 1, -1, -1)
        for age in ages:
            free += self.spent[age]
            if free >= tokens:
                return self.slot - age + SLOTS + 1
        return self.slot


@dataclass(frozen=True, slots=True)
class Want:
    """So many calls wanted of the limit `kind`: `allowed` in each `window` (microseconds), `kept` of it for the urgent.

    `back` is what is left of an earlier slice: its slot, and how many calls.
    """

    kind: str
    tokens: int
    allowed: int
    window: int
    kept: int
    urgent: bool
    back: tuple[int, int] | None = None

    @property
    def length(self) -> int:
        """A slot's length in microseconds."""
        return max(1, self.window // SLOTS)


@dataclass(frozen=True, slots=True)
class Slice:
    """What was drawn: so many calls, to be made in that slot, or none before `until` (microseconds)."""

    slot: int
    tokens: int
    until: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """One limit as it stands: what is taken, and until when others stand back for something urgent."""

    window: Window
    urgent: int = 0


@dataclass(frozen=True, slots=True)
class Rest:
    """Until when, by the vendor's word, nobody calls (`asleep`) and nothing but removals does (`low`); microseconds."""

    asleep: int = 0
    low: int = 0


class Budgets:
    """The table of budgets. Every method raises SystemFailed("ledger", …) where the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def draw(self, system: str, wants: Sequence[Want], now: int) -> list[Slice]:
        """A slice for each of these, in one transaction. `now` is in microseconds since 1970."""
        with self._database.writing() as connection:
            return [_drawn_by(connection, system, want, now) for want in wants]

    def give_back(self, system: str, unused: Sequence[Want]) -> None:
        """What is left of slices, by the `back` of each."""
        with self._database.writing() as connection:
            for want in unused:
                state = _state(connection, system, want.kind)
                if state is not None:
                    _write(connection, system, want.kind, replace(state, window=_returned(state.window, want)))

    def resting(self, system: str, now: int) -> dict[str, Rest]:
        """The limits of a system that the vendor has told us to rest."""
        rests = (budgets.c.asleep > now) | (budgets.c.low > now)
        found = select(budgets.c.kind, budgets.c.asleep, budgets.c.low).where((budgets.c.system == system) & rests)
        with self._database.reading() as connection:
            return {row.kind: Rest(row.asleep, row.low) for row in connection.execute(found)}

    def rest(self, system: str, kind: str, rest: Rest) -> None:
        """Let everybody rest a limit until then; never shorter than somebody was told before."""
        with self._database.writing() as connection:
            if _state(connection, system, kind) is None:
                _write(connection, system, kind, State(Window(0)), new=True)
            this = (budgets.c.system == system) & (budgets.c.kind == kind)
            for column, until in ((budgets.c.asleep, rest.asleep), (budgets.c.low, rest.low)):
                connection.execute(update(budgets).where(this & (column < until)).values({column: until}))


def drawn(state: State, want: Want, now: int, *, slices: bool = True) -> tuple[State, Slice]:
    """What is wanted, or with `slices` more of the limit at once, and the limit's state after that.

    What isn't urgent leaves a part of the limit alone, and stands back while something urgent waits.
    """
    window = _returned(state.window, want).at(now // want.length)
    allowed = want.allowed if want.urgent else max(1, want.allowed - want.kept)
    tokens = min(want.tokens, allowed)
    if not want.urgent and state.urgent > now:
        return replace(state, window=window), Slice(window.slot, 0, state.urgent)
    free = allowed - window.total
    if free < tokens:
        until = max(window.slot_with(tokens, allowed) * want.length, now + 1)
        waits = min(until + GRACE, now + STANDS_BACK) if want.urgent else 0
        return State(window, max(waits, state.urgent)), Slice(window.slot, 0, until)
    spare = want.allowed - want.kept - window.total
    taken = max(tokens, min(spare, want.allowed // SLICES if slices else 0))
    return State(window.plus(taken, window.slot), state.urgent), Slice(window.slot, taken)


def _returned(window: Window, want: Want) -> Window:
    return window if want.back is None else window.plus(-want.back[1], want.back[0])


def _drawn_by(connection: Connection, system: str, want: Want, now: int) -> Slice:
    known = _state(connection, system, want.kind)
    state, found = drawn(known or State(Window(now // want.length)), want, now)
    if state != known:
        _write(connection, system, want.kind, state, new=known is None)
    return found


def _state(connection: Connection, system: str, kind: str) -> State | None:
    this = (budgets.c.system == system) & (budgets.c.kind == kind)
    row = connection.execute(select(budgets.c.slot, budgets.c.spent, budgets.c.urgent).where(this)).one_or_none()
    return None if row is None else State(Window(row.slot, tuple(json.loads(row.spent))), row.urgent)


def _write(connection: Connection, system: str, kind: str, state: State, *, new: bool = False) -> None:
    values = {"slot": state.window.slot, "spent": json.dumps(state.window.spent), "urgent": state.urgent}
    if new:
        key = {"system": system, "kind": kind, "asleep": 0, "low": 0}
        connection.execute(insert(budgets).values(**key, **values))
        return
    this = (budgets.c.system == system) & (budgets.c.kind == kind)
    connection.execute(update(budgets).where(this).values(**values))
