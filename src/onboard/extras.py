"""Extras: what somebody may hold beside their role, for hours, because it was asked for or the glass was broken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from onboard.lasting import Limit
from onboard.model import Actor, Resource


class ExtraKind(StrEnum):
    """How an extra came about."""

    REQUEST = "request"  # asked for; granted once it is approved
    BREAK_GLASS = "break-glass"  # granted at once, by a rule of authority


@dataclass(frozen=True, slots=True)
class Extra:
    """A level on a resource beside the role, in one engagement, until a moment. Its journal entry's number names it.

    `asked_by` says who asked, and by which login. `rule` permits a break-glass, and `owner` (a person) answers for it.
    `note` is where the reason is kept; `withdrawn` when it was taken back; `announced` that people were told of it.
    """

    entry: int
    kind: ExtraKind
    person: str
    engagement: str
    resource: Resource
    level: str
    at: datetime
    ends: datetime
    asked_by: Actor
    note: str | None = None
    rule: str = ""
    owner: str = ""
    withdrawn: datetime | None = None
    announced: bool = False

    def holds(self, now: datetime) -> bool:
        """Whether it still counts at a moment."""
        return self.withdrawn is None and now < self.ends

    @property
    def over(self) -> datetime:
        """When it ended, or will."""
        return self.withdrawn or self.ends

    @property
    def limit(self) -> Limit:
        """Its end, as the end of a grant."""
        return Limit.moment(self.ends, f"{self.kind} {self.entry}")
