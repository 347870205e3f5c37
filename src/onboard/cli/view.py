"""Plans, reports and reviews as people read them: what happened, why, until when, what is next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from onboard.cli.output import console, count, next_step, prose, say, table
from onboard.cli.remains_view import Names, remains_json, show_levers, show_remains
from onboard.cli.render import short
from onboard.engine.perform import Outcome
from onboard.engine.plan import Part
from onboard.engine.reconcile import Certificate
from onboard.lasting import moment
from onboard.ledger import Approval, Register
from onboard.lifecycle.offboarding import CutOff
from onboard.lifecycle.reconciling import Report, lacking
from onboard.lifecycle.remains import FEW
from onboard.lifecycle.story import ends, rows, summary
from onboard.model import Observation
from onboard.review.access import Review
from onboard.review.findings import Finding, FindingKind


@dataclass(frozen=True)
class View:
    """A report and what it takes to read it: the register as it stands now, and everybody's names.

    `gate` is what the next phase of the one person it is about lacks; None where there is no next phase, or no one.
    `took` is how long a cut-off took, and all of it until it was verified.
    """

    report: Report
    register: Register
    names: Names
    gate: tuple[str, ...] | None = None
    took: tuple[timedelta, timedelta] | None = None

    def show(self) -> None:
        """The report person by person: the lines, the counts, what waits for whom, and the next command.

        Of many people only those are shown of whom there is something to say.
        """
        say(self._heading())
        for person in self.report.plan.people:
            lines = [row.cells() for row in rows(self.report, person)]
            if lines or len(self.report.plan.people) <= FEW:
                say()
                self._show_headline(person)
            if lines:
                say()
                table(lines)
        say()
        self._show_summary()
        for part in self.report.open:
            self._show_open(part)
        if self.report.certificate:
            gone = all(self.register.left(person) is not None for person in self.report.plan.people)
            _show_certificate(self.report.certificate, self.report.plan.observed, gone=gone)
        show_remains(self.report, self.register, self.names, self.took)
        if self.gate is not None and not self.report.waiting and not self.report.open:
            prose(f"The next phase waits for {', '.join(self.gate)}" if self.gate else "The next phase may begin")
        if self.report.failed:
            say("  What failed is tried again, and nothing twice, by applying once more")
        step = self.next()
        if step:
            next_step(step)

    def _heading(self) -> str:
        plan = self.report.plan
        digests = ", ".join(part.digest[:8] for part in self.report.open)
        heading = f"Plan {digests} for" if digests else "Looked at"
        people = count(len(plan.people), "person", "people")
        return f"{heading} {people}, {systems_read(plan.observed.values())} just now   policies {plan.policy[:7]}"

    def _show_headline(self, person: str) -> None:
        line = f"  {headline(self.register, self.names, person)}"
        limit = ends(self.report.plan, person)
        until = f"until {limit.when} ({limit.what})" if limit else ""
        if len(line) + len(until) + 3 > console().width:
            say(line)
            line = "   "
        say(f"{line}   {until}".rstrip())

    def _show_summary(self) -> None:
        plan, waiting = self.report.plan, self.report.waiting
        if not (waiting and not plan.changes and not plan.unknown and not plan.missing):
            prose(summary(self.report))
        for person, fact in waiting:
            say(f"  {self.names(person)} lacks {fact}")

    def _show_open(self, part: Part) -> None:
        for hazard in part.hazards:
            prose(f"{'Refused' if hazard.blocking else 'Hazard'} {hazard.name}: {hazard.message}")
        if part.blocked:
            say("  Correct the policy, or the role; then plan again")
            return
        given = {approval.as_role: approval for approval in self.register.approvals(part.digest)}
        for need in part.needs:
            people = " or ".join(self.names(person) for person in need.people)
            if need.role in given:
                say(f"  Plan {part.digest[:8]} was approved by {self._speaker(given[need.role])}")
            else:
                say(f"  Plan {part.digest[:8]} needs approval by {people} ({need.role})")

    def _speaker(self, approval: Approval) -> str:
        """Who approved, in which capacity, and for whom."""
        whose = f", as delegate of {self.names(approval.for_whom)}" if approval.for_whom else ""
        return f"{self.names(approval.actor.id)} ({approval.as_role}{whose})"

    def next(self) -> str | None:
        """The command that leads on, where there is one; what failed first, then what waits."""
        report = self.report
        if report.failed:
            return f"onboard apply {self._digest(report.failed[0])[:8]}"
        free = next((part for part in report.open if not part.blocked), None)
        if free:
            return step_for(self.register, free)
        if report.plan.unknown or report.remains.unknown:
            return "onboard doctor"
        if report.tally.open:
            return "onboard tasks"
        if report.open:
            return f"onboard plan --person {self.short(report.open[0].person)}"
        if report.waiting:
            person, fact = report.waiting[0]
            return f"onboard record {self.short(person)} {fact} --until YYYY-MM-DD"
        if self.gate is None:
            return None
        person = self.short(report.plan.people[0])
        return f"onboard record {person} {self.gate[0]}" if self.gate else f"onboard advance {person}"

    def _digest(self, failed: Outcome) -> str:
        """Under which digest a failed write is done again: a removal's own, a grant's approval's."""
        person = failed.change.person
        authority = failed.change.authority
        approved = None if failed.change.removes else self.register.approved_proposal(person, authority)
        proposal = approved or self.register.latest_proposal(person, authority)
        part = self.report.plan.part(person, authority)
        return proposal.digest if proposal else part.digest if part else ""

    def short(self, person: str) -> str:
        """The id as it can be typed."""
        return short(person, self.register.people)


