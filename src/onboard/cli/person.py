"""`onboard person …`: entering people, and what is known of them. Names stay in the ledger, never in files for git."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from onboard.cli import binding, confirm, context, output, person_view, render
from onboard.cli.output import Json
from onboard.errors import BadInput, Problem

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from onboard.ledger import Ledger, Profile
    from onboard.model import Actor


app = typer.Typer(help="Enter people, and see what is known of them.", no_args_is_help=True)
app.command("confirm")(confirm.confirm)

Who = Annotated[
    str, typer.Argument(metavar="PERSON", help="An id or its beginning, an e-mail address, handle or name.")
]
GitHub = Annotated[str, typer.Option(help="Login on github.")]
Jira = Annotated[str, typer.Option(help="E-mail address (Cloud) or user name (Data Center) on jira.")]
Slack = Annotated[str, typer.Option(help="E-mail address on slack.")]
Vault = Annotated[str, typer.Option(help="User name on vault.")]
Other = Annotated[
    list[str] | None, typer.Option("--system", metavar="NAME=HANDLE", help="Handle on any other system; repeatable.")
]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    email: Annotated[str, typer.Option(help="Where the person is written to.")],
    github: GitHub = "",
    jira: Jira = "",
    slack: Slack = "",
    vault: Vault = "",
    system: Other = None,
) -> None:
    """Enter a person and print their id, which is what manifests name. Entered so already, only their id is printed."""
    from onboard.ids import new_person_id
    from onboard.ledger import Profile

    handles = _handles({"github": github, "jira": jira, "slack": slack, "vault": vault}, system)
    with context.begun_ledger() as ledger:
        profile = Profile(name, email, handles)
        person = _entered(ledger, profile) or new_person_id()
        if person not in render.register(ledger).people:
            _enter(ledger, {person: profile}, _editor(ledger, ""))
    output.say(person)
    binding.look_up({person: profile.handles})


@app.command("set")
def change(
    person: Who,
    name: Annotated[str, typer.Option(help="Another name.")] = "",
    email: Annotated[str, typer.Option(help="Another e-mail address.")] = "",
    github: GitHub = "",
    jira: Jira = "",
    slack: Slack = "",
    vault: Vault = "",
    system: Other = None,
) -> None:
    """Change what is known of a person. A handle given anew is looked up anew, and its account is only claimed."""
    from onboard.ledger import Profile
    from onboard.lifecycle.answers import ADDRESS

    handles = _handles({"github": github, "jira": jira, "slack": slack, "vault": vault}, system)
    with context.ledger() as ledger:
        who = render.resolve(ledger.people, person)
        old = ledger.people.get(who)
        new = Profile(name or old.name, email or old.email, {**old.handles, **handles})
        _update(ledger, who, new, [*handles, *([ADDRESS] if email else [])], _editor(ledger, who))
    output.say(f"Changed {name or old.name} ({render.short(who)}).")
    binding.look_up({who: handles})


@app.command("import")
def import_(
    roster: Annotated[Path, typer.Argument(help="CSV with name, email, github, jira, slack, vault, …", dir_okay=False)],
) -> None:
    """Enter everybody in a roster, or nobody if a line is wrong; bring up to date who is there already (by e-mail)."""
    from onboard.ledger.privacy.roster import read_roster

    systems = tuple(context.settings().kinds)
    with context.begun_ledger() as ledger:
        brought = _bring_in(ledger, read_roster(roster, systems))
    output.table((person, profile.name) for person, profile in brought.entered.items())
    output.say(f"{len(brought.entered)} entered, {len(brought.changed)} changed, {len(brought.same)} as they were.")
    everybody = {**brought.entered, **brought.changed, **brought.same}
    binding.look_up({who: profile.handles for who, profile in everybody.items()})


class _Brought(NamedTuple):
    """What a roster came to: who was entered, who was changed, and who was so already."""

    entered: Mapping[str, Profile]
    changed: Mapping[str, Profile]
    same: Mapping[str, Profile]


def _bring_in(ledger: Ledger, roster: Sequence[Profile]) -> _Brought:
    """Enter who is new, change who is known by e-mail; a handle that the roster leaves out stays."""
    from onboard.ids import new_person_id
    from onboard.ledger import Profile

    kept = ledger.people.all()
    known = {profile.email.casefold(): person for person, profile in kept.items()}
    recorded = render.register(ledger).people
    new: dict[str, Profile] = {}
    changed: dict[str, Profile] = {}
    same: dict[str, Profile] = {}
    for profile in roster:
        person = known.get(profile.email.casefold())
        if person is None or person not in recorded:
            new[person or new_person_id()] = profile
            continue
        old = kept[person]
        updated = Profile(profile.name, old.email, {**old.handles, **profile.handles})
        (same if updated == old else changed)[person] = updated
    editor = _editor(ledger, *([""] if new else []), *changed)
    _enter(ledger, new, editor)
    for person, profile in changed.items():
        before = kept[person].handles
        _update(ledger, person, profile, [s for s, h in profile.handles.items() if before.get(s) != h], editor)
    return _Brought(new, changed, same)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Everybody who is known, with their assignments."""
    with context.ledger() as ledger:
        person_view.everybody(ledger, as_json=as_json)


