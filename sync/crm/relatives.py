"""A customer's family: who they buy for, and whose days they remember."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from sync.crm import tables
from sync.store.database import insert


@dataclass(frozen=True, slots=True)
class Relative:
    """``number`` tells relatives of one customer apart, and names their days (``Occasion.whose``).

    ``customer``: the relative is a customer too.
    """

    number: int
    relation: str
    name: str | None = None
    customer: str | None = None
    note: str | None = None


def add(
    connection: Connection,
    customer: str,
    relation: str,
    name: str | None = None,
    of_customer: str | None = None,
    note: str | None = None,
) -> Relative:
    """A new relative, with the next free number."""
    table = tables.relative
    last = connection.scalar(select(func.max(table.c.number)).where(table.c.customer == customer)) or 0
    row = {
        "customer": customer,
        "number": last + 1,
        "relation": relation,
        "name": name,
        "of_customer": of_customer,
        "note": note,
    }
    connection.execute(insert(connection, table), [row])
    return Relative(last + 1, relation, name, of_customer, note)


def drop(connection: Connection, customer: str, number: int) -> None:
    """Forget one, with their days."""
    table, occasion = tables.relative, tables.occasion
    connection.execute(delete(table).where(table.c.customer == customer, table.c.number == number))
    where = occasion.c.customer == customer, occasion.c.whose == str(number)
    connection.execute(delete(occasion).where(*where))


def of(connection: Connection, customer: str) -> list[Relative]:
    """By number."""
    table = tables.relative
    query = select(table).where(table.c.customer == customer).order_by(table.c.number)
    return [Relative(*row[1:]) for row in connection.execute(query)]
