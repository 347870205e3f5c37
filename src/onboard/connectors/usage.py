"""What systems tell about the use of access: only that something was done, never that nothing else was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

from onboard.model import Resource


@runtime_checkable
class UsageReader(Protocol):
    """A reader of a system that keeps who wrote what."""

    def last_writes(self, resource: Resource, since: datetime) -> Mapping[str, datetime]:
        """Who wrote to a resource since then, by external id, and when last. Who isn't there didn't.

        Raises SystemFailed where it can't be told.
        """
        ...