@app.command("show")
def show(person: Who, as_json: Json = False) -> None:
    """What is known of a person: accounts, assignments, facts."""
    with context.ledger() as ledger:
        person_view.one(ledger, render.resolve(ledger.people, person), as_json=as_json)


def _editor(ledger: Ledger, *people: str) -> Actor:
    """Who types, once it is known that they may change what is kept of these people; "" is somebody new.

    Raises NotAuthorised, and BadInput where the policies can't be read.
    """
    from onboard import wiring
    from onboard.lifecycle.authority import permit
    from onboard.policy.rules.deeds import Action

    authority = wiring.load_policy(context.settings()).authority
    actor, register = context.caller(), render.register(ledger)
    for person in people:
        permit(authority, register, Action.EDIT_PEOPLE, actor, person)
    return actor


def _enter(ledger: Ledger, profiles: Mapping[str, Profile], actor: Actor) -> None:
    """Keep who these people are, then record that they are there."""
    from onboard.ledger import records

    known = ledger.people.all()
    ledger.people.add_all({person: profile for person, profile in profiles.items() if person not in known})
    facts = [records.person_added(person) for person in profiles]
    if facts:
        ledger.journal.append_many(facts, actor=actor, at=context.clock())


def _update(ledger: Ledger, person: str, profile: Profile, anew: Collection[str], actor: Actor) -> None:
    """Replace a profile and, in one with it, record who gave what anew: handles by system, or the work e-mail.

    Vault's handle says who may approve as whom, and to the address goes what shows that other accounts are theirs.
    """
    from onboard.ledger import records

    facts = [records.handle_changed(person, system) for system in sorted(anew)]

    def note(connection: Connection) -> None:
        ledger.journal.append_in(connection, facts, actor=actor, at=context.clock())

    ledger.people.update(person, profile, note)


def _entered(ledger: Ledger, profile: Profile) -> str | None:
    """Who was entered as exactly this already, perhaps by the same command, which was interrupted."""
    return next((person for person, kept in ledger.people.all().items() if kept == profile), None)


def _handles(short: Mapping[str, str], other: list[str] | None) -> dict[str, str]:
    """Handles by system. Raises BadInput for a system that isn't known here."""
    handles = {system: handle for system, handle in short.items() if handle}
    known = context.settings().kinds
    problems = []
    for pair in other or ():
        system, _, handle = pair.partition("=")
        if system not in known or not handle:
            problems.append(f"--system {pair}: expected NAME=HANDLE with one of {', '.join(sorted(known))}.")
        handles[system] = handle
    if problems:
        raise BadInput(Problem("", 0, problem) for problem in problems)
    return handles
