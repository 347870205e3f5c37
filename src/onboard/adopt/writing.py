"""Proposals as the files that they are meant to become: strict YAML with comments for whoever reviews them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from onboard.adopt.terms import Line, ProposedRole
from onboard.model import AccountKind, Kind, Phase, Resource

#: Texts that YAML reads as texts without quotes, wherever they stand.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*([: ][A-Za-z0-9_./-]+)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
#: Types that take other accounts than full members.
_OPEN_DOORS = frozenset({"repo", "channel"})
_RESOURCES = """\
# Proposed from what was found on the systems. Before these policies are in force, for each resource
#   owner           name the team that answers for it
#   classification  nobody has judged it yet: confidential until somebody does
#   exclusive       add `exclusive: true` where nobody may be but those whom policies name
"""


def scalar(text: str) -> str:
    """The text as a YAML value that is read back as the same text."""
    plain = _PLAIN.fullmatch(text) and text.casefold() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def resources_yaml(
    roles: Iterable[ProposedRole],
    existing: Iterable[Resource],
    kinds: Mapping[Resource, Iterable[AccountKind]],
    levels: Mapping[Resource, Iterable[str]],
    systems: Mapping[str, Kind],
) -> str:
    """Every resource that a role gives, and as comments those that none does. `levels` are those of open scales."""
    used = {line.right.resource for role in roles for line in role.lines}

    def spec(resource: Resource) -> str:
        secrets = (systems[resource.system], resource.type) == (Kind.VAULT, "group")
        return _spec(resource, kinds.get(resource, ()), levels.get(resource, ()), secrets=secrets)

    specs = [spec(resource) for resource in sorted(used)]
    others = [f"  # {spec(resource)}" for resource in sorted(set(existing) - used)]
    lines = [_RESOURCES.rstrip(), "resources:" if specs else "resources: {}", *(f"  {spec}" for spec in specs)]
    if others:
        lines += ["", "  # These are there too, and no proposed role gives them. What none gives can't be declared."]
    return "\n".join([*lines, *others, ""])


def _spec(resource: Resource, kinds: Iterable[AccountKind], levels: Iterable[str], *, secrets: bool) -> str:
    settings = ["owner: unassigned", "classification: confidential"]
    if secrets:
        settings.append("tags: [secrets]")
    found = sorted(kinds) if resource.type in _OPEN_DOORS else []
    if found and found != [AccountKind.MEMBER]:
        settings.append(f"admits: [{', '.join(found)}]")
    if named := sorted(levels):
        settings.append(f"levels: [{', '.join(map(scalar, named))}]")
    return f"{scalar(str(resource))}: {{{', '.join(settings)}}}"


def role_yaml(role: ProposedRole, playbook: str) -> str:
    """A role's file. What every line needs stands once, for the whole role."""
    shared = [need for need in role.lines[0].needs if all(need in line.needs for line in role.lines)]
    by_phase: dict[Phase, list[Line]] = defaultdict(list)
    for line in role.lines:
        by_phase[line.phase].append(line)
    head = [
        "# Everybody for whom this role is proposed holds all of this today. Give it a name that says what they do.",
        f"role: {role.name}",
        f"title: {scalar(role.title)}",
        f"because: {scalar(f'proposed from {len(role.people)} people who share this')}",
        *([f"needs: [{', '.join(shared)}]"] if shared else []),
        *([f"playbook: {playbook}"] if playbook != "default" else []),
        "grants:",
    ]
    body = [text for phase in Phase if phase in by_phase for text in (f"  {phase}:", *_lines(by_phase[phase], shared))]
    return "\n".join([*head, *body, ""])


def _lines(lines: Iterable[Line], shared: Iterable[str]) -> Iterable[str]:
    for line in lines:
        needs = [need for need in line.needs if need not in shared]
        more = f", needs: [{', '.join(needs)}]" if needs else ""
        resource, level = scalar(str(line.right.resource)), scalar(line.right.level)
        yield f"    - {{resource: {resource}, level: {level}{more}}}"
