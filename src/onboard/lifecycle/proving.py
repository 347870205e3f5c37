"""Proof of control: a one-time code to the work e-mail, and the account that it names is no longer only claimed.

What a code stands for is the account with its immutable id and the handle by which its owner was asked. Another account
bound meanwhile, or a handle that answers to another id by now, makes it void.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from onboard.errors import BadInput, Refused, SystemFailed
from onboard.lasting import moment
from onboard.ledger import records
from onboard.ledger.privacy.codes import LIFE, Claim, Codes, Trial, Verdict
from onboard.lifecycle.proposing import bind_entered
from onboard.lifecycle.standing import register_of
from onboard.model import Account, Actor, Kind, Proof
from onboard.wiring import Services

#: What a code can still add to: the others show as much or more already.
WEAK = frozenset({Proof.CLAIMED, Proof.HANDED_OVER})

_LETTER = """\
Is the account {handle} (id {id}) on {system} yours?

If it is, and you expected this question, tell this code to the colleague at the company whom you work with, or type it
in yourself:

    {code}

    onboard person confirm {person} --system {system} --code {code}

It counts once, until {until}, and for this account only. If the account isn't yours, or the question
comes out of the blue, keep the code to yourself and tell them so.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """That a person was asked for proof: for which account, until when the code counts, and where it was sent.

    Where no mail server is configured, `sent_to` is None and `code` is the code: to be told once, and kept nowhere.
    """

    account: Account
    until: datetime
    sent_to: str | None
    code: str | None = field(default=None, repr=False)


def account_of(services: Services, person: str, system: str | None, actor: Actor) -> Account:
    """The account to confirm, bound now if it wasn't yet: on this system, or else the one on GitHub.

    Raises BadInput where there is none to name, SystemFailed where it can't be told which it is, and Waiting.
    """
    unbound = bind_entered(services, [person], actor)[person]
    name = system or _on_github(services, person)
    if name not in services.readers:
        raise BadInput.one(f"No system {name!r} is configured. Known: {', '.join(sorted(services.readers))}")
    if name in unbound.unclear:
        raise SystemFailed(name, unbound.unclear[name])
    bound = register_of(services).bindings(person)
    if name in unbound.missing or name not in bound:
        why = unbound.missing.get(name, f"no handle was entered. Enter it: {_entering(person, name)}")
        raise BadInput.one(f"There is no account on {name} to confirm: {why}")
    _, _, external_id, handle = services.ledger.people.account(bound[name].account)
    if external_id is None:
        raise BadInput.one(f"The account {handle} on {name} doesn't exist yet, so nobody can show that it is theirs.")
    return Account(bound[name].account, name, external_id, handle, person)


def _on_github(services: Services, person: str) -> str:
    """The one GitHub on which the person has a handle. Raises BadInput for none or several."""
    theirs = services.ledger.people.get(person).handles
    known = [name for name in sorted(theirs) if name in services.readers]
    mine = [name for name in known if services.readers[name].kind is Kind.GITHUB]
    if len(mine) != 1:
        raise BadInput.one(f"Say which account: --system NAME. Handles were entered for: {', '.join(known) or 'none'}.")
    return mine[0]


def _entering(person: str, system: str) -> str:
    """The command that enters a handle."""
    return f"onboard person set {person[:10]} " + (
        f"--{system} NAME" if system in set(Kind) else f"--system {system}=NAME"
    )


def proof_of(services: Services, account: Account) -> str:
    """How the account was shown to be its person's: one of `model.Proof`."""
    binding = register_of(services).binding_of(account.id)
    return binding.proof if binding else Proof.NONE


def ask(services: Services, account: Account) -> Asked:
    """Make a code for the account, and send it to its person's work e-mail where a mail server is configured.

    Any code made for it before is void. Raises Refused where the handle doesn't answer to the account any more,
    SystemFailed where that can't be told or the message wasn't sent; where it may have been sent, the error says so.
    """
    require_same(services, account)
    claim, codes, mailer = _claim(account), Codes(services.ledger.database, services.ledger.keys), services.mailer()
    proof = Proof.WORK_EMAIL if mailer else Proof.HANDED_OVER
    code, until = codes.make(claim, proof, services.clock())
    if mailer is None:
        return Asked(account, until, None, code)
    to = services.ledger.people.get(claim.person).email
    try:
        mailer.send(to, f"Is this account on {account.system} yours?", _letter(account, code, until))
    except SystemFailed as failure:
        if not failure.uncertain:
            codes.void(claim)
        raise _unsent(failure) from None
    return Asked(account, until, to)


def _letter(account: Account, code: str, until: datetime) -> str:
    return _LETTER.format(
        handle=account.handle,
        id=account.external_id,
        code=code,
        person=(account.person or "")[:10],
        system=account.system,
        until=moment(until),
    )


def _unsent(failure: SystemFailed) -> SystemFailed:
    added = "No code was sent. Ask again once the mail server takes it; [mail] in onboard.toml says which it is."
    if failure.uncertain:
        added = "The code may have been sent all the same, and then counts. Asking again sends another, and voids it."
    return type(failure)(failure.system, f"{failure.reason}. {added}", uncertain=failure.uncertain)


def confirm(services: Services, account: Account, typed: str, actor: Actor) -> Proof:
    """Record that the account is its person's, as the right code shows. Anybody may type it in, once.

    Raises Refused for any other code, saying why, and where the handle answers to another account by now; SystemFailed
    where that can't be told, and then the code still counts.
    """
    require_same(services, account)

    def record(connection: Connection, proof: str) -> None:
        proven = records.account_proven(account.person or "", account.id, account.system, proof)
        services.ledger.journal.append_in(connection, [proven], actor=actor, at=services.clock())

    trial = Codes(services.ledger.database, services.ledger.keys).redeem(
        _claim(account), typed, services.clock(), record
    )
    if trial.verdict is not Verdict.RIGHT:
        raise Refused(f"{_why_not(trial, account)} Nothing was changed.")
    return Proof(trial.proof)


def require_same(services: Services, account: Account) -> None:
    """Raises Refused where the account's handle answers to nobody or to another account by now."""
    found = services.readers[account.system].find_account(account.handle)
    if found is None or found.external_id != account.external_id:
        now = "to nobody" if found is None else "to another account"
        raise Refused(
            f"{account.handle} on {account.system} answers {now} since it was bound: it was renamed or deleted, so"
            f" nobody can be asked by that name. Enter today's: {_entering(account.person or '', account.system)}."
            " Nothing was changed."
        )


def _claim(account: Account) -> Claim:
    return Claim(account.person or "", account.id, account.external_id or "", account.handle)


def _why_not(trial: Trial, account: Account) -> str:
    again = f"Ask for another: onboard person confirm {(account.person or '')[:10]} --system {account.system}."
    match trial.verdict:
        case Verdict.WRONG:
            made = f"the one made {moment(trial.since)}" if trial.since else "the newest"
            return f"That isn't the code. Only {made} counts; tries left: {trial.left}."
        case Verdict.LAST:
            return f"That isn't the code, and was the last try. {again}"
        case Verdict.EXPIRED:
            return f"That code has expired: it counts for {LIFE.total_seconds() / 3600:.0f} hours. {again}"
        case Verdict.VOID:
            return f"The account goes by another name since the code was made, so the code is void. {again}"
    return f"No code is open for this account: none was asked for, it was used, or tried too often. {again}"
