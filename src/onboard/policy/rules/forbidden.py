"""Lines of roles that a guardrail forbids whatever else is so: they grant nothing, and block all who have the role.

A line is asked about with the person for whom most speaks: every fact on record, an account proven, on call, in an
allowed place. Where rules may want it otherwise each way is tried. Only what is forbidden every time is a mistake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import product

from onboard.model import Classification, EngagementModel, Entitlement, Proof
from onboard.policy.beside import RuleException
from onboard.policy.files.checks import Draft, covers
from onboard.policy.files.strict import Notes
from onboard.policy.rules.cedar import Guardrails, Rule
from onboard.policy.rules.judging import Judge, What, Who
from onboard.policy.rules.question import Place, Principal, Terms, duties_of, thing_of
from onboard.policy.terms import ResourceSpec, Role, fits

#: An engagement that never ends.
_FAR = 2**40


def no_line_is_always_forbidden(
    draft: Draft, guardrails: Guardrails, exceptions: Collection[RuleException], notes: Notes
) -> None:
    """Notes each line of a role that guardrails forbid for everybody, with the rule and the way out.

    A line for which there is an exception stands there for that one; of one that is wrong otherwise that is enough.
    """
    judge = Judge(guardrails)
    for role, line in draft.lines():
        spec = draft.resources.get(line.resource)
        if spec is not None and line.resource.system in draft.systems and not notes.any_at(line.source):
            excepted = {x.rule for x in exceptions if x.resource == line.resource and x.role in (None, role.name)}
            for rule in _always_forbidding(judge, draft, role, line, spec):
                if rule.id in excepted:
                    continue
                notes.add(
                    line.source,
                    f"grants {line.level} on {line.resource}, which guardrail {rule.id} ({rule.source}) always forbids:"
                    f" {rule.because} [{rule.control}]. Delete the line, or have the rule changed.",
                )


def _always_forbidding(
    judge: Judge, draft: Draft, role: Role, line: Entitlement, spec: ResourceSpec
) -> tuple[Rule, ...]:
    """The rules that forbid a line each time, else all those that do so between them; none where it may be."""
    every: list[Rule] = []
    common: set[str] | None = None
    for who, what in _cases(judge, draft, role, line, spec):
        found = [rule for rule, failure in judge.forbidding(who, what, until=0) if not failure]
        if not found:
            return ()
        every += found
        names = {rule.id for rule in found}
        common = names if common is None else common & names
    rules = {rule.id: rule for rule in every}
    return tuple(rules[name] for name in sorted(common or rules))


def _cases(judge: Judge, draft: Draft, role: Role, line: Entitlement, spec: ResourceSpec) -> Iterator[tuple[Who, What]]:
    """Everybody who might have the line, the most favourable first; mostly nobody but the first is asked about."""
    thing = thing_of(spec, draft.systems[line.resource.system].value)
    duties = duties_of(spec, line.level)
    for who in _people(judge, draft, role, line):
        for proof in reversed(Proof):
            yield who, judge.what(thing, Terms(line.level, line.phase.value, duties, proof.value))


def _people(judge: Judge, draft: Draft, role: Role, line: Entitlement) -> Iterator[Who]:
    """The most favourable first."""
    principal = _holder(draft, role, line)
    facts = (frozenset(draft.facts), frozenset(line.needs))
    models = [model for model in EngagementModel if fits(line, model)]
    on_call = (True,) if line.on_call else (True, False)
    for model, known, rank, awake in product(models, facts, range(len(Classification)), on_call):
        place = Place(
            role=role.name,
            model=model.value,
            engagement="",
            sensitivity=rank,
            facts=known,
            dpa=True,
            location="",
            location_allowed=True,
            on_call=awake,
            engagement_ends=_FAR,
            today=0,
        )
        yield judge.who(principal, place)


def _holder(draft: Draft, role: Role, line: Entitlement) -> Principal:
    """Somebody who holds the line, and what whoever holds it has as well, by the same role."""
    others = [each for each in role.entitlements if each.resource != line.resource and covers(each, line)]
    held = [each for each in (line, *others) if each.resource in draft.resources]
    duties = (duties_of(draft.resources[each.resource], each.level) for each in held)
    return Principal(
        "",
        outsourced=True,
        vendors=frozenset({""}),
        holds=frozenset(f"{each.resource} {each.level}" for each in held),
        duties=frozenset(duty for some in duties for duty in some),
    )
