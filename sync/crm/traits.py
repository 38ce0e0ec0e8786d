"""A customer's sizes and tastes: one size per thing (ring 12, shoe 38), any number of tastes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, delete, select

from sync.crm import tables
from sync.crm.ids import millis
from sync.store.database import insert


@dataclass(frozen=True, slots=True)
class Trait:
    """A size has a value; a taste is its name."""

    kind: Literal["size", "taste"]
    name: str
    value: str = ""


def row(customer: str, trait: Trait, now: float) -> dict[str, object]:
    """As ``put_rows`` takes it."""
    return {"customer": customer, "kind": trait.kind, "name": trait.name, "value": trait.value, "time": millis(now)}


def put(connection: Connection, customer: str, traits: Iterable[Trait], now: float) -> None:
    """Keep these; a size of the same name is replaced."""
    put_rows(connection, [row(customer, each, now) for each in traits])


def put_rows(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Many customers' at once."""
    if not rows:
        return
    statement = insert(connection, tables.trait)
    values = {name: statement.excluded[name] for name in ("value", "time")}
    keys = ["customer", "kind", "name"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def drop(connection: Connection, customer: str, trait: Trait) -> None:
    """Forget one."""
    table = tables.trait
    where = table.c.customer == customer, table.c.kind == trait.kind, table.c.name == trait.name
    connection.execute(delete(table).where(*where))


def of(connection: Connection, customers: Sequence[str]) -> list[Trait]:
    """Of a group of customers; of a size that two of them have, the later one."""
    table = tables.trait
    query = select(table).where(table.c.customer.in_(customers)).order_by(table.c.time)
    found = {(row.kind, row.name): Trait(row.kind, row.name, row.value) for row in connection.execute(query)}
    return [found[key] for key in sorted(found)]
