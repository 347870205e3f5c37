"""A policy tried out by its own tests: what they say of it, and what they would miss."""

from __future__ import annotations

from dataclasses import dataclass

from onboard.policy.catalogue import Policy
from onboard.policy.trials.cases import Result, play_all
from onboard.policy.trials.coverage import Coverage, coverage
from onboard.policy.trials.mutants import Mutant, mutants, survivors, unspared
from onboard.policy.trials.proposals import Proposal, proposals


@dataclass(frozen=True, slots=True)
class Tried:
    """How the tests went, what they cover, and which of the `of_mutants` mutants survive them.

    `spared` survive with a reason given. `proposed` are tests that would notice survivors, `unproposed` the survivors
    that none of those would. Nothing is said of mutants while a test fails.
    """

    policy: str
    results: tuple[Result, ...]
    coverage: Coverage
    of_mutants: int
    survivors: tuple[Mutant, ...]
    spared: int
    proposed: tuple[Proposal, ...]
    unproposed: tuple[Mutant, ...]

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return all(result.passed for result in self.results)

    @property
    def thorough(self) -> bool:
        """Whether each role is tested in each phase, and every mutant noticed that isn't spared.

        A guardrail that never refuses, and a line that never grants, are mutants that survive.
        """
        return not (self.coverage.stages or self.survivors)


def try_out(policy: Policy) -> Tried:
    """Play the tests, then every mutant. Raises BadInput as `unspared`."""
    trials = play_all(policy)
    covered = coverage(policy, trials)
    results = tuple(trial.result for trial in trials)
    if not all(result.passed for result in results):
        return Tried(policy.hash, results, covered, 0, (), 0, (), ())
    surviving = survivors(policy, trials)
    left = unspared(policy, surviving)
    proposed, unproposed = proposals(policy, left, covered.stages)
    of = sum(1 for _ in mutants(policy))
    return Tried(policy.hash, results, covered, of, left, len(surviving) - len(left), proposed, unproposed)
