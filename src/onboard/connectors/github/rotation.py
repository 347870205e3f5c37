"""What costs a request for each repository: read anew where it is asked for, and in turn where it isn't.

Remembered is only which repositories were seen to have no pending invitation and no deploy key, and when: names and
times, nothing about people. A repository that has some is read every time, so whatever is told of somebody is new, and
only "none" may be as old as its reading says.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from onboard.connectors.github.told import Listed

#: What is older than this is read anew in any case: an invitation to a repository lapses in that time.
OLDEST = timedelta(days=7)
#: One in so many of the others is read anew each time, the oldest first.
SHARE = 20


class Memory(Protocol):
    """Where that is kept from one reading to the next. Raises SystemFailed where it can't be."""

    def known(self) -> Mapping[str, datetime]:
        """When each repository, by name, was last seen to have none; those seen to have some are absent."""
        ...

    def note(self, empty: Mapping[str, datetime], others: Collection[str]) -> None:
        """These were seen to have none, and the others are to be forgotten."""
        ...


class Process:
    """Remembers as long as this process lives."""

    def __init__(self) -> None:
        self._known: dict[str, datetime] = {}

    def known(self) -> Mapping[str, datetime]:
        """As Memory says."""
        return dict(self._known)

    def note(self, empty: Mapping[str, datetime], others: Collection[str]) -> None:
        """As Memory says."""
        known = {**self._known, **empty}
        self._known = {name: at for name, at in known.items() if name not in others}


def due(known: Mapping[str, datetime], names: Collection[str], fresh: Collection[str], now: datetime) -> set[str]:
    """Which of these repositories to read now: `fresh` ones, those not known to have none, old ones, and a share."""
    empty = {name: known[name] for name in names if name in known}
    turn = sorted(empty, key=lambda name: empty[name])[: math.ceil(len(empty) / SHARE)]
    old = {name for name, at in empty.items() if now - at > OLDEST}
    return {name for name in names if name in fresh or name not in empty} | old | set(turn)


def is_empty(listed: Listed) -> bool:
    """Whether it was read whole and there was nothing."""
    return listed.no_offers is None and listed.no_keys is None and not listed.offers and not listed.keys
