"""Who holds what, and why: access, who, explain, review."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboard.cli import context, output, past, render
from onboard.cli.lifecycle import Person
from onboard.cli.output import Json
from onboard.cli.past import AsOf

if TYPE_CHECKING:
    from onboard.ledger import Register
    from onboard.review.holdings import Explanation, Held, Holdings
    from onboard.wiring import Services

app = typer.Typer()

#: How many of several equally short lists of facts are shown.
SHOWN = 3

ResourceName = Annotated[
    str, typer.Argument(metavar="RESOURCE", help="A resource, such as github:repo:acme/payments-api.")
]


Correct = Annotated[
    bool, typer.Option("--correct", help="First take away what people should hold no more: lapsed, ended, left.")
]


VaultAudit = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", dir_okay=False, help="What Vault's audit device wrote; alarms.vault_audit unless given."
    ),
]


@app.command("review")
def review(correct: Correct = False, vault_audit: VaultAudit = None, as_json: Json = False) -> None:
    """Compare what everybody holds with what they should. Exit 4 with findings; changes nothing without --correct."""
    from onboard.cli import view
    from onboard.lifecycle import nightly
    from onboard.lifecycle.standing import register_of
    from onboard.review.access import review as access_review

    with context.services(regardless=True) as services:
        actor = context.actor(services)
        corrected = nightly.correct(services, actor) if correct else None
        found = access_review(services, actor, vault_audit)
        codes = (found.exit_code, corrected.exit_code if corrected else 0)
        if as_json:
            findings = [{**_plain(f), "resource": str(f.resource)} for f in found.findings]
            done = view.report_json(corrected) if corrected else None
            document = {**_plain(found), "findings": findings, "corrected": done}
            output.emit_json({**document, "exit_code": output.first(*codes)})
        else:
            if corrected:
                view.View(corrected, register_of(services), context.names(services)).show()
                output.say()
            view.show_review(found, register_of(services), context.names(services))
        output.leave(*codes)


def _plain(value: Any) -> dict[str, Any]:
    import dataclasses

    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


@app.command("access")
def access(person: Person, as_of: AsOf = "", as_json: Json = False) -> None:
    """What a person holds now, by which policy line, until when. Read from the systems; with --as-of, the ledger."""
    from onboard.review.holdings import held_by

    if as_of:
        past.access(person, as_of, as_json)
        return

    with context.services() as services:
        who = context.person(services, person)
        found = held_by(services, who)
        _show(services, found, _holds(services, who, found), as_json, by_person=True)


def _holds(services: Services, person: str, found: Holdings) -> str:
    """Who it is, then `Holds 7 rights on 4 systems, 3 not accepted yet`, or that it is nothing."""
    from onboard.cli.view import headline
    from onboard.lifecycle.standing import register_of

    register = register_of(services)
    who = headline(register, context.names(services), person)
    bound = sorted(register.bindings(person).items())
    systems = ", ".join(system for system, _ in bound) or "no system, where no account is bound"
    proofs = "; ".join(f"{system} {render.proof(binding.proof, binding.proven)}" for system, binding in bound)
    who += f"\nAccounts: {proofs}." if proofs else ""
    if not found.held:
        nothing = "nothing that could be read" if found.unknown else "nothing"
        return f"{who}\nHolds {nothing} on {systems}."
    where = output.count(len({one.holding.resource.system for one in found.held}), "system")
    return f"{who}\nHolds {output.count(len(found.held), 'right')} on {where}{_pending(found)}."


def _pending(found: Holdings) -> str:
    invited = sum(one.holding.state != "active" for one in found.held)
    return f", {invited} not accepted yet" if invited else ""


@app.command("who")
def who(resource: ResourceName, as_of: AsOf = "", as_json: Json = False) -> None:
    """Everybody who holds something on a resource now, and why. With --as-of, who held it then."""
    from onboard.model import Resource
    from onboard.review.holdings import held_on

    if as_of:
        past.who(resource, as_of, as_json)
        return

    with context.services() as services:
        asked = Resource.parse(resource)
        found = held_on(services, asked)
        heading = f"{output.count(len(found.held), 'right')} held on {asked}{_pending(found)}."
        _show(services, found, "" if found.unknown else heading, as_json, by_person=False)


def _show(services: Services, found: Holdings, heading: str, as_json: bool, *, by_person: bool) -> None:
    code = 5 if found.unknown else 0
    if as_json:
        unknown = [{"resource": name, "reason": reason} for name, reason in found.unknown]
        held = [_held_json(held) for held in _sorted(found.held)]
        output.emit_json({"held": held, "unknown": unknown, "exit_code": code})
    else:
        for line in heading.splitlines():
            output.prose(line, indent=0)
        output.table(_held_rows(services, found.held, by_person=by_person))
        output.table([("?", name, f"could not be read: {reason}") for name, reason in found.unknown])
        if any(":" not in name for name, _ in found.unknown):
            output.next_step("onboard doctor")
    output.leave(code)


def _sorted(held: Iterable[Held]) -> list[Held]:
    return sorted(held, key=lambda one: (one.holding.resource, one.holding.handle, one.holding.level))


def _held_rows(services: Services, held: Iterable[Held], *, by_person: bool) -> list[tuple[str, ...]]:
    from onboard.lifecycle.standing import register_of
    from onboard.lifecycle.story import what

    name, register = context.names(services), register_of(services)
    rows = []
    for one in _sorted(held):
        holding = one.holding
        whose = name(one.person) if one.person else holding.handle
        first = (holding.resource.system, what(holding.resource)) if by_person else (whose,)
        state = "" if holding.state == "active" else holding.state
        rows.append((*first, holding.level, state, _why(register, one)))
    if not any(row[-2] for row in rows):
        rows = [(*row[:-2], row[-1]) for row in rows]
    return rows


def _why(register: Register, one: Held) -> str:
    """Until when and by which line; else whether policies have a say at all: they rule outsourced engineers."""
    if one.grant:
        return f"until {one.grant.limit.when}, {one.grant.warrants[0].source.short}"
    if one.person is None:
        return "an account bound to nobody"
    return "not by policy" if register.assignments(one.person) else "not outsourced"


def _held_json(held: Held) -> dict[str, Any]:
    holding, grant = held.holding, held.grant
    return {
        "person": held.person,
        "handle": holding.handle,
        "resource": str(holding.resource),
        "level": holding.level,
        "state": holding.state,
        "via": holding.via,
        "until": grant.limit.stated if grant else None,
        "until_because": grant.limit.what if grant else None,
        "source": str(grant.warrants[0].source) if grant else None,
    }


@app.command("explain")
def explain(person: Person, resource: ResourceName, as_of: AsOf = "", as_json: Json = False) -> None:
    """Why a person holds something on a resource, or why not. From the policy line to the receipt."""
    from onboard.model import Resource
    from onboard.review.holdings import explain as chain

    if as_of:
        past.explain(person, resource, as_of, as_json)
        return

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
        output.prose(f"What {name} holds on {found.resource} could not be read: {found.unknown}", indent=0)
    else:
        ends = f",\nuntil {found.grants[-1].limit.when} ({found.grants[-1].limit.what})" if found.grants else ""
        output.say(f"{name} holds {levels or 'nothing'} on {found.resource}{ends if levels else ''}.")
    output.say()
    against = [("not yet" if found.grants else "why not", _named(text, found, name)) for text in found.against]
    output.table([*_policy_rows(services, found), *against, *_history_rows(services, found)])
    for title, sentences in (
        ("Would be given once:", _would_give(found)),
        ("Would end at once if:", _would_end(found)),
    ):
        if sentences:
            output.say()
            output.say(title)
            output.table([(sentence,) for sentence in sentences])


def _would_give(found: Explanation) -> list[str]:
    """A line for each shortest list of facts; for a level that nothing gives, that the policy would have to change."""
    lines = []
    for way in found.answers.ways:
        lines += [f"{way.level}: {' and '.join(facts)}" for facts in way.lists[:SHOWN]]
        if len(way.lists) > SHOWN:
            lines.append(f"{way.level}: … or one of {len(way.lists) - SHOWN} other lists as short (--json)")
        if not way.lists:
            lines.append(f"{way.level}: by no fact that could be recorded; the policies would have to change")
    return lines


def _would_end(found: Explanation) -> list[str]:
    ends = []
    for end in found.answers.ends:
        left = f" ({end.left} is left)" if end.left else ""
        ends.append(f"{' and '.join(end.facts)}{left}")
    return list(dict.fromkeys(ends))


def _named(reason: str, found: Explanation, name: str) -> str:
    return reason.replace(found.person, name)


def _policy_rows(services: Services, found: Explanation) -> list[tuple[str, str]]:
    rows = []
    for grant in found.grants:
        for warrant in grant.warrants:
            rows.append(
                (warrant.extra or "role", f"{warrant.role} in {warrant.engagement}: {grant.level}, {warrant.source}")
            )
            reached = f", after {warrant.after}" if warrant.after else ""
            rows.append(
                ("phase", f"from {warrant.phase} on{reached}; until {warrant.limit.when} ({warrant.limit.what})")
            )
    for need, fact in found.needs.items():
        end = f"until {fact.until}" if fact.until else "without end"
        rows.append(("needs", f"{need}, recorded {fact.at:%Y-%m-%d}, {end} (ledger entry {fact.entry})"))
    if found.binding:
        rows.append(("account", render.proof(found.binding.proof, found.binding.proven)))
    revision = f", git {found.revision[:10]}" if found.revision else ""
    waiting = (proposal.digest[:8] for proposal in found.pending)
    rows += [("waits", f"plan {digest} for somebody's word: onboard approve {digest}") for digest in waiting]
    return [*rows, ("policies", f"{services.policy.hash[:7]}{revision}")]


def _history_rows(services: Services, found: Explanation) -> list[tuple[str, str]]:
    from onboard.lasting import moment

    name = context.names(services)
    rows = []
    for episode in found.history:
        intent = episode.intent
        for approval in episode.approvals:
            by = f"{name(approval.actor.id)} ({approval.as_role}, {approval.actor.authenticated_by})"
            rows.append(("approved", f"{by} {moment(approval.at)}, plan {approval.digest[:8]}"))
        verb = f"granted {intent.change.after}" if intent.change.after else f"revoked {intent.change.before}"
        verb = f"adopted {intent.change.after}" if intent.change.after == intent.change.before else verb
        answer = intent.outcome.receipt.status if intent.outcome and intent.outcome.receipt else intent.result
        entries = (
            f"ledger entries {intent.seq}–{intent.outcome.entry}" if intent.outcome else f"ledger entry {intent.seq}"
        )
        rows.append(("receipt", f"{verb} {moment(intent.at)}: {answer} ({entries})"))
    return rows


def _explanation_json(found: Explanation) -> dict[str, Any]:
    from onboard.engine.plan import warrant_terms

    return {
        "person": found.person,
        "resource": str(found.resource),
        "unknown": found.unknown,
        "exit_code": 5 if found.unknown else 0,
        "held": [{"level": h.level, "state": h.state, "via": h.via} for h in found.held],
        "grants": [{"level": g.level, "warrants": [warrant_terms(w) for w in g.warrants]} for g in found.grants],
        "against": list(found.against),
        "revision": found.revision,
        "would_give": [
            {"level": way.level, "facts": [list(facts) for facts in way.lists]} for way in found.answers.ways
        ],
        "would_end": [{"facts": list(e.facts), "level": e.level, "left": e.left} for e in found.answers.ends],
        "pending": [proposal.digest for proposal in found.pending],
        "proof": found.binding.proof if found.binding else "none",
        "proven": found.binding.proven if found.binding else None,
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
