"""The latest audit of each line."""

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String, Text, Uuid

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table; audits that were dead letters until now come in when those are replayed."""
    op.create_table(
        "audit",
        Column("store", String(32), nullable=False),
        Column("sensor", String(32), nullable=False),
        Column("line", String(32), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("event", Uuid, nullable=False),
        Column("received", BigInteger, nullable=False),
        Column("data", Text, nullable=False),
        PrimaryKeyConstraint("store", "sensor", "line"),
    )
