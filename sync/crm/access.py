"""Who looked at a customer, wrote to them, exported, changed or merged them: rows that SQL cannot change or delete."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, delete, select

from sync.crm import tables
from sync.crm.ids import millis, new_id
from sync.store.database import insert

Act = Literal["viewed", "found", "messaged", "exported", "changed", "merged", "unmerged", "handed", "erased"]
KEPT_S = 3 * 365.25 * 86400
"""PRIVACY rule 12. The database's own trigger refuses to delete what is younger."""


@dataclass(frozen=True, slots=True)
class Look:
    """One entry; ``time`` in milliseconds."""

    customer: str
    id: UUID
    actor: str
    role: str
    act: Act
    time: int
    store: str | None
    detail: str


def note(
    connection: Connection,
    customer: str,
    actor: str,
    act: Act,
    now: float,
    *,
    role: str = "",
    store: str | None = None,
    detail: str = "",
) -> None:
    """Add an entry, in the transaction of what it tells of. Never a text that was written to the customer."""
    note_all(connection, [customer], actor, act, now, role=role, store=store, detail=detail)


def note_all(
    connection: Connection,
    customers: Sequence[str],
    actor: str,
    act: Act,
    now: float,
    *,
    role: str = "",
    store: str | None = None,
    detail: str = "",
) -> None:
    """The same about many customers."""
    rows = [
        {
            "customer": customer,
            "id": new_id(now),
            "actor": actor[:64],
            "role": role[:16],
            "act": act,
            "time": millis(now),
            "store": store,
            "detail": detail[:400],
        }
        for customer in customers
    ]
    if rows:
        connection.execute(insert(connection, tables.access), rows)


def of(connection: Connection, customer: str, before: int | None = None, limit: int = 200) -> list[Look]:
    """Newest first; ``before`` (milliseconds) goes on from an earlier page."""
    table = tables.access
    query = select(table).where(table.c.customer == customer)
    if before is not None:
        query = query.where(table.c.time < before)
    query = query.order_by(table.c.time.desc(), table.c.id.desc()).limit(limit)
    return [Look(*row) for row in connection.execute(query)]


def by_actor(connection: Connection, actor: str, since: int, until: int) -> list[Look]:
    """What one person did, oldest first: for asking why."""
    table = tables.access
    where = table.c.actor == actor, table.c.time >= since, table.c.time < until
    return [Look(*row) for row in connection.execute(select(table).where(*where).order_by(table.c.time, table.c.id))]


def expire(connection: Connection, now: float) -> int:
    """Delete what is older than three years; returns how many."""
    table = tables.access
    return connection.execute(delete(table).where(table.c.time < millis(now - KEPT_S) - 1)).rowcount
