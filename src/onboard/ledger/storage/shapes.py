"""Which shape a ledger's database has, and giving it this version's: all at once where there is none, else by steps.

What is up to date is told by one plain select; Alembic is imported only where there is a step to take.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from onboard.errors import BadInput
from onboard.ledger.storage.migrations import REVISIONS
from onboard.ledger.storage.tables import metadata

NEWEST = REVISIONS[-1]
#: The tables of the first released shape, which didn't yet say which it was.
RELEASED = frozenset({"journal", "person_keys", "person_data", "person_index", "ledger_keys", "leases", "bundles"})

#: Alembic's own table: one row, the name of the shape.
_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def shape_of(connection: Connection, place: str) -> str | None:
    """The name of the shape that a database has; None where there is no ledger in it.

    Raises BadInput where it was made by a newer onboard, or has only some of a ledger's tables.
    """
    known = inspect(connection)
    if known.has_table(_version.name):
        return _judged(connection.scalar(select(_version.c.version_num)), place)
    there = RELEASED & set(known.get_table_names())
    if there and there != RELEASED:
        missing = ", ".join(sorted(RELEASED - there))
        raise BadInput.one(f"What is in {place} is no ledger, or not all of one: it has no table {missing}.")
    return REVISIONS[0] if there else None


def _judged(shape: str | None, place: str) -> str | None:
    if shape is None or shape in REVISIONS:
        return shape
    raise BadInput.one(
        f"The ledger in {place} was made by a newer onboard: it has the shape {shape}, and this version knows none "
        f"after {NEWEST}. Install that onboard, or a later one. Nothing was changed."
    )


def create(connection: Connection, freeze_journal: Callable[[Connection], None]) -> None:
    """Make every table of the newest shape, in a database without a ledger. Call it in a writing transaction."""
    metadata.create_all(connection)
    freeze_journal(connection)
    _stamp(connection, NEWEST)


def upgrade(connection: Connection, shape: str | None, to: str = "head") -> None:
    """Take the steps from one shape (None: from an empty database) to another. Call it in a writing transaction."""
    from alembic import command
    from alembic.config import Config

    if shape and not inspect(connection).has_table(_version.name):
        _stamp(connection, shape)
    config = Config()
    config.set_main_option("script_location", "onboard.ledger.storage:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _stamp(connection: Connection, shape: str) -> None:
    _version.create(connection, checkfirst=True)
    connection.execute(insert(_version).values(version_num=shape))
