"""Where settings come from: variables over a file over defaults, and what is wrong with them in plain words.

pydantic-settings reads them and lays them over each other; pydantic finds everything that is wrong. Our own are the
short names of variables, the folders that relative paths begin at, and the messages.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, InitSettingsSource, TomlConfigSettingsSource

from onboard.errors import BadInput, Problem
from onboard.sections import VAULT_REFERENCE, Alarms, Listen, Notices, Reviews, Secret
from onboard.settings import (
    BY_KIND,
    FILE,
    PREFIX,
    Approvals,
    Checkpoints,
    LedgerSettings,
    Limits,
    MailSettings,
    Retention,
    Settings,
    Tasks,
    anchored,
    variable,
)

#: Variables that steer the program, or its tests, and are no settings.
OTHER_VARIABLES = frozenset({"ONBOARD_CONFIG", "ONBOARD_DEBUG", "ONBOARD_API_SPECS"})
FIELDS = [item for kind in BY_KIND.values() for item in kind.model_fields.items()]
#: The tables that are no systems.
SECTIONS: Mapping[str, type[BaseModel]] = {
    "alarms": Alarms,
    "approvals": Approvals,
    "checkpoints": Checkpoints,
    "ledger": LedgerSettings,
    "limits": Limits,
    "listen": Listen,
    "mail": MailSettings,
    "notices": Notices,
    "retention": Retention,
    "review": Reviews,
    "tasks": Tasks,
}
#: Those that hold secrets.
GUARDED = ("listen", "mail")
_HOLDING = (*FIELDS, *(item for name in GUARDED for item in SECTIONS[name].model_fields.items()))
SECRETS = {field for field, info in _HOLDING if info.annotation == Secret | None}
#: The keys that name a file, with those whose value the file holds.
FILES = {f"{field}_file": field for field in ("ledger_url", *SECRETS)}


class _Variables(EnvSettingsSource):
    """The variables in the mapping given; `names` says which of them each key came from.

    One that is no setting stands under its own name, so that it is refused like any other key that is none.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        super().__init__(Settings)
        ours = (name for name in sorted(environment) if name.startswith(PREFIX) and name not in OTHER_VARIABLES)
        self.names = {_path(name): name for name in ours if environment[name]}
        self._values = {path: environment[name] for path, name in self.names.items()}
        self.env_vars = {(PREFIX + "__".join(path)).lower(): value for path, value in self._values.items()}
        self._folder = folder

    def __call__(self) -> dict[str, Any]:
        others = {path[0]: value for path, value in self._values.items() if len(path) == 1}
        return _settled(others | super().__call__(), self._folder)


def load(environment: Mapping[str, str], directory: Path) -> Settings:
    """The settings that hold in `directory` with these variables. Raises BadInput with every problem at once."""
    file = _find(environment, directory)
    home = file.parent if file else directory
    try:
        written = TomlConfigSettingsSource(Settings, file)()
    except (ValueError, OSError, RecursionError) as error:
        raise BadInput.one(f"can't be read: {error}", FILE) from None
    variables = _Variables(environment, directory)
    systems = {*_tables(written), *(path[1] for path in variables.names if path[0] == "systems")}
    below = (_settled(written, home), _defaults(home, systems))
    problems = list(_written_secrets(written))
    try:
        settings = Settings.model_validate(
            {"sources": (variables, *(InitSettingsSource(Settings, it) for it in below))}
        )
    except ValidationError as error:
        problems += [_problem(detail, variables.names, systems) for detail in error.errors()]
    else:
        if not problems:
            return settings
    raise BadInput(problems)


def _find(environment: Mapping[str, str], directory: Path) -> Path | None:
    if named := environment.get("ONBOARD_CONFIG"):
        file = directory / named
        if not file.is_file():
            raise BadInput.one(f"ONBOARD_CONFIG names {named}, which isn't a file. Correct it, or unset it.")
        return file.resolve()
    folders = (directory, *directory.parents)
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def _defaults(home: Path, systems: Iterable[str]) -> dict[str, Any]:
    """Ledger and policies beside the file; a system that carries the name of a kind is of that kind."""
    return {
        "ledger_url": f"sqlite:///{home / 'onboard.db'}",
        "policies": home / "policies" if (home / "policies").is_dir() else None,
        "systems": {name: {"kind": name} for name in systems if name in BY_KIND},
    }


