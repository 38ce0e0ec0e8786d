"""What boxes were told to do, the keys that their receipts are signed with, and who was erased."""

from alembic import op
from sqlalchemy import BigInteger, Column, String, Text, Uuid

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "box_order",
        Column("store", String(32), primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("number", BigInteger, nullable=False),
        Column("kind", String(16), nullable=False),
        Column("member", String(32)),
        Column("issued", BigInteger, nullable=False),
        Column("expires", BigInteger, nullable=False),
        Column("payload", Text, nullable=False),
        Column("receipt", Text),
    )
    op.create_index("box_order_member", "box_order", ["member", "kind"])
    op.create_table(
        "box_key",
        Column("store", String(32), primary_key=True),
        Column("public", String(64), nullable=False),
        Column("first_seen", BigInteger, nullable=False),
    )
    op.create_table(
        "erased_member",
        Column("member", String(32), primary_key=True),
        Column("time", BigInteger, nullable=False),
    )
