"""Answers to plans that come in from Slack and Jira: on record first, then carried out as the CLI would.

Who answers is the person whose account it is, where that was proven: an account that is merely claimed was given to
them by whoever typed a name, and speaks for nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from onboard.engine.parallel import beating
from onboard.errors import BadInput, NotAuthorised, Refused, SystemFailed, SystemRefused, Waiting
from onboard.ledger import Ledger, Register, owner_here
from onboard.ledger.privacy.answers import Answer, Answers, Decision, turned_away
from onboard.lifecycle import approvals
from onboard.lifecycle.authentication import JIRA_WEBHOOK, SLACK_INTERACTION, unvouched
from onboard.lifecycle.reconciling import Report, lacking
from onboard.lifecycle.standing import note, register_of
from onboard.model import Actor, Kind, Proof
from onboard.wiring import Services

#: How somebody is shown to be who they are by an answer from a system of this kind.
WAYS = {Kind.SLACK: SLACK_INTERACTION, Kind.JIRA: JIRA_WEBHOOK}
#: What shows that an account is its person's, and not only that somebody said so.
PROVEN = frozenset({Proof.WORK_EMAIL, Proof.COMPANY_LOGIN})
#: Under this name it is on record that the address was changed to which a person's codes are sent.
ADDRESS = "work e-mail"
#: How often an answer is tried where a system fails, before it is left to the command line.
TRIES = 5
_LEASE = "answers"
_TTL = 60.0

Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Said:
    """What a vendor says that somebody answered: by which of its accounts, to which digest, known again by `key`."""

    key: str
    system: str
    external_id: str
    digest: str
    decision: Decision
    accepts: tuple[str, ...]
    at: datetime
    reply: str = ""


def accept(ledger: Ledger, said: Said) -> bool:
    """Put on record that this was said; False where it was before, or is about no plan that anybody
    could still answer. Nothing is decided by it.
    """
    account = ledger.people.account_by_external(said.system, said.external_id)
    try:
        proposal = ledger.register().proposal(said.digest)
        person = ledger.people.account(account).person if account else proposal.person
    except BadInput:
        return False
    if account is None and proposal.settled:
        return False  # as our own account's move of a ticket, once its plan has ended
    answer = Answer(
        said.key, person, said.system, account, proposal.digest, said.decision, said.accepts, said.at, said.reply
    )
    return Answers(ledger).take(answer)


def work_off(services: Services, tell: Tell) -> int:
    """Carry out every open answer, the oldest first, and tell each sender what came of it; how many are done with.

    What fails for something that may pass stays open. Raises Waiting where another worker is at it, and in the end the
    first fault of ours that one of them met. `tell` gets where to reply, and a text; it raises nothing.
    """
    answers, finished, faults = Answers(services.ledger), 0, list[Exception]()
    with (
        services.ledger.leases.hold([_LEASE], owner_here(), ttl=_TTL, wait=0) as lease,
        beating(lease.renew, every=_TTL / 4),
    ):
        for answer in answers.open():
            lease.check()
            try:
                finished += _one(services, answers, answer, tell)
            except Exception as fault:  # noqa: BLE001 - raised below, when the others have had their turn
                faults.append(fault)
                _once_more(answers, answer)
        answers.forget(services.clock())
    if faults:
        raise faults[0]
    return finished


def _once_more(answers: Answers, answer: Answer) -> bool:
    """Leave an answer for the next batch; False where that was tried often enough, and it is done with."""
    again = answer.tries + 1 < TRIES
    (answers.put_off if again else answers.done)(answer)
    return again


def _one(services: Services, answers: Answers, answer: Answer, tell: Tell) -> bool:
    """Carry out one answer; False where it stays open."""
    try:
        actor = _speaker(services, register_of(services), answer)
        if answer.stage == "open":
            _decide(services, answer, actor)
            answer = answers.decided(answer)
        text = _follow(services, answer, actor)
    except (Refused, BadInput) as refusal:
        text = _turned_away(services, answer, refusal)
    except (Waiting, SystemFailed) as failure:
        if not isinstance(failure, SystemRefused) and _once_more(answers, answer):
            return False
        text = f"{_heard(answer)} {failure} Go on by: onboard inbox"
    if answer.reply:
        tell(answer.reply, text)
    answers.done(answer)
    return True


def _speaker(services: Services, register: Register, answer: Answer) -> Actor:
    """Who answered, as we know by their account. Raises NotAuthorised where that isn't shown."""
    kind = services.settings.systems[answer.system].kind
    if answer.account is None:
        raise NotAuthorised(f"This {kind} account is nobody's that onboard knows. Approve by onboard inbox instead.")
    person = services.ledger.people.account(answer.account).person
    present = register.bindings(person).get(answer.system)
    if present is None or present.account != answer.account:
        raise NotAuthorised(f"Another {kind} account has been entered for you since: answer by that one.")
    if present.proof not in PROVEN:
        raise NotAuthorised(
            f"That this {kind} account is yours is only claimed, so it approves nothing. Show it first, by a code to"
            f" your work e-mail: onboard person confirm {person[:10]} --system {answer.system}. Or approve by: onboard"
            " inbox"
        )
    _require_own_address(register, person)
    return Actor(person, WAYS[kind])


