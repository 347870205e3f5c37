"""A system whose clients can't be built takes part as one that fails with the reason, so that the others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from onboard.connectors.base import Capability, Health, Hold, Residue, Scope, unheld
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Kind, Observation, Receipt, Resource

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class UnavailableReader:
    """Stands for a system whose reader can't be built: everything there is unknown, for that reason."""

    system: str
    kind: Kind
    reason: str
    clock: Clock

    def read(self, scope: Scope) -> Observation:
        """Unknown, as a whole."""
        return Observation(self.system, self.clock(), unknown=self.reason)

    def residue(self, account: Account) -> Residue:
        """Unknown on every route."""
        return Residue(self.clock(), (), unknown=(("everything", self.reason),))

    def capabilities(self) -> tuple[Capability, ...]:
        """Nothing could be asked."""
        return (Capability("everything", None, self.reason),)

    def find_account(self, handle: str) -> Account | None:
        """Raises SystemFailed: it can't be told."""
        raise SystemFailed(self.system, self.reason)

    def health(self) -> Health:
        """Not reachable, and why."""
        return Health(reachable=False, problem=self.reason)


@dataclass(frozen=True)
class UnavailableWriter:
    """Stands for a system whose writer can't be built: each call is refused, so nothing took effect there."""

    system: str
    kind: Kind
    reason: str
    clock: Clock

    def grant(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Raises SystemRefused."""
        raise SystemRefused(self.system, self.reason)

    revoke = grant

    def replaces_all(self, resource: Resource) -> bool:
        """No: it writes nothing."""
        return False

    def cut_off(self, account: Account, hold: Hold = unheld) -> Sequence[Receipt]:
        """Raises SystemRefused."""
        raise SystemRefused(self.system, self.reason)

    def health(self) -> Health:
        """Not reachable, and why."""
        return Health(reachable=False, problem=self.reason)
