"""Open work about a customer, and who does it. Care writes it; a handover moves it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Connection, select, update

from sync.crm import tables
from sync.crm.ids import millis, new_id
from sync.store.database import insert


@dataclass(frozen=True, slots=True)
class Task:
    """``done`` (milliseconds) is None while it is open."""

    customer: str
    id: UUID
    guide: str | None
    kind: str
    what: str
    due: date
    created: int
    done: int | None


def add(
    connection: Connection, customer: str, kind: str, what: str, due: date, now: float, guide: str | None = None
) -> UUID:
    """New work."""
    entry = new_id(now)
    row = {
        "customer": customer,
        "id": entry,
        "guide": guide,
        "kind": kind,
        "what": what[:200],
        "due": due,
        "created": millis(now),
        "done": None,
        "handover": None,
    }
    connection.execute(insert(connection, tables.task), [row])
    return entry


def finish(connection: Connection, customer: str, task: UUID, now: float) -> bool:
    """It is done; whether it was open."""
    table = tables.task
    where = table.c.customer == customer, table.c.id == task, table.c.done.is_(None)
    return bool(connection.execute(update(table).where(*where).values(done=millis(now))).rowcount)


def open_of(connection: Connection, guide: str) -> list[Task]:
    """A guide's open work, what is due first first."""
    table = tables.task
    query = select(table).where(table.c.guide == guide, table.c.done.is_(None)).order_by(table.c.due, table.c.id)
    return [Task(*row[:8]) for row in connection.execute(query)]


def hand(connection: Connection, leaver: str, successor: str, handover: UUID) -> int:
    """All open work of one guide is another's; returns how much it was."""
    table = tables.task
    where = table.c.guide == leaver, table.c.done.is_(None)
    return connection.execute(update(table).where(*where).values(guide=successor, handover=handover)).rowcount


def of(connection: Connection, customers: Sequence[str]) -> list[Task]:
    """About these customers, open ones first."""
    table = tables.task
    query = select(table).where(table.c.customer.in_(customers)).order_by(table.c.done.is_not(None), table.c.due)
    return [Task(*row[:8]) for row in connection.execute(query)]
