"""Binding: from the handles that a person was entered with to the vendors' immutable ids, once and for good."""

from __future__ import annotations

from dataclasses import replace

from onboard.errors import BadInput, SystemFailed
from onboard.ledger import Register, records
from onboard.lifecycle.standing import Unbound, note
from onboard.model import Account, Actor, Kind, new_account_id
from onboard.wiring import Services

#: How a binding was shown to be the person's: somebody who entered them said so.
CLAIMED = "claimed"


def resolved(services: Services, account: Account) -> Account:
    """The account with the id that its handle answers to by now, where it was bound before it came into being."""
    if account.external_id is not None or account.system not in services.readers:
        return account
    try:
        found = services.readers[account.system].find_account(account.handle)
    except SystemFailed:
        return account
    return replace(account, external_id=found.external_id) if found else account


def bind(services: Services, register: Register, person: str, actor: Actor) -> Unbound:
    """Bind every handle of the person's that isn't bound yet; call it under the person's lease.

    A Vault entity comes into being with the first grant, so its account is bound without an id until then. A handle
    that answers to an account already bound to somebody else is refused.
    """
    missing: dict[str, str] = {}
    unclear: dict[str, str] = {}
    bound = {system: binding.account for system, binding in register.bindings(person).items()}
    for system, handle in services.ledger.people.get(person).handles.items():
        if system not in services.readers or identified(services, bound.get(system)):
            continue
        try:
            reason = _bind(services, person, system, handle, actor, bound.get(system))
        except SystemFailed as failure:
            unclear[system] = f"the account could not be looked up: {failure.reason}"
        else:
            missing |= {system: reason} if reason else {}
    return Unbound(missing, unclear)


def identified(services: Services, account: str | None) -> bool:
    """Whether an account has its immutable id."""
    return account is not None and services.ledger.people.account(account).external_id is not None


def _bind(services: Services, person: str, system: str, handle: str, actor: Actor, account: str | None) -> str | None:
    """Bind one handle, or say why it can't be. Raises SystemFailed where that can't be told."""
    reader, people = services.readers[system], services.ledger.people
    found = reader.find_account(handle)
    if found is None and reader.kind is not Kind.VAULT:
        return (
            "no account answers to the handle that was given; have it made, or enter the right one: onboard person set"
        )
    external_id = found.external_id if found else None
    bound = account or new_account_id()
    try:
        people.bind(bound, person, system, external_id, handle)
    except BadInput:
        return "that account is bound to somebody else already"
    if account is None:
        note(services, records.account_bound(person, bound, system, CLAIMED), actor)
    return None
