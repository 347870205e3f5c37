"""`onboard doctor`: does everything that onboard rests on answer, as whom, and with which rights?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboard.cli import context, output, render
from onboard.cli.output import Json
from onboard.errors import BadInput, OnboardError

if TYPE_CHECKING:
    from onboard.connectors.base import Capability, Health
    from onboard.settings import Settings

app = typer.Typer()

#: The scopes by which Slack's bot asks approvers.
ASKING = ("chat:write", "im:history", "im:write")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report: what was looked at, whether it is well, what was found, and the exit code it asks for."""

    what: str
    credential: str
    well: bool
    found: str
    advice: tuple[str, ...] = ()
    code: int = 0
    rights: tuple[str, ...] = ()
    capabilities: tuple[Capability, ...] = ()


Rights = Annotated[
    bool, typer.Option("--rights", help="Also show what each credential may do, and what each system and its plan can.")
]


@app.command("doctor")
def doctor(rights: Rights = False, as_json: Json = False) -> None:
    """Check systems, credentials, the ledger, its keyring and the policies. Exit 5 if a system is down."""
    settings = context.settings()
    ledger = _ledger(settings)
    signed = [_keyring(settings), _checkpoints(settings)] if ledger.well else []
    systems = _systems(settings, capabilities=rights)
    checks = [*systems, ledger, *signed, _policy(settings), *_answers(settings, systems)]
    if as_json:
        output.emit_json(checks)
    else:
        output.table(_rows(checks), ("", "what", "credential", "found"), indent=0)
        for check in checks:
            for line in check.advice:
                output.say()
                output.say(f"{' '.join(filter(None, (check.what, check.credential)))}: {line}")
        for check in checks if rights else ():
            _show_rights(check)
        if not settings.systems:
            output.say()
            output.say("No system is configured, so nobody's access can be read or changed.")
            output.next_step("onboard init, or name your systems in onboard.toml")
    output.leave(*(check.code for check in checks))


def _rows(checks: list[Check]) -> list[tuple[str, ...]]:
    return [("ok" if check.well else "NO", check.what, check.credential, check.found) for check in checks]


def _show_rights(check: Check) -> None:
    """What a credential may do and, where it was asked, what the system can."""
    if check.rights:
        output.say()
        output.say(f"{check.what} {check.credential} may: {', '.join(check.rights)}")
    if check.capabilities:
        output.say()
        words = {True: "yes", False: "no", None: "?"}
        rows = [(words[each.available], each.name, each.detail) for each in check.capabilities]
        output.table(rows, ("", f"what {check.what} can", ""), indent=0)


def _systems(settings: Settings, *, capabilities: bool) -> list[Check]:
    from onboard import wiring
    from onboard.engine.parallel import each

    readers, writers = wiring.readers(settings, context.clock), wiring.writers(settings, context.clock)
    asked: list[tuple[str, str, Any]] = []
    for system in settings.systems:
        asked += [(system, "reading", readers[system]), (system, "writing", writers[system])]
    return each(lambda one: _health(settings, *one, capabilities=capabilities), asked)


def _health(settings: Settings, system: str, purpose: Any, client: Any, *, capabilities: bool) -> Check:
    from onboard.settings import lacking

    if lacks := settings.systems[system].lacks(purpose):
        return Check(
            system, purpose, well=False, found="no credential", advice=(lacking(system, purpose, lacks),), code=2
        )
    try:
        health: Health = client.health()
    except OnboardError as failure:
        return Check(system, purpose, well=False, found=str(failure), code=5)
    judged = replace(_judged(system, purpose, health), rights=health.rights)
    return replace(judged, capabilities=client.capabilities()) if capabilities and purpose == "reading" else judged


