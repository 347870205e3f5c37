"""The first shape that was released."""

import sqlalchemy as sa
from alembic import op

from onboard.ledger.storage.database import DIALECTS

revision = "0001"
down_revision = None


def upgrade() -> None:
    """The journal, people under their keys, leases, policy bundles."""
    op.create_table(
        "journal",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("canonical", sa.LargeBinary, nullable=False),
    )
    bind = op.get_bind()
    DIALECTS[bind.dialect.name].freeze_journal(bind)
    _people()
    op.create_table(
        "ledger_keys",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "bundles",
        sa.Column("hash", sa.String(128), primary_key=True),
        sa.Column("files", sa.Text, nullable=False),
    )


def _people() -> None:
    op.create_table(
        "person_keys",
        sa.Column("person", sa.String(34), primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "person_data",
        sa.Column("purpose", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(34), sa.ForeignKey("person_keys.person"), primary_key=True, index=True),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "person_index",
        sa.Column("fingerprint", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(34), sa.ForeignKey("person_keys.person"), nullable=False, index=True),
        sa.Column("purpose", sa.String(64), nullable=False),
    )
