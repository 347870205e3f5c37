"""Plans, reports and reviews as people read them: what happened, why, until when, what is next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from onboard.cli.output import count, next_step, say, table
from onboard.engine.plan import Part
from onboard.ledger import Register
from onboard.lifecycle.offboarding import CutOff
from onboard.lifecycle.reconciling import Report, lacking
from onboard.lifecycle.story import ends, rows, summary
from onboard.review.access import Review

#: From a person's id to the name that this reader may see.
Names = Callable[[str], str]


def show_report(report: Report, register: Register, names: Names) -> None:
    """A report, person by person: the lines, the counts, what waits for whom, and the next command."""
    plan = report.plan
    digests = ", ".join(part.digest[:8] for part in report.open)
    heading = f"Plan {digests} for" if digests else "Looked at"
    read = f"{count(len(plan.observed), 'system')} read just now"
    say(f"{heading} {count(len(plan.people), 'person', 'people')}, {read}   policies {plan.policy[:7]}")
    for person in plan.people:
        lines = [row.cells() for row in rows(report, person)]
        say()
        say(f"  {headline(register, names, person)}{_until(report, person)}")
        if lines:
            say()
            table(lines)
    say()
    say(f"  {summary(report)}")
    for part in report.open:
        _show_open(part, names)
    _show_waiting(report, names)
    _show_certificate(report)
    _show_next(report, register)


def headline(register: Register, names: Names, person: str) -> str:
    """`Marta Kowalska · backend-engineer · nordwind / payments · ramp-up`, or that they left."""
    gone = register.left(person)
    parts = [names(person)]
    if gone is not None:
        return f"{names(person)} · {gone.name.replace('_', ' ')} {gone.at:%Y-%m-%d %H:%M} UTC"
    for assignment in register.assignments(person):
        if not assignment.ended:
            vendor = register.engagements[assignment.engagement].vendor
            phase = assignment.phase or "not started"
            parts.append(f"{assignment.role} · {vendor} / {assignment.engagement} · {phase}")
    return " · ".join(parts)


def _until(report: Report, person: str) -> str:
    limit = ends(report.plan, person)
    return f"   until {limit.until} ({limit.what})" if limit else ""


def _show_open(part: Part, names: Names) -> None:
    for hazard in part.hazards:
        say(f"  {'Refused' if hazard.blocking else 'Hazard'} {hazard.name}: {hazard.message}")
    for need in part.needs:
        people = " or ".join(names(person) for person in need.people)
        say(f"  Needs approval by {people} ({need.role}) of plan {part.digest[:8]}")


def _show_waiting(report: Report, names: Names) -> None:
    for person, fact in report.waiting:
        say(f"  {names(person)} lacks {fact}; once you have it: onboard record {person[:10]} {fact} --until DATE")


def _show_certificate(report: Report) -> None:
    certificate = report.certificate
    if certificate is None:
        return
    invited = f", {len(certificate.invited)} invited and not yet accepted" if certificate.invited else ""
    say(f"  Read back: {len(certificate.held)} held{invited}, {len(certificate.remaining)} that should be gone remain")
    for unknown in certificate.unknown:
        say(f"  Not verified: {unknown.resource} ({unknown.reason})")
    for change in certificate.remaining:
        say(f"  Remains: {change.resource} {change.before}")


def _show_next(report: Report, register: Register) -> None:
    if report.failed:
        person = report.failed[0].change.person[:10]
        next_step(f"onboard plan --person {person}, then apply again: it goes on where it stopped")
    elif report.open:
        part = report.open[0]
        known = {proposal.digest for proposal in register.open_proposals()}
        waits = part.digest not in known or lacking(register, part.digest)
        next_step(f"onboard {'approve' if waits and part.needs else 'apply'} {part.digest[:8]}")


def show_cut_off(cut: CutOff, register: Register, names: Names) -> None:
    """What each system answered when its levers were pulled, then what reading found."""
    table(
        [("x", lever.system, lever.failure or count(len(lever.receipts), "lever") + " pulled") for lever in cut.levers]
    )
    show_report(cut.report, register, names)


def show_review(found: Review, names: Names) -> None:
    """The findings, gravest first, with what has changed since the last review."""
    read = f"{count(len(found.systems), 'system')} read" + ("" if found.unknown else " completely")
    say(f"Access review {found.at:%Y-%m-%d %H:%M} UTC · {count(found.people, 'outsourced engineer')} · {read}")
    say(f"  new {found.new} · still open {found.still_open} · resolved {found.resolved}")
    lines = [
        (f.severity, f.kind, names(f.person) if f.person else f.handle, f"{f.level} on {f.resource}: {f.message}")
        for f in found.findings
    ]
    if lines:
        say()
        table(lines)
    for resource, reason in found.unknown:
        say(f"  unknown  {resource}: {reason}")
    if found.findings:
        person = next((f.person for f in found.findings if f.person), None)
        next_step(f"onboard plan --person {person[:10]}" if person else "onboard who RESOURCE")


def report_json(report: Report) -> dict[str, Any]:
    """A report as JSON: the same facts as `show_report`."""
    plan = report.plan
    return {
        "people": list(plan.people),
        "policy": plan.policy,
        "read_at": plan.at.isoformat(),
        "changes": [{**change.terms(), "removes": change.removes} for change in plan.changes],
        "open": [_part_json(part) for part in report.open],
        "done": [_outcome_json(o.change.terms(), o.result.value, o.reason) for o in (*report.removed, *report.granted)],
        "unknown": [{"person": u.person, "resource": str(u.resource), "reason": u.reason} for u in plan.unknown],
        "missing": [{"person": m.person, "system": m.system, "reason": m.reason} for m in plan.missing],
        "waiting": [{"person": person, "fact": fact} for person, fact in report.waiting],
        "verified": _certificate_json(report),
        "exit_code": report.exit_code,
    }


def _part_json(part: Part) -> dict[str, Any]:
    return {**part.terms(), "digest": part.digest, "blocked": [hazard.name for hazard in part.blocked]}


def _outcome_json(change: Mapping[str, Any], result: str, reason: str) -> dict[str, Any]:
    return {**change, "result": result, "reason": reason}


def _certificate_json(report: Report) -> dict[str, Any] | None:
    certificate = report.certificate
    if certificate is None:
        return None
    return {
        "at": certificate.at.isoformat(),
        "held": _grants(certificate.held),
        "invited": _grants(certificate.invited),
        "absent": _grants(certificate.absent),
        "remaining": [change.record().json() for change in certificate.remaining],
        "unknown": [{"resource": str(u.resource), "reason": u.reason} for u in certificate.unknown],
    }


def _grants(grants: Iterable[Any]) -> list[dict[str, str]]:
    return [{"person": g.person, "resource": str(g.resource), "level": g.level} for g in grants]
