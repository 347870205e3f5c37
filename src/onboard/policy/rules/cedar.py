"""Guardrail files, compiled: Cedar forbids with @id, @because and @control, checked strictly as they load."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy

from onboard.model import Source
from onboard.policy.files.strict import Notes
from onboard.policy.rules.question import AT_FIRST, EVERYTHING, PROBE, Question, Reads
from onboard.policy.rules.statements import Statement, annotated, names_differ, schema_of, statements

SCHEMA = "guardrails/schema.cedarschema"

#: Who may hold what is said by the catalogue, whose default is deny. Cedar is asked only what is forbidden in spite of
#: it, and needs one permit for its forbids to stand against.
_BASE = 'permit (principal, action == Action::"hold", resource);'

_ANNOTATIONS = ("id", "because", "control")
_PERSON = re.compile(r'Person::"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Rule:
    """A forbid: its name, why it is there, the control that it serves, and which attributes it reads.

    From one that is `absolute` nothing is excepted.
    """

    id: str
    because: str
    control: str
    source: Source
    text: str
    reads: Reads = frozenset()
    absolute: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Rules that read the same, compiled: what they don't read can't change their answer."""

    rules: tuple[Rule, ...]
    reads: Reads
    compiled: cedarpy.PolicySet

    def forbidding(self, question: Question) -> tuple[tuple[Rule, str], ...]:
        """Its rules that forbid it, each with what went wrong where a rule could not be evaluated (else empty).

        Cedar skips a forbid that fails (an integer overflow, say). Here such a rule counts as forbidding.
        """
        answer = cedarpy.is_authorized(question.request(self.reads), self.compiled, question.entities(self.reads))
        failed = "; ".join(answer.diagnostics.errors)
        if answer.decision is cedarpy.Decision.NoDecision:
            return tuple((rule, failed) for rule in self.rules)
        named = {f"policy{number}": rule for number, rule in enumerate(self.rules, start=1)}
        if failed:
            broken = [rule for name, rule in named.items() if re.search(rf"\b{name}\b", failed)]
            return tuple((rule, failed) for rule in broken or self.rules)
        return tuple((named[name], "") for name in answer.diagnostics.reasons if name in named)


@dataclass(frozen=True, slots=True, eq=False)
class Guardrails:
    """The rules of a policy, ready to be asked. `people` are those whom a rule names."""

    rules: tuple[Rule, ...] = ()
    groups: tuple[Group, ...] = ()
    people: frozenset[str] = frozenset()

    def reads(self, variable: str, attribute: str) -> bool:
        """Whether any rule reads that attribute."""
        return any((variable, attribute) in group.reads for group in self.groups)


def compile_guardrails(files: Mapping[str, str], notes: Notes) -> Guardrails:
    """The guardrails in `guardrails/*.cedar` with their schema; every problem is noted with its file and line."""
    texts = {name: text for name, text in files.items() if name.startswith("guardrails/") and name.endswith(".cedar")}
    if not texts:
        return Guardrails()
    schema = schema_of(files.get(SCHEMA), SCHEMA, "guardrails", notes)
    if schema is None:
        return Guardrails()
    found = (_rule(statement, notes) for statement in statements(texts, schema, notes))
    rules = tuple(rule for rule in found if rule is not None)
    names_differ(rules, notes)
    people = frozenset(name for rule in rules for name in _PERSON.findall(rule.text))
    _probe(schema, notes)
    return Guardrails(rules, tuple(_grouped(rules)), people)


def _grouped(rules: Iterable[Rule]) -> Iterator[Group]:
    """The rules by what they read."""
    alike: dict[Reads, list[Rule]] = {}
    for rule in rules:
        alike.setdefault(rule.reads, []).append(rule)
    for reads, those in alike.items():
        yield Group(tuple(those), reads, cedarpy.PolicySet.from_str("\n".join((_BASE, *(r.text for r in those)))))


def _rule(statement: Statement, notes: Notes) -> Rule | None:
    if statement.effect != "forbid":
        notes.add(statement.source, "guardrails only forbid; what may be held is said in roles/. Delete this permit.")
        return None
    if not annotated(statement, _ANNOTATIONS, notes):
        return None
    id_, because, control = (statement.annotations[name] for name in _ANNOTATIONS)
    reads, absolute = frozenset(_reads(statement.json)), "absolute" in statement.annotations
    return Rule(id_, because, control, statement.source, statement.text, reads, absolute)


def _reads(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a rule reads: ("context", "level")… A person or resource itself is its "id", the whole context is "*"."""
    for variable in ("principal", "resource"):
        if policy[variable]["op"] not in ("All", "is"):
            yield variable, "id"
    yield from _mentioned(policy["conditions"])


def _mentioned(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for each in node:
            yield from _mentioned(each)
    elif isinstance(node, dict):
        if "Var" in node:
            yield node["Var"], "*" if node["Var"] == "context" else "id"
            return
        for operator, operand in node.items():
            of = operand.get("left", {}).get("Var") if operator in (".", "has") and isinstance(operand, dict) else None
            if of is not None:
                yield of, operand["attr"]
            else:
                yield from _mentioned(operand)


def _probe(schema: cedarpy.Schema, notes: Notes) -> None:
    """Notes a schema that doesn't describe our requests: its rules would read what nobody tells them."""
    answers = [
        cedarpy.is_authorized(PROBE.request(asked), _BASE, PROBE.entities(asked), schema)
        for asked in (EVERYTHING, AT_FIRST)
    ]
    if all(answer.decision is cedarpy.Decision.NoDecision for answer in answers):
        wrong = "; ".join(answers[0].diagnostics.errors)
        notes.add(Source(SCHEMA, 1), f"the schema isn't what onboard asks by: {wrong}. Restore the one that it ships.")
