"""Each kind of policy file, from YAML to terms. What is wrong inside one file is noted; `checks` compares files.

Where a value is noted as wrong, reading goes on with a harmless one, so that one mistake isn't blamed on other files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from onboard.errors import BadInput
from onboard.model import (
    AccountKind,
    Classification,
    EngagementModel,
    Entitlement,
    Phase,
    Proof,
    Resource,
    Source,
)
from onboard.policy.files.strict import Block, Item, Notes, chosen, did_you_mean
from onboard.policy.terms import Case, FactSpec, Holds, Host, Playbook, ResourceSpec, Role, Session, Spared, Stage, Task

#: The day on which a policy test plays unless it names another: only its distance to the dates it gives matters.
DEFAULT_DAY = date(2026, 1, 1)
_PERSON = ("role", "phase", "facts", "milestones", "started", "proof", "location", "on_call")
_WORK = ("model", "classification", "locations", "dpa")
_GIVEN = (*_PERSON, *_WORK, "on")


def _resource(item: Item, notes: Notes) -> Resource | None:
    try:
        return Resource.parse(item.text)
    except BadInput as error:
        notes.add(item.source, str(error))
        return None


def _texts(items: Iterable[Item]) -> tuple[str, ...]:
    return tuple(item.text for item in items)


def facts(file: Block) -> dict[str, FactSpec]:
    """facts.yaml: `prerequisites:` and `milestones:`, each a mapping from name to what it means."""
    found: dict[str, FactSpec] = {}
    for section in ("prerequisites", "milestones"):
        block = file.only("prerequisites", "milestones").block(section, f"the {section}", required=False)
        for name in block:
            if name.text in found:
                block.note(name.text, f"{name.text} is a prerequisite already, in line {found[name.text].source.line}.")
            found[name.text] = FactSpec(name.text, block.text(name.text), section == "milestones", name.source)
    return found


def resources(file: Block) -> dict[Resource, ResourceSpec]:
    """resources.yaml: `resources:`, a mapping from `system:type:name` to its specification."""
    block = file.only("resources").block("resources", "the resources")
    specs = (_spec(item, block) for item in block)
    return {spec.resource: spec for spec in specs if spec is not None}


def _spec(item: Item, parent: Block) -> ResourceSpec | None:
    resource = _resource(item, parent.notes)
    block = parent.block(item.text, f"resource {item.text}")
    block.only("owner", "classification", "tags", "admits", "exclusive", "levels", "reaches", "duties", "decoy")
    owner, classification = block.slug("owner"), block.choice("classification", Classification)
    admits = [chosen(kind, AccountKind, "admits", block.notes) for kind in block.items("admits")]
    if "admits" in block and not admits:
        block.note("admits", f"resource {item.text} admits no kind of account. Name one, or delete the setting.")
    if resource is None:
        return None
    return ResourceSpec(
        resource,
        owner,
        classification or Classification.RESTRICTED,
        item.source,
        tags=frozenset(_texts(block.items("tags"))),
        admits=frozenset(kind for kind in admits if kind is not None) or frozenset({AccountKind.MEMBER}),
        exclusive=block.flag("exclusive"),
        levels=_texts(block.items("levels")),
        reaches=_texts(block.items("reaches")),
        duties=MappingProxyType(_duties(block)),
        decoy=block.flag("decoy"),
    )


def _duties(parent: Block) -> dict[str, tuple[str, ...]]:
    block = parent.block("duties", "a level and what it lets somebody do, like push: [write-code]", required=False)
    return {level.text: _texts(block.items(level.text, required=True)) for level in block}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what refers to facts; `facts` is None where facts.yaml could not be read, and then any name will do."""

    facts: Mapping[str, FactSpec] | None

    def _known(self, items: Iterable[Item], notes: Notes, *, milestone: bool | None) -> tuple[str, ...]:
        """The names, after noting those that are no fact, or (unless `milestone` is None) not of that sort."""
        items = tuple(items)
        for item in items if self.facts is not None else ():
            self._check(item, notes, milestone)
        return _texts(items)

    def _check(self, item: Item, notes: Notes, milestone: bool | None) -> None:
        known = self.facts or {}
        spec = known.get(item.text)
        if spec is None:
            notes.add(item.source, f"{item.text} is no fact that facts.yaml declares.{did_you_mean(item.text, known)}")
        elif milestone is not None and spec.milestone is not milestone:
            sort, place = ("a milestone", "after/milestones") if spec.milestone else ("a prerequisite", "needs/facts")
            notes.add(item.source, f"{item.text} is {sort} by {spec.source}; it belongs under {place}.")

    def role(self, file: Block) -> Role:
        """roles/NAME.yaml. The role's own `needs`, `because` and `models` hold for every line, beside what it says."""
        file.only("role", "title", "because", "needs", "models", "playbook", "max_days", "grants")
        name, because = file.slug("role"), file.text("because")
        needs = self._known(file.items("needs"), file.notes, milestone=False)
        models = _models(file)
        grants = file.block("grants", "the phases, each with its grants")
        lines = (
            self._entitlement(line, chosen(item, Phase, "phase", file.notes), needs, models, because)
            for item in grants
            for line in grants.blocks(item.text, f"a grant of {name or 'the role'}")
        )
        entitlements = sorted((line for line in lines if line is not None), key=lambda line: line.phase.rank)
        return Role(
            name,
            file.text("title"),
            because,
            tuple(entitlements),
            file.at("role"),
            playbook=file.slug("playbook", required=False) or "default",
            max_days=file.number("max_days", required=False),
        )

    def _entitlement(
        self,
        block: Block,
        phase: Phase | None,
        needs: tuple[str, ...],
        models: frozenset[EngagementModel],
        because: str,
    ) -> Entitlement | None:
        block.only("resource", "level", "after", "needs", "models", "while", "because")
        name, level = block.text("resource"), block.text("level")
        resource = _resource(Item(name, block.at("resource")), block.notes) if name else None
        own = self._known(block.items("needs"), block.notes, milestone=False)
        after = block.text("after", required=False)
        if after:
            self._known([Item(after, block.at("after"))], block.notes, milestone=True)
        reason = block.text("because", required=False) or because
        within, on_call = _models(block) or models, _while_on_call(block)
        if models and not within <= models:
            block.note("models", f"the role is for {', '.join(sorted(models))} only; name no others here.")
        if resource is None:
            return None
        all_needs = tuple(dict.fromkeys((*needs, *own)))
        return Entitlement(
            resource,
            level,
            phase or Phase.FULL_OPERATION,
            block.source,
            all_needs,
            after or None,
            reason,
            within,
            on_call,
        )

    def playbook(self, file: Block) -> Playbook:
        """playbooks/NAME.yaml. A phase that it leaves out has no sessions, no tasks and open gates."""
        file.only("playbook", "title", "phases")
        phases = file.block("phases", "the phases")
        stages = {phase: Stage(phase, phases.source) for phase in Phase}
        for item in phases:
            phase = chosen(item, Phase, "phase", file.notes)
            if phase is not None:
                stages[phase] = self._stage(phase, phases.block(item.text, f"phase {phase}"))
        return Playbook(file.slug("playbook"), file.text("title"), MappingProxyType(stages), file.at("playbook"))

    def _stage(self, phase: Phase, block: Block) -> Stage:
        block.only("enter", "sessions", "tasks", "leave")
        sessions = [_session(entry) for entry in block.blocks("sessions", "a session")]
        tasks = [_task(entry) for entry in block.blocks("tasks", "a starter task")]
        _once(block.notes, [*sessions, *tasks])
        return Stage(
            phase,
            block.source,
            tuple(session for session in sessions if session is not None),
            tuple(tasks),
            self._known(block.items("enter"), block.notes, milestone=None),
            self._known(block.items("leave"), block.notes, milestone=None),
        )

    def cases(self, file: Block) -> tuple[Case, ...]:
        """tests/NAME.yaml: `tests:`, a list of policy tests; `survives:` beside it is read by `spared`."""
        known = file.only("tests", "survives")
        found = (self._case(block) for block in known.blocks("tests", "a policy test", required=True))
        return tuple(case for case in found if case is not None)

    def _case(self, block: Block) -> Case | None:
        name, refused = _case_name(block), _texts(block.items("refused"))
        given = block.block("given", "what the test is given")
        given.only(*_GIVEN)
        role, phase = given.text("role"), given.choice("phase", Phase)
        model = given.choice("model", EngagementModel) if "model" in given else EngagementModel.STAFF_AUGMENTATION
        classification = (
            given.choice("classification", Classification) if "classification" in given else Classification.RESTRICTED
        )
        proof = given.choice("proof", Proof) if "proof" in given else Proof.WORK_EMAIL
        expect, suppose = _holdings(block, "expect"), _holdings(block, "suppose")
        on, started, facts = given.day("on", required=False), given.day("started", required=False), self._held(given)
        milestones = self._known(given.items("milestones"), block.notes, milestone=True)
        if phase is None or model is None or classification is None or proof is None or not role:
            return None
        return Case(
            name, role, phase, model, classification, on or DEFAULT_DAY, expect, refused,
            block.source, MappingProxyType(facts), milestones, suppose, proof, started,
            dpa=given.flag("dpa") if "dpa" in given else True, location=given.text("location", required=False) or None,
            locations=_texts(given.items("locations")), on_call=given.flag("on_call"),
        )  # fmt: skip

    def _held(self, given: Block) -> dict[str, date | None]:
        """`facts` as a list of names, or as a mapping from name to last day."""
        if not given.is_mapping("facts"):
            return dict.fromkeys(self._known(given.items("facts"), given.notes, milestone=False))
        block = given.block("facts", "the facts")
        return {name: block.day(name) for name in self._known(block, given.notes, milestone=False)}


