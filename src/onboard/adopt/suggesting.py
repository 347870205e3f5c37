"""Narrower roles: which lines nobody used, as far as systems tell, and the policies without them.

Only writing to repositories is told. What no system tells is unknown, and unknown is never unused: such lines stay.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from onboard.adopt.editing import edits
from onboard.adopt.usage import WRITING, Evidence, evidence, last_use, long_held
from onboard.errors import BadInput
from onboard.ledger import Register
from onboard.lifecycle.standing import register_of, rules_of
from onboard.model import Entitlement, Grant, Resource, Source
from onboard.policy.catalogue import Policy
from onboard.wiring import Services

_SILENT = "no system tells who uses this"
_TOO_NEW = "somebody has it for less than that"
_NOBODY = "nobody holds it"
#: The highest level on a repository that doesn't let somebody write.
_BELOW = "triage"


@dataclass(frozen=True, slots=True)
class Use:
    """A line of a role: how many hold something by it, how many of them used it, and when that was last.

    `unknown` says why that can't be told of somebody. `failed` is where a system that could tell didn't answer.
    """

    role: str
    resource: Resource
    level: str
    source: Source
    holders: int
    used: int
    last: datetime | None
    unknown: str | None
    failed: bool = False

    @property
    def unused(self) -> bool:
        """Whether it is known of everybody who holds it that they didn't use it."""
        return self.holders > 0 and self.used == 0 and self.unknown is None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A line that nobody used: the level to lower it to, or None to remove it; `stuck` where neither is a policy."""

    use: Use
    level: str | None = None
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Every line's use, what is suggested, and the policy's files with all of that done."""

    uses: tuple[Use, ...]
    suggestions: tuple[Suggestion, ...]
    files: Mapping[str, str]
    diff: str

    @property
    def exit_code(self) -> int:
        """5 where a system that could tell didn't answer, else 0."""
        return 5 if any(use.failed for use in self.uses) else 0


def suggest(services: Services, since: datetime, folder: str) -> Suggestions:
    """What policies could do without, by what was used since then. `folder` is how the diff names the policies'."""
    register = register_of(services)
    held = _holders(services, register)
    told = evidence(services, (grant for grants in held.values() for grant in grants), since)
    uses = tuple(
        _use(services, register, role.name, line, held.get(line.source, ()), told, since)
        for role in services.policy.roles.values()
        for line in role.entitlements
    )
    files, suggestions = _narrowed(services.policy, [use for use in uses if use.unused])
    return Suggestions(uses, suggestions, files, _diff(services.policy.files, files, folder))


def _holders(services: Services, register: Register) -> dict[Source, list[Grant]]:
    """Who is to hold something by which line."""
    found: dict[Source, list[Grant]] = defaultdict(list)
    for grant in rules_of(services, register).desired(sorted(register.people)):
        for warrant in grant.warrants:
            found[warrant.source].append(grant)
    return found


def _use(
    services: Services,
    register: Register,
    role: str,
    line: Entitlement,
    grants: Sequence[Grant],
    everywhere: Mapping[Resource, Evidence],
    since: datetime,
) -> Use:
    """How a line was used by those who hold something by it."""
    told = everywhere.get(line.resource) if line.level == WRITING else None
    plain = Use(role, line.resource, line.level, line.source, len(grants), 0, None, _SILENT if grants else _NOBODY)
    if not grants or told is None:
        return plain
    if isinstance(told, str):
        return replace(plain, unknown=told, failed=True)
    moments = [last_use(services, register, grant, told) for grant in grants]
    used = [at for at in moments if at is not None]
    new = any(at is None and not long_held(register, g, since) for at, g in zip(moments, grants, strict=True))
    last = max(used, default=None)
    return replace(plain, used=len(used), last=last, unknown=_TOO_NEW if new else None)


def _narrowed(policy: Policy, unused: Iterable[Use]) -> tuple[dict[str, str], tuple[Suggestion, ...]]:
    """The files with each of these lines lowered, or else removed, as far as what is left is a policy.

    From the last line up, so that lines above keep their numbers.
    """
    files, found = dict(policy.files), []
    for use in sorted(unused, key=lambda use: (use.source.file, -use.source.line)):
        for level, text in edits(files[use.source.file], use.source.line, use.level, _BELOW):
            changed = {**files, use.source.file: text}
            if _sound(changed, policy):
                files = changed
                found.append(Suggestion(use, level))
                break
        else:
            found.append(Suggestion(use, stuck=True))
    return files, tuple(reversed(found))


def _sound(files: Mapping[str, str], policy: Policy) -> bool:
    try:
        Policy.from_files(files, policy.systems)
    except BadInput:
        return False
    return True


def _diff(before: Mapping[str, str], after: Mapping[str, str], folder: str) -> str:
    return "".join(
        line
        for name in sorted(after)
        if after[name] != before[name]
        for line in difflib.unified_diff(
            before[name].splitlines(keepends=True),
            after[name].splitlines(keepends=True),
            f"a/{folder}/{name}",
            f"b/{folder}/{name}",
        )
    )