def step_for(register: Register, part: Part) -> str:
    """The command by which an open part that nothing forbids goes on: its approval, or its application."""
    digest = part.digest[:8]
    known = {proposal.digest for proposal in register.open_proposals()}
    waits = lacking(register, part.digest) if part.digest in known else part.needs
    if not waits:
        return f"onboard apply {digest}"
    return " ".join([f"onboard approve {digest}", *(f"--accept {hazard.name}" for hazard in part.hazards)])


def headline(register: Register, names: Names, person: str) -> str:
    """`Marta Kowalska · backend-engineer · Nordwind / payments · ramp-up`, or that they left."""
    gone = register.left(person)
    if gone is not None:
        return f"{names(person)} · {gone.name.replace('_', ' ')} {moment(gone.at)}"
    parts = [names(person)]
    for assignment in register.assignments(person):
        if not assignment.ended:
            vendor = register.vendors[register.engagements[assignment.engagement].vendor].name
            phase = assignment.phase or "not started"
            parts.append(f"{assignment.role} · {vendor} / {assignment.engagement} · {phase}")
    return " · ".join(parts)


def systems_read(observed: Iterable[Observation]) -> str:
    """`4 systems read`, or how many of them could be."""
    all_of_them = list(observed)
    read = [observation for observation in all_of_them if observation.unknown is None]
    of = "" if len(read) == len(all_of_them) else f"{len(read)} of "
    return f"{of}{count(len(all_of_them), 'system')} read"


def _show_certificate(certificate: Certificate, observed: Mapping[str, Observation], *, gone: bool) -> None:
    held, invited = len(certificate.held), len(certificate.invited)
    if held or invited:
        pending = f", {invited} invited and not yet accepted" if invited else ""
        say(f"  Read back: {held} held{pending}")
    elif not certificate.remaining and not certificate.unknown:
        left = "nothing is held any more" if gone else "nothing that onboard gave is left"
        say(f"  Read back on {', '.join(sorted(observed))}: {left}")
    for unknown in certificate.unknown:
        prose(f"Not verified: {unknown.resource} ({unknown.reason})")
    for change in certificate.remaining:
        say(f"  Remains: {change.resource} {change.before}")


