"""Each kind of policy file, from YAML to terms. What is wrong inside one file is noted; `checks` compares files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType

from onboard.errors import BadInput
from onboard.model import (
    AccountKind,
    Classification,
    EngagementModel,
    Entitlement,
    Phase,
    Resource,
    Source,
)
from onboard.policy.strict import Block, Item, Notes, chosen
from onboard.policy.terms import Case, FactSpec, Holds, Host, Playbook, ResourceSpec, Role, Session, Stage, Task

#: The day on which a policy test plays unless it names another: only its distance to the dates it gives matters.
DEFAULT_DAY = date(2026, 1, 1)


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
    block.only("owner", "classification", "tags", "admits", "exclusive", "levels")
    owner, classification = block.slug("owner"), block.choice("classification", Classification)
    admits = [chosen(kind, AccountKind, "admits", block.notes) for kind in block.items("admits")]
    if "admits" in block and not admits:
        block.note("admits", f"resource {item.text} admits no kind of account. Name one, or delete the setting.")
    if resource is None or classification is None:
        return None
    return ResourceSpec(
        resource,
        owner,
        classification,
        item.source,
        tags=frozenset(_texts(block.items("tags"))),
        admits=frozenset(kind for kind in admits if kind is not None) or frozenset({AccountKind.MEMBER}),
        exclusive=block.flag("exclusive"),
        levels=_texts(block.items("levels")),
    )


def role(file: Block) -> Role:
    """roles/NAME.yaml. The role's own `needs` and `because` hold for every line, beside what the line says."""
    file.only("role", "title", "because", "needs", "playbook", "max_days", "grants")
    name, because = file.slug("role"), file.text("because")
    needs = _texts(file.items("needs"))
    grants = file.block("grants", "the phases, each with its grants")
    lines = (
        _entitlement(line, phase, needs, because)
        for item in grants
        if (phase := chosen(item, Phase, "phase", file.notes))
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


def _entitlement(block: Block, phase: Phase, needs: tuple[str, ...], because: str) -> Entitlement | None:
    block.only("resource", "level", "after", "needs", "because")
    name, level = block.text("resource"), block.text("level")
    resource = _resource(Item(name, block.at("resource")), block.notes) if name else None
    own = _texts(block.items("needs"))
    after = block.text("after", required=False) or None
    reason = block.text("because", required=False) or because
    if resource is None or not level:
        return None
    all_needs = tuple(dict.fromkeys((*needs, *own)))
    return Entitlement(resource, level, phase, block.source, all_needs, after, reason)


def playbook(file: Block) -> Playbook:
    """playbooks/NAME.yaml. A phase that it leaves out has no sessions, no tasks and open gates."""
    file.only("playbook", "title", "phases")
    phases = file.block("phases", "the phases")
    stages = {phase: Stage(phase, phases.source) for phase in Phase}
    for item in phases:
        phase = chosen(item, Phase, "phase", file.notes)
        if phase is not None:
            stages[phase] = _stage(phase, phases.block(item.text, f"phase {phase}"))
    return Playbook(file.slug("playbook"), file.text("title"), MappingProxyType(stages), file.at("playbook"))


def _stage(phase: Phase, block: Block) -> Stage:
    block.only("enter", "sessions", "tasks", "leave")
    sessions = [_session(entry) for entry in block.blocks("sessions", "a session")]
    tasks = [_task(entry) for entry in block.blocks("tasks", "a starter task")]
    _once(block.notes, [*sessions, *tasks])
    return Stage(
        phase,
        block.source,
        tuple(session for session in sessions if session is not None),
        tuple(tasks),
        _texts(block.items("enter")),
        _texts(block.items("leave")),
    )


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


def cases(file: Block) -> tuple[Case, ...]:
    """tests/NAME.yaml: `tests:`, a list of policy tests."""
    found = (_case(block) for block in file.only("tests").blocks("tests", "a policy test", required=True))
    return tuple(case for case in found if case is not None)


def _case(block: Block) -> Case | None:
    block.only("name", "given", "suppose", "expect", "refused")
    given = block.block("given", "what the test is given")
    given.only("role", "phase", "facts", "milestones", "model", "classification", "on")
    name, role_name, phase = block.text("name"), given.text("role"), given.choice("phase", Phase)
    if ("expect" in block) == ("refused" in block):
        block.notes.add(block.source, f"test {name!r} needs either expect: (exactly these grants) or refused: (rules).")
    model = given.choice("model", EngagementModel) if "model" in given else EngagementModel.STAFF_AUGMENTATION
    classification = (
        given.choice("classification", Classification) if "classification" in given else Classification.RESTRICTED
    )
    refused = _texts(block.items("refused"))
    if "refused" in block and not refused:
        block.note("refused", f"test {name!r} names no rule; name at least one by its @id.")
    if phase is None or model is None or classification is None or not role_name:
        return None
    return Case(
        name,
        role_name,
        phase,
        model,
        classification,
        given.day("on", required=False) or DEFAULT_DAY,
        _holdings(block, "expect"),
        refused,
        block.source,
        MappingProxyType(_held(given)),
        _texts(given.items("milestones")),
        _holdings(block, "suppose"),
    )


def _held(given: Block) -> Mapping[str, date | None]:
    """`facts` as a list of names, or as a mapping from name to last day."""
    if not given.is_mapping("facts"):
        return dict.fromkeys(_texts(given.items("facts")))
    block = given.block("facts", "the facts")
    return {item.text: block.day(item.text) for item in block}


def _holdings(block: Block, key: str) -> tuple[Holds, ...]:
    found = []
    for item in block.items(key):
        name, _, level = item.text.partition(" ")
        resource = _resource(Item(name, item.source), block.notes)
        if resource is not None and not level.strip():
            block.notes.add(item.source, f"{item.text!r} names no level; write it after a space: {item.text} LEVEL.")
        elif resource is not None:
            found.append(Holds(resource, level.strip(), item.source))
    return tuple(found)
