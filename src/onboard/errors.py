"""Every error that a person may meet, each saying what the caller should do.

    OnboardError                1  a fault of ours; report it
    ├── BadInput                2  correct the named lines; nothing was changed
    ├── Refused                 3  a guardrail or a missing, stale or ineligible approval; nothing was changed
    │   ├── NotAuthorised       3  log in, or ask somebody who may
    │   └── StalePlan           3  the plan is no longer what was approved: look at the new one
    ├── Findings                4  something isn't as it should be: read the findings
    ├── SystemFailed            5  a system failed or could not be read: see whether to retry
    │   └── SystemRefused       5  it answered no, definitely: nothing took effect there
    └── Waiting                 6  an approval, a gate or another worker: come back then

The numbers are exit codes. Messages name the thing, what was expected, what was found and the way out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with what was given: where (a file and its line, where there is one) and what, with a way out."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        if not self.file:
            return self.message
        return f"{self.file}:{self.line}  {self.message}" if self.line else f"{self.file}  {self.message}"


class OnboardError(Exception):
    """The root of all our errors; itself only for faults of our own."""

    exit_code = 1


class BadInput(OnboardError):
    """What was given is wrong, in all the places that `problems` names. Nothing was changed."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def one(cls, message: str, file: str = "", line: int = 0) -> BadInput:
        """A single problem."""
        return cls([Problem(file, line, message)])


class Refused(OnboardError):
    """Policy says no. Nothing was changed."""

    exit_code = 3


class NotAuthorised(Refused):
    """Whoever asks isn't known, or isn't someone who may. Log in, or ask who may."""


class StalePlan(Refused):
    """What would be done now is not what was approved. Look at the new plan and have it approved."""


class Findings(OnboardError):
    """Something isn't as it should be."""

    exit_code = 4


class SystemFailed(OnboardError):
    """A system failed or could not be reached. With `uncertain`, a write may have taken effect: read before repeating.

    `retry_after` is the vendor's own wish in seconds, where it said one.
    """

    exit_code = 5

    def __init__(self, system: str, reason: str, *, uncertain: bool = False, retry_after: float | None = None) -> None:
        self.system = system
        self.reason = reason
        self.uncertain = uncertain
        self.retry_after = retry_after
        super().__init__(f"{system}: {reason}")


class SystemRefused(SystemFailed):
    """The system answered and said no: nothing took effect, and repeating the same call won't help."""


class Waiting(OnboardError):
    """Nothing is wrong; somebody has to do something first, and the message says who and what."""

    exit_code = 6
