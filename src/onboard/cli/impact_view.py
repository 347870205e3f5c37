"""What a change of policy would do, as a table, as JSON, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from onboard.cli.output import count, prose, say, table
from onboard.cli.render import short
from onboard.model import Phase
from onboard.policy.catalogue import Policy
from onboard.policy.rules.guardrails import Refusal
from onboard.policy.whatif.impact import RoleImpact, StageShift
from onboard.review.impact import Consequences, Group

#: People that a line of many names; the rest are counted.
FEW = 4
#: Rows of a Markdown table that are shown, and characters of a comment: GitHub takes none of more than 65,536.
MOST = 100
LONGEST = 60_000
#: By this a pull request's comment is found again.
MARK = "<!-- onboard policy impact -->"


@dataclass(frozen=True, slots=True)
class Shown:
    """An impact and what it takes to read it. `names` is None where people are shown by the beginnings of their ids."""

    base_name: str
    base: Policy
    head: Policy
    roles: RoleImpact
    people: Consequences | None = None
    names: Callable[[str], str] | None = None

    @property
    def exit_code(self) -> int:
        """0 where only roles were looked at."""
        return self.people.exit_code if self.people else 0

    def show(self) -> None:
        """As tables on 80 columns."""
        say(f"Policies {self.base.hash[:7]} ({self.base_name}) → {self.head.hash[:7]}")
        for title, rows in self._sections():
            say()
            say(title)
            table(rows)
        say()
        for sentence in self._sentences():
            prose(sentence, indent=0)

    def markdown(self) -> str:
        """As a comment: no names, ids by their beginnings."""
        lines = [
            MARK,
            f"### Access: what this change of policy would do (`{self.base.hash[:7]}` → `{self.head.hash[:7]}`)",
        ]
        for title, rows in self._sections():
            shown = [*rows[:MOST], *([("…", f"and {len(rows) - MOST} more")] if len(rows) > MOST else [])]
            width = max(map(len, rows))
            cells = [(*map(_escaped, row), *[""] * (width - len(row))) for row in shown]
            lines += ["", f"**{title}**", "", f"|{' |' * width}", f"|{'---|' * width}"]
            lines += [f"| {' | '.join(row)} |" for row in cells]
        text = "\n".join([*lines, "", *self._sentences()])
        whole = text[:LONGEST].rpartition("\n")[0]
        return text if len(text) <= LONGEST else f"{whole}\n\nThis is too long to be shown whole."

    def _sections(self) -> list[tuple[str, list[tuple[str, ...]]]]:
        found = [("Roles", [*map(_stage_row, self.roles.shifts), *self._limit_rows()])]
        found += [("Guardrails refuse of roles", [_role_refusal_row(*one) for one in self.roles.refused])]
        if self.people:
            impact = self.people.impact
            found += [
                ("People", [self._group_row(group) for group in self.people.groups]),
                (
                    "Guardrails refuse from then on",
                    self._refusal_rows(impact.refused, frozenset(self.people.stuck)),
                ),
                ("Guardrails refuse no longer", self._refusal_rows(impact.permitted, frozenset())),
                ("Approvals that it would need", [(r, self._who(who)) for r, who in self.people.needs.items()]),
                ("Could not be read", [(name, reason) for name, reason in self.people.sight.unknown]),
            ]
        return [(title, rows) for title, rows in (*found, ("Why they refuse", self._rule_rows())) if rows]

    def _rule_rows(self) -> list[tuple[str, ...]]:
        refusals = [refusal for _, _, refusal in self.roles.refused]
        refusals += self.people.impact.refused if self.people else ()
        return sorted({(refusal.rule, f"{refusal.because} [{refusal.control}]") for refusal in refusals})

    def _sentences(self) -> list[str]:
        if self.roles.nothing:
            return ["Both are the same, file by file."]
        lines = [] if self._sections() else ["Nothing changes for anybody, and no role carries anything else."]
        others = [name for name in self.roles.files if not name.startswith("roles/")]
        lines += [f"Also changed: {', '.join(others)}."] if others else []
        if self.people is None:
            return [*lines, "Only roles were looked at: no ledger was asked who has them."]
        touched = {person for group in self.people.groups for person in group.people}
        source = "the systems say" if self.people.sight.read else "the ledger has it"
        looked = count(self.people.impact.people, "person", "people")
        lines.append(f"{looked} looked at, {len(touched)} touched; what they hold is as {source}.")
        if self.people.stuck:
            stuck = {refusal.grant.person for refusal in self.people.stuck}
            lines.append(
                f"{count(len(stuck), 'person', 'people')} would hold what is then refused, and could be given nothing "
                "until that is settled: take it away first, or have the rule changed."
            )
        return lines

    def _limit_rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for role, before, after in self.roles.limits:
            old, new = (f"{days} days at most" if days else "no limit in days" for days in (before, after))
            rows.append((role, "every phase", "limit", f"{old} → {new}"))
        return rows

    def _group_row(self, group: Group) -> tuple[str, ...]:
        levels = " → ".join(level for level in (group.before, group.after) if level)
        held = f" ({len(group.holding)} of them hold something there)" if group.holding else ""
        return (group.verb.value, f"{group.resource or 'rights'} {levels}", self._who(group.people) + held)

    def _refusal_rows(self, refusals: Iterable[Refusal], stuck: frozenset[Refusal]) -> list[tuple[str, ...]]:
        groups: dict[tuple[str, str], list[Refusal]] = {}
        for refusal in refusals:
            groups.setdefault((refusal.rule, f"{refusal.grant.resource} {refusal.grant.level}"), []).append(refusal)
        rows: list[tuple[str, ...]] = []
        for (rule, what), found in sorted(groups.items()):
            holding = sum(refusal in stuck for refusal in found)
            held = f" ({holding} of them hold it)" if holding else ""
            rows.append((rule, what, self._who([refusal.grant.person for refusal in found]) + held))
        return rows

    def _who(self, people: Sequence[str]) -> str:
        name = self.names or short
        named = ", ".join(sorted(map(name, people[:FEW])))
        return f"{len(people)}: {named}{', …' if len(people) > FEW else ''}"

    def json(self) -> dict[str, Any]:
        """Everything, ungrouped, with whole ids."""
        return {
            "base": {"name": self.base_name, "policies": self.base.hash},
            "head": {"policies": self.head.hash},
            "files": list(self.roles.files),
            "roles": [_stage_json(shift) for shift in self.roles.shifts],
            "limits": [{"role": role, "before": old, "after": new} for role, old, new in self.roles.limits],
            "roles_refused": [
                {"role": role, "phases": list(phases), **_refused_json(r)} for role, phases, r in self.roles.refused
            ],
            "people": _people_json(self.people) if self.people else None,
            "exit_code": self.exit_code,
        }


def _stage_row(shift: StageShift) -> tuple[str, ...]:
    old, new = shift.before, shift.after
    what = f"{old} → {new}" if old and new else old or new or ""
    return (shift.role, _phases(shift.phases), shift.verb.value, f"{shift.resource} {what}")


def _phases(phases: Sequence[Phase]) -> str:
    """`ramp-up on` where it stays so to the end, else each by name."""
    if len(phases) == len(Phase):
        return "every phase"
    if len(phases) > 1 and phases[-1].next is None and phases[-1].rank - phases[0].rank == len(phases) - 1:
        return f"{phases[0]} on"
    return ", ".join(phases)


def _role_refusal_row(role: str, phases: Sequence[Phase], refusal: Refusal) -> tuple[str, ...]:
    return (refusal.rule, f"{refusal.grant.resource} {refusal.grant.level}", f"{role}, {_phases(phases)}")


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _stage_json(shift: StageShift) -> dict[str, Any]:
    return {
        "role": shift.role,
        "phases": list(shift.phases),
        "resource": str(shift.resource),
        "before": shift.before,
        "after": shift.after,
        "change": shift.verb,
    }


def _refused_json(refusal: Refusal) -> dict[str, Any]:
    return {
        "resource": str(refusal.grant.resource),
        "level": refusal.grant.level,
        "rule": refusal.rule,
        "because": refusal.because,
        "control": refusal.control,
    }


def _people_json(found: Consequences) -> dict[str, Any]:
    stuck = frozenset(found.stuck)
    return {
        "looked_at": found.impact.people,
        "held_as": "read" if found.sight.read else "ledger",
        "changes": [
            {
                "person": shift.person,
                "resource": str(shift.resource),
                "change": shift.verb,
                "before": shift.before.level if shift.before else None,
                "after": shift.after.level if shift.after else None,
                "until_before": shift.before.limit.until if shift.before else None,
                "until_after": shift.after.limit.until if shift.after else None,
                "held": sorted(found.sight.holds.get((shift.person, shift.resource), ())),
            }
            for shift in found.impact.shifts
        ],
        "refused": [{"person": r.grant.person, **_refused_json(r), "held": r in stuck} for r in found.impact.refused],
        "permitted": [{"person": r.grant.person, **_refused_json(r)} for r in found.impact.permitted],
        "approvals": [{"need": need, "people": list(people)} for need, people in found.needs.items()],
        "unknown": [{"what": what, "reason": reason} for what, reason in found.sight.unknown],
    }
