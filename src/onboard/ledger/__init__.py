"""What happened, kept for good: the journal, the register read from it, and personal data beside it."""

from onboard.ledger import records
from onboard.ledger.decisions import Approval, Proposal
from onboard.ledger.entries import Entry, Head, Record
from onboard.ledger.history import Attempt, History
from onboard.ledger.journal import Journal
from onboard.ledger.leases import Lease, Leases, owner_here
from onboard.ledger.people import Identity, People, Profile
from onboard.ledger.records import ChangeRecord, Result
from onboard.ledger.register import Register
from onboard.ledger.store import Ledger
from onboard.ledger.tasks import Task, task_id

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
