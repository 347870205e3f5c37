"""What of a long journal still matters, and which entries are about which plan."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Two projections of the journal; they fill themselves."""
    op.create_table(
        "decided",
        sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(128), nullable=False, index=True),
    )
    op.create_table(
        "matters",
        sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
