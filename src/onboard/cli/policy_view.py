"""What trying a policy shows, as people and programs read it."""

from __future__ import annotations

from typing import Any

from onboard.cli.output import count, next_step, prose, say, table
from onboard.policy.trials.mutants import Mutant
from onboard.policy.trials.proposals import Proposal
from onboard.policy.trials.trying import Tried

#: How many lines of a list are shown where the whole wasn't asked for.
FEW = 5


def show_tried(found: Tried, *, in_full: bool) -> None:
    """Failed tests, what the tests cover, what they would miss; `in_full` with the tests to add."""
    failed = [result for result in found.results if not result.passed]
    for result in failed:
        say(f"{result.source}  {result.name}")
        table([(line,) for line in result.wrong], indent=4)
    say(f"{len(found.results) - len(failed)} of {count(len(found.results), 'policy test')} passed.")
    _show_coverage(found, in_full=in_full)
    if failed:
        return
    alive = len(found.survivors)
    spared = f"; {found.spared} spared" if found.spared else ""
    say(f"{found.of_mutants - alive - found.spared} of {count(found.of_mutants, 'mutant')} noticed{spared}.")
    shown = found.survivors if in_full else found.survivors[:FEW]
    table([(mutant.source.short, mutant.what) for mutant in shown])
    if alive > len(shown):
        say(f"  … and {alive - len(shown)} more")
    if in_full:
        _show_proposed(found)
    elif alive:
        next_step("onboard policy test --mutants")


def _show_coverage(found: Tried, *, in_full: bool) -> None:
    covered = found.coverage
    stages, rules = covered.of_stages - len(covered.stages), covered.of_rules - len(covered.rules)
    prose(
        f"Covered: {stages} of {covered.of_stages} phases of roles, {rules} of {count(covered.of_rules, 'guardrail')},"
        f" {covered.of_lines - len(covered.lines)} of {count(covered.of_lines, 'grant line')}.",
        indent=0,
    )
    if in_full:
        table([("not tested", f"{role} in {phase}") for role, phase in covered.stages])
        table([("never refuses", f"{rule.id} ({rule.source})") for rule in covered.rules])
        table([("never granted", f"{line.resource} {line.level} ({line.source})") for line in covered.lines])


def _show_proposed(found: Tried) -> None:
    if found.proposed:
        say()
        prose("Tests that say what is so today, and would notice these mutants. Read each before you add it:", indent=0)
    for proposal in found.proposed:
        say()
        say("\n".join(f"  {line}" for line in proposal.yaml().splitlines()))
    rules = [mutant for mutant in found.unproposed if mutant.rule]
    others = [mutant for mutant in found.unproposed if not mutant.rule]
    if rules:
        say()
        prose("For a guardrail, suppose: a grant that it should forbid, with refused: and its @id.", indent=0)
    if others:
        say()
        prose(
            "No test could tell these from what is so: the line adds nothing. Delete it, or list it under survives:"
            " with mutant: and because:, beside tests: in a file in tests/.",
            indent=0,
        )
        table([(str(mutant.source), mutant.name) for mutant in others])


def tried_json(found: Tried) -> dict[str, Any]:
    """The same facts as JSON."""
    covered = found.coverage
    failed = [result for result in found.results if not result.passed]
    tests = {id(mutant): proposal for proposal in found.proposed for mutant in proposal.notices}
    return {
        "policies": found.policy,
        "passed": len(found.results) - len(failed),
        "failed": failed,
        "coverage": {
            "stages": {
                "of": covered.of_stages,
                "untested": [{"role": role, "phase": phase} for role, phase in covered.stages],
            },
            "guardrails": {"of": covered.of_rules, "silent": [rule.id for rule in covered.rules]},
            "lines": {"of": covered.of_lines, "never_granted": [str(line.source) for line in covered.lines]},
        },
        "mutants": {
            "of": found.of_mutants,
            "spared": found.spared,
            "surviving": [_mutant_json(mutant, tests.get(id(mutant))) for mutant in found.survivors],
        },
    }


def _mutant_json(mutant: Mutant, proposal: Proposal | None) -> dict[str, Any]:
    test = proposal.yaml() if proposal else None
    return {"source": str(mutant.source), "mutant": mutant.name, "test": test}
