"""`onboard policy impact`: who would gain and lose what if these policies came into force. Changes nothing anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, output
from onboard.cli.output import Json
from onboard.errors import BadInput

if TYPE_CHECKING:
    from onboard.ledger import Ledger, Register
    from onboard.policy.catalogue import Policy
    from onboard.wiring import Services

#: What `--base` calls the policies that the ledger says are in force.
IN_FORCE = "in-force"

Folder = Annotated[
    Path | None, typer.Argument(help="The changed policies; by default the folder in force here.", file_okay=False)
]
Base = Annotated[
    str, typer.Option("--base", metavar="REV", help="Compare with this git revision, or with what is `in-force`.")
]
BaseFolder = Annotated[
    Path | None, typer.Option("--base-policies", metavar="DIR", help="Compare with this folder.", file_okay=False)
]
Export = Annotated[
    Path | None,
    typer.Option(
        "--register-export", metavar="FILE", help="Take people from an `onboard ledger export`.", dir_okay=False
    ),
]
RolesOnly = Annotated[bool, typer.Option("--roles-only", help="Say what becomes of roles; no ledger is needed.")]
Observe = Annotated[bool, typer.Option("--observe", help="Read now what people hold, instead of asking the ledger.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="As a comment for a pull request, without names.")]


def impact(
    folder: Folder = None,
    base: Base = "",
    base_policies: BaseFolder = None,
    register_export: Export = None,
    roles_only: RolesOnly = False,
    observe: Observe = False,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Who would gain and lose what, whose word it would take, what a guardrail would newly refuse.

    Exit 4 only where a guardrail would newly refuse what somebody holds: that person's plans would then be refused.
    """
    from onboard.cli import impact_view
    from onboard.policy.whatif.impact import role_impact
    from onboard.review.impact import consequences

    _one_of({"--base": bool(base), "--base-policies": bool(base_policies)})
    _one_of({"--register-export": bool(register_export), "--roles-only": roles_only, "--observe": observe})
    _one_of({"--markdown": markdown, "--json": as_json})
    head = _head(folder)
    if roles_only:
        old = _base(folder, base, base_policies, None)
        shown = impact_view.Shown(base or str(base_policies), old, head, role_impact(old, head))
    else:
        with _people(head, register_export, observe=observe) as (services, register):
            old = _base(folder, base or ("" if base_policies else IN_FORCE), base_policies, (services, register))
            found = consequences(services, register, old, observe=observe)
            named = base or (str(base_policies) if base_policies else IN_FORCE)
            names = None if register_export or markdown else context.names(services)
            shown = impact_view.Shown(named, old, head, role_impact(old, head), found, names)
    if as_json:
        output.emit_json(shown.json())
    elif markdown:
        output.say(shown.markdown())
    else:
        shown.show()
    output.leave(shown.exit_code)


def _one_of(given: dict[str, bool]) -> None:
    named = [option for option, is_given in given.items() if is_given]
    if len(named) > 1:
        raise BadInput.one(f"{' and '.join(named)} can't be used together. Leave one out.")


def _folder(folder: Path | None) -> Path:
    from onboard import wiring

    return folder or context.settings().policies or wiring.starter_policies()


def _head(folder: Path | None) -> Policy:
    from onboard.policy import catalogue

    return catalogue.load(_folder(folder), context.settings().kinds)


def _base(
    folder: Path | None, revision: str, other: Path | None, on_record: tuple[Services, Register] | None
) -> Policy:
    """The policy to compare with. Raises BadInput where none is named, or it isn't there, or doesn't read."""
    from onboard.policy import catalogue

    kinds = context.settings().kinds
    if other:
        return catalogue.load(other, kinds)
    if not revision or (revision == IN_FORCE and on_record is None):
        raise BadInput.one("With what? Name a git revision (--base main) or a folder (--base-policies DIR).")
    if revision != IN_FORCE or on_record is None:
        return catalogue.load_at(_folder(folder), revision, kinds)
    services, register = on_record
    if register.policy is None:
        raise BadInput.one("No policy was ever in force here. Name a git revision: --base main.")
    files = services.ledger.bundles.get(register.policy)
    return catalogue.Policy.from_files(files, kinds, f"{register.policy[:7]}:policies")


@contextmanager
def _people(head: Policy, export: Path | None, *, observe: bool) -> Iterator[tuple[Services, Register]]:
    """The services with the changed policies in force, and the register; without --observe, no system is in reach."""
    from dataclasses import replace

    from onboard.lifecycle.standing import register_of
    from onboard.wiring import Services

    if observe:
        with context.services() as built:
            services = replace(built, policy=head)
            yield services, register_of(services)
    elif export:
        with _from_export(head, export) as found:
            yield found
    else:
        with ExitStack() as opened:
            services = Services(context.settings(), _ledger(opened), head, {}, context.clock)
            yield services, register_of(services)


def _ledger(opened: ExitStack) -> Ledger:
    try:
        return opened.enter_context(context.ledger())
    except BadInput as error:
        raise BadInput.one(f"{error} Without one, --roles-only says what becomes of roles.") from None


@contextmanager
def _from_export(head: Policy, export: Path) -> Iterator[tuple[Services, Register]]:
    """People from an export; the ledger beside them is an empty one, thrown away afterwards."""
    from onboard.ledger import Ledger
    from onboard.ledger.proof.exported import register_of_export
    from onboard.wiring import Services

    register = register_of_export(export)
    with tempfile.TemporaryDirectory(prefix="onboard-impact-") as folder:
        ledger = Ledger.begin(f"sqlite:///{folder}/empty.db", context.clock)
        try:
            yield Services(context.settings(), ledger, head, {}, context.clock), register
        finally:
            ledger.close()
