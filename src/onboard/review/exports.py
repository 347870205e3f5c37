"""Complete populations for whoever audits: everything that was held at a moment, and every change in a time.

People are opaque ids here, as in the ledger. A row is a flat mapping of texts and numbers, so that CSV and JSON Lines
say the same. For a SIEM a change is an OCSF event, class User Access Management (https://schema.ocsf.io/1.5.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import onboard
from onboard.errors import BadInput
from onboard.ledger import Approval, Attempt, Ledger, Register
from onboard.ledger.records import Result
from onboard.model import Kind, Receipt, Resource
from onboard.review.past import HeldThen, past

OCSF = "1.5.0"
_CATEGORY, _CLASS = 3, 3005
_ASSIGN, _REVOKE = 1, 2
_STATUS = {Result.DONE: (1, "Success"), Result.FAILED: (2, "Failure"), Result.UNCERTAIN: (0, "Unknown")}
#: Severity 1: informational.
_INFORMATIONAL = 1

Row = dict[str, Any]


def held(ledger: Ledger, kinds: Mapping[str, Kind], at: datetime) -> Iterator[Row]:
    """Every right that was held at a moment, a row each. Raises OnboardError where the journal can't be read."""
    for one in past(ledger, kinds, at).held:
        yield _right(one)


def _right(one: HeldThen) -> Row:
    attempt, grant = one.attempt, one.grant
    warrant = grant.warrants[0] if grant else None
    return {
        **_named(attempt),
        "level": attempt.after,
        "since": _time(attempt.at),
        "ended": _time(attempt.ended_at),
        "result": attempt.result.value,
        "engagement": warrant.engagement if warrant else None,
        "role": warrant.role if warrant else None,
        "phase": warrant.phase.value if warrant else None,
        "source": str(warrant.source) if warrant else None,
        "until": grant.limit.stated if grant else None,
        "until_because": grant.limit.what if grant else None,
        **_decided(one.policy, one.revision, one.approvals),
        **_receipt(one.receipt),
        "intended_entry": attempt.entry,
        "outcome_entry": attempt.outcome,
    }


def changes(ledger: Ledger, since: datetime, until: datetime) -> Iterator[Row]:
    """Every attempt to change access that began in this time, whatever came of it, a row each, oldest first.

    Raises OnboardError where the journal can't be read.
    """
    return _changes(ledger, ledger.history.attempts(since, until))


def changes_of(ledger: Ledger, person: str) -> Iterator[Row]:
    """Every attempt to change one person's access, as `changes`."""
    return _changes(ledger, ledger.history.attempts(person=person))


def _changes(ledger: Ledger, attempts: Iterable[Attempt]) -> Iterator[Row]:
    told = list(attempts)
    now, behind = ledger.register(), ledger.archive.of_attempts(told)
    return (_change(behind, now, attempt) for attempt in told)


def _change(behind: Register, now: Register, attempt: Attempt) -> Row:
    episode = behind.episode(attempt.entry)
    intent = episode.intent
    policy, authority = _behind(behind, attempt.digest)
    return {
        **_named(attempt),
        "action": "revoke" if attempt.after is None else "grant",
        "before": attempt.before,
        "after": attempt.after,
        "at": _time(attempt.at),
        "result": attempt.result.value,
        "actor": intent.actor.id,
        "actor_authenticated_by": intent.actor.authenticated_by,
        "authority": authority,
        "plan": attempt.digest,
        **_decided(policy, now.revision(policy), episode.approvals),
        **_receipt(intent.receipt),
        "intended_entry": attempt.entry,
        "outcome_entry": attempt.outcome,
    }


def _behind(register: Register, digest: str) -> tuple[str | None, str]:
    """The policy and the authority of a plan; a cut-off has no plan behind it."""
    try:
        proposal = register.proposal(digest)
    except BadInput:
        return None, digest
    return proposal.policy, proposal.authority


def _named(attempt: Attempt) -> Row:
    system = Resource.parse(attempt.resource).system
    return {"person": attempt.person, "account": attempt.account, "system": system, "resource": attempt.resource}


def _decided(policy: str | None, revision: str | None, approvals: tuple[Approval, ...]) -> Row:
    return {
        "policy": policy,
        "git_revision": revision,
        "approved_by": "; ".join(a.actor.id for a in approvals) or None,
        "approved_as": "; ".join(a.as_role for a in approvals) or None,
        "approved_at": "; ".join(_time(a.at) or "" for a in approvals) or None,
        "approval_entries": "; ".join(str(a.entry) for a in approvals) or None,
    }


def _receipt(receipt: Receipt | None) -> Row:
    return {
        "receipt_status": receipt.status if receipt else None,
        "receipt_request": receipt.request_id if receipt else None,
        "receipt_at": _time(receipt.at) if receipt else None,
    }


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


def ocsf(row: Row) -> dict[str, Any]:
    """A row of `changes` as an OCSF event: User Access Management, assign or revoke privileges."""
    activity = _ASSIGN if row["action"] == "grant" else _REVOKE
    status, said = _STATUS[Result(row["result"])]
    level = row["after"] or row["before"]
    resource = Resource.parse(str(row["resource"]))
    return {
        "category_uid": _CATEGORY,
        "class_uid": _CLASS,
        "activity_id": activity,
        "type_uid": _CLASS * 100 + activity,
        "severity_id": _INFORMATIONAL,
        "time": int(datetime.fromisoformat(str(row["at"])).timestamp() * 1000),
        "status_id": status,
        "status": said,
        "status_detail": row["receipt_status"],
        "message": f"{row['action']} {level} on {row['resource']}",
        "metadata": {
            "version": OCSF,
            "uid": f"onboard-{row['intended_entry']}",
            "sequence": row["intended_entry"],
            "correlation_uid": row["plan"],
            "product": {"name": "onboard", "vendor_name": "onboard", "version": onboard.__version__},
        },
        "actor": {"user": {"uid": row["actor"]}},
        "user": {"uid": row["person"], "account": {"uid": row["account"]}},
        "privileges": [level],
        "resources": [{"uid": row["resource"], "name": resource.name, "type": f"{resource.system} {resource.type}"}],
        "unmapped": {
            name: row[name]
            for name in ("authority", "policy", "git_revision", "approved_by", "approved_as", "approval_entries")
            if row[name] is not None
        },
    }
