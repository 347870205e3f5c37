"""Who holds what, and why: access, who, explain, review."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboard.cli import context, output
from onboard.cli.lifecycle import Person
from onboard.cli.output import Json

if TYPE_CHECKING:
    from onboard.review.holdings import Explanation, Held, Holdings
    from onboard.wiring import Services

app = typer.Typer()

ResourceName = Annotated[str, typer.Argument(help="A resource, such as github:repo:acme/payments-api.")]


@app.command("review")
def review(as_json: Json = False) -> None:
    """Compare what everybody holds on every system with what they should. Exit 4 with findings; changes nothing."""
    from onboard.cli import view
    from onboard.review.access import review as access_review

    with context.services() as services:
        found = access_review(services, context.actor(services))
        if as_json:
            findings = [{**_plain(f), "resource": str(f.resource)} for f in found.findings]
            output.emit_json({**_plain(found), "findings": findings, "exit_code": found.exit_code})
        else:
            view.show_review(found, context.names(services))
        output.leave(found.exit_code)


def _plain(value: Any) -> dict[str, Any]:
    import dataclasses

    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


@app.command("access")
def access(person: Person, as_json: Json = False) -> None:
    """Everything that a person holds now, read from the systems: since which policy line, and until when."""
    from onboard.review.holdings import held_by

    with context.services() as services:
        who = context.person(services, person)
        found = held_by(services, who)
        heading = f"{context.name(services, who)} holds {output.count(len(found.held), 'grant')}."
        _show(services, found, heading, as_json, by_person=True)


@app.command("who")
def who(resource: ResourceName, as_json: Json = False) -> None:
    """Everybody who holds something on a resource now, and why."""
    from onboard.model import Resource
    from onboard.review.holdings import held_on

    with context.services() as services:
        found = held_on(services, Resource.parse(resource))
        _show(services, found, f"{output.count(len(found.held), 'account')} on {resource}.", as_json, by_person=False)


def _show(services: Services, found: Holdings, heading: str, as_json: bool, *, by_person: bool) -> None:
    if as_json:
        unknown = [{"what": name, "reason": reason} for name, reason in found.unknown]
        output.emit_json({"held": [_held_json(held) for held in found.held], "unknown": unknown})
    else:
        output.say(heading)
        output.table(_held_rows(services, found.held, by_person=by_person))
        for name, reason in found.unknown:
            output.say(f"  ? {name}: could not be read ({reason})")
    output.leave(5 if found.unknown else 0)


def _held_rows(services: Services, held: Iterable[Held], *, by_person: bool) -> list[tuple[str, ...]]:
    from onboard.lifecycle.story import what

    rows = []
    for one in sorted(held, key=lambda h: (h.holding.resource, h.holding.handle)):
        holding, grant = one.holding, one.grant
        whose = context.name(services, one.person) if one.person else f"{holding.handle} (bound to nobody)"
        first = (holding.resource.system, what(holding.resource)) if by_person else (whose,)
        state = "" if holding.state == "active" else holding.state
        why = f"until {grant.limit.until}, {grant.warrants[0].source.short}" if grant else "not by policy"
        rows.append((*first, holding.level, state, why))
    return rows


def _held_json(held: Held) -> dict[str, Any]:
    holding, grant = held.holding, held.grant
    return {
        "person": held.person,
        "handle": holding.handle,
        "resource": str(holding.resource),
        "level": holding.level,
        "state": holding.state,
        "via": holding.via,
        "until": grant.limit.until if grant else None,
        "until_because": grant.limit.what if grant else None,
        "source": str(grant.warrants[0].source) if grant else None,
    }


@app.command("explain")
def explain(person: Person, resource: ResourceName, as_json: Json = False) -> None:
    """Why a person holds something on a resource, or why not: policy line, phase, prerequisites, approval, receipt."""
    from onboard.model import Resource
    from onboard.review.holdings import explain as chain

    with context.services() as services:
        found = chain(services, context.person(services, person), Resource.parse(resource))
        if as_json:
            output.emit_json(_explanation_json(found))
        else:
            _tell(services, found)
        output.leave(5 if found.unknown else 0)


def _tell(services: Services, found: Explanation) -> None:
    name = context.name(services, found.person)
    levels = ", ".join(f"{h.level}{'' if h.state == 'active' else f' ({h.state})'}" for h in found.held)
    if found.unknown:
        output.say(f"What {name} holds on {found.resource} could not be read: {found.unknown}")
    else:
        ends = f", until {found.grants[0].limit.until} ({found.grants[0].limit.what})" if found.grants else ""
        output.say(f"{name} holds {levels or 'nothing'} on {found.resource}{ends if levels else ''}.")
    output.say()
    output.table([*_policy_rows(services, found), *_history_rows(services, found)])
    for reason in found.against:
        output.say(f"  stands against it: {reason}")
    if found.grants:
        needs = "".join(f", {need} lapses" for need in found.needs)
        output.say()
        output.say(
            f"Would end at once if: the role or phase changes, the engagement or contract ends, the sponsor leaves{needs}."
        )


def _policy_rows(services: Services, found: Explanation) -> list[tuple[str, str]]:
    rows = []
    for grant in found.grants:
        for warrant in grant.warrants:
            rows.append(("role", f"{warrant.role} in {warrant.engagement}: {grant.level}, {warrant.source}"))
            reached = f", after {warrant.after}" if warrant.after else ""
            rows.append(
                (
                    "phase",
                    f"carried from {warrant.phase} on{reached}; until {warrant.limit.until} ({warrant.limit.what})",
                )
            )
    for need, fact in found.needs.items():
        end = f"until {fact.until}" if fact.until else "without end"
        rows.append(("needs", f"{need}, recorded {fact.at:%Y-%m-%d}, {end} (ledger entry {fact.entry})"))
    return [*rows, ("policies", services.policy.hash[:7])]


def _history_rows(services: Services, found: Explanation) -> list[tuple[str, str]]:
    rows = []
    for episode in found.history:
        intent = episode.intent
        for approval in episode.approvals:
            who = context.name(services, approval.actor.id)
            rows.append(
                (
                    "approved",
                    f"{who} ({approval.as_role}, {approval.actor.authenticated_by}) {approval.at:%Y-%m-%d %H:%M} UTC, plan {approval.digest[:8]}",
                )
            )
        verb = f"granted {intent.change.after}" if intent.change.after else f"revoked {intent.change.before}"
        answer = intent.outcome.receipt.status if intent.outcome and intent.outcome.receipt else intent.result
        entries = (
            f"ledger entries {intent.seq}–{intent.outcome.entry}" if intent.outcome else f"ledger entry {intent.seq}"
        )
        rows.append(("receipt", f"{verb} {intent.at:%Y-%m-%d %H:%M} UTC: {answer} ({entries})"))
    return rows


def _explanation_json(found: Explanation) -> dict[str, Any]:
    from onboard.engine.plan import warrant_terms

    return {
        "person": found.person,
        "resource": str(found.resource),
        "unknown": found.unknown,
        "held": [{"level": h.level, "state": h.state, "via": h.via} for h in found.held],
        "grants": [{"level": g.level, "warrants": [warrant_terms(w) for w in g.warrants]} for g in found.grants],
        "against": list(found.against),
        "needs": {name: {"until": fact.until, "entry": fact.entry} for name, fact in found.needs.items()},
        "history": [
            {
                "at": e.intent.at,
                "before": e.intent.change.before,
                "after": e.intent.change.after,
                "result": e.intent.result,
                "entry": e.intent.seq,
                "approved_by": [{"person": a.actor.id, "as": a.as_role, "entry": a.entry} for a in e.approvals],
            }
            for e in found.history
        ],
    }
