"""Telling approvers that a plan needs their word, and what became of it. What fails here holds up nobody's access."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from sqlalchemy import Connection

from onboard.connectors.letters import Carrier, Letter
from onboard.engine.parallel import beating
from onboard.errors import BadInput, OnboardError, SystemFailed, SystemRefused, Waiting
from onboard.ledger import Proposal, Register, owner_here
from onboard.ledger.privacy.answers import notified
from onboard.ledger.privacy.notices import Notice, Notices
from onboard.lifecycle import approvals
from onboard.lifecycle.answers import PROVEN
from onboard.lifecycle.letters import letter
from onboard.lifecycle.reconciling import lacking
from onboard.lifecycle.standing import register_of
from onboard.model import Actor, Kind
from onboard.telling import carriers
from onboard.wiring import Say, Services

#: Who tells people: nobody in particular.
TELLER = Actor("onboard", "notices")
_LEASE = "notices"
_TTL = 60.0


@dataclass
class Told:
    """What came of it: how many were told, how many messages say something else now, and what failed.

    `unproven` have to be asked, and can't be: no account there was shown to be theirs.
    """

    sent: int = 0
    changed: int = 0
    failed: list[str] = field(default_factory=list)
    unproven: set[str] = field(default_factory=set)


def tell(services: Services) -> Told:
    """Send what waits, and change what says something that isn't so any more. Without a system for it, does nothing.

    Raises Waiting where another worker is at it. What fails is in the result; running it again goes on.
    """
    told = Told()
    by_system, unusable = carriers(services.settings, services.clock, services.budgets)
    told.failed += unusable
    if by_system:
        leases = services.ledger.leases
        with leases.hold([_LEASE], owner_here(), ttl=_TTL, wait=0) as lease, beating(lease.renew, every=_TTL / 4):
            for carrier in by_system:
                _Round(services, carrier, told).go()
    return told


def announce(services: Services, say: Say) -> None:
    """The same after other work, which it doesn't hold up: `say` gets a line for what failed."""
    try:
        told = tell(services)
    except Waiting:
        return  # whoever is at it sees what is open, or the next one does
    except OnboardError as failure:
        say(f"The approvers could not be told: {failure} Try again: onboard notify")
        return
    for why in told.failed:
        say(f"An approver could not be told: {why} Try again: onboard notify")


