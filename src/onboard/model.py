"""The words of the house: frozen values that every room speaks in. No I/O, no clock, no personal data.

People are opaque ids here (`p-…`), accounts too (`a-…`); names, e-mails, handles and the vendors' external ids live in
`onboard.ledger.privacy.people` and travel only inside `Account` and `Holding`, which are never written to the journal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from onboard.errors import BadInput
from onboard.lasting import Limit
from onboard.rota import Shift

PERSON_ID = re.compile(r"p-[0-9a-f]{32}")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Kind(StrEnum):
    """The kinds of system; a configured system is an instance of one and has a name of its own."""

    GITHUB = "github"
    JIRA = "jira"
    SLACK = "slack"
    VAULT = "vault"


class Phase(StrEnum):
    """An assignment's phase. Entitlements are cumulative: what a phase gives, the later ones keep."""

    DISCOVERY = "discovery"
    TOOLING_SETUP = "tooling-setup"
    RAMP_UP = "ramp-up"
    FULL_OPERATION = "full-operation"

    @property
    def rank(self) -> int:
        """0 for discovery, 3 for full operation."""
        return list(Phase).index(self)

    def reaches(self, other: Phase) -> bool:
        """Whether being in this phase includes what begins in `other`."""
        return self.rank >= other.rank

    @property
    def next(self) -> Phase | None:
        """The phase after this one; None after full operation."""
        return next((phase for phase in Phase if phase.rank == self.rank + 1), None)


class EngagementModel(StrEnum):
    """How a vendor's people work with the company."""

    STAFF_AUGMENTATION = "staff-augmentation"
    PROJECT_BASED = "project-based"
    DEDICATED_TEAM = "dedicated-team"


class Classification(StrEnum):
    """How sensitive a resource or an engagement's data is, least first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"

    @property
    def rank(self) -> int:
        """0 for public, 3 for restricted."""
        return list(Classification).index(self)


class AccountKind(StrEnum):
    """What sort of account it is; a resource says which kinds it admits."""

    MEMBER = "member"  # a full member: GitHub organisation, Jira user, Slack full member, Vault entity
    OUTSIDE_COLLABORATOR = "outside-collaborator"  # GitHub
    GUEST = "guest"  # Slack, several channels
    SINGLE_CHANNEL_GUEST = "single-channel-guest"  # Slack


class AccountState(StrEnum):
    """Where an account stands on its system."""

    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    GONE = "gone"


class Proof(StrEnum):
    """How an account was shown to be its person's, the weakest first.

    A code that no mail server carried was shown to whoever asked for it, so it shows less than one sent to the work
    e-mail.
    """

    NONE = "none"  # no account is bound
    CLAIMED = "claimed"  # whoever entered the handle said so
    HANDED_OVER = "handed-over"  # they repeated a code that a colleague handed them
    WORK_EMAIL = "work-email"  # they repeated a code that was sent to their work e-mail
    COMPANY_LOGIN = "company-login"  # the company's own directory gives the name to nobody else


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """Something access can be granted to, written `system:type:name`, e.g. `github:repo:acme/payments-api`.

    `system` is the configured system's name, which for the default four is its kind. Names:
    GitHub `org:ORG`, `team:ORG/SLUG`, `repo:OWNER/NAME`; Jira `group:NAME`, `project:KEY`; Slack `channel:NAME`,
    `usergroup:HANDLE` (both without `#` or `@`); Vault `login:MOUNT` (an enabled entity with an alias on that auth
    mount), `group:NAME` (an internal identity group).
    """

    system: str
    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.system}:{self.type}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Resource:
        """The resource that `text` names. Raises BadInput where it isn't `system:type:name`."""
        parts = text.split(":", 2)
        if len(parts) != 3 or not all(parts):
            raise BadInput.one(f"{text!r} is no resource. Write system:type:name, like github:repo:acme/payments-api.")
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a line of policy or of a manifest stands: a path relative to its folder, and the line (from 1)."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def short(self) -> str:
        """The file's name without its folder, and the line: for narrow tables."""
        return f"{self.file.rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, and how we know: a person id or a service's name, and the authentication that showed it."""

    id: str
    authenticated_by: str


#: A command typed by somebody whom no login has named. May record and propose; may never approve.
OPERATOR = Actor("operator", "local shell")
SCHEDULER = Actor("scheduler", "prefect")


@dataclass(frozen=True, slots=True)
class Vendor:
    """A company whose engineers work here under a contract, and its data agreement's last day where it has one."""

    id: str
    name: str
    contract_starts: date
    contract_ends: date
    source: Source
    data_processing_agreement: date | None = None


@dataclass(frozen=True, slots=True)
class Staffing:
    """One line of an engagement's manifest: this person works here in this role, within these dates if given."""

    person: str
    role: str
    source: Source
    starts: date | None = None
    ends: date | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Engagement:
    """A piece of work that a vendor does, as its manifest states it; dates are inclusive, people are ids.

    `account_kinds` says, by system name, which kind of account its people use there where it isn't a full member.
    `locations` are the countries (ISO 3166, two letters) in which its data may be worked on; none named, any may.
    """

    id: str
    name: str
    vendor: str
    model: EngagementModel
    classification: Classification
    starts: date
    ends: date
    sponsor: str
    product_owner: str
    vendor_lead: str
    company_lead: str
    staffing: tuple[Staffing, ...]
    source: Source
    account_kinds: Mapping[str, AccountKind] = field(default_factory=lambda: MappingProxyType({}))
    locations: tuple[str, ...] = ()
    rota: tuple[Shift, ...] = ()

    @property
    def answering(self) -> tuple[str, str, str]:
        """Who of the company answers for it: sponsor, product owner, company lead."""
        return self.sponsor, self.product_owner, self.company_lead


