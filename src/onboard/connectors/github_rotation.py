"""What costs a request for each repository: read anew where it is asked for, and in turn where it isn't."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import datetime, timedelta

from onboard.connectors.github_told import Listed

#: What is older than this is read anew in any case.
OLDEST = timedelta(hours=24)
#: One in so many of the others is read anew each time, the oldest first.
SHARE = 20


class Rotation:
    """Remembers, as long as this process lives, what was listed of each repository and when."""

    def __init__(self) -> None:
        self._known: dict[str, Listed] = {}

    def due(self, names: Collection[str], fresh: Collection[str] | None, now: datetime) -> set[str]:
        """Which of these repositories to read now: `fresh` ones (all, if None), unknown and old ones, and a share."""
        if fresh is None:
            return set(names)
        known = {name: listed.at for name in names if (listed := self._known.get(name))}
        turn = sorted(known, key=lambda name: known[name])[: math.ceil(len(known) / SHARE)]
        old = {name for name, at in known.items() if now - at > OLDEST}
        return {name for name in names if name in fresh or name not in known} | old | set(turn)

    def keep(self, name: str, listed: Listed) -> Listed:
        """Remember it, unless a part of it couldn't be read."""
        if listed.no_offers is None and listed.no_keys is None:
            self._known[name] = listed
        return listed

    def recall(self, name: str) -> Listed:
        """What was remembered of a repository that isn't due."""
        return self._known[name]
