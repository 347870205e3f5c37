"""Guardrail files, compiled: Cedar forbids with @id, @because and @control, checked strictly as they load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import cedarpy

from onboard.model import Source
from onboard.policy.statements import Statement, annotated, names_differ, schema_of, statements
from onboard.policy.strict import Notes

SCHEMA = "guardrails/schema.cedarschema"

#: Who may hold what is said by the catalogue, whose default is deny. Cedar is asked only what is forbidden in spite of
#: it, and needs one permit for its forbids to stand against.
_BASE = 'permit (principal, action == Action::"hold", resource);'

_ANNOTATIONS = ("id", "because", "control")
_PERSON = re.compile(r'Person::"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Rule:
    """A forbid: its name, why it is there, and the control that it serves."""

    id: str
    because: str
    control: str
    source: Source
    text: str

    @property
    def asks_for_proof(self) -> bool:
        """Whether the rule looks at how an account was shown to be its person's."""
        return "context.proof" in self.text


@dataclass(frozen=True, slots=True)
class Question:
    """Whether somebody like this may hold a level on a resource; alike questions are equal, and have one answer.

    `person` is a person's id only where a rule names that person, else empty.
    """

    person: str
    outsourced: bool
    vendors: frozenset[str]
    holds: frozenset[str]
    resource: str
    system: str
    kind: str
    type: str
    owner: str
    classification: str
    sensitivity: int
    tags: frozenset[str]
    exclusive: bool
    level: str
    role: str
    phase: str
    model: str
    engagement: str
    engagement_sensitivity: int
    facts: frozenset[str]
    proof: str

    def request(self) -> dict[str, object]:
        """The Cedar request."""
        return {
            "principal": {"type": "Person", "id": self.person},
            "action": 'Action::"hold"',
            "resource": {"type": "Resource", "id": self.resource},
            "context": {
                "level": self.level,
                "role": self.role,
                "phase": self.phase,
                "model": self.model,
                "engagement": self.engagement,
                "sensitivity": self.engagement_sensitivity,
                "facts": sorted(self.facts),
                "proof": self.proof,
            },
        }

    def entities(self) -> list[dict[str, object]]:
        """The two entities that the request speaks of."""
        person = {"outsourced": self.outsourced, "vendors": sorted(self.vendors), "holds": sorted(self.holds)}
        resource = {
            "system": self.system,
            "kind": self.kind,
            "type": self.type,
            "owner": self.owner,
            "classification": self.classification,
            "sensitivity": self.sensitivity,
            "tags": sorted(self.tags),
            "exclusive": self.exclusive,
        }
        return [
            {"uid": {"type": "Person", "id": self.person}, "attrs": person, "parents": []},
            {"uid": {"type": "Resource", "id": self.resource}, "attrs": resource, "parents": []},
        ]


#: Asked once as guardrails load, to see that their schema describes what we ask.
_PROBE = Question(
    "", True, frozenset({"v"}), frozenset({"h"}), "s:t:n", "s", "k", "t", "o", "c", 0, frozenset({"t"}), False,
    "l", "r", "p", "m", "e", 0, frozenset({"f"}), "c",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Guardrails:
    """The rules of a policy, ready to be asked."""

    rules: tuple[Rule, ...] = ()
    schema: cedarpy.Schema | None = None
    compiled: cedarpy.PolicySet | None = None
    people: frozenset[str] = frozenset()

    def forbidding(self, question: Question) -> tuple[tuple[Rule, str], ...]:
        """The rules that forbid it, each with what went wrong where a rule could not be evaluated (else empty).

        Cedar skips a forbid that fails (an integer overflow, say). Here such a rule counts as forbidding.
        """
        if self.compiled is None:
            return ()
        answer = cedarpy.is_authorized(question.request(), self.compiled, question.entities(), self.schema)
        failed = "; ".join(answer.diagnostics.errors)
        if answer.decision is cedarpy.Decision.NoDecision:
            return tuple((rule, failed) for rule in self.rules)
        named = {f"policy{number}": rule for number, rule in enumerate(self.rules, start=1)}
        if failed:
            broken = [rule for name, rule in named.items() if re.search(rf"\b{name}\b", failed)]
            return tuple((rule, failed) for rule in broken or self.rules)
        return tuple((named[name], "") for name in answer.diagnostics.reasons if name in named)


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
    compiled = cedarpy.PolicySet.from_str("\n".join((_BASE, *(rule.text for rule in rules))))
    _probe(compiled, schema, notes)
    return Guardrails(rules, schema, compiled, people)


def _rule(statement: Statement, notes: Notes) -> Rule | None:
    if statement.effect != "forbid":
        notes.add(statement.source, "guardrails only forbid; what may be held is said in roles/. Delete this permit.")
        return None
    if not annotated(statement, _ANNOTATIONS, notes):
        return None
    id_, because, control = (statement.annotations[name] for name in _ANNOTATIONS)
    return Rule(id_, because, control, statement.source, statement.text)


def _probe(compiled: cedarpy.PolicySet, schema: cedarpy.Schema, notes: Notes) -> None:
    """Notes a schema that doesn't describe our requests: every rule would then refuse everything."""
    answer = cedarpy.is_authorized(_PROBE.request(), compiled, _PROBE.entities(), schema)
    if answer.decision is cedarpy.Decision.NoDecision:
        wrong = "; ".join(answer.diagnostics.errors)
        notes.add(Source(SCHEMA, 1), f"the schema isn't what onboard asks by: {wrong}. Restore the one that it ships.")