def _path(name: str) -> tuple[str, ...]:
    """The key that a variable sets; for one that sets none, its own name."""
    match name.removeprefix(PREFIX).lower().split("__"):
        case ["systems", system, field]:
            return ("systems", system.replace("_", "-"), field)
        case ["systems", system, "rates", limit]:
            return ("systems", system.replace("_", "-"), "rates", limit)
        case [kind, "rates", limit] if kind in BY_KIND:
            return ("systems", kind, "rates", limit)
        case [kind, field] if kind in BY_KIND:
            return ("systems", kind, field)
        case [section, field] if section in SECTIONS:
            return (section, field)
        case [("ledger_url" | "ledger_url_file" | "policies") as field]:
            return (field,)
    return (name,)


def _settled(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The table, and those in it, with relative paths begun at `folder`, and for X_file X, a path to be read.

    Where X is given too, X_file stays, and is refused.
    """
    settled: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            settled[key] = _settled(value, folder)
        elif key in FILES and FILES[key] not in table:
            settled[FILES[key]] = folder / str(value)
        elif key in ("policies", "local_key", "keyring_file", "vault_audit"):
            settled[key] = folder / str(value)
        elif key in ("witnesses", "tell"):
            settled[key] = _witnesses(value, folder)
        else:
            settled[key] = anchored(str(value), folder) if key == "ledger_url" else value
    return settled


def _witnesses(value: object, folder: Path) -> object:
    """Files among the witnesses begin at `folder` too."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list):
        return value
    stripped = [str(name).strip() for name in names]
    return [f"file:{folder / name.removeprefix('file:')}" if name.startswith("file:") else name for name in stripped]


def _tables(tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
    systems = tree.get("systems")
    found = systems.items() if isinstance(systems, dict) else ()
    return {name: table for name, table in found if isinstance(table, dict)}


def _written_secrets(tree: dict[str, Any]) -> Iterator[Problem]:
    tables = [(f"systems.{name}", name, table) for name, table in _tables(tree).items()]
    tables += [(name, name, tree[name]) for name in GUARDED if isinstance(tree.get(name), dict)]
    for label, name, table in tables:
        for field in SECRETS & table.keys():
            if not str(table[field]).startswith(VAULT_REFERENCE):
                ways = f'{variable(name, field)}, {field}_file, or {field} = "vault:PATH#FIELD"'
                message = f"{label}.{field} is a secret in a file that people share. Use {ways}; and replace it."
                yield Problem(FILE, 0, message)


def _problem(detail: ErrorDetails, variables: Mapping[tuple[str, ...], str], systems: Iterable[str]) -> Problem:
    """Say what pydantic found by the key's name, never with the value of what may be a secret."""
    loc = tuple(map(str, detail["loc"]))
    path = (*loc[:2], *loc[3:]) if loc[0] == "systems" else loc  # without the tag that pydantic tells kinds apart by
    origin = variables.get(path) or variables.get((*path[:-1], f"{path[-1]}_file"))
    label = origin or ".".join(path)
    match detail["type"]:
        case "missing":
            message = f"{label} is missing. Set it in {FILE}, or as {variable(*path[-2:])}."
        case "extra_forbidden" if path[-1] in FILES:
            message = f"{label} and {FILES[path[-1]]} are both set. Keep one of them."
        case "extra_forbidden":
            message = f"{label} is no setting of onboard. {_suggestion(loc, origin, systems)}"
        case "union_tag_invalid" | "union_tag_not_found":
            ways = f"in {FILE}, or as {variable(loc[1], 'kind')}"
            message = f"{label}: its kind must be one of {', '.join(BY_KIND)}. Name it {ways}."
        case "path_not_directory":
            message = f"{label} names {detail['input']}, which isn't a folder."
        case "string_pattern_mismatch":
            message = f"{label}: a system's name is lower-case letters, digits and dashes."
        case "dict_type" | "model_type" | "model_attributes_type":
            message = f"{label}: expected a table, and found a value. Write [{label}], and its keys below."
        case _:
            message = f"{label}: {detail['msg'].removeprefix('Value error, ')}."
    return Problem("" if origin else FILE, 0, message)


def _suggestion(loc: tuple[str, ...], name: str | None, systems: Iterable[str]) -> str:
    section = SECTIONS.get(loc[0]) or (BY_KIND[loc[2]] if len(loc) == 4 else Settings)
    known = _known_variables(systems) if name else section.model_fields
    close = difflib.get_close_matches(name or loc[-1], known, n=1)
    return f"Did you mean {close[0]}?" if close else "Remove it, or see onboard init for the names."


def _known_variables(systems: Iterable[str]) -> list[str]:
    names = [variable(system, field) for system in (*BY_KIND, *systems) for field, _ in FIELDS]
    names += [f"{PREFIX}{name}__{field}".upper() for name, table in SECTIONS.items() for field in table.model_fields]
    return [*names, "ONBOARD_LEDGER_URL", "ONBOARD_POLICIES", *sorted(OTHER_VARIABLES)]
