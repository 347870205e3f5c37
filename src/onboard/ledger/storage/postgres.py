"""All that is special about PostgreSQL: connecting, its transactions, its triggers, and forgetting for good.

Writers come one after another, as on SQLite: each takes the same advisory lock, which ends with its transaction, before
it reads anything. It reads what is committed then (READ COMMITTED), so that what it read is still so when it writes. A
reader sees one state throughout (REPEATABLE READ) and waits for nobody.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

#: What has to be asked for: a server is the affair of whoever runs it.
UPGRADES_ITSELF = False
#: Seconds that a statement waits for another writer, and that it may run, before it gives up.
BUSY = 30
LONGEST = 60
#: Seconds after which the server ends a transaction whose worker is silent: frozen, or lost with its machine.
SILENT = 60
#: The advisory lock that writers take: "onboard" in ASCII.
_WRITER = 0x6F6E626F617264
_WRITES = "ledger_writes"
_CONNECTING = {"connect_timeout": "10", "application_name": "onboard", "keepalives_idle": "30"}
_SETTINGS = (
    f"SET lock_timeout = '{BUSY}s'",
    f"SET statement_timeout = '{LONGEST}s'",
    f"SET idle_in_transaction_session_timeout = '{SILENT}s'",
    # An intent must survive a power cut, whatever the server's default is.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)

_FROZEN = (
    """
CREATE OR REPLACE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$
""",
    """
CREATE OR REPLACE TRIGGER journal_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only()
""",
)


def place(url: URL) -> str:
    """Where the ledger is, for people to read, without the password."""
    return f"the database {url.database} on {url.host or url.query.get('host') or 'this machine'}"


def engines(url: URL, *, create: bool) -> tuple[Engine, Engine] | None:  # noqa: ARG001 - who runs the server makes databases
    """For reading and for writing the database that the URL names; nothing is asked of the server yet."""
    given = {name: value for name, value in _CONNECTING.items() if name not in url.query}
    driven = url.set(drivername="postgresql+psycopg")
    # Parameters stay out of error texts: they carry keys. A connection that the server has closed is replaced.
    made = create_engine(driven, connect_args=given, hide_parameters=True, pool_pre_ping=True, max_overflow=20)
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    reading = made.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return reading, made.execution_options(**{_WRITES: True})


def _prepare(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute("; ".join(_SETTINGS))
    connection.autocommit = False


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER})")


def freeze_journal(connection: Connection) -> None:
    """Forbid changing, deleting and emptying the journal, in the database itself."""
    for statement in _FROZEN:
        connection.exec_driver_sql(statement)


def scrub(made: Engine, tables: tuple[str, ...]) -> None:
    """Write these tables anew without what was deleted from them, and give the old files back (VACUUM FULL).

    The server's own write-ahead log, archives and backups keep older pages until whoever runs it recycles them.
    """
    with made.connect().execution_options(isolation_level="AUTOCOMMIT", **{_WRITES: False}) as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        try:
            for table in tables:
                connection.exec_driver_sql(f"VACUUM FULL {table}")
        finally:
            connection.exec_driver_sql(f"SET statement_timeout = '{LONGEST}s'")