def _models(block: Block) -> frozenset[EngagementModel]:
    found = [chosen(item, EngagementModel, "models", block.notes) for item in block.items("models")]
    if "models" in block and not found:
        block.note("models", "models names none, so nobody would hold it. Name one, or delete the setting.")
    return frozenset(model for model in found if model is not None)


def _while_on_call(block: Block) -> bool:
    text = block.text("while", required=False)
    if text and text != "on-call":
        block.note("while", f"'while' is {text!r}; it can be on-call: during the person's shifts on the rota.")
    return text == "on-call"


def spared(file: Block) -> tuple[Spared, ...]:
    """tests/NAME.yaml: `survives:`, the mutants that no test needs to notice, each with the reason."""
    found = file.blocks("survives", "a mutant that may survive")
    return tuple(
        Spared(block.text("mutant"), block.text("because"), block.source)
        for block in (entry.only("mutant", "because") for entry in found)
    )


def _case_name(block: Block) -> str:
    block.only("name", "given", "suppose", "expect", "refused")
    name = block.text("name")
    if ("expect" in block) == ("refused" in block):
        block.notes.add(block.source, f"test {name!r} needs either expect: (exactly these grants) or refused: (rules).")
    if "refused" in block and not block.items("refused"):
        block.note("refused", f"test {name!r} names no rule; name at least one by its @id.")
    return name