def _judged(system: str, purpose: str, health: Health) -> Check:
    if not health.reachable:
        return Check(system, purpose, well=False, found="down", advice=(health.problem,), code=5)
    advice = (
        *((health.problem,) if health.problem else ()),
        *(f"lacks {right}" for right in health.missing),
        *(f"may more than it needs: {right}" for right in health.excess),
    )
    who = f"as {health.identity}" if health.identity else "answers"
    return Check(system, purpose, well=not advice, found=who, advice=advice, code=4 if advice else 0)


def _ledger(settings: Settings) -> Check:
    from onboard import wiring

    try:
        ledger = wiring.open_ledger(settings, context.clock)
        head = ledger.journal.head()
        ledger.close()
    except OnboardError as failure:
        return Check("ledger", "", well=False, found="can't be used", advice=(str(failure),), code=failure.exit_code)
    return Check("ledger", "", well=True, found=f"{output.count(head.seq, 'entry', 'entries')}, head {head.hash[:12]}")


def _keyring(settings: Settings) -> Check:
    """Whether people's keys are there, and are this ledger's."""
    from onboard import keyrings

    kind = settings.ledger.keyring.partition(":")[0]
    try:
        with context.ledger() as ledger:
            begun, place = ledger.keys.begun(), ledger.keys.place
            lost = ledger.keys.lost() - render.register(ledger).erased if begun else frozenset()
    except OnboardError as failure:
        return Check("keyring", kind, well=False, found="can't be used", advice=(str(failure),), code=failure.exit_code)
    advice = tuple(keyrings.doubts(settings))
    if lost:
        people = output.count(len(lost), "person has", "people have")
        advice += (f"{people} no key in it, and were never erased. Put back its newest copy, if there is one.",)
    found = f"at {place}" if begun else "none yet"
    return Check("keyring", kind, well=not lost, found=found, advice=advice, code=4 if lost else 0)


def _checkpoints(settings: Settings) -> Check:
    """Whether how far the ledger goes is signed, since when, and whether anybody outside is told."""
    from onboard import vouching

    signer, witnesses = settings.checkpoints.signer, settings.checkpoints.witnesses
    try:
        with context.ledger() as ledger:
            last = ledger.journal.newest("checkpoint")
        if signer != "local" or vouching.local_key(settings).exists():
            vouching.notary(settings, context.clock).signer.public_key()
    except OnboardError as failure:
        advice, code = (str(failure),), failure.exit_code
        return Check("checkpoints", signer, well=False, found="can't be taken", advice=advice, code=code)
    age = context.clock() - last.at if last else None
    when = f"the last {age.days} d {age.seconds // 3600} h ago" if age else "none yet"
    told = output.count(len(witnesses), "witness", "witnesses") if witnesses else "no witness"
    return Check(
        "checkpoints", signer, well=True, found=f"{when}, {told}", advice=tuple(vouching.doubts(settings, age))
    )


def _answers(settings: Settings, checks: list[Check]) -> Iterator[Check]:
    """Whether approvers can be asked and can answer, where that is set up."""
    from onboard import telling

    notices = settings.notices
    if not (notices.slack or notices.jira):
        return
    told = next((check for check in checks if (check.what, check.credential) == (notices.slack, "writing")), None)
    held = told.rights if told and told.rights else ASKING
    lacks = [f"the bot of {notices.slack} lacks {scope}" for scope in ASKING if scope not in held]
    advice = (*telling.problems(settings), *lacks)
    by = " and ".join(filter(None, (notices.slack, notices.jira)))
    yield Check("answers", "", well=not advice, found=f"asked by {by}", advice=advice, code=4 if advice else 0)


def _policy(settings: Settings) -> Check:
    from onboard import wiring

    folder = settings.policies or wiring.starter_policies()
    try:
        policy = wiring.load_policy(settings)
    except BadInput as wrong:
        problems = output.count(len(wrong.problems), "problem")
        return Check("policies", "", well=False, found=problems, advice=("see onboard policy check",), code=2)
    starter = "" if settings.policies else ", the starter policies"
    return Check("policies", "", well=True, found=f"{policy.hash[:7]} in {folder}{starter}")
