"""The ledger's tables. Nothing here is special to one database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

#: The canonical bytes are the entry; nothing of it stands in a second place that could disagree.
journal = Table(
    "journal",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("canonical", LargeBinary, nullable=False),
)

#: Who is kept here. `key` is empty: keys are in the keyring. An older onboard had them here, until they are moved.
person_keys = Table(
    "person_keys",
    metadata,
    Column("person", String(34), primary_key=True),
    Column("key", LargeBinary, nullable=False),
)

#: `purpose`: `profile`, `account:A-ID` or `note:N-ID`.
person_data = Table(
    "person_data",
    metadata,
    Column("purpose", String(64), primary_key=True),
    Column("person", ForeignKey("person_keys.person"), primary_key=True, index=True),
    Column("ciphertext", LargeBinary, nullable=False),
)

#: What must be unique or found by its value, under a keyed hash: e-mail, handle, external id.
person_index = Table(
    "person_index",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("person", ForeignKey("person_keys.person"), nullable=False, index=True),
    Column("purpose", String(64), nullable=False),
)

#: Which keyring this ledger belongs to; in an older one, until it is moved, the key of `person_index`.
ledger_keys = Table(
    "ledger_keys",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("key", LargeBinary, nullable=False),
)

#: A row stays when its lease ends, so that tokens only ever grow. `expires` is in microseconds since 1970.
leases = Table(
    "leases",
    metadata,
    Column("key", Text, primary_key=True),
    Column("owner", Text),
    Column("token", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
)

#: What was taken of a vendor's limit, by all workers together. `kind` names the limit and what it counts by itself;
#: `slot` is the newest of the equal parts of its window, `spent` the counts of the last ones, newest first, as JSON.
#: Until `asleep` nobody calls, until `low` only what removes, and until `urgent` something that removes waits its turn.
#: Times are in microseconds since 1970.
budgets = Table(
    "budgets",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("kind", String(200), primary_key=True),
    Column("slot", BigInteger, nullable=False),
    Column("spent", Text, nullable=False),
    Column("asleep", BigInteger, nullable=False),
    Column("low", BigInteger, nullable=False),
    Column("urgent", BigInteger, nullable=False),
)

#: What was seen to hold nothing that has to be read one by one, and when, so that it isn't read every time: names of
#: repositories, nothing about people. Times are in microseconds since 1970.
readings = Table(
    "readings",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

bundles = Table(
    "bundles",
    metadata,
    Column("hash", String(128), primary_key=True),
    Column("files", Text, nullable=False),
)

#: Every attempt to change what somebody holds, read from the journal and rebuildable from it (see `history.py`): a
#: grant was held from `at` until `ended_at`, unless it failed. Times are in microseconds since 1970.
changes = Table(
    "changes",
    metadata,
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("person", String(34), nullable=False, index=True),
    Column("account", String(34), nullable=False),
    Column("resource", Text, nullable=False, index=True),
    Column("before", Text),
    Column("after", Text),
    Column("digest", String(128), nullable=False),
    Column("result", String(16), nullable=False),
    Column("outcome", BigInteger),
    Column("outcome_at", BigInteger),
    Column("ended", BigInteger),
    Column("ended_at", BigInteger),
)

#: Which entries are about which digest, what was proposed and what was decided of it: read from the journal as well.
decided = Table(
    "decided",
    metadata,
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(128), nullable=False, index=True),
)

#: The entries on which the answers about now rest, each with its hash; rebuildable from the journal (see `present.py`).
matters = Table(
    "matters",
    metadata,
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
)

#: Up to which journal entry each projection has been read.
projections = Table(
    "projections",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
