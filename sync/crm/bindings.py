"""Which guide serves a customer: a history that is the company's. One binding is open at most, none is deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, select, update

from sync.crm import guides, tables
from sync.crm.ids import millis, new_id
from sync.store.database import insert

Reason = Literal["first", "assigned", "handover", "dispute"]


@dataclass(frozen=True, slots=True)
class Binding:
    """``until`` is None while it is in force; ``before`` is whose customer it was. Times are milliseconds."""

    customer: str
    id: UUID
    guide: str
    since: int
    until: int | None
    reason: Reason
    by: str
    before: str | None
    handover: UUID | None


def open_for(connection: Connection, wanted: Mapping[str, str], now: float, by: str) -> int:
    """Bind customers who are nobody's yet, each to its guide; the others stay where they are. Returns how many."""
    if not wanted:
        return 0
    guides.ensure(connection, sorted(set(wanted.values())), now)
    table = tables.binding
    taken = select(table.c.customer).where(table.c.customer.in_(list(wanted)), table.c.until.is_(None))
    bound = set(connection.scalars(taken))
    rows = [_row(who, guide, now, "first", by) for who, guide in sorted(wanted.items()) if who not in bound]
    if rows:
        connection.execute(insert(connection, table), rows)
    return len(rows)


def assign(connection: Connection, customer: str, guide: str, now: float, by: str, reason: Reason = "assigned") -> UUID:
    """From now on ``guide`` serves the customer. Raises ``CrmError`` for a guide who is not there, or has left."""
    guides.here(connection, guide)
    before = current(connection, [customer]).get(customer)
    if before is not None and before.guide == guide:
        return before.id
    close(connection, [customer], now)
    row = _row(customer, guide, now, reason, by, before.guide if before else None)
    connection.execute(insert(connection, tables.binding), [row])
    return UUID(str(row["id"]))


def close(connection: Connection, customers: Sequence[str], now: float) -> None:
    """End the bindings in force of these customers."""
    table = tables.binding
    where = table.c.customer.in_(customers), table.c.until.is_(None)
    connection.execute(update(table).where(*where).values(until=millis(now)))


def current(connection: Connection, customers: Sequence[str]) -> dict[str, Binding]:
    """The bindings in force."""
    table = tables.binding
    query = select(table).where(table.c.customer.in_(customers), table.c.until.is_(None))
    return {row.customer: Binding(*row) for row in connection.execute(query)}


def history(connection: Connection, customers: Sequence[str]) -> list[Binding]:
    """All of a group of customers, oldest first."""
    table = tables.binding
    query = select(table).where(table.c.customer.in_(customers)).order_by(table.c.since, table.c.id)
    return [Binding(*row) for row in connection.execute(query)]


def customers_of(connection: Connection, guide: str) -> list[str]:
    """Whom a guide serves now."""
    table = tables.binding
    query = select(table.c.customer).where(table.c.guide == guide, table.c.until.is_(None))
    return list(connection.scalars(query.order_by(table.c.customer)))


def _row(
    customer: str,
    guide: str,
    now: float,
    reason: Reason,
    by: str,
    before: str | None = None,
    handover: UUID | None = None,
) -> dict[str, object]:
    return {
        "customer": customer,
        "id": new_id(now),
        "guide": guide,
        "since": millis(now),
        "until": None,
        "reason": reason,
        "by": by,
        "before": before,
        "handover": handover,
    }


def handed(
    connection: Connection, customers: Sequence[str], leaver: str, successor: str, now: float, by: str, handover: UUID
) -> None:
    """End these bindings and open the successor's, as one handover."""
    close(connection, customers, now)
    rows = [_row(who, successor, now, "handover", by, leaver, handover) for who in customers]
    if rows:
        connection.execute(insert(connection, tables.binding), rows)
