"""What a change of policy would do to the people on record: who gains and loses what, and whose word it would take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onboard.connectors.base import Scope
from onboard.engine.parallel import each
from onboard.engine.plan import Change
from onboard.ledger import Register
from onboard.levels import scale_of
from onboard.lifecycle.needs import needs_of
from onboard.model import Account, Resource
from onboard.policy.catalogue import Policy
from onboard.policy.rules.guardrails import Refusal
from onboard.policy.whatif.impact import Impact, Shift, Verb, impact
from onboard.wiring import Services

#: What people hold, by person and resource.
Holds = Mapping[tuple[str, Resource], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Sight:
    """What people hold: as the systems say, or, with `read` False, as the ledger has it. `unknown`: what, and why."""

    holds: Holds
    read: bool
    unknown: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """The same shift for several people. `resource` and levels are None where rights only end sooner or later."""

    verb: Verb
    resource: Resource | None
    before: str | None
    after: str | None
    people: tuple[str, ...]
    holding: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consequences:
    """What becomes of people, put together for reading. `needs`: whose word, and for how many people.

    `refused` is what a guardrail would newly forbid to whom, `stuck` what of it they hold.
    """

    impact: Impact
    groups: tuple[Group, ...]
    needs: Mapping[str, tuple[str, ...]]
    stuck: tuple[Refusal, ...]
    sight: Sight

    @property
    def exit_code(self) -> int:
        """5 where something couldn't be read. 4 where a guardrail would newly forbid what somebody holds, else 0.

        Such a person's next plan would be refused whole, so this has to be settled before the change is merged. To gain
        or to lose something is what policies are changed for.
        """
        return 5 if self.sight.unknown else 4 if self.stuck else 0


def consequences(services: Services, register: Register, base: Policy, *, observe: bool = False) -> Consequences:
    """What putting the services' policy in force in place of `base` would do today. Writes nothing anywhere."""
    today = services.clock().date()
    people = [person for person in register.people if register.assignments(person)]
    found = impact(base, services.policy, register, people, today)
    sight = _observed(services, people) if observe else Sight(_given(register), read=False)
    return Consequences(
        found,
        _grouped(found.shifts, sight.holds),
        _needs(services, register, found.shifts),
        tuple(refusal for refusal in found.refused if _holds(sight.holds, refusal)),
        sight,
    )


def _given(register: Register) -> Holds:
    """What onboard has given to people and not taken back."""
    found: dict[tuple[str, Resource], frozenset[str]] = {}
    for (person, _, resource), levels in register.owned().items():
        found[person, resource] = found.get((person, resource), frozenset()) | levels
    return found


def _observed(services: Services, people: Iterable[str]) -> Sight:
    """What these people's accounts hold, and what couldn't be read."""
    observed = each(lambda system: services.readers[system].read(Scope(None)), sorted(services.readers))
    known, whose = frozenset(people), services.ledger.people
    found: dict[tuple[str, Resource], frozenset[str]] = {}
    for observation in observed:
        for reading in observation.readings.values():
            for holding in reading.holdings:
                account = whose.account_by_external(observation.system, holding.account)
                person = whose.account(account).person if account else None
                if person in known and person is not None:
                    key = (person, holding.resource)
                    found[key] = found.get(key, frozenset()) | {holding.level}
    whole = [(o.system, o.unknown) for o in observed if o.unknown is not None]
    parts = [(str(r.resource), r.unknown) for o in observed for r in o.readings.values() if r.unknown is not None]
    return Sight(found, read=True, unknown=(*whole, *parts))


def _holds(holds: Holds, refusal: Refusal) -> bool:
    grant, scale = refusal.grant, scale_of(refusal.grant.resource)
    levels = holds.get((grant.person, grant.resource), frozenset())
    return any(scale.includes(level, grant.level) for level in levels)


def _grouped(shifts: Iterable[Shift], holds: Holds) -> tuple[Group, ...]:
    groups: dict[tuple[Verb, Resource | None, str | None, str | None], list[str]] = defaultdict(list)
    for shift in shifts:
        if shift.verb is None:
            continue
        if shift.verb in (Verb.SOONER, Verb.LATER):
            ends = [f"{one.limit.until} ({one.limit.what})" if one else None for one in (shift.before, shift.after)]
            groups[shift.verb, None, ends[0], ends[1]].append(shift.person)
        else:
            levels = [one.level if one else None for one in (shift.before, shift.after)]
            groups[shift.verb, shift.resource, levels[0], levels[1]].append(shift.person)
    order = list(Verb)
    found = [
        Group(verb, resource, before, after, who, tuple(p for p in who if resource and holds.get((p, resource))))
        for (verb, resource, before, after), people in groups.items()
        for who in [tuple(dict.fromkeys(people))]
    ]
    return tuple(sorted(found, key=lambda g: (order.index(g.verb), str(g.resource or ""), g.before or "")))


def _needs(services: Services, register: Register, shifts: Iterable[Shift]) -> dict[str, tuple[str, ...]]:
    """Whose word each person's new rights would need, as a plan for them would ask: by the word, for whom."""
    changes: dict[str, list[Change]] = defaultdict(list)
    for shift in shifts:
        if shift.verb is not None and shift.verb.grants and shift.after is not None:
            account = Account("", shift.resource.system, None, "", person=shift.person)
            before = shift.before.level if shift.before else None
            level, warrants = shift.after.level, shift.after.warrants
            changes[shift.person].append(
                Change(shift.person, account, shift.resource, before, level, warrants=warrants)
            )
    found: dict[str, list[str]] = defaultdict(list)
    for person, theirs in changes.items():
        for need in needs_of(services, register, person, theirs):
            found[need.role].append(person)
    return {role: tuple(people) for role, people in sorted(found.items())}
