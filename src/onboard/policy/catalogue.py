"""The policies in force: a folder of small files, read strictly, every problem reported at once.

resources.yaml   facts.yaml   roles/*.yaml   playbooks/*.yaml   guardrails/*.cedar + schema.cedarschema   tests/*.yaml
authority/*.cedar + schema.cedarschema   extras.yaml   exceptions/*.yaml
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

from onboard.errors import BadInput, Problem
from onboard.levels import SCALES, Scale
from onboard.model import Kind, Phase, Resource, Source
from onboard.policy.beside import Allowed, RuleException, allowed, exceptions
from onboard.policy.files.checks import CHECKS, Draft
from onboard.policy.files.reading import Reader, facts, resources, spared
from onboard.policy.files.revision import files_at
from onboard.policy.files.strict import Block, Notes, read
from onboard.policy.rules.authority import SCHEMA as AUTHORITY_SCHEMA
from onboard.policy.rules.authority import Authority, compile_authority
from onboard.policy.rules.cedar import SCHEMA, Guardrails, compile_guardrails
from onboard.policy.rules.forbidden import no_line_is_always_forbidden
from onboard.policy.terms import Case, FactSpec, Playbook, ResourceSpec, Role, Spared, Stage

_PLACES = re.compile(
    r"(resources|facts|extras)\.yaml|(roles|playbooks|tests|exceptions)/[^/]+\.yaml|(guardrails|authority)/[^/]+\.cedar(schema)?"
)
_PLACES_SAID = (
    "resources.yaml, facts.yaml, extras.yaml, roles/, playbooks/, tests/ and exceptions/ with *.yaml,"
    " guardrails/ and authority/ with *.cedar"
)
_RULE_ID = re.compile(r'@id\("([^"]*)"\)')
_WORD = re.compile(r'"([^"]*)"')
_BEGINNINGS = {"resources.yaml": "resources: {}", "facts.yaml": "prerequisites: {}"}
_IGNORED = (".md",)
#: How long extras may last, and the exceptions to guardrails.
_Beside = tuple[Allowed, tuple[RuleException, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """The policies in force, identified by `hash` (64 hex digits). `files` is the bundle that the ledger keeps."""

    hash: str
    files: Mapping[str, str]
    systems: Mapping[str, Kind]
    facts: Mapping[str, FactSpec]
    resources: Mapping[Resource, ResourceSpec]
    roles: Mapping[str, Role]
    playbooks: Mapping[str, Playbook]
    guardrails: Guardrails
    tests: tuple[Case, ...]
    spared: tuple[Spared, ...] = ()
    authority: Authority = field(default_factory=Authority)
    allowed: Allowed = field(default_factory=Allowed)
    exceptions: tuple[RuleException, ...] = ()

    def scale(self, resource: Resource) -> Scale:
        """The levels of a declared resource's type."""
        return SCALES[self.systems[resource.system], resource.type]

    def stage(self, role: str, phase: Phase) -> Stage:
        """What a role's playbook says about a phase. Raises KeyError for a role that isn't there."""
        return self.playbooks[self.roles[role].playbook].stages[phase]

    @classmethod
    def from_files(cls, files: Mapping[str, str], systems: Mapping[str, Kind], folder: str = "policies") -> Policy:
        """The policy that these files say, by paths relative to their folder. Raises BadInput with every problem."""
        notes = Notes(folder)
        draft, guardrails = _draft(files, systems, notes)
        beside = _beside(files, draft, guardrails, notes)
        no_line_is_always_forbidden(draft, guardrails, beside[1], notes)
        return cls._of(files, draft, guardrails, beside, notes)

    @classmethod
    def kept(cls, files: Mapping[str, str], systems: Mapping[str, Kind]) -> Policy:
        """The policy of a bundle that the ledger kept: it was in force, whether or not today's onboard would take it.

        Raises BadInput where it can't be understood.
        """
        notes = Notes("policies")
        draft, guardrails = _draft(files, systems, notes)
        return cls._of(files, draft, guardrails, _beside(files, draft, guardrails, notes), notes)

    @classmethod
    def _of(
        cls, files: Mapping[str, str], draft: Draft, guardrails: Guardrails, beside: _Beside, notes: Notes
    ) -> Policy:
        authority = compile_authority(files, notes)
        notes.raise_all()
        return cls(
            bundle_hash(files),
            MappingProxyType(dict(sorted(files.items()))),
            MappingProxyType(dict(draft.systems)),
            draft.facts,
            draft.resources,
            draft.roles,
            draft.playbooks,
            guardrails,
            draft.cases,
            draft.spared,
            authority=authority,
            allowed=beside[0],
            exceptions=beside[1],
        )


def load(folder: Path, systems: Mapping[str, Kind]) -> Policy:
    """The policy in a folder, for these configured systems (name to kind).

    Raises BadInput with every problem of every file: `policies/roles/qa-engineer.yaml:12  grants level …`.
    """
    if not folder.is_dir():
        raise BadInput.one(
            f"{folder} is no folder. Correct the setting; without one, the policies that onboard ships are used."
        )
    return _policy(_files(folder), systems, folder.name)


