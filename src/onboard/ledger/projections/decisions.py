"""What was proposed, approved, refused and applied, and which policy is in force."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from onboard.errors import BadInput
from onboard.ledger.entries import Entry
from onboard.ledger.projections.indexing import among, extended
from onboard.model import Actor

#: How much of a digest names a proposal.
SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was proposed for one person. `terms` is all that the digest stands for, as it was recorded.

    `settled` is "applied", "refused" or "withdrawn" where that came after the (last) proposal of this digest. That
    approvals expired leaves the proposal open.
    """

    entry: int
    at: datetime
    actor: Actor
    digest: str
    person: str
    authority: str
    policy: str
    terms: Mapping[str, Any]
    settled: str | None = None

    @property
    def engagement(self) -> str | None:
        """The engagement that it is about, where it is about one."""
        return self.terms.get("engagement")

    @property
    def changes(self) -> tuple[Mapping[str, Any], ...]:
        """The changes as recorded."""
        return tuple(self.terms["changes"])

    @property
    def refused(self) -> bool:
        """Whether somebody refused it."""
        return self.settled == "refused"

    @property
    def applied(self) -> bool:
        """Whether it was carried out."""
        return self.settled == "applied"


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody approved a digest, in a capacity, accepting hazards by name.

    `for_whom` is set where they did it as somebody's delegate, `rule` where a rule did it for them once and for all.
    """

    entry: int
    at: datetime
    actor: Actor
    digest: str
    as_role: str
    accepts: frozenset[str]
    for_whom: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """A digest was applied, refused, withdrawn, or its approvals expired: what was approved before no longer counts."""

    entry: int
    how: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Decisions:
    """Proposals (the last), approvals and settlements by digest; the newest digest by person and authority."""

    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    approvals: Mapping[str, tuple[Approval, ...]] = field(default_factory=dict)
    settlements: Mapping[str, tuple[Settlement, ...]] = field(default_factory=dict)
    newest: Mapping[tuple[str, str], str] = field(default_factory=dict)
    policy: str | None = None
    revisions: Mapping[str, str | None] = field(default_factory=dict)

    def advance(self, entries: Iterable[Entry]) -> Decisions:
        """These decisions and the ones that follow."""
        proposals: dict[str, Proposal] = {}
        newest: dict[tuple[str, str], str] = {}
        approvals: dict[str, list[Approval]] = {}
        settlements: dict[str, list[Settlement]] = {}
        policy, revisions = self.policy, dict(self.revisions)
        for entry in entries:
            match entry.kind:
                case "policy":
                    policy = entry.body["hash"]
                    revisions[policy] = entry.body.get("revision")
                case "proposed":
                    proposal = _proposal(entry)
                    proposals[proposal.digest] = proposal
                    newest[proposal.person, proposal.authority] = proposal.digest
                case "approved":
                    approvals.setdefault(entry.body["digest"], []).append(_approval(entry))
                case "applied" | "refused" | "withdrawn" | "expired":
                    settlements.setdefault(entry.body["digest"], []).append(Settlement(entry.seq, entry.kind, entry.at))
        return Decisions(
            MappingProxyType({**self.proposals, **proposals}),
            extended(self.approvals, approvals),
            extended(self.settlements, settlements),
            MappingProxyType({**self.newest, **newest}),
            policy,
            MappingProxyType(revisions),
        )

    def proposal(self, digest: str) -> Proposal:
        """The proposal whose digest begins so. Raises BadInput where there is none, or more than one."""
        exact = [digest] if digest in self.proposals else []
        found = exact or [known for known in self.proposals if len(digest) >= SHORTEST and known.startswith(digest)]
        if len(found) > 1:
            raise BadInput.one(f"{digest} begins {len(found)} plans: {', '.join(d[:16] for d in sorted(found))}.")
        if not found:
            expected = f"Expected at least the first {SHORTEST} characters of a plan's digest."
            raise BadInput.one(f"No plan {digest!r} was ever proposed. {expected}")
        return self._settled(self.proposals[found[0]])

    def latest(self, person: str, authority: str) -> Proposal | None:
        """The newest proposal for a person under one authority."""
        digest = self.newest.get((person, authority))
        return self._settled(self.proposals[digest]) if digest else None

    def open(self) -> Iterator[Proposal]:
        """Of each person the newest proposals that need somebody's word, unless they are settled."""
        newest = sorted((self.proposals[digest] for digest in self.newest.values()), key=lambda p: p.entry)
        return (
            p
            for p in map(self._settled, newest)
            if p.settled is None and (p.authority != "fact" or p.terms.get("hazards"))
        )

    def approved(self, person: str, authority: str = "approval") -> Proposal | None:
        """The proposal for a person under an authority that was approved last, if that approval still counts."""
        given = [
            (unspent[-1].entry, p)
            for p in self.proposals.values()
            if (p.person, p.authority) == (person, authority) and (unspent := self.unspent(p.digest))
        ]
        return max(given, key=lambda found: found[0])[1] if given else None

    def unspent(self, digest: str) -> tuple[Approval, ...]:
        """The approvals that count: given since the digest was last settled."""
        return self.approvals_between(digest, self.last_settled(digest), None)

    def approvals_between(self, digest: str, after: int, before: int | None) -> tuple[Approval, ...]:
        """The approvals recorded after one entry and before another."""
        given = self.approvals.get(digest, ())
        return tuple(a for a in given if a.entry > after and (before is None or a.entry < before))

    def last_settled(self, digest: str, before: int | None = None, how: str | None = None) -> int:
        """The last entry (before another) by which a digest was settled (`how`, if given); 0 for never."""
        known = self.settlements.get(digest, ())
        fits = [s.entry for s in known if (before is None or s.entry < before) and how in (None, s.how)]
        return max(fits, default=0)

    def expiry(self, digest: str) -> datetime | None:
        """When a digest's approvals expired, where nothing came of it since, nor was it approved again."""
        known = self.settlements.get(digest, ())
        last = known[-1] if known and known[-1].how == "expired" else None
        return last.at if last and not self.unspent(digest) else None

    def matters(self, begun: Mapping[str, Collection[int]], pinned: Collection[str] = ()) -> set[int]:
        """The entries about digests on which the answers about now rest, and will whatever comes.

        These are each person's newest proposals, what is approved and not spent, what was begun under a proposal and
        not applied since, and everything of the `pinned`. `begun`: the intents that are kept, by digest.
        """
        approved = {digest: kept for digest in self.approvals if (kept := self.unspent(digest))}
        applied = {digest: self.last_settled(digest, how="applied") for digest in begun}
        live = {*self.newest.values(), *approved, *(d for d, last in applied.items() if max(begun[d]) > last)}
        proposals = [self.proposals[digest] for digest in live & self.proposals.keys()]
        seqs = {proposal.entry for proposal in proposals}
        seqs |= {approval.entry for given in approved.values() for approval in given}
        seqs |= {last for p in proposals if (last := self.last_settled(p.digest)) > p.entry}
        seqs |= {settled.entry for p in proposals if (settled := self._settlement(p))}
        seqs |= {last for digest, last in applied.items() if last > min(begun[digest])}
        seqs |= {told[-1].entry for told in self.settlements.values() if told[-1].how == "expired"}
        return seqs | {seq for digest in pinned for seq in self._all(digest)}

    def _all(self, digest: str) -> Iterator[int]:
        if digest in self.proposals:
            yield self.proposals[digest].entry
        yield from (approval.entry for approval in self.approvals.get(digest, ()))
        yield from (settlement.entry for settlement in self.settlements.get(digest, ()))

    def only(self, kept: frozenset[int]) -> Decisions:
        """The same without the proposals, approvals and settlements that aren't among these entries."""
        proposals = {digest: proposal for digest, proposal in self.proposals.items() if proposal.entry in kept}
        newest = {who: digest for who, digest in self.newest.items() if digest in proposals}
        return replace(
            self,
            proposals=MappingProxyType(proposals),
            approvals=among(self.approvals, kept),
            settlements=among(self.settlements, kept),
            newest=MappingProxyType(newest),
        )

    def _settled(self, proposal: Proposal) -> Proposal:
        settlement = self._settlement(proposal)
        return replace(proposal, settled=settlement.how) if settlement else proposal

    def _settlement(self, proposal: Proposal) -> Settlement | None:
        """What ended it; that its approvals expired didn't."""
        told = reversed(self.settlements.get(proposal.digest, ()))
        return next((s for s in told if s.entry > proposal.entry and s.how != "expired"), None)


def _proposal(entry: Entry) -> Proposal:
    terms = {name: value for name, value in entry.body.items() if name != "digest"}
    return Proposal(
        entry.seq,
        entry.at,
        entry.actor,
        entry.body["digest"],
        terms["person"],
        terms["authority"],
        terms["policy"],
        MappingProxyType(terms),
    )


def _approval(entry: Entry) -> Approval:
    body = entry.body
    accepts, rule = frozenset(body["accepts"]), body.get("rule") or {}
    return Approval(
        entry.seq, entry.at, entry.actor, body["digest"], body["as_role"], accepts, body.get("for"), rule.get("id")
    )
