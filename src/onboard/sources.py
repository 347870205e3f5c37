"""Where settings come from: a file and variables, laid over each other, and what is wrong with them in plain words.

The process's environment comes in as an argument, so that an unknown variable can be an error.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from onboard.errors import BadInput, Problem
from onboard.model import SLUG
from onboard.settings import (
    BY_KIND,
    FILE,
    OTHER_VARIABLES,
    PREFIX,
    VAULT_REFERENCE,
    Limits,
    Secret,
    Settings,
    variable,
)


def load(environment: Mapping[str, str], directory: Path) -> Settings:
    """The settings that hold in `directory` with these variables. Raises BadInput with every problem at once."""
    file = _find(environment, directory)
    home = file.parent if file else directory
    tree = _parse(file) if file else {}
    problems = list(_written_secrets(tree))
    origins: dict[tuple[str, ...], str] = {}
    problems += _overlay(tree, environment, origins)
    problems += _name_kinds(tree)
    problems += _read_secret_files(tree, home, directory, origins)
    problems += _settle_paths(tree, home, directory, origins)
    try:
        settings = Settings.model_validate({**tree, "home": home, "file": file})
    except ValidationError as error:
        problems += [_problem(detail, origins) for detail in error.errors()]
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


def _parse(file: Path) -> dict[str, Any]:
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInput.one(f"can't be read: {error}", FILE) from None
    tables: dict[str, Any] = {key: tree[key] for key in ("systems", "limits") if key in tree}
    tables |= {f"systems.{name}": system for name, system in _tables(tree).items()}
    problems = [
        Problem(FILE, 0, f"{key}: expected a table, [{key}], and found {value!r}.")
        for key, value in tables.items()
        if not isinstance(value, dict)
    ]
    problems += [Problem(FILE, 0, f"{key} is no setting of onboard.") for key in ("home", "file") if key in tree]
    if problems:
        raise BadInput(problems)
    return tree


def _tables(tree: dict[str, Any]) -> dict[str, Any]:
    systems = tree.get("systems", {})
    return systems if isinstance(systems, dict) else {}


def _secret_fields(name: str, system: Mapping[str, Any]) -> Iterator[str]:
    model = BY_KIND.get(str(system.get("kind", name)))
    for field, info in model.model_fields.items() if model else ():
        if info.annotation == Secret | None:
            yield field


def _written_secrets(tree: dict[str, Any]) -> Iterator[Problem]:
    for name, system in _tables(tree).items():
        for field in _secret_fields(name, system):
            value = system.get(field)
            if value is not None and not str(value).startswith(VAULT_REFERENCE):
                ways = f'{variable(name, field)}, {field}_file, or {field} = "vault:PATH#FIELD"'
                message = f"systems.{name}.{field} is a secret in a file that people share. Use {ways}; and replace it."
                yield Problem(FILE, 0, message)


def _overlay(
    tree: dict[str, Any], environment: Mapping[str, str], origins: dict[tuple[str, ...], str]
) -> Iterator[Problem]:
    """Lay the variables over the file's tree, noting in `origins` which variable each key came from."""
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in OTHER_VARIABLES or not environment[name]:
            continue
        path = _path(name)
        if path is None:
            yield Problem("", 0, f"{name} is no setting of onboard. {_nearest(name, _known_variables(tree))}")
            continue
        origins[path] = name
        table = tree
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = environment[name]


def _path(name: str) -> tuple[str, ...] | None:
    match name.removeprefix(PREFIX).lower().split("__"):
        case ["systems", system, field]:
            return ("systems", system.replace("_", "-"), field)
        case [system, field] if system in BY_KIND:
            return ("systems", system, field)
        case ["limits", field]:
            return ("limits", field)
        case [("ledger_url" | "ledger_url_file" | "policies") as field]:
            return (field,)
    return None


def _known_variables(tree: dict[str, Any]) -> list[str]:
    names = [variable(kind, field) for kind, model in BY_KIND.items() for field in model.model_fields]
    names += [variable(name, "token") for name in _tables(tree)]
    return [*names, "ONBOARD_LEDGER_URL", "ONBOARD_POLICIES", *sorted(OTHER_VARIABLES)]


