"""What a plan or a report says, as rows of words: the command line prints them, the flows put them in an artifact.

No names of people are in here; whoever shows a row adds those where the reader may see them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onboard.engine.perform import Outcome
from onboard.engine.plan import Change, Plan, removes
from onboard.lasting import Limit
from onboard.ledger import Proposal
from onboard.ledger.records import ChangeRecord, Result
from onboard.lifecycle.reconciling import Report
from onboard.model import Resource

#: What was done, of what is ordered: the verbs that don't end in -ed.
_PAST = {"leave": "left", "end": "ended", "take": "took", "write": "wrote", "deny": "denied", "put": "put"}
_PAST |= {"give": "gave", "withdraw": "withdrew", "shut": "shut"}
REVOKE, GRANT, UNKNOWN, MISSING = "-", "+", "?", "!"


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what it is about to do or did (`-`, `+`, `?`, `!`), where, at which level, and why."""

    sign: str
    system: str
    what: str
    level: str
    why: str

    def cells(self) -> tuple[str, str, str, str, str]:
        """The columns, in order."""
        return (self.sign, self.system, self.what, self.level, self.why)


def what(resource: Resource) -> str:
    """`repo acme/payments-api`, `channel payments-dev`: a resource without its system."""
    return f"{resource.type} {resource.name}"


def rows(report: Report, person: str) -> tuple[Row, ...]:
    """A person's lines: what was taken, what is granted or waits, what is unknown, what lacks an account."""
    return (*_changes(report, person), *_open_ends(report.plan, person))


def proposed(proposal: Proposal) -> tuple[Row, ...]:
    """The lines of a plan as it is on record."""
    return tuple(_proposed(terms) for terms in proposal.changes)


def _proposed(terms: Mapping[str, Any]) -> Row:
    change = ChangeRecord.of(terms)
    level = " → ".join(part for part in (change.before, change.after) if part)
    sign = REVOKE if removes(change.resource, change.before, change.after) else GRANT
    warrants = terms["warrants"]
    source = (
        f"{warrants[0].get('extra') or warrants[0]['phase']}, {warrants[0]['source'].rpartition('/')[2]}"
        if warrants
        else ""
    )
    return Row(sign, change.system, what(change.resource), level, terms["because"] or source)


def _changes(report: Report, person: str) -> Iterator[Row]:
    outcomes = {(o.change.person, str(o.change)): o for o in (*report.removed, *report.granted)}
    for change in report.plan.changes:
        if change.person == person:
            held = person in report.held and not change.removes
            yield _change(change, outcomes.get((change.person, str(change))), held=held)


def _change(change: Change, outcome: Outcome | None, *, held: bool) -> Row:
    level = " → ".join(part for part in (change.before, change.after) if part)
    why = change.because if change.removes else _warranted(change)
    if outcome is not None:
        why = f"{_ended(outcome)}: {why}"
    elif held:
        why = f"held until what has to go is gone: {why}"
    return Row(REVOKE if change.removes else GRANT, change.resource.system, what(change.resource), level, why)


def _warranted(change: Change) -> str:
    warrant = change.warrants[0]
    why = f"{warrant.extra} until {warrant.limit.when}" if warrant.extra else warrant.phase
    return f"{why}, {warrant.source.short}"


def past(order: str) -> str:
    """`remove from #general` as what was done: `removed from #general`."""
    verb, _, rest = order.partition(" ")
    regular = f"{verb}d" if verb.endswith("e") else f"{verb}ed"
    return f"{_PAST.get(verb, regular)} {rest}".strip() if order else "took something away"


def _ended(outcome: Outcome) -> str:
    """How a write ended; of one that was done in an unexpected way, with its reason, also what was done."""
    if outcome.result is Result.DONE and outcome.receipt:
        said = f" ({past(outcome.receipt.did)})" if ", since " in outcome.receipt.did else ""
        return f"done {outcome.receipt.at:%H:%M:%S}{said}"
    certainty = "FAILED" if outcome.result is Result.FAILED else "UNCERTAIN, it may have happened"
    return f"{certainty} ({outcome.reason})"


def _open_ends(plan: Plan, person: str) -> Iterator[Row]:
    for unknown in plan.unknown:
        if unknown.person == person:
            why = f"could not be read ({unknown.reason}): nothing is changed there"
            yield Row(UNKNOWN, unknown.resource.system, what(unknown.resource), "", why)
    for missing in plan.missing:
        if missing.person == person:
            yield Row(MISSING, missing.system, "account", "", missing.reason)


def ends(plan: Plan, person: str) -> Limit | None:
    """When the first of what the person should hold ends, and because of what; None where nothing is wanted."""
    limits = [grant.limit for grant in plan.wanted if grant.person == person]
    return min(limits, default=None)


def summary(report: Report) -> str:
    """One line of counts: `1 revoked · 3 wait for approval · 1 unknown`."""
    done = [o for o in report.removed if o.result is Result.DONE]
    given = [o for o in report.granted if o.result is Result.DONE]
    waiting = sum(len(part.changes) for part in report.open)
    counts = (
        (len(done), "revoked"),
        (len(given), "granted"),
        (waiting, "to do" if all(p.authority == "fact" for p in report.open) else "wait for approval"),
        (len(report.failed), "failed"),
        (len(report.plan.unknown), "unknown"),
        (len(report.plan.missing), "without an account"),
    )
    return (
        " · ".join(f"{number} {word}" for number, word in counts if number) or "nothing to do: all is as it should be"
    )
