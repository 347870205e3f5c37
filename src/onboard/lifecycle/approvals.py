"""Who may approve a plan, and their word on record. Nobody approves for themselves or for their own vendor."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import SecretStr

from onboard.engine.plan import Authority
from onboard.errors import NotAuthorised, Refused
from onboard.ledger import Proposal, Register, records
from onboard.lifecycle.proposing import bind_everybody
from onboard.lifecycle.reconciling import Report, acceptable, lacking, reconcile
from onboard.lifecycle.standing import note, register_of
from onboard.model import OPERATOR, Actor
from onboard.wiring import Services

VAULT_LOGIN = "vault login"
SLACK_INTERACTION = "slack interaction"
JIRA_WEBHOOK = "jira webhook"
#: Ways by which an actor is shown to be the person they are. Whoever came otherwise decides nothing.
AUTHENTICATED = frozenset({VAULT_LOGIN, SLACK_INTERACTION, JIRA_WEBHOOK})


def authenticate(services: Services, token: SecretStr | None) -> Actor:
    """Who holds this Vault token, as a person that the ledger knows. Raises NotAuthorised, SystemFailed."""
    if token is None or not token.get_secret_value():
        raise NotAuthorised(
            "An approval needs your own Vault login. Log in (vault login -method=userpass username=YOU), or set"
            " VAULT_TOKEN to your token, and try again. Nothing was changed."
        )
    system, entity = services.vault_identity(token)
    people = services.ledger.people
    account = people.account_by_external(system, entity) or _bound_now(services, system, entity)
    if account is None:
        raise NotAuthorised(
            "Your Vault login is known to Vault but to nobody here. Enter yourself first:"
            f" onboard person add NAME --email E-MAIL --{system} USERNAME. Nothing was changed."
        )
    person = people.account(account).person
    register = register_of(services)
    _require_present(register, person, system, account)
    _require_own_handle(register, person, system)
    return Actor(person, VAULT_LOGIN)


def _require_present(register: Register, person: str, system: str, account: str) -> None:
    """Raises NotAuthorised where another login has taken this one's place: the former one speaks for nobody."""
    present = register.bindings(person).get(system)
    if present is not None and present.account != account:
        raise NotAuthorised(
            f"This Vault login was somebody's here until another was entered for them. Log in with that one, or have a"
            f" colleague of the company enter this one: onboard person set {person[:10]} --{system} USERNAME."
            " Nothing was changed."
        )


def _require_own_handle(register: Register, person: str, system: str) -> None:
    """Raises NotAuthorised where the handle behind a login was changed by somebody whom no login had named.

    Else whoever may type commands could give an approver's name to their own login.
    """
    change = register.handle_change(person, system)
    if change is None:
        return
    by = change.actor
    if by.authenticated_by != VAULT_LOGIN or register.assignments(by.id):
        raise NotAuthorised(
            f"Your {system} handle was changed on {change.at:%Y-%m-%d} by somebody without a login, so it doesn't show"
            f" who you are. Have a colleague of the company confirm it, logged in to Vault:"
            f" onboard person set {person[:10]} --{system} USERNAME. Nothing was changed."
        )


def _bound_now(services: Services, system: str, entity: str) -> str | None:
    """Bind the people whose Vault handle was entered but has not been looked up yet, and look again."""
    bind_everybody(services, OPERATOR, system)
    return services.ledger.people.account_by_external(system, entity)


def capacities(register: Register, proposal: Proposal, actor: Actor) -> tuple[str, ...]:
    """In which of the capacities that a proposal needs this actor may approve it. Raises NotAuthorised for none."""
    short = proposal.digest[:8]
    if actor.authenticated_by not in AUTHENTICATED:
        raise NotAuthorised("An approval needs your own Vault login. Nothing was changed.")
    if actor.id == proposal.person:
        raise NotAuthorised(f"Nobody approves their own access: plan {short} is about you. Nothing was changed.")
    if register.vendors_of(actor.id) & register.vendors_of(proposal.person):
        raise NotAuthorised(
            f"Nobody approves for their own vendor: plan {short} is about a colleague. Nothing was changed."
        )
    if register.vendors_of(actor.id) or register.assignments(actor.id):
        raise NotAuthorised(
            "Only the company's own people approve: you work, or worked, for a vendor. Nothing was changed."
        )
    if register.left(actor.id) is not None:
        raise NotAuthorised("You are recorded as having left, so you approve nothing. Nothing was changed.")
    needs = proposal.terms["needs"]
    roles = tuple(need["role"] for need in needs if actor.id in need["people"])
    if not roles:
        wanted = " and ".join(need["role"] for need in needs) or "nobody: it rests on a fact"
        raise NotAuthorised(f"Plan {short} is approved by: {wanted}. You are none of them. Nothing was changed.")
    return roles


def approve(services: Services, digest: str, actor: Actor, accepts: Collection[str] = ()) -> Proposal:
    """Put an approval on record, in every capacity that the actor has for it. Applies nothing.

    Raises NotAuthorised, and Refused where the proposal is over, or a hazard can't be or wasn't accepted by name.
    """
    register = register_of(services)
    proposal = register.proposal(digest)
    require_open(register, proposal)
    roles = capacities(register, proposal, actor)
    hazards = acceptable(proposal.terms["hazards"])
    blocking = [name for name in proposal.terms["hazards"] if name not in hazards]
    if blocking and proposal.authority == Authority.APPROVAL:
        raise Refused(
            f"Plan {proposal.digest[:8]} can't be approved: {', '.join(blocking)}. Correct the policy or role."
        )
    left = [name for name in hazards if name not in accepts]
    if left:
        wanted = " ".join(f"--accept {name}" for name in left)
        raise Refused(f"Plan {proposal.digest[:8]} has hazards to accept by name: {wanted}. Nothing was changed.")
    for role in roles:
        entry = records.approved(proposal.digest, role, [name for name in hazards if name in accepts])
        note(services, entry, actor)
    return proposal


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
    capacities(register, proposal, actor)
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
            roles = capacities(register, proposal, actor)
        except NotAuthorised:
            continue
        if any(f"approval by the {role}" in lacking(register, proposal.digest) for role in roles):
            mine.append(proposal)
    return tuple(mine)


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
