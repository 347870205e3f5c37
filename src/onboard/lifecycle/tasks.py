"""What no lever of ours could do becomes a task for somebody: with an owner, a day, and what will show it done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from onboard.connectors.base import Unverifiable
from onboard.errors import NotAuthorised, Refused
from onboard.ledger import Record, Register, Task, records, task_id
from onboard.lifecycle.company import outsourced
from onboard.lifecycle.evidence import fingerprint
from onboard.lifecycle.remains import FEW, Left, Remains, read_again
from onboard.lifecycle.standing import note, register_of, subject_of
from onboard.model import Actor, Holding
from onboard.wiring import Services

#: What is to be done about the types of resource that nobody would recognise by their name.
_WORDS = {
    "workspace": "deactivate the account in the workspace {name}",
    "account": "deactivate the account in {name}",
    "connect-invitation": "withdraw the connect-invitation {name} to share a channel",
    "session": "end the session {name}",
    "jwt-role": "take the person out of the jwt-role {name}, whose claims let them log in",
    "login": "end the log-in by {name}: disable the entity, or delete the user where there is none",
}
#: How the task begins that stands for everything left on a system where a lever failed.
#: How the task begins that a broken glass leaves: no reading closes it, nor does it wait for somebody to leave.
REVIEW = "review the break-glass"
_FAILED = "end whatever the account still has there"
_SHOWN = "a screenshot or an export in which it is gone"
_TOLD = "a ticket or a list that says what was done, when and by whom"


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do by hand: for whom and where, what, what shows it, and the journal entry that is its cause.

    `readable` where reading the system tells whether it is done.
    """

    person: str
    system: str
    what: str
    wanted: str
    cause: int
    readable: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """The tasks that are open for those who left, and those that the reading just made has closed."""

    open: tuple[Task, ...] = ()
    closed: tuple[Task, ...] = ()


def standing(register: Register) -> tuple[Task, ...]:
    """The open tasks, the most urgent first. Those about somebody who is back aren't needed as long as that is so."""
    return tuple(
        task for task in register.open_tasks() if task.what.startswith(REVIEW) or register.left(task.person) is not None
    )


def keep(services: Services, remains: Remains, failed: Collection[str], actor: Actor) -> Tally:
    """Open a task for what is left after every lever, once, and close those that `remains` shows to be done.

    `failed` are the accounts of which a lever failed: where not all is verified gone, one task stands for all that is
    left there.
    """
    register = register_of(services)
    chores = tuple(dict.fromkeys(_chores(register, remains, failed)))
    news = _opened(services, register, chores, actor)
    done = [task for task in standing(register) if task.readable and _is_done(task, remains.accounts, chores)]
    closing = [records.task_done(task.id, task.person, None) for task in done]
    services.ledger.journal.append_many([*news, *closing], actor=actor, at=services.clock())
    after = register_of(services)
    people = {left.person for left in remains.accounts}
    closed = tuple(after.task(task.id) for task in done)
    return Tally(tuple(task for task in standing(after) if task.person in people), closed)


def look(services: Services, actor: Actor) -> tuple[Task, ...]:
    """Read again what the open tasks are about; the ones that are verified done are closed, and returned."""
    register = register_of(services)
    readable = [task for task in standing(register) if task.readable]
    closed: list[Task] = []
    for person, system in sorted({(task.person, task.system) for task in readable}):
        lefts = read_again(services, subject_of(services, register, person), system)
        chores = tuple(_chores(register, Remains(lefts), ()))
        mine = [task for task in readable if (task.person, task.system) == (person, system)]
        closed += [task for task in mine if _is_done(task, lefts, chores)]
    for task in closed:
        note(services, records.task_done(task.id, task.person, None), actor)
    after = register_of(services)
    return tuple(after.task(task.id) for task in closed)


def done(services: Services, text: str, evidence: Path, actor: Actor) -> Task:
    """Put on record that a task was done, with the sha256 of the file that shows it.

    Raises BadInput for a task that isn't there or a file that can't be read, NotAuthorised for whoever may not say so,
    Refused where it was done already, or where the system, read again, still shows what should be gone.
    """
    register = register_of(services)
    task = register.task(text)
    _require_other(register, task, actor)
    if task.done is not None:
        raise Refused(f"Task {task.id} was closed on {task.done:%Y-%m-%d} already. See: onboard tasks --all")
    seen = fingerprint(evidence)
    if task.readable and register.left(task.person) is not None:
        _require_gone(services, register, task)
    note(services, records.task_done(task.id, task.person, seen), actor)
    return register_of(services).task(task.id)


def _require_other(register: Register, task: Task, actor: Actor) -> None:
    """Raises NotAuthorised for the person whom a task is about, for anybody of a vendor, and for whoever has left."""
    if actor.id == task.person:
        raise NotAuthorised(f"Nobody closes a task about themselves: {task.id} is about you. Nothing was changed.")
    if register.worked_for(actor.id) & register.worked_for(task.person):
        raise NotAuthorised(
            f"Nobody closes a task about their own vendor: {task.id} is about a colleague. Nothing was changed."
        )
    if outsourced(register, actor.id):
        raise NotAuthorised("Only the company's own people close tasks: you work, or worked, for a vendor.")
    if register.left(actor.id) is not None:
        raise NotAuthorised("You are recorded as having left, so you close no tasks. Nothing was changed.")


