"""Binding: from the handles that a person was entered with to the vendors' immutable ids, once and for good."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from onboard.errors import BadInput, SystemFailed
from onboard.ids import new_account_id
from onboard.ledger import Register, records
from onboard.ledger.projections.facts import Binding
from onboard.lifecycle.standing import Unbound, note
from onboard.model import Account, Actor, Kind, Proof
from onboard.wiring import Services

ELSEWHERE = "that account is bound to somebody else already"
NOBODY = "no account answers to the handle that was given; have it made, or enter the right one: onboard person set"


def resolved(services: Services, account: Account) -> Account:
    """The account with the id that its handle answers to by now, where it was bound before it came into being."""
    if account.external_id is not None or account.system not in services.readers:
        return account
    try:
        found = services.readers[account.system].find_account(account.handle)
    except SystemFailed:
        return account
    return replace(account, external_id=found.external_id) if found else account


def bind(
    services: Services, register: Register, person: str, actor: Actor, systems: Collection[str] | None = None
) -> Unbound:
    """Bind every handle of the person's (on these systems, or on all) that isn't bound yet, or was given anew since.

    Call it under the person's lease. A Vault entity comes into being with the first grant, so its account is bound
    without an id until then. A handle that answers to an account already bound to somebody else is refused. Where a
    handle given anew answers to nobody, what was bound before stays.
    """
    missing: dict[str, str] = {}
    unclear: dict[str, str] = {}
    for system, handle in services.ledger.people.get(person).handles.items():
        if systems is not None and system not in systems:
            continue
        if system not in services.readers or settled(services, register, person, system, handle):
            continue
        try:
            reason = _bind(services, person, system, handle, actor, register.bindings(person).get(system))
        except SystemFailed as failure:
            unclear[system] = f"the account could not be looked up: {failure.reason}"
        else:
            missing |= {system: reason} if reason else {}
    return Unbound(missing, unclear)


def settled(services: Services, register: Register, person: str, system: str, handle: str) -> bool:
    """Whether this handle of the person's is bound to its immutable id, and no other was given since."""
    binding = register.bindings(person).get(system)
    if binding is None:
        return False
    account, given = services.ledger.people.account(binding.account), register.handle_change(person, system)
    anew = given is not None and given.entry > binding.entry
    return account.external_id is not None and not (anew and account.handle != handle)


def _bind(
    services: Services, person: str, system: str, handle: str, actor: Actor, before: Binding | None
) -> str | None:
    """Bind one handle, or say why it can't be. Raises SystemFailed where that can't be told."""
    reader, people = services.readers[system], services.ledger.people
    found = reader.find_account(handle)
    if found is None and reader.kind is not Kind.VAULT:
        return NOBODY
    external_id = found.external_id if found else None
    account = _account_for(services, person, system, external_id, before)
    try:
        people.bind(account, person, system, external_id, handle)
    except BadInput:
        return ELSEWHERE
    if before is None or before.account != account:
        proof = Proof.COMPANY_LOGIN if reader.kind is Kind.VAULT else Proof.CLAIMED
        note(services, records.account_bound(person, account, system, proof), actor)
    return None


def _account_for(services: Services, person: str, system: str, external_id: str | None, before: Binding | None) -> str:
    """The account id to bind under: the one that has the immutable id, or waits for one; else a new one."""
    people = services.ledger.people
    known = people.account_by_external(system, external_id) if external_id else None
    if known is not None and people.account(known).person == person:
        return known
    waits = before is not None and people.account(before.account).external_id is None
    return before.account if before is not None and waits else new_account_id()
