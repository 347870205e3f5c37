"""What is said to people about a plan, whatever carries it; and what carries it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Letter:
    """A heading, the plan's lines, and notes below them. With `asks` it can be answered by a button.

    `digest` is the whole one, `accepts` the hazards that an approval has to name, `key` what it is found again by.
    `outcome`: how the plan ended, empty as long as it is open.
    """

    key: str
    digest: str
    heading: str
    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()
    asks: bool = False
    accepts: tuple[str, ...] = ()
    outcome: str = ""


class Carrier(Protocol):
    """Carries letters to one system. Every method raises SystemFailed, uncertain where a letter may have been sent."""

    @property
    def system(self) -> str:
        """The configured system's name."""
        ...

    @property
    def shows_within(self) -> timedelta:
        """How long a letter that was sent may take to be found."""
        ...

    def place(self, external_id: str) -> str:
        """Where to write to this account, or about a plan."""
        ...

    def find(self, place: str, key: str, since: datetime) -> str | None:
        """The name of the letter with this key there, written since then; None where it isn't there."""
        ...

    def send(self, place: str, letter: Letter) -> str:
        """Write it; its name there."""
        ...

    def change(self, place: str, mark: str, letter: Letter) -> None:
        """It says this from now on."""
        ...