@dataclass(frozen=True, slots=True)
class Assignment:
    """A person in an engagement as the facts have it now. `phase` is None until started; `ended` once they left it."""

    person: str
    engagement: str
    role: str
    phase: Phase | None = None
    ended: bool = False
    starts: date | None = None
    ends: date | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened, as recorded: name, when, until when it holds (inclusive), and its journal entry."""

    name: str
    at: datetime
    entry: int
    until: date | None = None

    def holds(self, on: date) -> bool:
        """Whether it still holds on that day."""
        return self.until is None or on <= self.until


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A line of a role: a level on a resource, the phase from which it is carried, and facts that it waits for.

    `needs` are prerequisites (NDA, training…): each must be a recorded fact that still holds, and bounds the grant's
    end. `after` is a milestone: once reached it stays reached. It is carried in engagements of these `models` only, or
    of any where none are named; `on_call` says that it is held during the person's shifts only.
    """

    resource: Resource
    level: str
    phase: Phase
    source: Source
    needs: tuple[str, ...] = ()
    after: str | None = None
    because: str = ""
    models: frozenset[EngagementModel] = frozenset()
    on_call: bool = False


@dataclass(frozen=True, slots=True)
class Warrant:
    """Why a grant is desired: assignment, role, phase, policy line, prerequisites, and the last day it is good for.

    `extra` is empty for a line of a role; else "request" or "break-glass", and `source` the journal's entry about it.
    """

    engagement: str
    role: str
    phase: Phase
    source: Source
    needs: tuple[str, ...]
    after: str | None
    limit: Limit
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """A person should hold this level on this resource: its warrants' levels joined, until the latest of their ends."""

    person: str
    resource: Resource
    level: str
    warrants: tuple[Warrant, ...]

    @property
    def limit(self) -> Limit:
        """When, and because of what, the grant ends: with its warrant that lasts longest, or the extra it rests on."""
        return self.warrants[0].limit if self.extra else max(warrant.limit for warrant in self.warrants)

    @property
    def extra(self) -> str:
        """Empty for what a role gives; else what sort of extra it is: request, break-glass."""
        return self.warrants[0].extra if self.warrants else ""


@dataclass(frozen=True, slots=True)
class Account:
    """An identity on a system. `external_id` is the vendor's immutable id, None while the account doesn't exist yet.

    Ids by kind: GitHub the numeric user id; Jira Cloud the accountId, Data Center the user key; Slack the user id;
    Vault the entity id. `handle` is what people type: login, e-mail or username; for people to read, never to compare.
    """

    id: str
    system: str
    external_id: str | None
    handle: str
    person: str | None = None
    kind: AccountKind = AccountKind.MEMBER
    state: AccountState = AccountState.ACTIVE


class HoldingState(StrEnum):
    """Whether access is in effect, waits for its invitation to be accepted, or waits in an invitation that lapsed."""

    ACTIVE = "active"
    INVITED = "invited"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Holding:
    """One account holds one level on one resource, as read. `invitation` is the vendor's id of what is pending.

    `account` is the external id; an invitation sent to an e-mail address that is bound to no account yet carries
    `email:ADDRESS` there. `via` says by which route ("direct", "team:…", "org base permission"); only direct holdings
    can be revoked on the resource itself.
    """

    account: str
    handle: str
    resource: Resource
    level: str
    state: HoldingState = HoldingState.ACTIVE
    via: str = "direct"
    invitation: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a system said about one resource: its holdings (none is verified absence) or why it is unknown.

    `at` is set where a part of it was read earlier than the observation: when the oldest part was.
    """

    resource: Resource
    holdings: tuple[Holding, ...] = ()
    unknown: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One reading of one system. `unknown` set means that nothing could be read at all; then `readings` is empty.

    `accounts` holds, by external id, the accounts met on the way with their state and kind; `complete` says that every
    resource of the system was enumerated, so that what isn't listed isn't held.
    """

    system: str
    at: datetime
    readings: Mapping[Resource, Reading] = field(default_factory=lambda: MappingProxyType({}))
    accounts: Mapping[str, Account] = field(default_factory=lambda: MappingProxyType({}))
    complete: bool = False
    unknown: str | None = None

    def of(self, resource: Resource) -> Reading:
        """The reading of one resource: unknown where the system, or this resource, could not be read."""
        if self.unknown is not None:
            return Reading(resource, unknown=self.unknown)
        return self.readings.get(resource) or Reading(resource, unknown="it was not read")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a system answered to one write. Only `status`, `request_id` and `at` may go into the journal.

    `changed` is False where the system said that it was so already. `external_id` is set where the write made or
    found the account; `did` says what was done, in the words of an order ("remove from #general"), for people to read.
    """

    status: str
    at: datetime
    request_id: str | None = None
    changed: bool = True
    external_id: str | None = None
    did: str = ""
