"""The tables of accounts, sessions and keys (revision ``0007``). Times are milliseconds; no secret stands in them."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from sync.store.tables import NAME, metadata

account = Table(
    "account",
    metadata,
    Column("account", NAME, primary_key=True),
    # Argon2id, with its parameters and salt.
    Column("password", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    # A JSON list; NULL is every store.
    Column("stores", Text),
    Column("created", BigInteger, nullable=False),
    Column("disabled", BigInteger),
)

account_session = Table(
    "account_session",
    metadata,
    # SHA-256 of the cookie: what stands here opens nothing.
    Column("token", LargeBinary(32), primary_key=True),
    Column("account", NAME, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("account_session_account", "account"),
)

login_try = Table(
    "login_try",
    metadata,
    # "account" or "address".
    Column("kind", String(8), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("wrong", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("name", NAME, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("stores", Text),
    # The only source whose receipts and numbers it may write; NULL is any.
    Column("source", NAME),
    Column("created", BigInteger, nullable=False),
    Column("disabled", BigInteger),
)

answered = Table(
    "answered",
    metadata,
    # Who asked, and the Idempotency-Key that they gave; the answer holds references, nothing of a person.
    Column("actor", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Index("answered_time", "time"),
)
