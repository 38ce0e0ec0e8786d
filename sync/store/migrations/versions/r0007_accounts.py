"""Accounts, their sessions, keys of programs, and what was answered to an idempotency key."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "account",
        Column("account", String(32), primary_key=True),
        Column("password", String(200), nullable=False),
        Column("role", String(16), nullable=False),
        Column("stores", Text),
        Column("created", BigInteger, nullable=False),
        Column("disabled", BigInteger),
    )
    op.create_table(
        "account_session",
        Column("token", LargeBinary(32), primary_key=True),
        Column("account", String(32), nullable=False),
        Column("expires", BigInteger, nullable=False),
    )
    op.create_index("account_session_account", "account_session", ["account"])
    op.create_table(
        "login_try",
        Column("kind", String(8), primary_key=True),
        Column("name", String(64), primary_key=True),
        Column("wrong", Integer, nullable=False),
        Column("until", BigInteger, nullable=False),
        Column("time", BigInteger, nullable=False),
    )
    op.create_table(
        "api_key",
        Column("id", String(16), primary_key=True),
        Column("digest", LargeBinary(32), nullable=False),
        Column("name", String(32), nullable=False),
        Column("scopes", Text, nullable=False),
        Column("stores", Text),
        Column("source", String(32)),
        Column("created", BigInteger, nullable=False),
        Column("disabled", BigInteger),
    )
    op.create_table(
        "answered",
        Column("actor", String(64), primary_key=True),
        Column("key", String(64), primary_key=True),
        Column("digest", LargeBinary(32), nullable=False),
        Column("status", Integer, nullable=False),
        Column("body", Text, nullable=False),
        Column("time", BigInteger, nullable=False),
    )
    op.create_index("answered_time", "answered", ["time"])
