"""How many of a variant a store has, as last told."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select

from sync.crm import tables
from sync.crm.ids import millis
from sync.store.database import put_newer


@dataclass(frozen=True, slots=True)
class Stock:
    """``time`` (milliseconds) is when it was told."""

    store: str
    variant: UUID
    units: int
    time: int


def row(store: str, variant: UUID, units: int, now: float) -> dict[str, object]:
    """As ``put_rows`` takes it."""
    return {"store": store, "variant": variant, "units": units, "time": millis(now)}


def put_rows(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Keep these; what was told later stays. Of one variant told twice here, the last counts."""
    once = {(each["store"], each["variant"]): each for each in rows}
    put_newer(connection, tables.stock, list(once.values()), ["time", "units"])


def of(connection: Connection, variants: Sequence[UUID]) -> list[Stock]:
    """By store."""
    table = tables.stock
    query = select(table).where(table.c.variant.in_(variants)).order_by(table.c.store, table.c.variant)
    return [Stock(*row) for row in connection.execute(query)]
