"""What of a policy its tests never touch: roles in phases, guardrails that never refuse, lines that never grant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onboard.model import Entitlement, Phase
from onboard.policy.catalogue import Policy
from onboard.policy.rules.cedar import Rule
from onboard.policy.trials.cases import Trial


@dataclass(frozen=True, slots=True)
class Coverage:
    """What no test touches, and of how many. `stages` are roles in phases."""

    stages: tuple[tuple[str, Phase], ...]
    rules: tuple[Rule, ...]
    lines: tuple[Entitlement, ...]
    of_stages: int
    of_rules: int
    of_lines: int


def coverage(policy: Policy, trials: Iterable[Trial]) -> Coverage:
    """What these tests of the policy cover. What a test only supposes is no line's doing."""
    trials = tuple(trials)
    stages = [(role, phase) for role in policy.roles for phase in Phase]
    lines = [line for role in policy.roles.values() for line in role.entitlements]
    tested = {(trial.case.role, trial.case.phase) for trial in trials}
    refusing = {refusal.rule for trial in trials for refusal in trial.refusals}
    granting = {warrant.source for trial in trials for grant in trial.grants for warrant in grant.warrants}
    return Coverage(
        tuple(stage for stage in stages if stage not in tested),
        tuple(rule for rule in policy.guardrails.rules if rule.id not in refusing),
        tuple(line for line in lines if line.source not in granting),
        len(stages),
        len(policy.guardrails.rules),
        len(lines),
    )
