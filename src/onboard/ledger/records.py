"""What may be written to the journal: one function per kind of entry.

Every function returns a `Record` for `Journal.record`; what names things stays opaque ids. A record that wants a
justification gets it as a reference: `records.left(person).noted(note_id)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from onboard.errors import OnboardError
from onboard.ledger.entries import Json, Record
from onboard.ledger.projections.extras import EXTRAS
from onboard.ledger.spelling import engagement_json, receipt_json, vendor_json
from onboard.model import Engagement, Phase, Receipt, Resource, Vendor

#: Facts with a meaning of their own; any other name is a prerequisite or, with an engagement, a milestone.
STRUCTURAL = frozenset(
    {
        "person_added",
        "account_bound",
        "account_proven",
        "handle_changed",
        "vendor_loaded",
        "engagement_loaded",
        "started",
        "advanced",
        "role_changed",
        "left",
        "cut_off",
        "restored",
        "legal_hold",
        "hold_released",
        "delegated",
        "delegation_ended",
        "teams_loaded",
        "erased",
        *EXTRAS,
    }
)
#: The type of resource that stands for everything on an account: what a cut-off intends to end.
WHOLE_ACCOUNT = "account"
#: What the journal names instead of a plan's digest: a cut-off, what was taken because it was left over, what was found
#: gone though no revocation of ours took it, and what was held before and is ours from then on.
CUT_OFF, LEFT_OVER, FOUND_GONE, ADOPTED = "cut-off", "left-over", "found-gone", "adopted"
#: What a proposal's terms must name; they may say more.
TERMS = ("person", "authority", "policy", "changes")


class Result(StrEnum):
    """How a write ended. Uncertain: it may have taken effect, and reading could not tell."""

    DONE = "done"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change in opaque ids, as the journal keeps it: an account goes from one level to another; None is no access."""

    person: str
    system: str
    account: str
    resource: Resource
    before: str | None
    after: str | None

    def json(self) -> dict[str, str | None]:
        """The body of `intended`'s `change`, and the form of a proposal's changes."""
        return {
            "person": self.person,
            "system": self.system,
            "account": self.account,
            "resource": str(self.resource),
            "before": self.before,
            "after": self.after,
        }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ChangeRecord:
        """The change that a body spells; keys that a change doesn't have are left out. Raises KeyError, BadInput."""
        resource = Resource.parse(body["resource"])
        return cls(body["person"], body["system"], body["account"], resource, body["before"], body["after"])


# Facts


def happened(
    name: str,
    person: str | None = None,
    *,
    engagement: str | None = None,
    vendor: str | None = None,
    until: date | None = None,
    evidence: str | None = None,
) -> Record:
    """A prerequisite (nda_signed, security_training…) of a person, or with an engagement a milestone (first_merge…).

    `until` is the last day on which it holds, `evidence` the sha256 of the document that shows it. Raises
    OnboardError for a name with a function of its own here.
    """
    if name in STRUCTURAL:
        raise OnboardError(f"the fact {name} has a meaning of its own; write it with records.{name}")
    last_day = until.isoformat() if until else None
    return _fact(name, person=person, engagement=engagement, vendor=vendor, until=last_day, evidence=evidence)


def person_added(person: str) -> Record:
    """There is this person; who it is, only People knows."""
    return _fact("person_added", person=person)


def account_bound(person: str, account: str, system: str, proof: str) -> Record:
    """This account on this system is this person's, shown by `proof` (a word, such as "claimed")."""
    return _fact("account_bound", person=person, account=account, system=system, proof=proof)


def account_proven(person: str, account: str, system: str, proof: str) -> Record:
    """Its person showed that this account is theirs, by `proof`; it holds until the account is bound anew."""
    return _fact("account_proven", person=person, account=account, system=system, proof=proof)


def handle_changed(person: str, system: str) -> Record:
    """Another handle on this system was entered for a person, or the one there was confirmed."""
    return _fact("handle_changed", person=person, system=system)


def vendor_loaded(vendor: Vendor) -> Record:
    """A vendor's manifest was loaded; it replaces the one loaded before."""
    return Record("fact", {"name": "vendor_loaded", "vendor": vendor_json(vendor)}, vendor.id)


def engagement_loaded(engagement: Engagement) -> Record:
    """An engagement's manifest was loaded; it replaces the one loaded before."""
    return Record("fact", {"name": "engagement_loaded", "engagement": engagement_json(engagement)}, engagement.id)


def started(person: str, engagement: str, role: str) -> Record:
    """A person began to work in an engagement. After they had left it (or all) they begin anew, without milestones."""
    return _fact("started", person=person, engagement=engagement, role=role)


def advanced(person: str, engagement: str, phase: Phase) -> Record:
    """An assignment is in this phase from now on; it may step back."""
    return _fact("advanced", person=person, engagement=engagement, phase=phase.value)


def role_changed(person: str, engagement: str, role: str, was: str) -> Record:
    """An assignment has this role from now on, whatever its manifest says, until the manifest's own role changes."""
    return _fact("role_changed", person=person, engagement=engagement, role=role, was=was)


def left(person: str, engagement: str | None = None) -> Record:
    """A person left one engagement, or, without one, everything."""
    return _fact("left", person=person, engagement=engagement)


