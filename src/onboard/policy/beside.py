"""What policy says of what is beside the roles: how long it may last, and which guardrail doesn't hold for whom.

extras.yaml: without it nothing can be asked for. exceptions/*.yaml: each lifts one rule for just what it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from onboard.model import PERSON_ID, SLUG, Classification, Resource, Source, Warrant
from onboard.policy.files.checks import Draft
from onboard.policy.files.strict import Block, did_you_mean
from onboard.policy.rules.cedar import Guardrails


@dataclass(frozen=True, slots=True)
class Allowed:
    """The longest that something may last: hours of a request by classification and of a broken glass, and days of an
    exception. What isn't stated isn't allowed at all.
    """

    requests: Mapping[Classification, int] = field(default_factory=lambda: MappingProxyType({}))
    break_glass: int | None = None
    exceptions: int | None = None


@dataclass(frozen=True, slots=True)
class RuleException:
    """One guardrail doesn't hold on one resource, from a day to a day (inclusive), for all that it names.

    `owner`, a person or a team, answers for it; `control` says what is done instead.
    """

    rule: str
    resource: Resource
    owner: str
    because: str
    control: str
    starts: date
    ends: date
    source: Source
    person: str | None = None
    engagement: str | None = None
    role: str | None = None

    def holds(self, today: date) -> bool:
        """Whether it is in force on that day."""
        return self.starts <= today <= self.ends

    def covers(self, rule: str, person: str, resource: Resource, warrant: Warrant) -> bool:
        """Whether it lifts a rule for what a warrant would give this person."""
        named = ((self.person, person), (self.engagement, warrant.engagement), (self.role, warrant.role))
        return (rule, resource) == (self.rule, self.resource) and all(mine in (None, theirs) for mine, theirs in named)

    @property
    def whom(self) -> str:
        """For whom it is, in words."""
        named = (("", self.person and self.person[:10]), ("role ", self.role), ("engagement ", self.engagement))
        return ", ".join(f"{what}{name}" for what, name in named if name)


def allowed(file: Block | None) -> Allowed:
    """extras.yaml: `requests:` by classification and `break_glass:` in hours, `exceptions:` in days."""
    if file is None:
        return Allowed()
    file.only("requests", "break_glass", "exceptions")
    block = file.block("requests", "a classification and hours, like internal: 24", required=False)
    block.only(*Classification)
    hours = {each: block.number(each.value, required=False) for each in Classification}
    return Allowed(
        MappingProxyType({each: number for each, number in hours.items() if number is not None}),
        file.number("break_glass", required=False),
        file.number("exceptions", required=False),
    )


_KEYS = ("rule", "person", "engagement", "role", "resource", "owner", "because", "control", "from", "ends")


def exceptions(
    files: Iterable[Block], draft: Draft, guardrails: Guardrails, most: Allowed
) -> tuple[RuleException, ...]:
    """exceptions/NAME.yaml: `exceptions:`, a list. Whatever is wrong with one is noted, and it isn't there then."""
    return tuple(
        found
        for file in files
        for block in file.only("exceptions").blocks("exceptions", "an exception", required=True)
        if (found := _exception(block.only(*_KEYS), draft, guardrails, most)) is not None
    )


def _exception(block: Block, draft: Draft, guardrails: Guardrails, most: Allowed) -> RuleException | None:
    rule, owner, because, control = (block.text(name) for name in ("rule", "owner", "because", "control"))
    known = {str(resource): resource for resource in draft.resources}
    resource = known.get(block.text("resource"))
    starts, ends = block.day("from"), block.day("ends")
    person, engagement, role = (block.text(name, required=False) or None for name in ("person", "engagement", "role"))
    for key, problem in _problems(block, draft, guardrails):
        block.note(key, problem)
    if starts and ends:
        _check_days(block, starts, ends, most)
    if resource is None or starts is None or ends is None:
        return None
    return RuleException(rule, resource, owner, because, control, starts, ends, block.source, person, engagement, role)


def _check_days(block: Block, starts: date, ends: date, most: Allowed) -> None:
    days = (ends - starts).days + 1
    if days < 1:
        block.note("ends", f"it ends on {ends}, before it begins on {starts}. Correct one of them.")
    elif most.exceptions is None:
        block.note("ends", "extras.yaml allows no exceptions. Add exceptions: with the most days that one may last.")
    elif days > most.exceptions:
        block.note("ends", f"it lasts {days} days; extras.yaml allows {most.exceptions}. End it earlier.")


def _problems(block: Block, draft: Draft, guardrails: Guardrails) -> Iterator[tuple[str, str]]:
    """What is wrong with what an exception names: (key, what and the way out)."""
    text = {key: block.text(key, required=False) for key in _KEYS if key in block and key not in ("from", "ends")}
    rules = {rule.id: rule for rule in guardrails.rules}
    rule = rules.get(text.get("rule", ""))
    if text.get("rule") and rule is None:
        yield "rule", f"no guardrail has the @id {text['rule']!r}.{did_you_mean(text['rule'], rules)}"
    if rule is not None and rule.absolute:
        yield "rule", f"{rule.id} is @absolute ({rule.source}): nothing is excepted from it. Delete the exception."
    declared = set(map(str, draft.resources))
    if text.get("resource") and text["resource"] not in declared and "resources.yaml" not in draft.unread:
        yield (
            "resource",
            f"resources.yaml doesn't declare {text['resource']}.{did_you_mean(text['resource'], declared)}",
        )
    if not any(text.get(key) for key in ("person", "engagement", "role")):
        yield "rule", "it names nobody. Say for whom: person, engagement or role."
    if text.get("role") and text["role"] not in draft.roles:
        yield "role", f"role {text['role']!r} isn't there.{did_you_mean(text['role'], draft.roles)}"
    if text.get("person") and not PERSON_ID.fullmatch(text["person"]):
        yield "person", f"{text['person']!r} is no person's full id; write p- and 32 hex digits: no name, no prefix."
    owner = text.get("owner", "")
    if owner and not (PERSON_ID.fullmatch(owner) or SLUG.fullmatch(owner)):
        yield "owner", f"{owner!r} is no owner; write a person's full id or a team's name."
    if owner and owner == text.get("person"):
        yield "owner", "nobody answers for an exception for themselves. Name somebody else."
