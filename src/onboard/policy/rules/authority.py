"""Who may do what: Cedar in `authority/*.cedar`, each rule annotated @id and @because, checked strictly as it loads.

A permit of `pre_approve` or `break_glass` also names its @owner, who is on record as the approver of what rests on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import cedarpy

from onboard.model import PERSON_ID, SLUG, Source
from onboard.policy.files.strict import Notes
from onboard.policy.rules.deeds import Action, Question, probes
from onboard.policy.rules.statements import Statement, annotated, names_differ, schema_of, statements

FOLDER = "authority/"
SCHEMA = f"{FOLDER}schema.cedarschema"


#: What rests on a rule alone, so that somebody has to answer for the rule.
OWNED = frozenset({Action.PRE_APPROVE, Action.BREAK_GLASS})


@dataclass(frozen=True, slots=True)
class Rule:
    """A permit or a forbid: its name, why it is there, the actions it is about; `owner` is a person or a team."""

    id: str
    because: str
    effect: str
    actions: frozenset[str]
    owner: str | None
    source: Source
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes by these permits, or no: by these forbids, or, where there are none, because no rule permits it.

    `failure` says what went wrong where a forbid could not be evaluated; it forbids then.
    """

    allowed: bool
    rules: tuple[Rule, ...] = ()
    failure: str = ""

    @property
    def undecided(self) -> bool:
        """Whether the rules could not be asked at all."""
        return bool(self.failure) and not self.rules


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """The rules of a policy, ready to be asked. Without any, nobody may do anything."""

    rules: tuple[Rule, ...] = ()
    schema: cedarpy.Schema | None = None
    compiled: cedarpy.PolicySet | None = None

    def ask(self, question: Question) -> Answer:
        """The answer of all rules together; a forbid wins over every permit."""
        if self.compiled is None:
            return Answer(allowed=False)
        found = cedarpy.is_authorized(question.request(), self.compiled, question.entities(), self.schema)
        failed = "; ".join(found.diagnostics.errors)
        if found.decision is cedarpy.Decision.NoDecision:
            return Answer(allowed=False, failure=failed)
        broken = [rule for name, rule in self._named() if re.search(rf"\b{name}\b", failed) and rule.effect == "forbid"]
        if broken:
            return Answer(allowed=False, rules=tuple(broken), failure=failed)
        reasons = set(found.diagnostics.reasons)
        rules = tuple(rule for name, rule in self._named() if name in reasons)
        return Answer(found.decision is cedarpy.Decision.Allow, rules)

    def permits(self, action: Action) -> tuple[Rule, ...]:
        """The rules that permit an action to somebody."""
        return tuple(rule for rule in self.rules if rule.effect == "permit" and action in rule.actions)

    def _named(self) -> Iterable[tuple[str, Rule]]:
        """The rules by the names that Cedar gives them."""
        return ((f"policy{number}", rule) for number, rule in enumerate(self.rules))


def compile_authority(files: Mapping[str, str], notes: Notes) -> Authority:
    """The rules in `authority/*.cedar` with their schema; every problem is noted with its file and line."""
    texts = {name: text for name, text in files.items() if name.startswith(FOLDER) and name.endswith(".cedar")}
    if not texts:
        return Authority()
    schema = schema_of(files.get(SCHEMA), SCHEMA, "rules of authority", notes)
    if schema is None:
        return Authority()
    found = (_rule(statement, notes) for statement in statements(texts, schema, notes))
    rules = tuple(rule for rule in found if rule is not None)
    names_differ(rules, notes)
    authority = Authority(rules, schema, cedarpy.PolicySet.from_str("\n".join(rule.text for rule in rules)))
    _probe(authority, notes)
    return authority


def _probe(authority: Authority, notes: Notes) -> None:
    """Notes a schema that doesn't describe our questions: every one of them would then be answered with no."""
    wrong = {answer.failure for question in probes() if (answer := authority.ask(question)).undecided}
    if wrong:
        notes.add(
            Source(SCHEMA, 1), f"the schema isn't what onboard asks by: {min(wrong)}. Restore the one that it ships."
        )


def _rule(statement: Statement, notes: Notes) -> Rule | None:
    if not annotated(statement, ("id", "because"), notes):
        return None
    actions, owner = _actions(statement), statement.annotations.get("owner") or None
    permits = statement.effect == "permit"
    if permits and not actions:
        notes.add(statement.source, 'this permit names no action: write action == Action::"approve", or another.')
        return None
    if permits and OWNED & actions and not owner:
        wanted = "write @owner, a person's full id or a team's name: they answer for what rests on it"
        notes.add(statement.source, f"this rule permits {' and '.join(sorted(OWNED & actions))}; {wanted}.")
        return None
    if owner and not (PERSON_ID.fullmatch(owner) or SLUG.fullmatch(owner)):
        notes.add(statement.source, f"@owner is {owner!r}; write a person's full id or a team's name.")
        return None
    id_, because = statement.annotations["id"], statement.annotations["because"]
    return Rule(id_, because, statement.effect, actions, owner, statement.source, statement.text)


def _actions(statement: Statement) -> frozenset[str]:
    """The actions that a rule names; empty where it is about all of them."""
    scope = statement.json["action"]
    named = [scope["entity"]] if "entity" in scope else scope.get("entities", ())
    return frozenset(entity["id"] for entity in named)