def _require_gone(services: Services, register: Register, task: Task) -> None:
    """Raises Refused where a new reading still shows what a task is about. What can't be read rests on the evidence."""
    lefts = read_again(services, subject_of(services, register, task.person), task.system)
    shown = [h for left in lefts for h in left.roots if task.what.startswith(_FAILED) or in_words(h) == task.what]
    if shown:
        what = ", ".join(sorted({f"{holding.resource.type} {holding.resource.name}" for holding in shown}))
        raise Refused(
            f"{task.system} was just read and still shows it: {what}. Do it there first; once a reading finds it gone,"
            " the task closes by itself (onboard tasks --check). Nothing was changed."
        )


def _chores(register: Register, remains: Remains, failed: Collection[str]) -> Iterator[Chore]:
    """What is left to do by hand. What many people share (secrets to change) is said once where they are many."""
    many = len({left.person for left in remains.accounts}) > FEW
    told: set[tuple[str, str, str | None]] = set()
    for left in sorted(remains.accounts, key=lambda left: (left.person, left.account.system)):
        person, system = left.person, left.account.system
        cause = register.left(person)
        if cause is None:
            continue
        if left.account.id in failed and not left.dead:
            what = f"{_FAILED}, or cut the person off again: a lever failed"
            yield Chore(person, system, what, _SHOWN, cause.entry, readable=True)
        else:
            for what in dict.fromkeys(map(in_words, left.roots)):
                yield Chore(person, system, what, _SHOWN, cause.entry, readable=True)
        given = register.last_given(person, system)
        for blind in left.residue.unverifiable if given is not None else ():
            key = (system, blind.by_hand, _sponsor(register, person))
            if blind.by_hand and not (many and key in told):
                told.add(key)
                yield Chore(person, system, blind.by_hand, _TOLD, given or 0, readable=False)


def in_words(holding: Holding) -> str:
    """What is to be done about a holding, in words, none of which looks like an e-mail address."""
    resource = holding.resource
    words = _WORDS.get(resource.type, "take away the {type} {name} ({level})")
    text = words.format(type=resource.type, name=resource.name, level=holding.level)
    told = holding.via == "direct" or resource.type in _WORDS
    route = "" if told else f", which comes by {holding.via}"
    return " ".join("(struck)" if "@" in word else word for word in f"{text}{route}".split())


def _opened(services: Services, register: Register, chores: Iterable[Chore], actor: Actor) -> Iterator[Record]:
    """The records that open what isn't open yet. What was declared done and is still there is opened anew."""
    due = services.clock().date() + timedelta(days=services.settings.tasks.due_days)
    open_ = {(task.person, task.system, task.what) for task in register.open_tasks()}
    for chore in chores:
        id_ = task_id(chore.person, chore.system, chore.what, chore.cause)
        if (chore.person, chore.system, chore.what) in open_ or (register.has_task(id_) and not chore.readable):
            continue
        if register.has_task(id_):
            id_ = task_id(chore.person, chore.system, chore.what, register.seq)
        owner = _sponsor(register, chore.person) or actor.id
        yield records.task_opened(
            id_, chore.person, chore.system, chore.what, owner, due, chore.wanted, readable=chore.readable
        )


def _sponsor(register: Register, person: str) -> str | None:
    """Who answers for a person's engagement and is still here: its sponsor, else its product owner or company lead."""
    assigned = [register.engagements[assignment.engagement] for assignment in reversed(register.assignments(person))]
    led = [engagement for engagement in register.engagements.values() if engagement.vendor_lead == person]
    for engagement in (*assigned, *led):
        for someone in (engagement.sponsor, engagement.product_owner, engagement.company_lead):
            if someone != person and register.left(someone) is None:
                return someone
    return None


def _is_done(task: Task, lefts: Sequence[Left], chores: Collection[Chore]) -> bool:
    """Whether a task is about accounts of these, all of which were read completely, and it isn't among the chores."""
    about = [left for left in lefts if (left.person, left.account.system) == (task.person, task.system)]
    if not about or any(left.residue.unknown for left in about):
        return False
    if task.what.startswith(_FAILED):
        return all(left.dead for left in about)
    if any(_hides(blind, task) for left in about for blind in left.residue.unverifiable):
        return False
    return (task.person, task.system, task.what) not in {(c.person, c.system, c.what) for c in chores}


def _hides(blind: Unverifiable, task: Task) -> bool:
    """Whether what a task is about is a kind that can't be read any more, so that not seeing it says nothing."""
    kind = blind.what.lower().removeprefix("slack ").removesuffix("s").replace(" ", "-")
    return kind in task.what.split()
