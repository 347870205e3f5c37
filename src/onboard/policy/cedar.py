"""Guardrail files, compiled: Cedar forbids, each annotated @id, @because and @control, checked strictly as they load.

Cedar reports no positions, so a file is cut into its statements first and each one is checked by itself: a problem then
names the line where its rule begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cedarpy

from onboard.model import SLUG, Source
from onboard.policy.strict import Notes

SCHEMA = "guardrails/schema.cedarschema"

#: Who may hold what is said by the catalogue, whose default is deny. Cedar is asked only what is forbidden in spite of
#: it, and needs one permit for its forbids to stand against.
_BASE = 'permit (principal, action == Action::"hold", resource);'

_ANNOTATIONS = ("id", "because", "control")
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|;')
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
    texts = {name: text for name, text in files.items() if name.endswith(".cedar")}
    if not texts:
        return Guardrails()
    schema = _schema(files.get(SCHEMA), notes)
    if schema is None:
        return Guardrails()
    found = (_rule(text, source, schema, notes) for name in sorted(texts) for text, source in _cut(texts[name], name))
    rules = tuple(rule for rule in found if rule is not None)
    _names_differ(rules, notes)
    people = frozenset(name for rule in rules for name in _PERSON.findall(rule.text))
    compiled = cedarpy.PolicySet.from_str("\n".join((_BASE, *(rule.text for rule in rules))))
    _probe(compiled, schema, notes)
    return Guardrails(rules, schema, compiled, people)


def _schema(text: str | None, notes: Notes) -> cedarpy.Schema | None:
    source = Source(SCHEMA, 1)
    if text is None:
        notes.add(source, "there are guardrails but no schema to check them by. Restore the one that onboard ships.")
        return None
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        notes.add(source, f"this is no Cedar schema: {error}. No guardrail was read.")
        return None


def _cut(text: str, file: str) -> Iterator[tuple[str, Source]]:
    """The statements of a file, each with the line on which it begins."""
    begin = 0
    ends = [match.end() for match in _TOKEN.finditer(text) if match.group() == ";"]
    for end in (*ends, len(text)):
        statement = _TOKEN.sub(lambda match: "" if match.group().startswith("//") else match.group(), text[begin:end])
        if statement.strip():
            blank = len(statement) - len(statement.lstrip())
            line = text.count("\n", 0, begin) + statement.count("\n", 0, blank) + 1
            yield text[begin:end], Source(file, line)
        begin = end


def _rule(text: str, source: Source, schema: cedarpy.Schema, notes: Notes) -> Rule | None:
    checked = cedarpy.validate_policies(text, schema)
    if not checked:
        for error in checked.errors:
            notes.add(source, f"this rule is wrong: {re.sub('^for policy `.*?`, ', '', error.error)}.")
        return None
    policies = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    if len(policies) != 1:
        notes.add(source, "this is a template, which forbids nothing by itself. Write a plain forbid.")
        return None
    (policy,) = policies.values()
    if policy["effect"] != "forbid":
        notes.add(source, "guardrails only forbid; what may be held is said in roles/. Delete this permit.")
        return None
    return _annotated(policy.get("annotations", {}), text, source, notes)


def _annotated(annotations: Mapping[str, str | None], text: str, source: Source, notes: Notes) -> Rule | None:
    values = {name: (annotations.get(name) or "").strip() for name in _ANNOTATIONS}
    missing = ", ".join(f"@{name}" for name in _ANNOTATIONS if not values[name])
    if missing:
        notes.add(source, f'this rule lacks {missing}: write it before forbid, like @id("no-standing-admin").')
        return None
    if not SLUG.fullmatch(values["id"]):
        notes.add(source, f"@id is {values['id']!r}; use lower-case letters, digits and hyphens only.")
        return None
    return Rule(values["id"], values["because"], values["control"], source, text)


def _names_differ(rules: tuple[Rule, ...], notes: Notes) -> None:
    first: dict[str, Rule] = {}
    for rule in rules:
        other = first.setdefault(rule.id, rule)
        if other is not rule:
            notes.add(rule.source, f"@id {rule.id} is taken by {other.source}. Choose another.")


def _probe(compiled: cedarpy.PolicySet, schema: cedarpy.Schema, notes: Notes) -> None:
    """Notes a schema that doesn't describe our requests: every rule would then refuse everything."""
    answer = cedarpy.is_authorized(_PROBE.request(), compiled, _PROBE.entities(), schema)
    if answer.decision is cedarpy.Decision.NoDecision:
        wrong = "; ".join(answer.diagnostics.errors)
        notes.add(Source(SCHEMA, 1), f"the schema isn't what onboard asks by: {wrong}. Restore the one that it ships.")
