"""What happened, kept for good: the journal, the register read from it, and personal data beside it."""

from onboard.ledger import records
from onboard.ledger.entries import Entry, Head, Record
from onboard.ledger.journal import Journal
from onboard.ledger.leases import Lease, Leases, owner_here
from onboard.ledger.privacy.people import Identity, People, Profile
from onboard.ledger.projections.decisions import Approval, Proposal
from onboard.ledger.projections.history import Attempt, History
from onboard.ledger.projections.register import Register
from onboard.ledger.projections.tasks import Task, task_id
from onboard.ledger.records import ChangeRecord, Result
from onboard.ledger.store import Ledger

__all__ = [
    "Approval",
    "Attempt",
    "ChangeRecord",
    "Entry",
    "Head",
    "History",
    "Identity",
    "Journal",
    "Lease",
    "Leases",
    "Ledger",
    "People",
    "Profile",
    "Proposal",
    "Record",
    "Register",
    "Result",
    "Task",
    "owner_here",
    "records",
    "task_id",
]
