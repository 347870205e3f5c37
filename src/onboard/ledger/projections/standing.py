"""Where one person stands: their facts and their lines in manifests, in the order in which they were recorded.

The rules, in one place:
- The last manifest says who works in an engagement; whom it no longer names has ended there.
- `started` opens an assignment in the discovery phase; after `left` it opens it anew, without milestones.
- `role_changed` overrides the manifest's role until the manifest's own role changes. A change of role, by whichever
  way, clears the milestones.
- `left` without an engagement ends everything, until something is started again. `cut_off` ends everything until it is
  restored: nothing that is started meanwhile counts as running.
- What is `restored` is skipped as if it hadn't happened, so that everything it ended or cleared is there again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from onboard.ledger.projections.facts import FactRecord, Load
from onboard.ledger.records import STRUCTURAL
from onboard.model import Assignment, Fact, Phase, Staffing

#: What `restored` may undo.
REMOVALS = frozenset({"left", "cut_off", "role_changed"})


@dataclass(frozen=True, slots=True)
class Standing:
    """What is so of a person. `assignments`, `milestones` and `started` are by engagement."""

    facts: Mapping[str, Fact]
    assignments: Mapping[str, Assignment]
    milestones: Mapping[str, Mapping[str, Fact]]
    started: Mapping[str, Fact]
    left: Fact | None
    last_removal: FactRecord | None


@dataclass(slots=True)
class _Stint:
    """An assignment while it is being worked out. `listed` once a manifest has named the person, None before."""

    listed: bool | None = None
    gone: bool = False
    stated: str | None = None
    override: str | None = None
    phase: Phase | None = None
    started: Fact | None = None
    starts: date | None = None
    ends: date | None = None
    location: str | None = None
    milestones: dict[str, Fact] = field(default_factory=dict)

    @property
    def role(self) -> str | None:
        return self.override or self.stated

    def list(self, line: Staffing | None) -> None:
        """A manifest was loaded, with this line about the person, or without one."""
        if line is None:
            self.listed = None if self.listed is None else False
            return
        self.listed = True
        before = self.role
        if line.role != self.stated:
            self.stated, self.override = line.role, None
        if before not in (None, self.role):
            self.milestones.clear()
        self.starts, self.ends, self.location = line.starts, line.ends, line.location

    def start(self, fact: Fact, *, anew: bool) -> None:
        """The person began here; `anew` after they had left."""
        if anew:
            self.gone, self.phase = False, None
            self.milestones.clear()
        if self.started is None or anew:
            self.started = fact
        self.phase = self.phase or Phase.DISCOVERY

    def change_role(self, role: str) -> None:
        """The role is this one now, whatever the manifest says."""
        self.override = role
        self.milestones.clear()


@dataclass(slots=True)
class _Fold:
    person: str
    stints: dict[str, _Stint] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    left: FactRecord | None = None
    cut_off: FactRecord | None = None
    removals: list[FactRecord] = field(default_factory=list)

    def load(self, load: Load) -> None:
        lines = {line.person: line for line in load.engagement.staffing}
        self._stint(load.engagement.id).list(lines.get(self.person))

    def take(self, record: FactRecord) -> None:
        if record.name in REMOVALS:
            self.removals.append(record)
        match record.name:
            case "left":
                self._leave(record)
            case "cut_off":
                self.cut_off = record
            case name if name not in STRUCTURAL and record.engagement is None:
                self.facts[name] = record.fact
            case _ if record.engagement is not None:
                self._in_engagement(record, record.engagement)

    def _leave(self, record: FactRecord) -> None:
        if record.engagement is not None:
            self._stint(record.engagement).gone = True
            return
        self.left = record
        for stint in self.stints.values():
            stint.gone = True

    def _in_engagement(self, record: FactRecord, engagement: str) -> None:
        stint = self._stint(engagement)
        match record.name:
            case "started":
                stint.start(record.fact, anew=stint.gone)
                self.left = None
                self.removals = [r for r in self.removals if r.name != "left" or r.engagement not in (None, engagement)]
            case "advanced":
                stint.phase = Phase(record.detail["phase"])
            case "role_changed":
                stint.change_role(record.detail["role"])
            case name if name not in STRUCTURAL:
                stint.milestones[name] = record.fact

    def _stint(self, engagement: str) -> _Stint:
        return self.stints.setdefault(engagement, _Stint())

    def standing(self) -> Standing:
        over = self.cut_off or self.left
        return Standing(
            MappingProxyType(self.facts),
            MappingProxyType(
                {
                    name: Assignment(
                        self.person,
                        name,
                        stint.role or "",
                        stint.phase,
                        ended=stint.gone or not stint.listed or over is not None,
                        starts=stint.starts,
                        ends=stint.ends,
                        location=stint.location,
                    )
                    for name, stint in self.stints.items()
                    if stint.listed is not None
                }
            ),
            MappingProxyType({name: MappingProxyType(stint.milestones) for name, stint in self.stints.items()}),
            MappingProxyType({name: stint.started for name, stint in self.stints.items() if stint.started}),
            over.fact if over else None,
            self.removals[-1] if self.removals else None,
        )


def standing_of(person: str, records: Sequence[FactRecord], loads: Iterable[Load]) -> Standing:
    """Where a person stands by these facts of theirs and these manifests. Each is in the order of its entries."""
    undone = {record.detail["undoes"] for record in records if record.name == "restored"}
    live = [record for record in records if record.entry not in undone or record.name not in REMOVALS]
    fold = _Fold(person)
    events: list[FactRecord | Load] = [*live, *loads]
    for event in sorted(events, key=lambda event: event.entry):
        if isinstance(event, Load):
            fold.load(event)
        else:
            fold.take(event)
    return fold.standing()