def _files(folder: Path) -> dict[str, bytes]:
    """What is in a folder, by path. Raises BadInput naming all that can't be read, links to nowhere included."""
    files: dict[str, bytes] = {}
    notes = Notes(folder.name)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        try:
            if path.is_file() or (path.is_symlink() and not path.is_dir()):
                files[name] = path.read_bytes()
        except OSError as error:
            notes.add(Source(name, 1), f"this file can't be read: {error.strerror}. Correct it, or delete it.")
    notes.raise_all()
    return files


def load_at(folder: Path, revision: str, systems: Mapping[str, Kind]) -> Policy:
    """The policy that stood in a folder at a git revision. Raises BadInput as `load`, and as `files_at`."""
    return _policy(files_at(folder, revision), systems, f"{revision}:{folder.name}")


def _policy(contents: Mapping[str, bytes], systems: Mapping[str, Kind], folder: str) -> Policy:
    files, problems = _texts(contents, folder)
    try:
        policy = Policy.from_files(files, systems, folder)
    except BadInput as error:
        raise BadInput([*problems, *error.problems]) from None
    if problems:
        raise BadInput(problems)
    return policy


def _texts(contents: Mapping[str, bytes], folder: str) -> tuple[dict[str, str], list[Problem]]:
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for name, content in contents.items():
        if name.endswith(_IGNORED) or any(part.startswith(".") for part in Path(name).parts):
            continue
        try:
            files[name] = content.decode()
        except UnicodeDecodeError:
            problems.append(Problem(f"{folder}/{name}", 1, "this is not UTF-8 text. Save it as UTF-8."))
    return files, problems


def _beside(files: Mapping[str, str], draft: Draft, guardrails: Guardrails, notes: Notes) -> _Beside:
    most = allowed(_one(files, "extras.yaml", notes) if "extras.yaml" in files else None)
    return most, exceptions(_many(files, "exceptions", notes), draft, guardrails, most)


def bundle_hash(files: Mapping[str, str]) -> str:
    """SHA-256, in hex, over the sorted paths and contents; lengths keep one file's end apart from the next one's."""
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        for part in (name.encode(), text.encode()):
            digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()


def _draft(files: Mapping[str, str], systems: Mapping[str, Kind], notes: Notes) -> tuple[Draft, Guardrails]:
    for name in files:
        if not _PLACES.fullmatch(name) or (name.endswith(".cedarschema") and name not in (SCHEMA, AUTHORITY_SCHEMA)):
            notes.add(
                Source(name, 0), f"nothing reads this file. Policies are {_PLACES_SAID}; move, rename or delete it."
            )
    guardrails = compile_guardrails({name: text for name, text in files.items() if _PLACES.fullmatch(name)}, notes)
    single = {name: _one(files, name, notes) for name in ("resources.yaml", "facts.yaml")}
    folders = {folder: _many(files, folder, notes) for folder in ("roles", "playbooks", "tests")}
    reader = Reader(facts(single["facts.yaml"]) if single["facts.yaml"] else None)
    read_files = {block.source.file for found in (single.values(), *folders.values()) for block in found if block}
    draft = Draft(
        systems,
        MappingProxyType(dict(reader.facts or {})),
        MappingProxyType(resources(single["resources.yaml"]) if single["resources.yaml"] else {}),
        MappingProxyType(_named(folders["roles"], reader.role, "role", notes)),
        MappingProxyType(_named(folders["playbooks"], reader.playbook, "playbook", notes)),
        frozenset(
            name for file, text in files.items() if not file.startswith("authority/") for name in _RULE_ID.findall(text)
        ),
        tuple(case for block in folders["tests"] for case in reader.cases(block)),
        tuple(mutant for block in folders["tests"] for mutant in spared(block)),
        frozenset({*files, *single} - read_files),
        frozenset(word for name, text in files.items() if name.endswith(".cedar") for word in _WORD.findall(text)),
    )
    for check in CHECKS:
        check(draft, notes)
    return draft, guardrails


def _one(files: Mapping[str, str], name: str, notes: Notes) -> Block | None:
    if name not in files:
        notes.add(Source(name, 0), f"this file is missing. Restore it, or start with `{_BEGINNINGS[name]}`.")
        return None
    return read(files[name], name, name, notes)


def _many(files: Mapping[str, str], folder: str, notes: Notes) -> list[Block]:
    names = sorted(name for name in files if name.startswith(f"{folder}/") and _PLACES.fullmatch(name))
    blocks = (read(files[name], name, f"the {folder.removesuffix('s')}", notes) for name in names)
    return [block for block in blocks if block is not None]


class _Term(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def source(self) -> Source: ...


_T = TypeVar("_T", bound=_Term)


def _named(blocks: Iterable[Block], parse: Callable[[Block], _T], what: str, notes: Notes) -> dict[str, _T]:
    """Terms by name, one a file, each in the file that bears its name."""
    found: dict[str, _T] = {}
    for term in map(parse, blocks):
        first = found.setdefault(term.name, term) if term.name else term
        if first is not term:
            notes.add(term.source, f"{what} {term.name} is defined in {first.source} already. Rename or delete one.")
        elif term.name and Path(term.source.file).stem != term.name:
            notes.add(term.source, f"{what} {term.name} stands in {term.source.file}. Rename one of the two.")
    return found
