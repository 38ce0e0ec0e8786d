"""Minutes of zones apart from those of lines; all that were stored before are of lines."""

from alembic import op
from sqlalchemy import Column, String

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column, which every row already stored gets as ``line``."""
    op.add_column("footfall_minute", Column("kind", String(8), nullable=False, server_default="line"))
