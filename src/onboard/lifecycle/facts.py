"""Recording what happened: prerequisites of a person, milestones of an assignment."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches
from pathlib import Path

from onboard.errors import BadInput
from onboard.ledger import records
from onboard.lifecycle.authority import require
from onboard.lifecycle.evidence import fingerprint
from onboard.lifecycle.gates import assignment_of
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import note, register_of
from onboard.model import Actor
from onboard.policy.rules.deeds import Action
from onboard.wiring import Services


def record(
    services: Services,
    person: str,
    name: str,
    actor: Actor,
    *,
    engagement: str | None = None,
    until: date | None = None,
    evidence: Path | None = None,
) -> Report:
    """Record a fact that policy knows, then reconcile: what hangs on it is proposed, what it ends is taken away.

    A milestone belongs to the assignment, a prerequisite to the person. Of `evidence` the ledger keeps the sha256.
    Raises BadInput for a name that no policy mentions or a file that can't be read.
    """
    require(services, register_of(services), Action.RECORD, actor, person)
    facts = services.policy.facts
    if name not in facts:
        close = get_close_matches(name, facts, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise BadInput.one(f"No policy knows a fact {name!r}.{hint} Known: {', '.join(sorted(facts))}")
    where = None
    if facts[name].milestone:
        where = assignment_of(register_of(services), person, engagement).engagement
    shown = fingerprint(evidence) if evidence else None
    fact = records.happened(name, person, engagement=where, until=until, evidence=shown)
    note(services, fact, actor)
    return reconcile(services, [person], actor)
