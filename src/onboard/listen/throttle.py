"""How many requests are looked at, in this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

#: Senders that are remembered; the longest silent are forgotten first.
MOST = 10_000
_WINDOW = timedelta(minutes=1)


class Throttle:
    """Lets `per_minute` requests of each sender pass in any minute that begins with their first."""

    def __init__(self, per_minute: int, clock: Callable[[], datetime]) -> None:
        self._most = per_minute
        self._clock = clock
        self._seen: OrderedDict[str, tuple[datetime, int]] = OrderedDict()
        self._lock = Lock()

    def admits(self, sender: str) -> bool:
        """Count one request; False where it is too many."""
        with self._lock:
            now = self._clock()
            since, count = self._seen.pop(sender, (now, 0))
            if now - since >= _WINDOW:
                since, count = now, 0
            self._seen[sender] = (since, count + 1)
            while len(self._seen) > MOST:
                self._seen.popitem(last=False)
            return count < self._most
