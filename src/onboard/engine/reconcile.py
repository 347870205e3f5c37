"""The heart: propose, authorise, apply, verify.

`propose` reads and compares and cannot write. `authorise` holds what is to be done now against what was approved.
`apply` does it, revocations first, each intent on record before the call. `verify` reads again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from onboard.connectors.base import Reader, Scope
from onboard.engine.diff import Difference, Owned, Sight, Subject, diff
from onboard.engine.parallel import each
from onboard.engine.perform import Outcome, Tools, carry_out
from onboard.engine.plan import Authority, Change, Hazard, Need, Part, Plan, Unknown, digest_of, split, thawed
from onboard.errors import StalePlan
from onboard.ledger.projections.effects import Key
from onboard.ledger.records import ChangeRecord, Result
from onboard.levels import FOUNDATIONS, scale_of
from onboard.model import Account, Actor, Grant, HoldingState, Observation, Resource

_PROTECTED = "the account on {} is protected and is never changed"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that may be taken away on one system in one plan unless somebody accepts the hazard by name.

    `removals` counts changes, `fraction` compares them with what the people in scope hold there, from `fraction_from`
    removals on. What people lose who have left doesn't count: that fact names them, so it can't be a slip for many.
    """

    removals: int = 25
    fraction: float = 0.5
    fraction_from: int = 10


@dataclass(frozen=True)
class Rules:
    """What the engine asks of policy, as functions over values.

    `desired`: the grants wanted for these people. `exclusive`: whether a resource admits nobody but ours. `hazards`:
    what guardrails and account kinds say of one person's whole resulting state. `needs`: the approvals for changes.
    """

    hash: str
    resources: frozenset[Resource]
    desired: Callable[[Iterable[str]], tuple[Grant, ...]]
    exclusive: Callable[[Resource], bool]
    hazards: Callable[[str, Sequence[Change], Sequence[Grant]], tuple[Hazard, ...]]
    needs: Callable[[str, Sequence[Change]], tuple[Need, ...]]


def propose(
    subjects: Sequence[Subject],
    *,
    rules: Rules,
    owned: Owned,
    readers: Mapping[str, Reader],
    limits: Limits,
    protected: Callable[[Account], bool],
    now: datetime,
    in_turn: bool = False,
) -> Plan:
    """Read every system once (`in_turn` as `observe` says), compare with what policy wants. Nothing here can write."""
    observed = observe(subjects, rules=rules, owned=owned, readers=readers, in_turn=in_turn)
    sight = Sight(observed)
    people = [subject.person for subject in subjects]
    wanted = rules.desired(people)
    grants, ours = _by_person(wanted, owned)
    differences = {
        s.person: diff(s, grants.get(s.person, ()), sight, owned=ours.get(s.person, {}), exclusive=rules.exclusive)
        for s in subjects
    }
    over = _over_limits(subjects, differences, sight, limits)
    untouchable = _untouchable(subjects, observed, protected)
    parts = (
        part
        for s in subjects
        for part in _parts(s, differences[s.person], grants.get(s.person, ()), rules, over, untouchable)
    )
    return Plan(
        people=tuple(people),
        parts=tuple(parts),
        unknown=tuple(u for difference in differences.values() for u in difference.unknown),
        missing=tuple(m for difference in differences.values() for m in difference.missing),
        wanted=wanted,
        observed=observed,
        policy=rules.hash,
        at=now,
    )


def _by_person(
    wanted: Iterable[Grant], owned: Owned
) -> tuple[dict[str, list[Grant]], dict[str, dict[Key, frozenset[str]]]]:
    """Grants and what we own, by person: each person is compared with what is theirs only."""
    grants: dict[str, list[Grant]] = {}
    for grant in wanted:
        grants.setdefault(grant.person, []).append(grant)
    ours: dict[str, dict[Key, frozenset[str]]] = {}
    for key, levels in owned.items():
        ours.setdefault(key[0], {})[key] = levels
    return grants, ours


def observe(
    subjects: Sequence[Subject], *, rules: Rules, owned: Owned, readers: Mapping[str, Reader], in_turn: bool = False
) -> dict[str, Observation]:
    """Read the systems side by side: everything where somebody leaves, else what policy or the ledger names.

    With `in_turn`, what costs a request each is read anew only where policy or the ledger names it (see base.Scope).
    """
    everything = any(subject.leaving for subject in subjects)
    named = rules.resources | {resource for _, _, resource in owned}

    def read(system: str) -> Observation:
        resources = frozenset(resource for resource in named if resource.system == system)
        return readers[system].read(Scope(None if everything else resources, fresh=resources if in_turn else None))

    return {observation.system: observation for observation in each(read, sorted(readers))}


