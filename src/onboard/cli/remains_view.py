"""What is left of those who are out, as people read it: what is dead, what can't be told, what somebody has to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from onboard.cli.output import count, prose, say, table
from onboard.cli.render import short
from onboard.ledger import Register, Task
from onboard.lifecycle.offboarding import CutOff, Lever
from onboard.lifecycle.reconciling import Report
from onboard.lifecycle.remains import Blind, Left, Remains
from onboard.lifecycle.story import past
from onboard.model import Actor

#: From a person's id to the name that this reader may see.
Names = Callable[[str], str]

#: How many different things that were done on one system are named.
NAMED = 6
#: Kinds that are told by the name of their route.
_KINDS = {
    "token": "fine-grained tokens",
    "token-request": "requests for fine-grained tokens",
    "credential": "credentials for single sign-on",
}


def show_levers(cut: CutOff, names: Names) -> None:
    """What was done on each system, in words, and for whom a lever failed."""
    many = len({lever.person for lever in cut.levers}) > 1
    table([*_levers(cut.levers), *_failures(cut, names, many=many)])
    if not cut.levers:
        say("  Every lever was pulled before; what is left is read now")


def _levers(levers: Iterable[Lever]) -> Iterator[tuple[str, str, str]]:
    by_system: dict[str, list[Lever]] = {}
    for lever in levers:
        by_system.setdefault(lever.system, []).append(lever)
    for system, found in sorted(by_system.items()):
        if any(not lever.failure for lever in found):
            yield "-", system, _done(found)


def _done(levers: Iterable[Lever]) -> str:
    """`deactivated the account (2) · removed from #general`, by what the receipts say was changed."""
    done = Counter(past(r.did) for lever in levers for r in lever.receipts if r.changed)
    said = [f"{what} ({number})" if number > 1 else what for what, number in done.most_common(NAMED)]
    more = sum(done.values()) - sum(number for _, number in done.most_common(NAMED))
    return " · ".join([*said, f"{more} more"] if more else said) or "nothing was left there to take away"


def _failures(cut: CutOff, names: Names, *, many: bool) -> Iterator[tuple[str, str, str]]:
    for lever in cut.levers:
        if lever.failure:
            whose = f"{names(lever.person)}: " if many else ""
            settled = "" if lever in cut.failed else "; reading shows that nothing is left all the same"
            yield "!", lever.system, f"{whose}FAILED: {lever.failure}{settled}"


def show_remains(
    report: Report, register: Register, names: Names, took: tuple[timedelta, timedelta] | None = None
) -> None:
    """Whether it is dead everywhere, and what is verified, what remains, what can't be told, what is to be done.

    `took` is how long the levers took, and all of it until it was verified.
    """
    remains, tally = report.remains, report.tally
    if not remains.accounts:
        return
    say(f"  {_verdict(remains, took)}")
    counts = [f"{count(remains.gone, 'route')} verified gone"]
    counts += [f"{len(remains.blind)} cannot be verified{_ends(remains)}"] if remains.blind else []
    counts += [count(len(tally.open), "manual task")] if tally.open else []
    prose(" · ".join(counts))
    table(_left(remains, names))
    if remains.blind:
        say("  Cannot be verified, whoever asks:")
        table(_blind(remains), indent=4)
    for task in tally.closed:
        prose(f"Task {task.id} closed by re-reading: {task.what}")
    if tally.open:
        say()
    show_tasks(tally.open, register, names, report.plan.at)


def _verdict(remains: Remains, took: tuple[timedelta, timedelta] | None) -> str:
    if not remains.dead:
        held = sum(len(left.remaining) for left in remains.accounts)
        what = [count(held, "thing is left", "things are left")] if held else []
        what += [count(len(remains.unknown), "route")] if remains.unknown else []
        return f"NOT dead everywhere: {' · '.join(what)}{' could not be read' if remains.unknown else ''}"
    if took is None:
        return "dead everywhere · verified"
    return f"dead everywhere in {_seconds(took[0])} · verified in {_seconds(took[1])}"


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.1f} s"


def _ends(remains: Remains) -> str:
    """The last day of what has one, of all that can't be verified."""
    lives = [f"{blind.what}: at most until {_last(left, blind)}" for left, blind in _bounded(remains)]
    return f" ({'; '.join(lives)})" if lives else ""


def _bounded(remains: Remains) -> list[tuple[Left, Blind]]:
    first = {left.account.system: left for left in reversed(remains.accounts)}
    return [(first[blind.system], blind) for blind in remains.blind if blind.longest is not None]


