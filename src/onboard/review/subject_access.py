"""Everything that is held about one person, for them to read: a subject-access request (GDPR, article 15)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from onboard.lasting import moment
from onboard.ledger import Entry, Ledger, Register
from onboard.review.exports import changes_of

#: Somebody's id, of which the beginning is enough to read.
_PERSON = re.compile(r"\b(p-[0-9a-f]{8})[0-9a-f]{24}\b")


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is held about a person. `kept` is what stands under their key, by purpose; `entries` the journal's.

    Of entries that are about others as well only what is about this person is here.
    """

    person: str
    at: datetime
    name: str
    email: str
    handles: Mapping[str, str]
    accounts: tuple[dict[str, Any], ...]
    kept: Mapping[str, Mapping[str, Any]]
    legal_hold: datetime | None
    access: tuple[dict[str, Any], ...]
    entries: tuple[dict[str, Any], ...]


def dossier(ledger: Ledger, person: str, at: datetime) -> Dossier:
    """Everything that is held about a person. Raises BadInput where nothing is known of them (any more)."""
    profile, kept = ledger.people.get(person), ledger.people.kept(person)
    register = ledger.register()
    held = register.legal_hold(person)
    return Dossier(
        person=person,
        at=at,
        name=profile.name,
        email=profile.email,
        handles=dict(profile.handles),
        accounts=tuple(_accounts(register, kept, person)),
        kept=kept,
        legal_hold=held.at if held else None,
        access=tuple(changes_of(ledger, person)),
        entries=tuple(line for entry in ledger.journal.entries() if (line := _told(entry, person)) is not None),
    )


def _accounts(register: Register, kept: Mapping[str, Mapping[str, Any]], person: str) -> Iterator[dict[str, Any]]:
    for binding in register.accounts(person):
        identity = kept.get(f"account:{binding.account}", {})
        yield {"account": binding.account, "system": binding.system, "proof": binding.proof, **identity}


def _told(entry: Entry, person: str) -> dict[str, Any] | None:
    """What an entry says of this person, None where it doesn't."""
    line = {"seq": entry.seq, "at": entry.at, "kind": entry.kind, "actor": entry.actor.id}
    body = dict(entry.body)
    if entry.subject == person or entry.actor.id == person:
        return {**line, "body": body}
    manifest = body.get("engagement")
    if not isinstance(manifest, Mapping):
        return {**line, "body": body} if person in body.values() else None
    lines = [staffed for staffed in manifest["staffing"] if staffed["person"] == person]
    roles = sorted(name for name, value in manifest.items() if value == person)
    if not lines and not roles:
        return None
    return {
        **line,
        "body": {"name": body["name"], "engagement": manifest["id"], "answers_as": roles, "staffing": lines},
    }


def page(found: Dossier) -> str:
    """The dossier as an HTML page that needs nothing else, to read or to print."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("onboard.review"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    notes = [data["text"] for purpose, data in found.kept.items() if purpose.startswith("note:")]
    template = environment.get_template("dossier.html")
    return template.render(dossier=found, notes=notes, moment=moment, words=_words)


def _words(line: Mapping[str, Any]) -> str:
    """An entry in a few words: its kind, and what it says as plain pairs."""
    body = line["body"]
    plain = (f"{key.replace('_', ' ')}: {_short(value)}" for key, value in body.items() if _is_plain(key, value))
    return f"{str(body.get('name', line['kind'])).replace('_', ' ')} ({', '.join(plain)})".replace(" ()", "")


def _is_plain(key: str, value: object) -> bool:
    """Whether somebody can make something of it: the JSON has the rest, such as our ids of accounts and notes."""
    opaque = key in ("name", "person", "digest", "account", "note")
    return not opaque and isinstance(value, str | int) and value != ""


def _short(value: object) -> str:
    return _PERSON.sub(r"\1…", str(value))
