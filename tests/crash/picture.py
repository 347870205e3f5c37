"""How things stand, so that two runs can be compared: what the systems hold, and what the register makes of the ledger.

What differs from run to run (random ids, times, numbers of entries, digests) is left out, or named after what it stands
for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from onboard.engine.plan import Authority
from onboard.errors import BadInput
from onboard.ledger import Ledger, Proposal, Register
from onboard.ledger.proof.proofs import verify
from onboard.ledger.records import ADOPTED, FOUND_GONE, LEFT_OVER
from onboard.sandbox.client import SandboxClient
from tests.world import IDS

NAMES = {id_: name for name, id_ in IDS.items()}
#: Both Jiras are the same one; this one is configured.
CONFIGURED = frozenset({"github", "jira", "slack", "vault"})

Held = Counter[tuple[str, str, str, str, str]]


def held(sandbox: SandboxClient) -> Held:
    """Everything that anybody holds anywhere, pending invitations included, and how often."""
    lines = sandbox.holdings()
    return Counter((x["person"] or x["handle"], x["system"], x["resource"], x["level"], x["state"]) for x in lines)


def unknown_to(register: Register, now: Held, before: Held) -> list[str]:
    """What came to somebody since `before` that the ledger doesn't know as given, or maybe given, by us."""
    ours = {
        (person, str(resource), level) for (person, _, resource), levels in register.owned().items() for level in levels
    }
    return [
        f"{person} {system}:{resource} {level}"
        for person, system, resource, level, _ in (now - before)
        if system in CONFIGURED and (IDS.get(person), f"{system}:{resource}", level) not in ours
    ]


def faults(ledger: Ledger, register: Register) -> Iterator[str]:
    """What is wrong with a ledger after a run has ended by itself."""
    if problem := verify(ledger.journal.rows()).problem:
        yield f"the chain is broken: {problem}"
    yield from (f"unresolved: {intent.change}" for intent in register.unresolved())
    entries = ledger.journal.entries(kinds={"intended", "verified"})
    last = {e.subject: e.kind for e in entries if e.body.get("digest") not in (LEFT_OVER, FOUND_GONE, ADOPTED)}
    unread = [who for who, kind in last.items() if kind == "intended"]
    yield from (f"never read back since its last change: {NAMES.get(who or '', '?')}" for who in unread)


def told(ledger: Ledger, register: Register) -> dict[str, Any]:
    """The register's projections."""
    bindings = [binding for person in register.people for binding in register.accounts(person)]
    accounts = {binding.account: _account(ledger, binding.account) for binding in bindings}
    return {
        "engagements": {name: repr(engagement) for name, engagement in register.engagements.items()},
        "vendors": {name: repr(vendor) for name, vendor in register.vendors.items()},
        "policy": register.policy,
        "people": {_name(ledger, p): _person(register, p, accounts) for p in sorted(register.people)},
        "owned": sorted(
            f"{NAMES[person]} {accounts[account]} {resource} {sorted(levels)}"
            for (person, account, resource), levels in register.owned().items()
        ),
        "plans": sorted(_plan(register, proposal, accounts) for proposal in _latest(register)),
        "open plans": sorted(_plan(register, proposal, accounts) for proposal in register.open_proposals()),
        "tasks": sorted(f"{NAMES[t.person]} {t.system} {t.what} {t.owner} {t.due}" for t in register.open_tasks()),
        "last review": register.last_review,
        "entered": sorted(repr(profile) for profile in ledger.people.all().values()),
    }


def _name(ledger: Ledger, person: str) -> str:
    """Who it is: by the sandbox, or as they were entered."""
    known = NAMES.get(person)
    return known or ledger.people.get(person).name


def _account(ledger: Ledger, account: str) -> str:
    try:
        identity = ledger.people.account(account)
    except BadInput:
        return "erased"
    # An entity that is made in the run has another id each time.
    known = "an entity" if identity.system == "vault" and identity.external_id else identity.external_id
    return f"{identity.system} {identity.handle} ({known})"


def _person(register: Register, person: str, accounts: Mapping[str, str]) -> dict[str, Any]:
    left, removal = register.left(person), register.last_removal(person)
    return {
        "assignments": [repr(assignment) for assignment in register.assignments(person)],
        "facts": {name: str(fact.until) for name, fact in register.facts(person).items()},
        "milestones": {
            a.engagement: {name: str(fact.until) for name, fact in register.milestones(person, a.engagement).items()}
            for a in register.assignments(person)
        },
        "left": left.name if left else None,
        "last removal": (removal.name, removal.engagement) if removal else None,
        "extras": [f"{x.kind} {x.resource} {x.level} {x.withdrawn is None}" for x in register.extras(person)],
        "accounts": [f"{b.system} {accounts[b.account]}, {b.proof}" for b in register.accounts(person)],
        "erased": person in register.erased,
    }


def _latest(register: Register) -> Iterable[Proposal]:
    found = (register.latest_proposal(person, how) for person in register.people for how in Authority)
    return (proposal for proposal in found if proposal is not None)


def _plan(register: Register, proposal: Proposal, accounts: Mapping[str, str]) -> str:
    changes = [f"{accounts[c['account']]} {c['resource']} {c['before']} → {c['after']}" for c in proposal.changes]
    approvals = sorted({f"{NAMES[a.actor.id]} as {a.as_role}" for a in register.approvals(proposal.digest)})
    who = f"{NAMES[proposal.person]} by {proposal.authority}, {proposal.settled}"
    if proposal.authority == "fact" and proposal.settled:
        return who  # what was left of it after a kill may have been proposed anew, as less
    return f"{who}: {'; '.join(sorted(changes))} hazards {proposal.terms['hazards']} approved {approvals}"
