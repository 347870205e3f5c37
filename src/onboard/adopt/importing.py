"""`onboard import` as a whole: survey, proposals, and the folder that they are written to. Changes nothing else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from onboard.adopt.engaging import manifests
from onboard.adopt.proposing import Proposed, propose
from onboard.adopt.survey import Survey, survey
from onboard.errors import BadInput
from onboard.lifecycle.standing import register_of
from onboard.wiring import Services

REPORT = "REPORT.md"


@dataclass(frozen=True, slots=True)
class Import:
    """What was found and what is proposed; `files` by path within the folder."""

    survey: Survey
    proposed: Proposed
    engagements: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """5 where something couldn't be read, 4 where somebody outsourced administers something, else 0."""
        return 5 if self.survey.unknown else 4 if self.survey.administration else 0

    @property
    def files(self) -> dict[str, str]:
        """Everything that is written, by path."""
        return {
            **{f"policies/{name}": text for name, text in self.proposed.policy.files.items()},
            **{f"engagements/{name}": text for name, text in self.engagements.items()},
            REPORT: report(self.survey, self.proposed),
        }


def survey_and_propose(
    services: Services, systems: Collection[str], own: Collection[str], sponsor: str | None, at_least: int
) -> Import:
    """Read these systems (none named: all) and propose. Raises BadInput for a system that isn't configured."""
    unknown = sorted(set(systems) - services.readers.keys())
    if unknown:
        known = ", ".join(sorted(services.readers))
        raise BadInput.one(f"No system {unknown[0]!r} is configured. Known: {known}")
    profiles = services.ledger.people
    domains = {*own, *([profiles.get(sponsor).email.rpartition("@")[2]] if sponsor else [])}
    found = survey(services, systems or services.readers.keys(), domains)
    proposed = propose(found, services.policy, at_least)
    drafts = manifests(found, proposed, register_of(services), sponsor, services.clock().date())
    return Import(found, proposed, drafts)


def require_free(folder: Path) -> None:
    """Raises BadInput where something stands at the folder already."""
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise BadInput.one(f"{folder} exists already and isn't overwritten. Name another folder: --into DIR")


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write a folder with these files, all at once or not at all. Raises BadInput where that can't be done."""
    require_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BadInput.one(f"{folder} can't be written: {error.strerror}.") from None
    try:
        for name, text in files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text(text, encoding="utf-8")
        made.rename(folder)
    except OSError as error:
        raise BadInput.one(f"{folder} can't be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def report(survey: Survey, proposed: Proposed) -> str:
    """What is proposed and what isn't, in Markdown; people by the beginnings of their ids."""
    placed = sum(len(role.people) for role in proposed.roles)
    lines = [
        "# Import",
        "",
        f"{placed} of {len(survey.held)} people have a proposed role.",
        f"The roles give {proposed.covered} of the {proposed.held} rights that they hold.",
        "These policies stand by themselves: roles and resources in force today aren't in them.",
        "",
        "| role | people | grants |",
        "|---|---|---|",
        *(f"| {role.name} | {len(role.people)} | {len(role.lines)} |" for role in proposed.roles),
        "",
        "## Left over",
        "",
        *(_rows((p[:10], str(r.resource), r.level, why) for p, r, why in proposed.leftovers) or ["Nothing."]),
        "",
        "## Administration: never in a role",
        "",
        *(_rows((p[:10], str(r.resource), r.level) for p, r in survey.administration) or ["None."]),
        "",
        "## Not imported",
        "",
        f"- accounts that are never changed (owners of an organisation, protected ones): {survey.kept_out}",
        f"- accounts that are bound to nobody on record: {len(survey.strangers)}",
        *(f"- {system}:{type_}: {count}" for (system, type_), count in sorted(survey.besides.items())),
        *(f"- {resource}: its name can't stand in a policy" for resource in sorted(survey.unnameable)),
        *(f"- unknown: {what} ({why})" for what, why in survey.unknown),
        "",
    ]
    return "\n".join(lines)


def _rows(cells: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"- {' '.join(row)}" for row in cells]
