"""Writers who look something up and then insert it wait for each other, so that nothing is made twice."""

from sqlalchemy import Connection, text

_CRM = 0x59_4B_43_52
"""PostgreSQL advisory lock of everything that takes in customers, products and purchases."""


def one_at_a_time(connection: Connection) -> None:
    """Until the end of the transaction. SQLite has one writer anyhow."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_CRM})"))