def _task(block: Block) -> Task:
    block.only("name", "title")
    return Task(block.slug("name"), block.text("title"), block.source)


def _session(block: Block) -> Session | None:
    block.only("name", "title", "with", "minutes")
    name, title = block.slug("name"), block.text("title")
    host, minutes = block.choice("with", Host), block.number("minutes")
    if host is None or minutes is None:
        return None
    return Session(name, title, host, minutes, block.source)


def _once(notes: Notes, entries: Iterable[Session | Task | None]) -> None:
    seen: dict[str, Source] = {}
    for entry in entries:
        if entry is not None and entry.name:
            first = seen.setdefault(entry.name, entry.source)
            if first != entry.source:
                notes.add(
                    entry.source, f"{entry.name} stands twice in this phase, first in line {first.line}. Rename one."
                )


def _end(text: str, source: Source, key: str, notes: Notes) -> date | None:
    if not text:
        return None
    if key != "suppose":
        notes.add(source, f"until {text} can only be supposed: what is expected has the end that policy gives it.")
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        notes.add(source, f"{text!r} is no day; write one like 2027-03-31.")
        return None


def _holdings(block: Block, key: str) -> tuple[Holds, ...]:
    found = []
    for item in block.items(key):
        name, _, level = item.text.partition(" ")
        level, _, end = level.partition(" until ")
        resource = _resource(Item(name, item.source), block.notes)
        if resource is not None and not level.strip():
            block.notes.add(item.source, f"{item.text!r} names no level; write it after a space: {item.text} LEVEL.")
        elif resource is not None:
            found.append(Holds(resource, level.strip(), item.source, _end(end, item.source, key, block.notes)))
    return tuple(found)
