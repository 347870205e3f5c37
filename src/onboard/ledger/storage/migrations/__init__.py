"""The shapes that a ledger's database has had, one after another, and Alembic's way from each to the next.

A new shape: change `tables.py`, add the step to `versions/` and its name here. A test compares the two.
"""

#: Every revision, oldest first; the last is what `tables.py` says. Known without Alembic, which takes long to import.
REVISIONS = ("0001", "0002", "0003", "0004", "0005")
