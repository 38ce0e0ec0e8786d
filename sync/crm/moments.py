"""What a store's sensors add to a customer: arrivals, visits that a clerk confirmed, try-ons. Kept for a while only."""

import json
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, delete

from sync.crm import tables
from sync.crm.ids import millis
from sync.store.database import insert

Kind = Literal["arrival", "visit", "tryon"]
KEPT_S: dict[Kind, float] = {"arrival": 90 * 86400.0, "visit": 90 * 86400.0, "tryon": 30 * 86400.0}
"""PRIVACY rule 13."""


@dataclass(frozen=True, slots=True)
class Moment:
    """``id`` is the event's; ``time`` in milliseconds."""

    customer: str
    id: UUID
    kind: Kind
    time: int
    store: str
    data: dict[str, Any]


def put(connection: Connection, moment: Moment) -> None:
    """Keep one, once."""
    row = {name: getattr(moment, name) for name in ("customer", "id", "kind", "time", "store")}
    row["data"] = json.dumps(moment.data, ensure_ascii=False, sort_keys=True)
    connection.execute(insert(connection, tables.customer_moment).on_conflict_do_nothing(), [row])


def take_back(connection: Connection, arrival: UUID) -> None:
    """It was somebody else who arrived."""
    table = tables.customer_moment
    connection.execute(delete(table).where(table.c.id == arrival, table.c.kind == "arrival"))


def expire(connection: Connection, now: float) -> int:
    """Forget what is past its time; returns how many."""
    table, gone = tables.customer_moment, 0
    for kind, seconds in KEPT_S.items():
        where = table.c.kind == kind, table.c.time < millis(now - seconds)
        gone += connection.execute(delete(table).where(*where)).rowcount
    return gone
