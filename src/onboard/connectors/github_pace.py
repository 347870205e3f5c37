"""Keeping below GitHub's secondary limits, which it tells of only once they are passed, and then for a minute or more.

github.com and ghe.com have them (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api):
900 points a minute by REST and 2,000 by GraphQL, and 80 requests a minute that create content. Enterprise Server has
none unless its administrators say so. One client keeps its own count: several workers share GitHub's.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

MINUTE = 60.0
REST, GRAPHQL, CONTENT = 900, 2_000, 80
#: What a request costs: reading 1 point, everything else 5.
READ, WRITE = 1, 5


class Window:
    """So many points in any minute. Thread-safe; `sleep` is called without holding anything up."""

    def __init__(self, points: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._points = points
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._spent: deque[tuple[float, int]] = deque()

    def spend(self, points: int) -> None:
        """Wait until that many points are free, and take them."""
        while (wait := self._take(points)) > 0:
            self._sleep(wait)

    def _take(self, points: int) -> float:
        """0 where they were free and are taken, else the seconds until it is worth asking again."""
        with self._lock:
            now = self._clock()
            while self._spent and self._spent[0][0] <= now - MINUTE:
                self._spent.popleft()
            if sum(each for _, each in self._spent) + points <= self._points:
                self._spent.append((now, points))
                return 0.0
            return self._spent[0][0] + MINUTE - now


class Pace:
    """Called before each request, with its verb and path; waits where the minute is full."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._rest, self._graphql, self._content = (Window(points, clock, sleep) for points in (REST, GRAPHQL, CONTENT))

    def __call__(self, verb: str, path: str) -> None:
        """Count one request. A removal creates no content: it never waits for grants."""
        for window, points in self._costs(verb, path):
            window.spend(points)

    def _costs(self, verb: str, path: str) -> Iterable[tuple[Window, int]]:
        if path.endswith("/graphql"):
            return [(self._graphql, READ)]
        content = [(self._content, 1)] if verb in ("POST", "PUT", "PATCH") else []
        return [*content, (self._rest, READ if verb == "GET" else WRITE)]


def unhurried(verb: str, path: str) -> None:
    """The pace where there are no secondary limits: none."""


def is_limited(base_url: str) -> bool:
    """Whether that address is github.com's or ghe.com's, which have secondary limits."""
    host = urlsplit(base_url).hostname or ""
    return host == "api.github.com" or host.endswith(".ghe.com")
