"""What approvers are told of a plan: pure text, from what is on record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from onboard.connectors.letters import Letter
from onboard.lasting import moment
from onboard.ledger import Entry, Proposal
from onboard.lifecycle.reconciling import acceptable

Name = Callable[[str], str]


def letter(
    key: str, proposal: Proposal, said: Iterable[Entry], waits: Iterable[str], name: Name, *, asks: bool
) -> Letter:
    """What is said of a plan now. `said`: the entries in which somebody had a word on it; `asks` for one more."""
    hazards = tuple(proposal.terms["hazards"])
    open_ = proposal.settled is None
    notes = [f"Hazard: {hazard}" for hazard in hazards] if open_ else []
    notes += _words(said, name)
    left = list(waits) if open_ else []
    notes += [f"It lacks {' and '.join(left)}."] if left else []
    notes.append(
        f"Plan {proposal.digest[:16]}… · proposed {moment(proposal.at)} · onboard approve {proposal.digest[:8]}"
    )
    return Letter(
        key,
        proposal.digest,
        _heading(proposal, name, asks=asks and open_),
        tuple(map(line, proposal.changes)),
        tuple(notes),
        asks and open_,
        acceptable(hazards),
        proposal.settled or "",
    )


def _heading(proposal: Proposal, name: Name, *, asks: bool) -> str:
    engagements = {w["engagement"] for change in proposal.changes for w in change.get("warrants", ())}
    about = " · ".join([name(proposal.person), *sorted(engagements)])
    how = {"applied": "applied", "refused": "refused", "withdrawn": "no longer needed"}
    if proposal.settled:
        return f"{about}: plan {proposal.digest[:8]}, {how[proposal.settled]}"
    return f"{about}: plan {proposal.digest[:8]} {'needs your word' if asks else 'is decided by others now'}"


def line(change: Mapping[str, Any]) -> str:
    """One change: what is granted or revoked, where, until when, and why."""
    before, after = change.get("before"), change.get("after")
    verb = "grant" if after else "revoke"
    level = f"{before} → {after}" if before and after else before or after
    return " ".join(filter(None, (f"{verb}  {change['resource']}  {level}", _until(change), _why(change))))


def _until(change: Mapping[str, Any]) -> str:
    ends = [(str(w["until"]), str(w["until_because"])) for w in change.get("warrants", ())]
    if not ends or not change.get("after"):
        return ""
    until, because = max(ends)
    until = f"{until[:16].replace('T', ' ')} UTC" if "T" in until else until
    return f" until {until} ({because})"


def _why(change: Mapping[str, Any]) -> str:
    reasons = [f"{w['role']}, {w.get('extra') or w['phase']} ({w['source']})" for w in change.get("warrants", ())]
    why = "; ".join(dict.fromkeys(reasons)) or str(change.get("because") or "")
    return f" — {why}" if why else ""


def _words(said: Iterable[Entry], name: Name) -> Iterator[str]:
    """Who approved or refused, in which capacity, when."""
    for entry in said:
        role = f", as {entry.body['as_role']}" if entry.kind == "approved" else ""
        yield f"{entry.kind.capitalize()} by {name(entry.actor.id)}{role}, {moment(entry.at)}."