def _last(left: Left, blind: Blind) -> str:
    return f"{left.residue.at + (blind.longest or timedelta()):%Y-%m-%d}"


def _blind(remains: Remains) -> Iterator[tuple[str, str]]:
    """Of each system the kinds of access without a known end, in one line."""
    by_system: dict[str, list[str]] = {}
    for blind in remains.blind:
        by_system.setdefault(blind.system, []).append(_KINDS.get(blind.what, blind.what))
    for system, kinds in by_system.items():
        yield system, ", ".join(kinds)


def _left(remains: Remains, names: Names) -> Iterator[tuple[str, str, str]]:
    many = len({left.person for left in remains.accounts}) > 1
    for left in remains.accounts:
        whose = f"{names(left.person)}: " if many else ""
        for holding in left.remaining:
            route = "" if holding.via == "direct" else f" by {holding.via}"
            text = f"{whose}{holding.resource.type} {holding.resource.name} {holding.level}{route} is left"
            yield "!", left.account.system, text
        for route, why in left.residue.unknown:
            yield "?", left.account.system, f"{whose}{route} could not be read: {why}"
    for taken in remains.taken:
        if taken.failure and taken in remains.kept:
            what = f"{taken.holding.resource.type} {taken.holding.resource.name}"
            yield "!", taken.account.system, f"{what} can't be taken away: {taken.failure}"


# Tasks


def show_tasks(tasks: Iterable[Task], register: Register, names: Names, now: datetime) -> None:
    """Each task: what is to be done, by whom and until when, and what shows it."""
    known = [task.id for task in register.tasks()]
    rows = [(short(task.id, known), task.system, _lines(task, names, now)) for task in tasks]
    table(rows, ("task", "system", "by hand") if rows else ())


def _lines(task: Task, names: Names, now: datetime) -> str:
    who = f"{_sentence(task.what)} · {names(task.person)}"
    if task.done is not None:
        how = "by re-reading" if task.by_reading else f"by {_actor(task.done_by, names)}, sha256 {task.evidence}"
        return f"{who}\nclosed {task.done:%Y-%m-%d} {how}"
    day = f"OVERDUE since {task.due}" if task.due < now.date() else f"due {task.due}"
    return f"{who}\n{_owner(task.owner, names)} · {day}\nshown by {task.wanted}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _actor(actor: Actor | None, names: Names) -> str:
    return _owner(actor.id, names) if actor else "nobody"


def _owner(owner: str, names: Names) -> str:
    return names(owner) if owner.startswith("p-") else f"the {owner}"


# JSON


def remains_json(report: Report, now: datetime) -> dict[str, Any]:
    """The same facts, account by account, with every reason."""
    remains = report.remains
    return {
        "dead": remains.dead,
        "verified_gone": remains.gone,
        "accounts": [_left_json(left) for left in remains.accounts],
        "taken": [
            {
                "account": t.account.id,
                "resource": str(t.holding.resource),
                "level": t.holding.level,
                "failure": t.failure,
            }
            for t in remains.taken
        ],
        "tasks": [task_json(task, now) for task in report.tally.open],
        "closed": [task_json(task, now) for task in report.tally.closed],
    }


def _left_json(left: Left) -> dict[str, Any]:
    residue = left.residue
    return {
        "person": left.person,
        "system": left.account.system,
        "account": left.account.id,
        "read_at": residue.at.isoformat(),
        "routes": list(residue.routes),
        "remaining": [
            {"resource": str(h.resource), "level": h.level, "state": h.state.value, "via": h.via}
            for h in left.remaining
        ],
        "unknown": [{"route": route, "reason": why} for route, why in residue.unknown],
        "unverifiable": [
            {"what": u.what, "reason": u.reason, "until": (residue.at + u.longest).isoformat() if u.longest else None}
            for u in residue.unverifiable
        ],
    }


def task_json(task: Task, now: datetime) -> dict[str, Any]:
    """A task as JSON."""
    closed_by = None if task.done is None else "reading" if task.by_reading else "evidence"
    return {
        "id": task.id,
        "person": task.person,
        "system": task.system,
        "what": task.what,
        "owner": task.owner,
        "due": task.due.isoformat(),
        "overdue": task.done is None and task.due < now.date(),
        "wanted": task.wanted,
        "opened": task.opened.isoformat(),
        "closed": task.done.isoformat() if task.done else None,
        "closed_by": closed_by,
        "by": task.done_by.id if task.done_by else None,
        "evidence": task.evidence,
    }