def _parts(
    subject: Subject,
    difference: Difference,
    wanted: Sequence[Grant],
    rules: Rules,
    over: Mapping[str, Hazard],
    protected: Callable[[Account], bool],
) -> Iterable[Part]:
    """A person's parts with their hazards and needs. No limit stands in the way of what leavers lose."""
    for part in split(subject.person, difference.changes, rules.hash):
        systems = sorted({c.account.system for c in part.changes if protected(c.account)})
        hazards = [Hazard(f"protected:{s}", _PROTECTED.format(s), blocking=True, system=s) for s in systems]
        if part.authority is not Authority.FACT:
            hazards += rules.hazards(subject.person, part.changes, wanted)
        elif not subject.leaving:
            hazards += [over[system] for system in sorted({c.resource.system for c in part.changes} & over.keys())]
        needed = part.authority is not Authority.FACT or any(not hazard.blocking for hazard in hazards)
        needs = rules.needs(subject.person, part.changes) if needed else ()
        yield replace(part, hazards=tuple(sorted(hazards)), needs=needs)


def _untouchable(
    subjects: Sequence[Subject], observed: Mapping[str, Observation], protected: Callable[[Account], bool]
) -> Callable[[Account], bool]:
    """Who is never changed: whom the settings protect, and the company's own organisation owners.

    An engineer of a vendor's who was made an owner is none of these. Where it can't be read who the owners are, each of
    the company's own may be one.
    """
    outsourced = {(a.system, a.external_id) for s in subjects if s.outsourced for a in s.everything}
    orgs = [r for o in observed.values() for r in o.readings.values() if r.resource.type == "org"]
    owners = {(h.resource.system, h.account) for r in orgs for h in r.holdings if h.level == "admin"} - outsourced
    untold = {reading.resource.system for reading in orgs if reading.unknown is not None}

    def untouchable(account: Account) -> bool:
        key = (account.system, account.external_id)
        seen = observed[account.system].accounts.get(account.external_id or "") if account.system in observed else None
        named = protected(account) or (seen is not None and protected(seen))
        return named or key in owners or (account.system in untold and key not in outsourced)

    return untouchable


def _over_limits(
    subjects: Sequence[Subject],
    differences: Mapping[str, Difference],
    sight: Sight,
    limits: Limits,
) -> dict[str, Hazard]:
    staying = [subject for subject in subjects if not subject.leaving]
    taken = Counter(c.resource.system for s in staying for c in differences[s.person].changes if c.removes)
    held: Counter[str] = Counter()
    for account in (account for subject in staying for account in subject.everything):
        held[account.system] += sum(map(len, sight.held(account).values()))
    return {
        system: Hazard(f"limit:{system}", f"takes away {count} of the {held[system]} grants held there", system=system)
        for system, count in taken.items()
        if count > limits.removals or (count >= limits.fraction_from and count > limits.fraction * held[system])
    }


def authorise(
    approved: Mapping[str, Any],
    fresh: Part | None,
    begun: Collection[ChangeRecord],
    unreadable: Collection[Resource] = (),
) -> Part | None:
    """What is still to do of an approved part, given what a new reading would do now. None: nothing is left.

    `approved` are the part's terms as journalled, `begun` the changes already begun under them. Raises StalePlan unless
    the fresh part is the same, or differs from it just by what this plan's own journal entries explain, or by what
    can't be read now: that waits, and the approval with it.
    """
    if fresh is None or digest_of(fresh.terms()) == digest_of(approved):
        return fresh
    started = {_key(change.json()) for change in begun}
    before = {_key(terms): terms for terms in thawed(approved)["changes"]}
    now = {_key(change.terms()): change.terms() for change in fresh.changes}
    strange = [terms for key, terms in now.items() if not _continues(before.get(key), terms, begun=key in started)]
    waits = started | {key for key in before if Resource.parse(key[1]) in unreadable}
    vanished = [key for key in before if key not in now and key not in waits]
    other = ["the policy"] if approved["policy"] != fresh.policy else []
    other += ["who has to approve"] if not needs_of(fresh.terms()) <= needs_of(approved) else []
    new_hazards = {hazard.name for hazard in fresh.hazards} - set(approved["hazards"])
    if strange or vanished or other or new_hazards:
        raise StalePlan(_stale(strange, vanished, other, new_hazards))
    return fresh


