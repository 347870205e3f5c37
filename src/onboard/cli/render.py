"""How people, times and values are written for people to read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from onboard.errors import BadInput
from onboard.model import Proof

if TYPE_CHECKING:
    from onboard.ledger import Ledger, People, Register

#: Digits of an id that are shown at least; more where two people's ids begin alike.
SHORTEST = 8


def until(day: date | None) -> str:
    """Until 2027-01-15, or without end."""
    return f"until {day.isoformat()}" if day else "without end"


def short(person: str, among: Iterable[str] = ()) -> str:
    """The beginning of a person's id by which it can be typed; `among` are the ids that it must differ from."""
    others = [other for other in among if other != person]
    lengths = range(len("p-") + SHORTEST, len(person) + 1)
    return next((person[:n] for n in lengths if not any(o.startswith(person[:n]) for o in others)), person)


def proof(how: str, at: datetime | None = None) -> str:
    """How an account was shown to be its person's: `claimed`, or `proven by work e-mail on 2026-11-23`."""
    ways: Mapping[str, str] = {
        Proof.WORK_EMAIL: "proven by work e-mail",
        Proof.HANDED_OVER: "proven by a code handed over",
        Proof.COMPANY_LOGIN: "a login of the company's own",
    }
    day = f" on {at.astimezone(UTC):%Y-%m-%d}" if at else ""
    return f"{ways.get(how, how)}{day}"


def register(ledger: Ledger) -> Register:
    """What is so, as the journal stands now."""
    return ledger.register()


def name(people: People, person: str) -> str:
    """A person's name, to whoever can read the ledger's keys; once erased, the id's beginning."""
    try:
        return people.get(person).name
    except BadInput:
        return short(person)


def resolve(people: People, text: str, among: Collection[str] | None = None) -> str:
    """The id of the one person that `text` names: an id or its beginning, an e-mail address, a handle or a name.

    Raises BadInput where nobody or several fit; then it lists them with what tells them apart.
    """
    found = people.find(text, among)
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadInput.one(
            f"Nobody here is called {text!r}. See onboard person list, or enter them: onboard person add"
        )
    lines = [f"  {short(person, found)}  {_line(people, person)}" for person in found]
    message = f"{text!r} may be any of {len(found)} people. Type the id, or more of the name:"
    raise BadInput.one("\n".join([message, *lines]))


def _line(people: People, person: str) -> str:
    try:
        profile = people.get(person)
    except BadInput:
        return "(erased)"
    return f"{profile.name} <{profile.email}>"
