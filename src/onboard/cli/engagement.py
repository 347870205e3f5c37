"""`onboard engagement …`: vendors and their engagements, as manifests state them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onboard.cli import context, lifecycle, output, render
from onboard.cli.output import Json
from onboard.errors import BadInput

if TYPE_CHECKING:
    from onboard.ledger import Ledger, Record, Register
    from onboard.model import Actor, Engagement
    from onboard.policy.catalogue import Policy
    from onboard.policy.files.manifests import Manifests

app = typer.Typer(help="Load and see vendors' engagements.", no_args_is_help=True)


@app.command("load")
def load(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Manifests of vendors and engagements.")],
) -> None:
    """Load manifests, all of them or none, and let access follow for those who have started."""
    from onboard import wiring
    from onboard.policy.files.manifests import load_manifests

    policy = wiring.load_policy(context.settings())
    with context.begun_ledger() as ledger:
        before = render.register(ledger)
        manifests = load_manifests(files, policy, before.vendors, before.people)
        changed = _changed(before, manifests)
        if changed:
            actor = _who_may_state(policy, before, manifests)
            ledger.journal.append_many(changed, actor=actor, at=context.clock())
        after = render.register(ledger)
        people = _affected(after, manifests)
    total = len(manifests.vendors) + len(manifests.engagements) + (manifests.teams is not None)
    output.say(_loaded(len(changed), total))
    if people:
        _reconcile(people)
    elif waits := _not_started(after, manifests):
        output.next_step(f"onboard start --engagement {waits}")


def _who_may_state(policy: Policy, register: Register, manifests: Manifests) -> Actor:
    """Who types, once it is known that they may say this of everybody whom the manifests name. Raises NotAuthorised."""
    from onboard.lifecycle.authority import permit
    from onboard.policy.rules.deeds import Action

    actor = context.caller()
    staffed = {line.person for one in manifests.engagements for line in one.staffing}
    answering = {p for one in manifests.engagements for p in one.answering}
    for person in sorted(staffed | answering) or ("",):
        permit(policy.authority, register, Action.EDIT_PEOPLE, actor, person)
    return actor


def _loaded(changed: int, total: int) -> str:
    if not changed:
        return f"Nothing changed: {output.count(total, 'manifest')} as on record."
    same = f", {total - changed} as on record" if total > changed else ""
    return f"{output.count(changed, 'manifest')} loaded{same}."


def _not_started(register: Register, manifests: Manifests) -> str | None:
    """The first of these engagements in which somebody hasn't started."""
    return next(
        (
            one.id
            for one in manifests.engagements
            if any(register.started(line.person, one.id) is None for line in one.staffing)
        ),
        None,
    )


def _changed(register: Register, manifests: Manifests) -> list[Record]:
    """A fact for each manifest that says something else than what is on record; vendors first."""
    from onboard.ledger import records
    from onboard.ledger.projections.delegations import teams_loaded

    vendors = [vendor for vendor in manifests.vendors if register.vendors.get(vendor.id) != vendor]
    engagements = [one for one in manifests.engagements if register.engagements.get(one.id) != one]
    teams = [manifests.teams] if manifests.teams not in (None, register.teams) else []
    loaded = (
        map(records.vendor_loaded, vendors),
        map(records.engagement_loaded, engagements),
        map(teams_loaded, teams),
    )
    return [record for some in loaded for record in some]


def _affected(register: Register, manifests: Manifests) -> list[str]:
    """Who has started in an engagement that these manifests are about, and isn't out: whom they no longer name, too.

    Loaded again unchanged as well: the load before may have been killed before access followed.
    """
    vendors = {vendor.id for vendor in manifests.vendors}
    loaded = {one.id for one in manifests.engagements}
    loaded |= {one.id for one in register.engagements.values() if one.vendor in vendors}
    here = [person for person in register.people if register.left(person) is None]
    assigned = {(person, a.engagement) for person in here for a in register.assignments(person)}
    return sorted({person for person, name in assigned if name in loaded and register.started(person, name)})


def _reconcile(people: list[str]) -> None:
    from onboard.lifecycle import reconciling

    lifecycle.run(lambda services: reconciling.reconcile(services, people, context.actor(services)), as_json=False)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The engagements on record."""
    with context.ledger() as ledger:
        register = render.register(ledger)
    engagements = sorted(register.engagements.values(), key=lambda one: one.id)
    if as_json:
        output.emit_json(engagements)
    elif engagements:
        rows = [
            (one.id, one.vendor, f"{one.starts} – {one.ends}", output.count(len(one.staffing), "person", "people"))
            for one in engagements
        ]
        output.table(rows, ("engagement", "vendor", "dates", "staffed"))
    else:
        output.say("No engagement has been loaded yet.")
        output.next_step("onboard engagement load VENDOR.yaml ENGAGEMENT.yaml")


@app.command("show")
def show(
    engagement: Annotated[str, typer.Argument(metavar="ENGAGEMENT", help="Its id.")], as_json: Json = False
) -> None:
    """An engagement: vendor, dates, who answers for it, and who works in it."""
    with context.ledger() as ledger:
        register = render.register(ledger)
        found = register.engagements.get(engagement)
        if found is None:
            known = ", ".join(sorted(register.engagements)) or "none"
            raise BadInput.one(f"No engagement {engagement!r} is on record. Known: {known}")
        if as_json:
            output.emit_json({"engagement": found, "vendor": register.vendors[found.vendor]})
        else:
            _show(ledger, register, found)


def _show(ledger: Ledger, register: Register, found: Engagement) -> None:
    def named(people: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
        return [
            (what, render.name(ledger.people, person), render.short(person, register.people)) for what, person in people
        ]

    vendor = register.vendors[found.vendor]
    output.say(f"{found.name} ({found.id})", style="bold")
    dates = [
        ("vendor", f"{vendor.name}, contract {vendor.contract_starts} – {vendor.contract_ends}"),
        ("dates", f"{found.starts} – {found.ends}"),
        ("model", f"{found.model}, {found.classification} data"),
        ("manifest", str(found.source)),
    ]
    output.table(dates)
    output.say()
    leads = ("sponsor", "product_owner", "company_lead", "vendor_lead")
    output.table(named((lead.replace("_", " "), getattr(found, lead)) for lead in leads))
    output.say()
    phases = {
        a.person: a for line in found.staffing for a in register.assignments(line.person) if a.engagement == found.id
    }
    rows = [
        (a.role, render.name(ledger.people, a.person), "ended" if a.ended else str(a.phase or "not started"))
        for a in phases.values()
    ]
    output.table(rows, ("role", "person", "phase"))