def show_cut_off(cut: CutOff, register: Register, names: Names) -> None:
    """What each system answered when its levers were pulled, then what reading found."""
    show_levers(cut, names)
    say()
    View(cut.report, register, names, took=(cut.pulled, cut.verified)).show()


def show_review(found: Review, register: Register, names: Names) -> None:
    """The findings, gravest first, with what has changed since the last review."""
    read = f"{count(len(found.systems), 'system')} read{' completely' if not found.unknown else ', not completely'}"
    say(f"Access review {moment(found.at)} · {count(found.people, 'outsourced engineer')}")
    say(f"  {read} · new {found.new} · still open {found.still_open} · resolved {found.resolved}")
    lines = [
        (f.severity, f.kind, names(f.person) if f.person else f.handle, f"{f.level} on {f.resource}: {f.message}")
        for f in found.findings
    ]
    if lines:
        say()
        table(lines)
    if found.unknown:
        say()
        table([("?", resource, f"could not be read: {reason}") for resource, reason in found.unknown])
    if found.older:
        say()
        oldest = min(at for _, at in found.older)
        say(
            f"  {count(len(found.older), 'repository', 'repositories')} that no policy names had no invitation and no "
            f"deploy key when last asked, since {moment(oldest)}; they are asked in turn."
        )
    if found.exceptions:
        say()
        say("  Exceptions to guardrails in force:")
        table(
            [
                (
                    x.rule,
                    f"{x.whom} on {x.resource}",
                    f"until {x.ends} ({count(x.days, 'day')}), {x.owner}: {x.because}",
                )
                for x in found.exceptions
            ]
        )
    for line in found.untold:
        prose(f"An alarm: {line}")
    if found.fallen_back or (found.findings and found.findings[0].kind is FindingKind.EXCEPTION):
        next_step("onboard policy check")
    elif found.findings:
        next_step(_towards(found.findings[0], register))
    elif found.unknown:
        next_step("onboard doctor")


def _towards(finding: Finding, register: Register) -> str:
    """What leads on from a finding: taking away what a leaver holds, planning what is ours, looking at the rest."""
    if finding.person is None:
        return f"onboard who {finding.resource}"
    person = short(finding.person, register.people)
    if finding.kind is FindingKind.LEFT_BEHIND:
        return f"onboard offboard {person}"
    if finding.kind in (FindingKind.MISSING, FindingKind.LAPSED):
        return f"onboard plan --person {person}"
    return f"onboard explain {person} {finding.resource}"


def report_json(report: Report) -> dict[str, Any]:
    """A report as JSON: the same facts as `show_report`."""
    plan = report.plan
    return {
        "people": list(plan.people),
        "policy": plan.policy,
        "read_at": plan.at.isoformat(),
        "changes": [{**change.terms(), "removes": change.removes} for change in plan.changes],
        "open": [_part_json(part) for part in report.open],
        "done": [_outcome_json(outcome) for outcome in (*report.removed, *report.granted)],
        "unknown": [{"person": u.person, "resource": str(u.resource), "reason": u.reason} for u in plan.unknown],
        "missing": [{"person": m.person, "system": m.system, "reason": m.reason} for m in plan.missing],
        "waiting": [{"person": person, "fact": fact} for person, fact in report.waiting],
        "verified": _certificate_json(report),
        "remains": remains_json(report, report.plan.at) if report.remains.accounts else None,
        "exit_code": report.exit_code,
    }


def _part_json(part: Part) -> dict[str, Any]:
    return {**part.terms(), "digest": part.digest, "blocked": [hazard.name for hazard in part.blocked]}


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    receipt = outcome.receipt
    return {
        **outcome.change.terms(),
        "result": outcome.result.value,
        "reason": outcome.reason,
        "at": receipt.at.isoformat() if receipt else None,
        "status": receipt.status if receipt else None,
    }


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