def needs_of(terms: Mapping[str, Any]) -> frozenset[tuple[str, tuple[str, ...]]]:
    """The approvals that terms name: in what capacity, and by whom."""
    return frozenset((need["role"], tuple(need["people"])) for need in terms["needs"])


def complete(approved: Mapping[str, Any], begun: Iterable[ChangeRecord]) -> bool:
    """Whether every change of an approved part has been begun, so that nothing of it waits."""
    started = {_key(change.json()) for change in begun}
    return all(_key(terms) in started for terms in approved["changes"])


def _key(change: Mapping[str, Any]) -> tuple[str, str, str]:
    """What makes two changes the same one, whatever level the second starts from; an open scale's levels are apart."""
    goal = change["after"]
    if goal is None:
        goal = f"no {change['before']}" if scale_of(Resource.parse(change["resource"])).open else "nothing"
    return (change["account"], change["resource"], goal)


def _continues(before: Mapping[str, Any] | None, now: Mapping[str, Any], *, begun: bool) -> bool:
    """Whether a change is one that was approved; once begun it may stand at another level than it started from."""
    if before is None:
        return False
    return {**before, "before": now["before"]} == now if begun else before == now


def _stale(
    strange: Sequence[Mapping[str, Any]], vanished: Sequence[Any], other: Sequence[str], hazards: Collection[str]
) -> str:
    lines = ["What would be done now is not what was approved:"]
    lines += [f"  new or different  {c['resource']} {c['before'] or 'none'} → {c['after'] or 'none'}" for c in strange]
    lines += [f"  no longer needed  {resource} {goal}" for _, resource, goal in vanished]
    lines += [f"  new hazard        {name}" for name in sorted(hazards)]
    lines += [f"  {what} changed" for what in other]
    return "\n".join([*lines, "Nothing of it was granted. Look at the new plan (onboard plan) and have it approved."])


def apply(part: Part, actor: Actor, tools: Tools) -> tuple[Outcome, ...]:
    """Carry out a part that has been authorised, in order, under the digest that it was authorised by.

    A failed write doesn't stop the next, except that nothing more is granted on a system whose organisation or login
    could not be.
    """
    outcomes: list[Outcome] = []
    accounts: dict[str, Account] = {}
    unfounded: set[str] = set()
    for change in part.changes:
        system = change.resource.system
        if system in unfounded and not change.removes:
            outcomes.append(Outcome(change, Result.FAILED, reason=f"held: what it rests on at {system} failed"))
            continue
        account = accounts.get(change.account.id, change.account)
        outcome = carry_out(replace(change, account=account), part.digest, actor, tools)
        if outcome.receipt and outcome.receipt.external_id:
            accounts[account.id] = replace(account, external_id=outcome.receipt.external_id)
        if outcome.result is not Result.DONE and change.resource.type in FOUNDATIONS:
            unfounded.add(system)
        outcomes.append(outcome)
    return tuple(outcomes)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was read after applying: what policy wants and is there, or invited; what remains and should be gone."""

    at: datetime
    held: tuple[Grant, ...]
    invited: tuple[Grant, ...]
    absent: tuple[Grant, ...]
    remaining: tuple[Change, ...]
    unknown: tuple[Unknown, ...]

    @property
    def clean(self) -> bool:
        """Whether everything wanted is there or invited, nothing else is, and all of it could be read."""
        return not (self.absent or self.remaining or self.unknown)


def verify(plan: Plan, subjects: Sequence[Subject]) -> Certificate:
    """What a plan made by reading again says of these people: `plan` is the new one, after applying."""
    sight, people = Sight(plan.observed), {subject.person: subject for subject in subjects}
    unreadable = {(u.person, u.resource) for u in plan.unknown}
    known = [grant for grant in plan.wanted if (grant.person, grant.resource) not in unreadable]
    states = {grant: _state(grant, people[grant.person], sight) for grant in known}
    return Certificate(
        at=plan.at,
        held=tuple(g for g, state in states.items() if state is HoldingState.ACTIVE),
        invited=tuple(g for g, state in states.items() if state is HoldingState.INVITED),
        absent=tuple(g for g, state in states.items() if state in (None, HoldingState.EXPIRED)),
        remaining=tuple(change for change in plan.changes if change.removes),
        unknown=plan.unknown,
    )


def _state(grant: Grant, subject: Subject, sight: Sight) -> HoldingState | None:
    account = subject.accounts.get(grant.resource.system)
    held = sight.held(account).get(grant.resource, []) if account else []
    scale = scale_of(grant.resource)
    states = (h.state for h in held if scale.includes(h.level, grant.level))
    return min(states, key=list(HoldingState).index, default=None)
