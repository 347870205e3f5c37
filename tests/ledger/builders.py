"""Journals told as stories, without a database: each line is a record, each entry a minute after the last."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import make_url

from onboard.ledger import ChangeRecord, Entry, Head, Record, Register, Result, records
from onboard.ledger.entries import GENESIS, Json, seal
from onboard.ledger.privacy.keyring import FileKeyring
from onboard.ledger.store import keyring_beside
from onboard.model import (
    OPERATOR,
    Actor,
    Classification,
    Engagement,
    EngagementModel,
    Phase,
    Receipt,
    Resource,
    Source,
    Staffing,
    Vendor,
)

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MARTA, JONAS, ADA, VIKTOR = (f"p-{digit * 32}" for digit in "1234")
ACCOUNT = "a-" + "1" * 32
REPO = Resource("github", "repo", "acme/payments-api")
PROJECT = Resource("jira", "project", "PAY")
SPONSOR = Actor(ADA, "vault login")


def keyring_of(url: str) -> FileKeyring:
    """The keyring of a ledger: the file beside it, or in the folder of the server that it is on."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        beside = keyring_beside(url)
        assert isinstance(beside, FileKeyring)
        return beside
    return FileKeyring(Path(str(parsed.query["host"])) / f"{parsed.database}-people.keys")


def vendor(name: str = "nordwind") -> Vendor:
    return Vendor(name, name.title(), date(2026, 1, 1), date(2027, 3, 31), Source(f"vendors/{name}.yaml", 1))


def engagement(name: str = "payments", *, vendor: str = "nordwind", **roles: str) -> Engagement:
    """An engagement whose people are given as `marta="qa-engineer"`, by the names of this module's people."""
    people = {"marta": MARTA, "jonas": JONAS, "ada": ADA, "viktor": VIKTOR}
    source = Source(f"engagements/{name}.yaml", 1)
    return Engagement(
        id=name,
        name=name.title(),
        vendor=vendor,
        model=EngagementModel.DEDICATED_TEAM,
        classification=Classification.CONFIDENTIAL,
        starts=date(2026, 10, 1),
        ends=date(2027, 2, 28),
        sponsor=ADA,
        product_owner=ADA,
        vendor_lead=VIKTOR,
        company_lead=ADA,
        staffing=tuple(Staffing(people[person], role, source, date(2026, 11, 1)) for person, role in roles.items()),
        source=source,
    )


def change(before: str | None, after: str | None, resource: Resource = REPO, person: str = MARTA) -> ChangeRecord:
    return ChangeRecord(person, resource.system, ACCOUNT, resource, before, after)


@dataclass
class Story:
    """A journal in the making."""

    entries: list[Entry] = field(default_factory=list)

    def tell(self, *told: Record, actor: Actor = OPERATOR) -> int:
        """Add these records; returns the number of the last entry."""
        for record in told:
            head = Head(self.entries[-1].seq, self.entries[-1].hash) if self.entries else Head(0, GENESIS)
            entry, _ = seal(record, actor, START + timedelta(minutes=head.seq), head)
            self.entries.append(entry)
        return self.entries[-1].seq

    def write(self, change: ChangeRecord, result: Result | None = Result.DONE, digest: str = "d1") -> int:
        """An intent and, unless None, its outcome; returns the intent's number."""
        intent = self.tell(records.intended(digest, change))
        if result is not None:
            self.tell(records.outcome(intent, result, Receipt("204", START, "req-1")))
        return intent

    def register(self, until: int | None = None) -> Register:
        """What is so at the end, or after entry number `until`."""
        return Register.replay(self.entries[:until])


def onboarded() -> Story:
    """Marta works as a QA engineer in payments, in ramp-up, and has merged."""
    story = Story()
    story.tell(
        records.person_added(MARTA),
        records.vendor_loaded(vendor()),
        records.engagement_loaded(engagement(marta="qa-engineer")),
        records.happened("nda_signed", MARTA, until=date(2027, 6, 30)),
        records.started(MARTA, "payments", "qa-engineer"),
        records.advanced(MARTA, "payments", Phase.RAMP_UP),
        records.happened("first_merge", MARTA, engagement="payments"),
    )
    return story


def terms(person: str = MARTA, *, authority: str = "approval", hazards: tuple[str, ...] = ()) -> dict[str, Json]:
    changes = [change(None, "push", person=person).json()]
    policy = "f" * 64
    return {"person": person, "authority": authority, "policy": policy, "changes": changes, "hazards": list(hazards)}
