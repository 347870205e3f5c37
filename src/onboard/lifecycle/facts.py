"""Recording what happened: prerequisites of a person, milestones of an assignment."""

from __future__ import annotations

import hashlib
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from onboard.errors import BadInput
from onboard.ledger import records
from onboard.lifecycle.gates import assignment_of
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import note, register_of
from onboard.model import Actor
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
    facts = services.policy.facts
    if name not in facts:
        close = get_close_matches(name, facts, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise BadInput.one(f"No policy knows a fact {name!r}.{hint} Known: {', '.join(sorted(facts))}")
    where = None
    if facts[name].milestone:
        where = assignment_of(register_of(services), person, engagement).engagement
    fact = records.happened(name, person, engagement=where, until=until, evidence=_fingerprint(evidence))
    note(services, fact, actor)
    return reconcile(services, [person], actor)


def _fingerprint(evidence: Path | None) -> str | None:
    if evidence is None:
        return None
    try:
        return hashlib.sha256(evidence.read_bytes()).hexdigest()
    except OSError as error:
        raise BadInput.one(f"The evidence file {evidence} can't be read: {error.strerror}") from error
