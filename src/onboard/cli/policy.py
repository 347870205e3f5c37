"""`onboard policy …`: is what stands in the policies' folder right, and does it say what its tests expect?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, impact, output
from onboard.cli.output import Json

if TYPE_CHECKING:
    from onboard.policy.catalogue import Policy

app = typer.Typer(help="Check and test the policies, and see what a change of them would do.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Argument(help="The policies' folder; by default the one in force here.", file_okay=False)
]


def _load(folder: Path | None) -> Policy:
    from onboard import wiring
    from onboard.policy import catalogue

    settings = context.settings()
    return catalogue.load(folder, settings.kinds) if folder else wiring.load_policy(settings)


@app.command("check")
def check(folder: Folder = None, as_json: Json = False) -> None:
    """Read every policy file strictly. Exit 2 with every problem, each with its file, line and way out."""
    policy = _load(folder)
    counts = {
        "roles": len(policy.roles),
        "resources": len(policy.resources),
        "playbooks": len(policy.playbooks),
        "guardrails": len(policy.guardrails.rules),
        "tests": len(policy.tests),
    }
    if as_json:
        output.emit_json({"policies": policy.hash, **counts})
        return
    parts = [output.count(number, noun.removesuffix("s")) for noun, number in counts.items()]
    output.say(f"No problems in policies {policy.hash[:7]}: {', '.join(parts)}.")


Strict = Annotated[bool, typer.Option("--strict", help="Exit 4 also where tests leave something unnoticed.")]
Mutants = Annotated[bool, typer.Option("--mutants", help="List what no test would notice, with the tests to add.")]


@app.command("test")
def run_tests(folder: Folder = None, mutants: Mutants = False, strict: Strict = False, as_json: Json = False) -> None:
    """Run the policy tests, and see what they would miss. Exit 4 if one fails; with --strict, if they miss anything."""
    from onboard.cli import policy_view
    from onboard.policy.trials.trying import try_out

    found = try_out(_load(folder))
    if as_json:
        output.emit_json(policy_view.tried_json(found))
    else:
        policy_view.show_tried(found, in_full=mutants)
    output.leave(0 if found.passed and (found.thorough or not strict) else 4)


app.command("impact")(impact.impact)
