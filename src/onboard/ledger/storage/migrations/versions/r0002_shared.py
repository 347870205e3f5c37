"""What several workers share, and who held what when without reading the whole journal."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Budgets of vendors' limits; changes as a projection of the journal."""
    op.create_table(
        "budgets",
        sa.Column("system", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(200), primary_key=True),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.Text, nullable=False),
        sa.Column("asleep", sa.BigInteger, nullable=False),
        sa.Column("low", sa.BigInteger, nullable=False),
        sa.Column("urgent", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("person", sa.String(34), nullable=False, index=True),
        sa.Column("account", sa.String(34), nullable=False),
        sa.Column("resource", sa.Text, nullable=False, index=True),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("outcome", sa.BigInteger),
        sa.Column("outcome_at", sa.BigInteger),
        sa.Column("ended", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
    )
    op.create_table(
        "projections",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
