"""The register: what is so, read from the journal and from nothing else.

It is a pure fold, so it can be thrown away and built again, and asked about the past by giving it the entries up to
then. `restored`, role changes and manifests interact; their rules stand in `standing.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Protocol, TypeVar

from onboard.errors import BadInput, OnboardError
from onboard.extras import Extra
from onboard.ledger.entries import Entry
from onboard.ledger.projections.decisions import Approval, Decisions, Proposal
from onboard.ledger.projections.delegations import Delegation, delegations_of
from onboard.ledger.projections.effects import Effects, Intended, Key
from onboard.ledger.projections.extras import extras_of
from onboard.ledger.projections.facts import Binding, FactRecord, Facts
from onboard.ledger.projections.readbacks import ReadBacks
from onboard.ledger.projections.standing import Standing, standing_of
from onboard.ledger.projections.tasks import Task, Tasks
from onboard.model import Assignment, Engagement, Fact, Proof, Resource, Vendor

_DECISIONS = frozenset({"policy", "proposed", "approved", "refused", "withdrawn", "applied", "expired"})
#: Facts after which an approval given before no longer holds.
TURNS = frozenset({"left", "cut_off", "role_changed", "restored"})
_EFFECTS = frozenset({"intended", "outcome"})
_READ_BACKS = frozenset({"intended", "verified"})
_TASKS = frozenset({"task_opened", "task_done"})
#: Kinds of which single entries come to matter no more (see `compaction.py`). Entries of all others are kept.
PASSING = frozenset(
    {
        "proposed",
        "approved",
        "refused",
        "withdrawn",
        "applied",
        "expired",
        "intended",
        "outcome",
        "verified",
        "reviewed",
    }
    | {"checkpoint", "witnessed", "notified", "turned_away"}
)


@dataclass(frozen=True, slots=True)
class Episode:
    """One attempt to change what a person holds on a resource: the write, its outcome, and the approvals behind it."""

    intent: Intended
    approvals: tuple[Approval, ...]


class Archive(Protocol):
    """Where a register that has forgotten what is over finds it again, as it stood after entry `until`."""

    def of_person(self, person: str, until: int) -> Register:
        """What was proposed, decided and attempted for a person."""

    def of_plan(self, digest: str, until: int) -> Register:
        """What was proposed and decided under the digests that begin so."""


@dataclass(frozen=True)
class Register:
    """What is so after the entry with number `seq`. Answers are by opaque ids; unknown ids have empty answers.

    What is over up to entry `forgot` may have been forgotten: answers about that come from the `archive`.
    """

    seq: int = 0
    forgot: int = 0
    archive: Archive | None = field(default=None, repr=False, compare=False)
    _facts: Facts = field(default_factory=Facts)
    decisions: Decisions = field(default_factory=Decisions)
    effects: Effects = field(default_factory=Effects)
    _tasks: Tasks = field(default_factory=Tasks)
    read_backs: ReadBacks = field(default_factory=ReadBacks)
    review: tuple[int, tuple[str, ...]] = (0, ())
    kept: tuple[int, ...] = ()
    _standings: dict[str, Standing] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def replay(cls, entries: Iterable[Entry]) -> Register:
        """The register after these entries, from the first on. Raises OnboardError as `advance`."""
        return cls().advance(entries)

    def advance(self, entries: Iterable[Entry]) -> Register:
        """The register after these entries as well; this one stays as it is.

        Kinds that it doesn't know, and entries that it has taken already, are skipped. Raises OnboardError for an entry
        that hasn't the form of its kind.
        """
        new = [entry for entry in entries if entry.seq > self.seq]
        if not new:
            return self
        reviews = ((e.seq, tuple(e.body["findings"])) for e in reversed(new) if e.kind == "reviewed")
        return Register(
            new[-1].seq,
            self.forgot,
            self.archive,
            _grown(self._facts, [entry for entry in new if entry.kind == "fact"]),
            _grown(self.decisions, [entry for entry in new if entry.kind in _DECISIONS]),
            _grown(self.effects, [entry for entry in new if entry.kind in _EFFECTS]),
            _grown(self._tasks, [entry for entry in new if entry.kind in _TASKS]),
            _grown(self.read_backs, [entry for entry in new if entry.kind in _READ_BACKS]),
            next(reviews, self.review),
            (*self.kept, *(entry.seq for entry in new if entry.kind not in PASSING)),
        )

    def only(self, kept: frozenset[int], archive: Archive) -> Register:
        """The same by these entries alone, for which `compaction.matters` found that nothing about now is lost."""
        return replace(
            self,
            forgot=self.seq,
            archive=archive,
            decisions=self.decisions.only(kept),
            effects=self.effects.only(kept),
            _standings={},
        )

    # People, vendors, engagements

    @property
    def people(self) -> frozenset[str]:
        """Everybody who was ever added, but for the erased."""
        return self._facts.people - self._facts.erased

    @property
    def erased(self) -> frozenset[str]:
        """Everybody whose personal data is gone, or has to go."""
        return self._facts.erased

    def legal_hold(self, person: str) -> FactRecord | None:
        """Since when what is kept of a person has to be kept; None where no hold is on them."""
        holds = [r for r in self._facts.by_person.get(person, ()) if r.name in ("legal_hold", "hold_released")]
        return holds[-1] if holds and holds[-1].name == "legal_hold" else None

    @property
    def vendors(self) -> Mapping[str, Vendor]:
        """The vendors by id, as their manifests were last loaded."""
        return self._facts.vendors

    @cached_property
    def engagements(self) -> Mapping[str, Engagement]:
        """The engagements by id, as their manifests were last loaded."""
        return MappingProxyType({name: loads[-1].engagement for name, loads in self._facts.loads.items()})

    def assignments(self, person: str) -> tuple[Assignment, ...]:
        """Where a person is or was assigned: one for each engagement whose manifest names them or once did."""
        return tuple(self._standing(person).assignments.values())

    def staffed(self, engagement: str) -> tuple[str, ...]:
        """Who is assigned to an engagement and hasn't ended there, in the manifest's order."""
        lines = self.engagements[engagement].staffing if engagement in self.engagements else ()
        people = dict.fromkeys(line.person for line in lines)
        return tuple(person for person in people if not self._standing(person).assignments[engagement].ended)

    def vendors_of(self, person: str) -> frozenset[str]:
        """The vendors in whose engagements a person stands in the manifest (though they may have left) or leads."""
        named = [self.engagements[name] for name in self._facts.engagements_of.get(person, ())]
        staffed = {e.vendor for e in named if any(line.person == person for line in e.staffing)}
        return frozenset(staffed | {e.vendor for e in self.engagements.values() if e.vendor_lead == person})

    def worked_for(self, person: str) -> frozenset[str]:
        """The vendors for which any manifest, the present ones or an earlier one, has a person work or lead."""
        return self._facts.worked_for.get(person, frozenset())

    # Facts

    def facts(self, person: str) -> Mapping[str, Fact]:
        """A person's prerequisites by name (NDA, training…): the latest of each, lapsed or not."""
        return self._standing(person).facts

    def milestones(self, person: str, engagement: str) -> Mapping[str, Fact]:
        """What an assignment has reached, by name, since it began or its role last changed."""
        return self._standing(person).milestones.get(engagement, MappingProxyType({}))

    def started(self, person: str, engagement: str) -> Fact | None:
        """When a person began in an engagement, the last time where they came back."""
        return self._standing(person).started.get(engagement)

    def left(self, person: str) -> Fact | None:
        """The fact by which a person is out of everything: left as a whole, or cut off."""
        return self._standing(person).left

    def last_removal(self, person: str) -> FactRecord | None:
        """What `restored` would undo now: the latest left, cut_off or role_changed that still counts."""
        return self._standing(person).last_removal

    def bindings(self, person: str) -> Mapping[str, Binding]:
        """A person's account on each system; the last bound, where there are several."""
        return MappingProxyType({binding.system: binding for binding in self.accounts(person)})

    def proof(self, person: str, system: str) -> str:
        """How a person's account on a system was shown to be theirs: one of `model.Proof`."""
        binding = self.bindings(person).get(system)
        return binding.proof if binding else Proof.NONE

    def accounts(self, person: str) -> tuple[Binding, ...]:
        """Every account that is bound to a person, in the order of binding; the erased have none any more."""
        if person in self._facts.erased:
            return ()
        bound: dict[str, Binding] = {}
        for record in self._facts.by_person.get(person, ()):
            account = record.detail["account"] if record.name == "account_bound" else None
            if account and self._facts.bindings[account].person == person:
                bound.pop(account, None)
                bound[account] = self._facts.bindings[account]
        return tuple(bound.values())

    def handle_change(self, person: str, system: str) -> FactRecord | None:
        """The last time that a person's handle on a system was changed after they were entered; None for never."""
        changes = [r for r in self._facts.by_person.get(person, ()) if r.name == "handle_changed"]
        return next((r for r in reversed(changes) if r.detail["system"] == system), None)

    def last_fact(self, person: str, name: str) -> FactRecord | None:
        """The last fact of this name that was recorded of a person; None for never."""
        told = self._facts.by_person.get(person, ())
        return next((record for record in reversed(told) if record.name == name), None)

    def binding_of(self, account: str) -> Binding | None:
        """Whose an account is."""
        return self._facts.bindings.get(account)

    # Authority

    @property
    def teams(self) -> Mapping[str, tuple[str, ...]]:
        """Who gives the word of each team, as their manifest was last loaded."""
        return self._facts.teams

    def delegations(self, person: str) -> tuple[Delegation, ...]:
        """What a person handed over and didn't end, whether it holds already or is over by now."""
        return delegations_of(self._facts.by_person.get(person, ()))

    def extras(self, person: str) -> tuple[Extra, ...]:
        """What a person was to hold beside their role for a while; also what is over."""
        return extras_of(self._facts.by_person.get(person, ()))

    # Decisions

    @property
    def policy(self) -> str | None:
        """The hash of the policy in force; None before there was one."""
        return self.decisions.policy

    def revision(self, policy: str | None) -> str | None:
        """The git commit that a policy was when it came into force, where that was known."""
        return self.decisions.revisions.get(policy or "")

    def proposal(self, digest: str) -> Proposal:
        """The proposal whose digest is this or begins so. Raises BadInput where there is none, or more than one."""
        if self.archive and digest not in self.decisions.proposals:
            return self.archive.of_plan(digest, self.seq).proposal(digest)
        return self.decisions.proposal(digest)

    def open_proposals(self) -> tuple[Proposal, ...]:
        """What waits for somebody's word: each person's newest proposals, unless settled.

        Grants for a person who is out are no longer asked for.
        """
        waiting = self.decisions.open()
        return tuple(p for p in waiting if p.authority == "fact" or self.left(p.person) is None)

    def latest_proposal(self, person: str, authority: str) -> Proposal | None:
        """The newest proposal for a person under "fact" or "approval", settled or not."""
        return self.decisions.latest(person, authority)

    def approved_proposal(self, person: str, authority: str = "approval") -> Proposal | None:
        """The proposal for a person that was approved last; None where that is spent, or a fact since then undid it.

        What is approved before somebody leaves, changes role or is restored doesn't hold afterwards.
        """
        proposal = self.decisions.approved(person, authority)
        if proposal is None:
            return None
        turns = [record.entry for record in self._facts.by_person.get(person, ()) if record.name in TURNS]
        valid = all(approval.entry > max(turns, default=0) for approval in self.approvals(proposal.digest))
        return proposal if valid else None

    def expiry(self, digest: str) -> datetime | None:
        """When a digest's approvals were found to have expired, where that is the last that came of it."""
        return self.decisions.expiry(digest)

    @property
    def last_review(self) -> tuple[str, ...]:
        """The keys of what the last access review found."""
        return self.review[1]

    def approvals(self, digest: str) -> tuple[Approval, ...]:
        """The approvals of a digest that count: not yet spent by its application nor voided by a refusal."""
        return self.decisions.unspent(digest)

    # Tasks

    def task(self, text: str) -> Task:
        """The task whose id begins so. Raises BadInput where there is none, or more than one."""
        return self._tasks.task(text)

    def has_task(self, id_: str) -> bool:
        """Whether a task with this id was ever opened."""
        return id_ in self._tasks.by_id

    def tasks(self) -> tuple[Task, ...]:
        """Every task that was ever opened, the most urgent first."""
        return tuple(sorted(self._tasks.by_id.values(), key=lambda task: (task.due, task.id)))

    def open_tasks(self) -> tuple[Task, ...]:
        """What somebody still has to do by hand, the most urgent first."""
        return tuple(task for task in self.tasks() if task.done is None)

    # Effects

    def intents(self, digest: str) -> tuple[Intended, ...]:
        """The changes already begun under a proposal since it was last applied; of a cut-off, what still counts."""
        after = self.decisions.last_settled(digest, how="applied")
        begun = self.effects.by_digest.get(digest, ())
        return tuple(self.effects.intents[seq] for seq in begun if seq > after)

    def last_given(self, person: str, system: str) -> int | None:
        """The entry by which a person was last to be given something on a system besides its login; None for never."""
        return self.effects.last_given().get((person, system))

    def last_attempt(self, person: str, resource: Resource) -> Intended | None:
        """The last attempt to give a person something that they hold; None for what isn't held by the ledger."""
        return self._last_attempts.get((person, resource))

    @cached_property
    def _last_attempts(self) -> Mapping[tuple[str, Resource], Intended]:
        return self.effects.last_attempts()

    def unresolved(self) -> tuple[Intended, ...]:
        """The changes of which it isn't known whether they took effect, oldest first."""
        return tuple(self.effects.unresolved())

    def owned(self) -> Mapping[Key, frozenset[str]]:
        """Levels that are ours, or may be, by person, account and resource."""
        return self._owned

    @cached_property
    def _owned(self) -> Mapping[Key, frozenset[str]]:
        return MappingProxyType(self.effects.owned())

    @property
    def unread(self) -> frozenset[str]:
        """Of whom something planned was changed since they were last read back: whoever did that was killed before."""
        return frozenset(self.read_backs.unread)

    def grant_history(self, person: str, resource: Resource) -> tuple[Episode, ...]:
        """Every attempt to change what a person holds on a resource, oldest first."""
        if self.archive:
            return self.archive.of_person(person, self.seq).grant_history(person, resource)
        intents = self.effects.intents.values()
        mine = (i for i in intents if (i.change.person, i.change.resource) == (person, resource))
        return tuple(Episode(intent, self._rested_on(intent)) for intent in mine)

    def episode(self, intent: int) -> Episode:
        """The attempt whose intent is this entry. Raises KeyError where that is no intent's number, or forgotten."""
        intended = self.effects.intents[intent]
        return Episode(intended, self._rested_on(intended))

    def _rested_on(self, intent: Intended) -> tuple[Approval, ...]:
        after = self.decisions.last_settled(intent.digest, before=intent.seq)
        return self.decisions.approvals_between(intent.digest, after, intent.seq)

    def _standing(self, person: str) -> Standing:
        if person not in self._standings:
            told, loads = self._facts.by_person.get(person, ()), self._facts.loads_of(person)
            self._standings[person] = standing_of(person, told, loads)
        return self._standings[person]


_Index = TypeVar("_Index", Facts, Decisions, Effects, Tasks, ReadBacks)


def _grown(index: _Index, entries: list[Entry]) -> _Index:
    """The index with these entries. Raises OnboardError naming the entry that hasn't the form of its kind."""
    if not entries:
        return index
    reached = entries[0]

    def watched() -> Iterator[Entry]:
        nonlocal reached
        for entry in entries:
            reached = entry
            yield entry

    try:
        return index.advance(watched())
    except (KeyError, ValueError, TypeError, AttributeError, BadInput) as error:
        wrong = f"entry {reached.seq}: hasn't the form of its kind, {reached.kind!r}: {error!r}"
        raise OnboardError(wrong) from error
