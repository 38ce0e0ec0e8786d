"""Guides: who serves customers, in which store, and since when no longer."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from sync.crm import tables
from sync.crm.errors import CrmError
from sync.crm.ids import millis
from sync.store.database import insert


@dataclass(frozen=True, slots=True)
class Guide:
    """``left`` (milliseconds) is None while they work here."""

    guide: str
    name: str | None
    store: str | None
    created: int
    left: int | None


def put(connection: Connection, guide: str, name: str | None, store: str | None, now: float) -> None:
    """A guide, new or with another name or store. Who had left and is put again is back."""
    statement = insert(connection, tables.guide)
    values = {name: statement.excluded[name] for name in ("name", "store", "left")}
    row = {"guide": guide, "name": name, "store": store, "created": millis(now), "left": None}
    connection.execute(statement.on_conflict_do_update(index_elements=["guide"], set_=values), [row])


def ensure(connection: Connection, names: Sequence[str], now: float) -> None:
    """Guides that a till or a file names are known from then on."""
    if names:
        rows = [{"guide": each, "name": None, "store": None, "created": millis(now), "left": None} for each in names]
        connection.execute(insert(connection, tables.guide).on_conflict_do_nothing(), rows)


def get(connection: Connection, guide: str) -> Guide:
    """Raises ``CrmError`` (``unknown``)."""
    row = connection.execute(select(tables.guide).where(tables.guide.c.guide == guide)).first()
    if row is None:
        raise CrmError("unknown", f"there is no guide {guide}", "add the guide first")
    return Guide(*row)


def here(connection: Connection, guide: str) -> Guide:
    """A guide who works here. Raises ``CrmError``: ``unknown``, ``left``."""
    found = get(connection, guide)
    if found.left is not None:
        raise CrmError("left", f"{guide} has left", "choose a guide who works here")
    return found


def leave(connection: Connection, guide: str, now: float) -> None:
    """Mark that a guide has left."""
    table = tables.guide
    connection.execute(update(table).where(table.c.guide == guide).values(left=millis(now)))


def all_here(connection: Connection, store: str | None = None) -> list[Guide]:
    """Who works here, by name."""
    table = tables.guide
    query = select(table).where(table.c.left.is_(None))
    if store is not None:
        query = query.where(table.c.store == store)
    return [Guide(*row) for row in connection.execute(query.order_by(table.c.name, table.c.guide))]
