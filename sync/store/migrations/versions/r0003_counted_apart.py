"""Staff, excluded crossings and groups of each minute; what was stored before does not tell them."""

from alembic import op
from sqlalchemy import BigInteger, Column

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, which are NULL in every row already stored."""
    for name in ("staff_entered", "staff_left", "excluded", "groups"):
        op.add_column("footfall_minute", Column(name, BigInteger))