def _require_own_address(register: Register, person: str) -> None:
    """Raises NotAuthorised where whoever could read the code may not be the person: nobody known changed the address.

    Else whoever may type commands could have an approver's codes sent to themselves.
    """
    change = unvouched(register, person, ADDRESS)
    if change is not None:
        raise NotAuthorised(
            f"Your work e-mail was changed on {change.at:%Y-%m-%d} by somebody without a login, so a code sent there"
            " shows nothing. Have a colleague of the company confirm it, logged in to Vault: onboard person set"
            f" {person[:10]} --email ADDRESS. Until then approve by: onboard inbox"
        )


def _decide(services: Services, answer: Answer, actor: Actor) -> None:
    """Put their word on record, once. Raises as `approvals.approve`."""
    if answer.decision == "refuse":
        approvals.refuse(services, answer.digest, actor)
        return
    given = [a for a in register_of(services).approvals(answer.digest) if a.actor.id == actor.id]
    if not any({*answer.accepts} <= approval.accepts for approval in given):
        approvals.approve(services, answer.digest, actor, answer.accepts)


def _follow(services: Services, answer: Answer, actor: Actor) -> str:
    """Do what follows from their word, and say in words what came of it. Raises Waiting, SystemFailed."""
    if answer.decision == "refuse":
        return f"{_heard(answer)} Nothing of it is granted."
    register = register_of(services)
    applied = register.proposal(answer.digest).applied  # by a run that was killed before it had read it back, say
    waits = lacking(register, answer.digest)
    if waits and not applied:
        return f"{_heard(answer)} It still lacks {' and '.join(waits)}."
    try:
        report = approvals.apply_digest(services, answer.digest, actor)
    except Refused as refusal:
        return f"{_heard(answer)} It could not be applied: {refusal}"
    return f"{_heard(answer)} {_outcome(report, answer)}"


def _outcome(report: Report, answer: Answer) -> str:
    if report.failed or report.unverified:
        return f"Not all of it could be applied. See what is left: onboard apply {answer.digest[:8]}"
    return "It is applied."


def _heard(answer: Answer) -> str:
    if answer.stage == "open":
        return f"Your answer to plan {answer.digest[:8]} could not be carried out."
    return f"You {'approved' if answer.decision == 'approve' else 'refused'} plan {answer.digest[:8]}."


def _turned_away(services: Services, answer: Answer, refusal: Refused | BadInput) -> str:
    """Put on record that an answer didn't count; what to tell whoever gave it."""
    why = "not authorised" if isinstance(refusal, NotAuthorised) else "refused"
    actor = Actor(answer.person if answer.account else "unknown", WAYS[services.settings.systems[answer.system].kind])
    note(services, turned_away(answer.digest, answer.system, answer.decision, why), actor)
    return str(refusal)
