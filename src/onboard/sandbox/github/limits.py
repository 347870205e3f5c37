"""The simulated GitHub's primary rate limits, one budget an hour for each token and kind of API."""

from __future__ import annotations

import time

WINDOW = 3600


class Budget:
    """Points that a token has spent in the current hour. It counts in real time: clients sleep until its reset."""

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._used: dict[tuple[str, int], int] = {}

    def left(self, label: str, limit: int) -> dict[str, int]:
        """Limit, used, remaining and the reset (Unix time) of this window."""
        window = int(time.time()) // WINDOW
        used = self._used.get((label, window), 0)
        return {"limit": limit, "used": used, "remaining": max(limit - used, 0), "reset": (window + 1) * WINDOW}

    def spend(self, label: str, limit: int, points: int = 1) -> dict[str, int]:
        """Count what one request costs; what is left after it."""
        window = int(time.time()) // WINDOW
        self._used = {key: used for key, used in self._used.items() if key[1] == window}
        self._used[label, window] = self._used.get((label, window), 0) + points
        return self.left(label, limit)

    def headers(self, label: str, limit: int) -> dict[str, str]:
        """As every answer carries them."""
        headers = {f"X-RateLimit-{name.title()}": str(value) for name, value in self.left(label, limit).items()}
        return headers | {"X-RateLimit-Resource": self._resource}