def _nearest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else "Unset it, or see onboard init for the names."


def _name_kinds(tree: dict[str, Any]) -> Iterator[Problem]:
    for name, system in _tables(tree).items():
        if not SLUG.fullmatch(name):
            yield Problem(FILE, 0, f"systems.{name}: a system's name is lower-case letters, digits and dashes.")
        if name in BY_KIND:
            system.setdefault("kind", name)


def _read_secret_files(
    tree: dict[str, Any], home: Path, directory: Path, origins: dict[tuple[str, ...], str]
) -> Iterator[Problem]:
    """Put the contents of each `X_file` in the place of X."""
    places = [
        (("systems", name), system, field)
        for name, system in _tables(tree).items()
        for field in _secret_fields(name, system)
    ]
    for path, table, field in [*places, ((), tree, "ledger_url")]:
        named = table.pop(f"{field}_file", None)
        if named is None:
            continue
        origin = origins.get((*path, f"{field}_file"))
        label = origin or ".".join((*path, f"{field}_file"))
        if field in table:
            yield Problem("" if origin else FILE, 0, f"{label} and {field} are both set. Keep one of them.")
            continue
        try:
            table[field] = ((directory if origin else home) / str(named)).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it isn't text"
            yield Problem("" if origin else FILE, 0, f"{label} names {named}, which can't be read: {reason}.")


def _settle_paths(
    tree: dict[str, Any], home: Path, directory: Path, origins: dict[tuple[str, ...], str]
) -> Iterator[Problem]:
    """Make relative paths absolute: those in the file start at its folder, those of variables where we are."""
    url = str(tree.setdefault("ledger_url", f"sqlite:///{home / 'onboard.db'}"))
    start = directory if ("ledger_url",) in origins else home
    scheme, slashes, path = url.partition(":///")
    if slashes and scheme.startswith("sqlite") and not path.startswith("/"):
        tree["ledger_url"] = f"{scheme}:///{start / path}"
    if (named := tree.get("policies")) is None:
        tree["policies"] = home / "policies" if (home / "policies").is_dir() else None
        return
    tree["policies"] = (directory if ("policies",) in origins else home) / str(named)
    if not tree["policies"].is_dir():
        origin = origins.get(("policies",))
        yield Problem("" if origin else FILE, 0, f"{origin or 'policies'} names {named}, which isn't a folder.")


def _problem(detail: ErrorDetails, origins: Mapping[tuple[str, ...], str]) -> Problem:
    """Say what pydantic found by the key's name, never with the value of what may be a secret."""
    loc = tuple(str(part) for part in detail["loc"])
    if loc[:1] == ("systems",) and len(loc) > 2:
        loc = (*loc[:2], *loc[3:])  # without the discriminator's tag
    origin = origins.get(loc)
    label = origin or ".".join(loc)
    match detail["type"]:
        case "missing":
            where = f" Set it in {FILE}, or as {variable(*loc[1:])}." if len(loc) == 3 else ""
            message = f"{label} is missing.{where}"
        case "extra_forbidden":
            message = f"{label} is no setting of onboard. {_suggest(loc, origin)}"
        case "union_tag_invalid" | "union_tag_not_found":
            ways = f"in {FILE}, or as {variable(loc[1], 'kind')}"
            message = f"{label}: its kind must be one of {', '.join(BY_KIND)}. Name it {ways}."
        case _:
            message = f"{label}: {detail['msg'].removeprefix('Value error, ')}."
    return Problem("" if origin else FILE, 0, message)


def _suggest(loc: tuple[str, ...], origin: str | None) -> str:
    if loc[0] == "systems" and len(loc) == 3:
        # The tag has been cut off, so every kind's fields are looked at: near enough to find a slip of the finger.
        known = {field for model in BY_KIND.values() for field in model.model_fields}
        return _nearest(origin, {variable(loc[1], field) for field in known}) if origin else _nearest(loc[2], known)
    if loc[0] == "limits":
        return _nearest(loc[-1], Limits.model_fields)
    return _nearest(loc[-1], ("systems", "ledger_url", "policies", "limits"))
