"""Segments of customers, and what exports told: rows with their revisions, and the mark of each export."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Integer, String, Text, Uuid

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "customer_segment",
        Column("customer", String(32), primary_key=True),
        Column("state", String(8), nullable=False),
        Column("since", Date, nullable=False),
        Column("days", Integer, nullable=False),
        Column("first", Date, nullable=False),
        Column("last", Date, nullable=False),
        Column("spent", BigInteger, nullable=False),
        Column("category", String(64), nullable=False),
        Column("cycle", Integer, nullable=False),
        Column("pace", Integer),
        Column("recency", Integer, nullable=False),
        Column("frequency", Integer, nullable=False),
        Column("money", Integer, nullable=False),
        Column("vital", Boolean, nullable=False),
        Column("warning", String(16)),
        Column("due", Date),
        Column("computed", BigInteger, nullable=False),
    )
    op.create_index("customer_segment_state", "customer_segment", ["state", "customer"])
    op.create_index("customer_segment_due", "customer_segment", ["due"])
    op.create_index("purchase_received", "purchase", ["received"])
    op.create_table(
        "segment_basis",
        Column("name", String(32), primary_key=True),
        Column("body", Text, nullable=False),
        Column("learnt", BigInteger, nullable=False),
        Column("through", BigInteger, nullable=False),
    )
    op.create_table(
        "footfall_revision",
        Column("store", String(32), primary_key=True),
        Column("grain", String(8), primary_key=True),
        Column("start", BigInteger, primary_key=True, autoincrement=False),
        Column("sensor", String(32), primary_key=True),
        Column("place", String(32), primary_key=True),
        Column("revision", Integer, primary_key=True, autoincrement=False),
        Column("position", BigInteger, nullable=False),
        Column("made", BigInteger, nullable=False),
        Column("entered", BigInteger),
        Column("left", BigInteger),
        Column("coverage", Float(53), nullable=False),
    )
    op.create_table(
        "export_run",
        Column("store", String(32), primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("kind", String(8), nullable=False),
        Column("grain", String(8), nullable=False),
        Column("start", BigInteger, nullable=False),
        Column("end", BigInteger, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("made", BigInteger, nullable=False),
        Column("rows", BigInteger, nullable=False),
    )
