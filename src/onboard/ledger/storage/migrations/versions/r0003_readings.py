"""What was seen to hold nothing, and when, so that reading it may wait its turn."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Times of readings."""
    op.create_table(
        "readings",
        sa.Column("system", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
