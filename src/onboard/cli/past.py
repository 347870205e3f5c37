"""`--as-of`: what access, who and explain say of a day that is gone. From the ledger; no system is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboard.cli import context, output, render
from onboard.errors import BadInput
from onboard.lasting import moment

if TYPE_CHECKING:
    from onboard.ledger import Ledger
    from onboard.model import Kind
    from onboard.review.past import HeldThen, Past, PastExplanation

AsOf = Annotated[
    str,
    typer.Option(
        "--as-of", metavar="DATE", help="As it was at the end of that day (2026-03-31) or at that time, in UTC."
    ),
]


def access(person: str, as_of: str, as_json: bool) -> None:
    """What a person held then."""
    from onboard.cli.view import headline
    from onboard.review.past import past

    with _ledger() as (ledger, kinds):
        who = render.resolve(ledger.people, person)
        found = past(ledger, kinds, moment_of(as_of), person=who)
        if as_json:
            output.emit_json(_json(found))
            return
        output.prose(f"{headline(found.register, _names(ledger), who)} ({_then(found)})", indent=0)
        _table(ledger, found, by_person=True)


def who(resource: str, as_of: str, as_json: bool) -> None:
    """Everybody who held something on a resource then."""
    from onboard.model import Resource
    from onboard.review.past import past

    with _ledger() as (ledger, kinds):
        asked = Resource.parse(resource)
        found = past(ledger, kinds, moment_of(as_of), resource=asked)
        if as_json:
            output.emit_json(_json(found))
            return
        output.say(f"{asked} ({_then(found)})")
        _table(ledger, found, by_person=False)


def explain(person: str, resource: str, as_of: str, as_json: bool) -> None:
    """Why a person held something then, or why not."""
    from onboard.model import Resource
    from onboard.review.past import explain_then

    with _ledger() as (ledger, kinds):
        who = render.resolve(ledger.people, person)
        found = explain_then(ledger, kinds, who, Resource.parse(resource), moment_of(as_of))
        if as_json:
            output.emit_json({**_json(found.past), **_grants_json(found)})
        else:
            _tell(ledger, found)


@contextmanager
def _ledger() -> Iterator[tuple[Ledger, dict[str, Kind]]]:
    kinds = dict(context.settings().kinds)
    with context.ledger() as ledger:
        yield ledger, kinds


def _names(ledger: Ledger) -> Callable[[str], str]:
    return lambda person: render.name(ledger.people, person)


def moment_of(text: str) -> datetime:
    """The time that was typed; the end of a day that is given alone, or now for today. Raises BadInput."""
    now = context.clock()
    try:
        typed = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput.one(
            f"--as-of: expected a day like 2026-03-31 or a time like 2026-03-31T14:00, not {text!r}."
        ) from None
    if len(text) == len("2026-03-31"):
        typed = datetime.combine(typed, time.max)
    typed = typed.replace(tzinfo=typed.tzinfo or UTC).astimezone(UTC)
    if typed - now >= timedelta(days=1) or (typed > now and typed.date() != now.date()):
        raise BadInput.one(f"--as-of: {text} hasn't come yet. To see what is now, leave --as-of out.")
    return min(typed, now)


def _then(found: Past) -> str:
    return f"as of {moment(found.at)}, ledger entry {found.register.seq}"


def _table(ledger: Ledger, found: Past, *, by_person: bool) -> None:
    from onboard.lifecycle.story import what
    from onboard.model import Resource

    count = output.count(len(found.held), "right")
    output.say(
        f"Held {count} that onboard had given and not taken back."
        if found.held
        else "Held nothing of what onboard gave."
    )
    name, rows = _names(ledger), []
    for one in found.held:
        resource = Resource.parse(one.attempt.resource)
        first = (resource.system, what(resource)) if by_person else (name(one.attempt.person),)
        since, ended = one.attempt.at, one.attempt.ended_at
        held = f"{since:%Y-%m-%d}\nto {ended:%Y-%m-%d}" if ended else f"since {since:%Y-%m-%d}"
        rows.append((*first, one.attempt.after or "", held, _why(found, one)))
    first = ("SYSTEM", "WHAT") if by_person else ("WHO",)
    output.table(rows, (*first, "LEVEL", "HELD", "WHY"))
    if found.problem:
        output.prose(f"By which line, and until when, can't be told: {found.problem}.")
    output.say()
    output.prose(
        "Rights that were given outside onboard aren't in the ledger; that day's access review has them.", indent=0
    )


def _why(found: Past, one: HeldThen) -> str:
    if one.attempt.result == "uncertain":
        return "it isn't known whether it was given"
    if one.grant:
        return one.grant.warrants[0].source.short
    return "" if found.problem else "not by that day's policy"


def _policy(digest: str | None, revision: str | None) -> str:
    return f"{(digest or 'none')[:7]}{f', git {revision[:10]}' if revision else ''}"


def _tell(ledger: Ledger, found: PastExplanation) -> None:
    name = _names(ledger)
    held = ", ".join(one.attempt.after or "" for one in found.past.held) or "nothing"
    output.say(f"{name(found.person)} held {held} on {found.resource} ({_then(found.past)}).")
    output.say()
    rows = [
        row
        for grant in found.grants
        for warrant in grant.warrants
        for row in (
            (warrant.extra or "role", f"{warrant.role} in {warrant.engagement}: {grant.level}, {warrant.source}"),
            ("phase", f"from {warrant.phase} on; until {warrant.limit.when} ({warrant.limit.what})"),
        )
    ]
    rows += [
        ("not yet" if found.grants else "why not", text.replace(found.person, name(found.person)))
        for text in found.against
    ]
    then = found.past.register
    rows.append(("policies", _policy(then.policy, then.revision(then.policy))))
    for one in found.past.held:
        rows += _rested(name, one)
    output.table(rows)


def _rested(name: Callable[[str], str], one: HeldThen) -> Iterator[tuple[str, str]]:
    attempt = one.attempt
    yield "given", f"{attempt.after} {moment(attempt.at)}, under policies {_policy(one.policy, one.revision)}"
    for approval in one.approvals:
        by = f"{name(approval.actor.id)} ({approval.as_role}, {approval.actor.authenticated_by})"
        yield "approved", f"{by} {moment(approval.at)}, plan {approval.digest[:8]} (ledger entry {approval.entry})"
    status = one.receipt.status if one.receipt else str(attempt.result)
    request = f", request {one.receipt.request_id}" if one.receipt and one.receipt.request_id else ""
    yield "receipt", f"{status}{request} (ledger entries {attempt.entry}–{attempt.outcome or attempt.entry})"
    if attempt.ended_at:
        yield "taken", f"{moment(attempt.ended_at)} (ledger entry {attempt.ended})"


def _json(found: Past) -> dict[str, Any]:
    return {
        "as_of": found.at,
        "entry": found.register.seq,
        "policy": found.register.policy,
        "revision": found.register.revision(found.register.policy),
        "problem": found.problem,
        "held": [_held_json(one) for one in found.held],
    }


def _held_json(one: HeldThen) -> dict[str, Any]:
    attempt, grant = one.attempt, one.grant
    return {
        "person": attempt.person,
        "resource": attempt.resource,
        "level": attempt.after,
        "since": attempt.at,
        "ended": attempt.ended_at,
        "result": attempt.result,
        "policy": one.policy,
        "revision": one.revision,
        "until": grant.limit.stated if grant else None,
        "until_because": grant.limit.what if grant else None,
        "source": str(grant.warrants[0].source) if grant else None,
        "approved_by": [
            {"person": a.actor.id, "as": a.as_role, "by": a.actor.authenticated_by, "at": a.at, "entry": a.entry}
            for a in one.approvals
        ],
        "receipt": one.receipt,
        "entries": {"intended": attempt.entry, "outcome": attempt.outcome, "ended": attempt.ended},
    }


def _grants_json(found: PastExplanation) -> dict[str, Any]:
    from onboard.engine.plan import warrant_terms

    return {
        "person": found.person,
        "resource": str(found.resource),
        "grants": [{"level": g.level, "warrants": [warrant_terms(w) for w in g.warrants]} for g in found.grants],
        "against": list(found.against),
    }
