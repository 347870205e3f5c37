"""A word on a plan, on record: approved or refused. Nobody speaks for themselves or for their own vendor."""

from __future__ import annotations

from collections.abc import Collection

from onboard.engine.plan import Authority
from onboard.errors import NotAuthorised, Refused
from onboard.ledger import Proposal, Record, Register, records
from onboard.lifecycle.authentication import (
    AUTHENTICATED,
    JIRA_WEBHOOK,
    SLACK_INTERACTION,
    VAULT_LOGIN,
    authenticate,
)
from onboard.lifecycle.capacities import Capacity, capacities, overdue
from onboard.lifecycle.proposing import lapse
from onboard.lifecycle.reconciling import Report, acceptable, lacking, reconcile
from onboard.lifecycle.standing import note, register_of
from onboard.model import Actor
from onboard.policy.rules.deeds import Action
from onboard.wiring import Services

__all__ = ["AUTHENTICATED", "JIRA_WEBHOOK", "SLACK_INTERACTION", "VAULT_LOGIN", "authenticate"]


def approve(services: Services, digest: str, actor: Actor, accepts: Collection[str] = ()) -> Proposal:
    """Put an approval on record, in every capacity that the actor has for it and hasn't used. Applies nothing.

    Raises NotAuthorised, and Refused where the proposal is over, or a hazard can't be or wasn't accepted by name.
    """
    register = register_of(services)
    proposal = register.proposal(digest)
    require_open(register, proposal)
    found = capacities(services, register, proposal, actor)
    if lapse(services, register, [proposal.person], actor):
        register = register_of(services)
        found = capacities(services, register, proposal, actor)
    accepted = _accepted(proposal, accepts)
    if accepted:
        capacities(services, register, proposal, actor, Action.ACCEPT_HAZARD)
    given = {approval.as_role: approval.accepts for approval in register.approvals(proposal.digest)}
    for capacity in found:
        if capacity.role not in given or not accepted <= given[capacity.role]:
            note(services, _word(proposal, capacity, accepted, services.policy.hash), actor)
    return proposal


def _accepted(proposal: Proposal, accepts: Collection[str]) -> frozenset[str]:
    """The hazards of a proposal that are accepted. Raises Refused unless all are that stand in its way."""
    hazards = acceptable(proposal.terms["hazards"])
    blocking = [name for name in proposal.terms["hazards"] if name not in hazards]
    if blocking and proposal.authority != Authority.FACT:
        raise Refused(
            f"Plan {proposal.digest[:8]} can't be approved: {', '.join(blocking)}. Correct the policy or role."
        )
    left = [name for name in hazards if name not in accepts]
    if left:
        wanted = " ".join(f"--accept {name}" for name in left)
        raise Refused(f"Plan {proposal.digest[:8]} has hazards to accept by name: {wanted}. Nothing was changed.")
    return frozenset(hazards)


def _word(proposal: Proposal, capacity: Capacity, accepted: Collection[str], policy: str) -> Record:
    rule = {"id": capacity.rule, "policy": policy}
    return records.approved(proposal.digest, capacity.role, accepted, for_whom=capacity.for_whom, rule=rule)


def require_open(register: Register, proposal: Proposal) -> None:
    """Raises Refused where a proposal was applied, refused, or replaced by a later one for the same person."""
    short = proposal.digest[:8]
    if proposal.applied:
        raise Refused(f"Plan {short} has been applied already. See what there is now: onboard plans")
    if proposal.refused:
        raise Refused(f"Plan {short} was refused. Plan again: onboard plan --person {proposal.person[:10]}")
    latest = register.latest_proposal(proposal.person, proposal.authority)
    if latest is not None and latest.digest != proposal.digest:
        raise Refused(f"Plan {short} was replaced by {latest.digest[:8]}. Look at that one: onboard plans")
    if proposal.settled == "withdrawn":
        raise Refused(f"Nothing of plan {short} is needed any more. See what there is now: onboard plans")


def refuse(services: Services, digest: str, actor: Actor) -> Proposal:
    """Put a refusal on record: the proposal is over, and its changes have to be planned again. Raises as `approve`."""
    register = register_of(services)
    proposal = register.proposal(digest)
    require_open(register, proposal)
    capacities(services, register, proposal, actor, Action.REFUSE)
    entry = records.refused(proposal.digest)
    note(services, entry, actor)
    return proposal


def apply_digest(services: Services, digest: str, actor: Actor) -> Report:
    """Apply what was approved under this digest, and its person's removals. Raises Refused, StalePlan."""
    proposal = register_of(services).proposal(digest)
    return reconcile(services, [proposal.person], actor, digest=proposal.digest)


def inbox(services: Services, actor: Actor) -> tuple[Proposal, ...]:
    """The open proposals that this actor may approve and that still lack it."""
    register = register_of(services)
    mine = []
    for proposal in register.open_proposals():
        try:
            found = capacities(services, register, proposal, actor)
        except NotAuthorised:
            continue
        if any(f"approval by the {capacity.role}" in lacking(register, proposal.digest) for capacity in found):
            mine.append(proposal)
    return tuple(mine)


def late(services: Services) -> tuple[Proposal, ...]:
    """The open proposals that still lack somebody's word and are overdue."""
    register = register_of(services)
    return tuple(p for p in register.open_proposals() if overdue(services, p) and lacking(register, p.digest))


def approve_and_apply(services: Services, report: Report, actor: Actor) -> Report:
    """Approve and apply what a report leaves open, where the actor may; else the report as it is."""
    for part in report.open:
        try:
            approve(services, part.digest, actor)
        except Refused:
            continue
        if not lacking(register_of(services), part.digest):
            return reconcile(services, [part.person], actor)
    return report