def cut_off(person: str) -> Record:
    """Somebody ordered that this person lose everything at once. Holds until restored."""
    return _fact("cut_off", person=person)


def restored(person: str, undoes: int) -> Record:
    """An earlier left, cut_off or role_changed of this person (its entry's number) counts as if it hadn't happened."""
    return _fact("restored", person=person, undoes=undoes)


def legal_hold(person: str) -> Record:
    """What is kept of this person has to be kept until the hold is released."""
    return _fact("legal_hold", person=person)


def hold_released(person: str) -> Record:
    """No legal hold is on this person any more."""
    return _fact("hold_released", person=person)


def erased(person: str) -> Record:
    """This person's key is destroyed: nobody can say any more who they were. It can't be undone."""
    return _fact("erased", person=person)


def _fact(name: str, **details: str | int | None) -> Record:
    body = {"name": name, **{key: value for key, value in details.items() if value is not None}}
    person = details.get("person")
    return Record("fact", body, person if isinstance(person, str) else None)


# Decisions


def policy_in_force(digest: str, revision: str | None = None) -> Record:
    """The policy with this hash (and git revision) is in force from here on."""
    return Record("policy", {"hash": digest} | ({"revision": revision} if revision else {}))


def proposed(digest: str, terms: Mapping[str, Json]) -> Record:
    """What an approval would bind: person, authority ("fact", "approval"…), policy, changes, and what else it names.

    `terms` come back unchanged as `Proposal.terms`. Raises OnboardError where a key of `TERMS` is missing.
    """
    missing = [name for name in TERMS if name not in terms]
    if missing:
        raise OnboardError(f"a proposal's terms must name {', '.join(TERMS)}; {', '.join(missing)} is missing")
    return Record("proposed", {**terms, "digest": digest}, str(terms["person"]))


def approved(
    digest: str,
    as_role: str,
    accepts: Iterable[str] = (),
    *,
    for_whom: str | None = None,
    rule: Mapping[str, str] | None = None,
) -> Record:
    """The actor approves this digest in this capacity and accepts these hazards by name.

    `for_whom`: whose delegate they are. `rule`: no word was asked for; this rule ("id") of this policy ("policy") gave
    it, and the actor is its owner.
    """
    more: dict[str, Json] = ({"for": for_whom} if for_whom else {}) | ({"rule": dict(rule)} if rule else {})
    return Record("approved", {"digest": digest, "as_role": as_role, "accepts": sorted(accepts), **more})


def expired(digest: str) -> Record:
    """The approvals of this digest weren't spent in time: they no longer count."""
    return Record("expired", {"digest": digest})


def refused(digest: str) -> Record:
    """The actor refuses this digest: approvals given so far no longer count."""
    return Record("refused", {"digest": digest})


def withdrawn(digest: str) -> Record:
    """This digest is no longer needed: what it proposed came about, or isn't wanted any more."""
    return Record("withdrawn", {"digest": digest})


def applied(digest: str) -> Record:
    """This digest has been carried out: its approvals are spent."""
    return Record("applied", {"digest": digest})


# Effects


def intended(digest: str, change: ChangeRecord) -> Record:
    """About to make this change under this digest."""
    return Record("intended", {"digest": digest, "change": change.json()}, change.person)


def outcome(intent: int, result: Result, receipt: Receipt | None = None, reason: str | None = None) -> Record:
    """How the write announced by entry `intent` ended. The last outcome of an intent counts.

    Of the receipt only status, request id and time are kept; words with an "@" are struck from the reason.
    """
    body: dict[str, Json] = {"intent": intent, "result": result.value}
    if receipt is not None:
        body["receipt"] = receipt_json(receipt)
    if reason:
        body["reason"] = " ".join("(struck)" if "@" in word else word for word in reason.split())
    return Record("outcome", body)


def verified(
    person: str,
    *,
    gone: int,
    held: int,
    remaining: Iterable[Json] = (),
    unknown: Iterable[Json] = (),
    digest: str | None = None,
) -> Record:
    """What was read afterwards: how many routes are verified gone or held, what remains, what could not be read."""
    body: dict[str, Json] = {"person": person, "gone": gone, "held": held}
    body |= {"remaining": list(remaining), "unknown": list(unknown)}
    return Record("verified", body | ({"digest": digest} if digest else {}), person)


def task_opened(
    task: str, person: str, system: str, what: str, owner: str, due: date, wanted: str, *, readable: bool = False
) -> Record:
    """Somebody has to do by hand what the system can't: `owner` answers for it, `wanted` is what will show it done.

    `readable` says that reading the system can tell, too.
    """
    body = {"task": task, "person": person, "system": system, "what": what, "owner": owner, "wanted": wanted}
    return Record("task_opened", {**body, "due": due.isoformat(), "readable": readable}, person)


def task_done(task: str, person: str, evidence: str | None) -> Record:
    """It was done, as a file with this sha256 shows; None where reading the system again showed it."""
    return Record("task_done", {"task": task, "evidence": evidence}, person)


def reviewed(findings: Iterable[Json]) -> Record:
    """An access review and what it found."""
    return Record("reviewed", {"findings": list(findings)})
