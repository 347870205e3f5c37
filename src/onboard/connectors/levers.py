"""Several calls for one purpose: what it means when some of them fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Receipt

Lever = Callable[[], Sequence[Receipt]]


def pull(system: str, levers: Sequence[Lever]) -> list[Receipt]:
    """The receipts of all levers, pulled in order whatever happened to those before.

    Raises one failure after the last lever, where any failed: it names them all. It is a SystemRefused only where
    every answer was a definite no and nothing took effect, else a SystemFailed, uncertain where something may have.
    """
    receipts: list[Receipt] = []
    failures: list[SystemFailed] = []
    for lever in levers:
        try:
            receipts += lever()
        except SystemFailed as failure:
            failures.append(failure)
    if failures:
        raise _together(system, failures, any(receipt.changed for receipt in receipts))
    return receipts


@contextmanager
def after(system: str, done: str) -> Iterator[None]:
    """What fails inside follows a write that took effect: so it is uncertain, and no plain refusal."""
    try:
        yield
    except SystemFailed as failure:
        raise SystemFailed(
            system, f"{done}, but: {failure.reason}", uncertain=True, retry_after=failure.retry_after
        ) from None


def _together(system: str, failures: Sequence[SystemFailed], changed: bool) -> SystemFailed:
    reason = "; ".join(dict.fromkeys(failure.reason for failure in failures))
    if not changed and all(isinstance(failure, SystemRefused) for failure in failures):
        return SystemRefused(system, reason)
    waits = [failure.retry_after for failure in failures if failure.retry_after is not None]
    uncertain = changed or any(failure.uncertain for failure in failures)
    return SystemFailed(system, reason, uncertain=uncertain, retry_after=max(waits, default=None))