@dataclass
class _Round:
    """One system's messages, brought up to date once."""

    services: Services
    carrier: Carrier
    told: Told

    @cached_property
    def register(self) -> Register:
        """As it stood when the round began."""
        return register_of(self.services)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The names of those who may be named on this system."""
        if not self.to_people and not self.services.settings.notices.jira_names:
            return {}
        return {person: profile.name for person, profile in self.services.ledger.people.all().items()}

    @cached_property
    def to_people(self) -> bool:
        """Whether each approver is written to; else there is one ticket for a plan."""
        return self.services.settings.systems[self.carrier.system].kind is Kind.SLACK

    @cached_property
    def asked(self) -> frozenset[tuple[str, str]]:
        """Who is to be asked about which plan now: (person, digest)."""
        people = {person for proposal in self.register.open_proposals() for person in self._candidates(proposal)}
        return frozenset(
            (person, proposal.digest)
            for person in people
            for proposal in approvals.inbox(self.services, Actor(person, approvals.SLACK_INTERACTION))
        )

    def go(self) -> None:
        """Change what is there, then send what isn't."""
        notices = Notices(self.services.ledger)
        there = [notice for notice in notices.all() if notice.system == self.carrier.system]
        for notice in there:
            with self._failing():
                self._again(notices, notice)
        known = {(notice.person, notice.digest) for notice in there}
        for person, digest in sorted(self._due() - known):
            with self._failing():
                self._first(notices, person, digest)

    def _candidates(self, proposal: Proposal) -> Iterator[str]:
        """Who may have a word on a plan: whom it names, who answers for its engagements, and their delegates."""
        for person in {*self._answering(proposal)}:
            yield person
            yield from (delegation.to for delegation in self.register.delegations(person))

    def _answering(self, proposal: Proposal) -> Iterator[str]:
        for need in proposal.terms["needs"]:
            yield from need["people"]
        for change in proposal.changes:
            for warrant in change.get("warrants", ()):
                yield from self.register.engagements[warrant["engagement"]].answering

    def _due(self) -> set[tuple[str, str]]:
        """Whose message about which plan has to be there."""
        if self.to_people:
            return {*self.asked}
        return {(self.register.proposal(digest).person, digest) for _, digest in self.asked}

    def _first(self, notices: Notices, person: str, digest: str) -> None:
        """Write a letter for the first time; that it is about to be is on record before."""
        to = self._account(person) if self.to_people else ""
        if to is None:
            return
        place = self.carrier.place(to)
        notice = notices.put(Notice(person, self.carrier.system, digest, self.services.clock(), place))
        self._send(notices, notice, self._letter(notice))

    def _account(self, person: str) -> str | None:
        """By which account a person is written to; None, and said, where none is shown to be theirs."""
        binding = self.register.bindings(person).get(self.carrier.system)
        if binding is None or binding.proof not in PROVEN:
            self.told.unproven.add(person)
            return None
        return self.services.ledger.people.account(binding.account).external_id

    def _again(self, notices: Notices, notice: Notice) -> None:
        """Bring a letter that was begun up to date; nothing more is said by it once its plan is over."""
        wanted = self._letter(notice)
        if not notice.mark:
            found = self.carrier.find(notice.place, notice.key, notice.since)
            if found is None and self.services.clock() < notice.since + self.carrier.shows_within:
                return
            if found is None and not wanted.outcome:
                self._send(notices, notice, wanted)
                return
            notice = self._sent(notices, notice, found, wanted) if found else notice
        elif notice.shown != _fingerprint(wanted):
            self._change(notices, notice, wanted)
        if wanted.outcome:
            notices.drop(notice)

    def _send(self, notices: Notices, notice: Notice, wanted: Letter) -> None:
        """Send it once. Whether a lost answer was a yes is read back; what that can't tell, the next run finds out."""
        try:
            mark: str | None = self.carrier.send(notice.place, wanted)
        except SystemRefused:
            notices.drop(notice)
            raise
        except SystemFailed as failure:
            mark = self.carrier.find(notice.place, notice.key, notice.since) if failure.uncertain else None
            if mark is None:
                raise
        if mark:
            self._sent(notices, notice, mark, wanted)

    def _sent(self, notices: Notices, notice: Notice, mark: str, wanted: Letter) -> Notice:
        self.told.sent += 1
        services = self.services
        entry = notified(notice.digest, notice.person, notice.system)

        def along(connection: Connection) -> None:
            services.ledger.journal.append_in(connection, [entry], actor=TELLER, at=services.clock())

        return notices.put(replace(notice, mark=mark, shown=_fingerprint(wanted)), along)

    def _change(self, notices: Notices, notice: Notice, wanted: Letter) -> None:
        """It says something else from now on. One that isn't there any more is let be."""
        try:
            self.carrier.change(notice.place, notice.mark, wanted)
        except SystemRefused:
            notices.drop(notice)
            raise
        self.told.changed += 1
        notices.put(replace(notice, shown=_fingerprint(wanted)))

    def _letter(self, notice: Notice) -> Letter:
        """What has to be said by it now."""
        proposal = self.register.proposal(notice.digest)
        journal = self.services.ledger.journal
        words = journal.entries(after=proposal.entry, kinds={"approved", "refused"})
        said = [entry for entry in words if entry.body["digest"] == notice.digest]
        waits = lacking(self.register, notice.digest) if proposal.settled is None else ()
        asks = (notice.person, notice.digest) in self.asked or not self.to_people
        return letter(notice.key, proposal, said, waits, self._name, asks=asks)

    def _name(self, person: str) -> str:
        return self.names.get(person, person[:10])

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What fails for one letter is said, and the others go on."""
        try:
            yield
        except (SystemFailed, BadInput) as failure:
            self.told.failed.append(str(failure))


def _fingerprint(wanted: Letter) -> str:
    return hashlib.sha256(repr(wanted).encode()).hexdigest()[:16]
