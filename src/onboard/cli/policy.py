"""`onboard policy …`: is what stands in the policies' folder right, and does it say what its tests expect?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, output
from onboard.cli.output import Json

if TYPE_CHECKING:
    from onboard.policy.catalogue import Policy

app = typer.Typer(help="Check and test the policies.", no_args_is_help=True)

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


@app.command("test")
def run_tests(folder: Folder = None, as_json: Json = False) -> None:
    """Run the policy tests. Exit 4 if one fails."""
    from onboard.policy import cases

    policy = _load(folder)
    results = cases.run(policy)
    failed = [result for result in results if not result.passed]
    if as_json:
        output.emit_json({"policies": policy.hash, "passed": len(results) - len(failed), "failed": failed})
    else:
        for result in failed:
            output.say(f"{result.source}  {result.name}")
            output.table([(line,) for line in result.wrong], indent=4)
        output.say(f"{len(results) - len(failed)} of {output.count(len(results), 'policy test')} passed.")
    output.leave(4 if failed else 0)
