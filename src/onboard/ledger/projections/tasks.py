"""What a system can't do and somebody has to: open until evidence is on record, never counted as done before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType

from onboard.errors import BadInput
from onboard.ledger.entries import Entry
from onboard.model import Actor

#: How much of an id is needed to name a task.
SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Task:
    """Something that a person has to do by hand: about whom and which system, who owns it, by when, and what shows it.

    `readable` says that reading the system can tell whether it is done.
    `evidence` is the sha256 of the file that showed it done; None while it is open, and where a reading showed it.
    """

    id: str
    person: str
    system: str
    what: str
    owner: str
    due: date
    wanted: str
    opened: datetime
    readable: bool = False
    done: datetime | None = None
    done_by: Actor | None = None
    evidence: str | None = None

    @property
    def by_reading(self) -> bool:
        """Whether it was closed because the system, read again, showed it done."""
        return self.done is not None and self.evidence is None


def task_id(person: str, system: str, what: str, cause: int) -> str:
    """The same task for the same cause (a journal entry's number) has the same id, so that a rerun opens it once."""
    return f"t-{hashlib.sha256(f'{person}|{system}|{what}|{cause}'.encode()).hexdigest()[:10]}"


@dataclass(frozen=True, slots=True)
class Tasks:
    """Every task by id."""

    by_id: Mapping[str, Task] = field(default_factory=dict)

    def advance(self, entries: Iterable[Entry]) -> Tasks:
        """These tasks and what follows."""
        tasks = dict(self.by_id)
        for entry in entries:
            body = entry.body
            if entry.kind == "task_opened":
                tasks.setdefault(
                    body["task"],
                    Task(
                        id=body["task"],
                        person=body["person"],
                        system=body["system"],
                        what=body["what"],
                        owner=body["owner"],
                        due=date.fromisoformat(body["due"]),
                        wanted=body["wanted"],
                        opened=entry.at,
                        readable=body.get("readable", False),
                    ),
                )
            else:
                done = replace(tasks[body["task"]], done=entry.at, done_by=entry.actor, evidence=body["evidence"])
                tasks[body["task"]] = done
        return Tasks(MappingProxyType(tasks))

    def task(self, text: str) -> Task:
        """The task whose id is this or begins so, with or without `t-`. Raises BadInput for none, or several."""
        digits = text.removeprefix("t-")
        found = [t for id_, t in self.by_id.items() if len(digits) >= SHORTEST and id_[2:].startswith(digits)]
        if len(found) == 1:
            return found[0]
        if found:
            raise BadInput.one(f"{text} begins {len(found)} tasks: {', '.join(sorted(t.id for t in found))}.")
        raise BadInput.one(f"No task {text!r}. See onboard tasks for those that are open.")
