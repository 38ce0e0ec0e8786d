"""What a store's sensors add to a customer: arrivals, visits that a clerk confirmed, try-ons. Kept for a while only.

Read from the events that the centre holds, each once: the position reached is kept with what was made of it.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, delete, select

from sync.crm import tables
from sync.crm.ids import millis
from sync.events import AnyEvent, Arrival, Response, decode
from sync.store import tables as central
from sync.store.database import insert

Kind = Literal["arrival", "visit", "tryon"]
KEPT_S: dict[Kind, float] = {"arrival": 90 * 86400.0, "visit": 90 * 86400.0, "tryon": 30 * 86400.0}
"""PRIVACY rule 13."""
READER = "moments"
_TYPES = (Arrival.TYPE, Response.TYPE)


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


def catch_up(connection: Connection, store: str, limit: int = 500) -> int:
    """Read a store's next events; returns how many were read, 0 when there is nothing new.

    An arrival with two candidates is nobody's until a clerk says whose. "Wrong person" takes an arrival away again.
    """
    reader, event = tables.event_reader, central.event
    where = reader.c.store == store, reader.c.reader == READER
    after = connection.scalar(select(reader.c.position).where(*where).with_for_update()) or 0
    query = select(event.c.position, event.c.type, event.c.payload)
    query = query.where(event.c.store == store, event.c.position > after).order_by(event.c.position).limit(limit)
    rows = connection.execute(query).all()
    for row in rows:
        if row.type in _TYPES:
            _read(connection, decode(row.payload.encode()))
    if rows:
        statement = insert(connection, reader)
        upsert = statement.on_conflict_do_update(
            index_elements=["store", "reader"], set_={"position": statement.excluded.position}
        )
        connection.execute(upsert, [{"store": store, "reader": READER, "position": rows[-1].position}])
    return len(rows)


def _read(connection: Connection, event: AnyEvent) -> None:
    data, time = event.data, millis(event.time.timestamp())
    if isinstance(data, Arrival):
        if len(data.candidates) == 1:
            body = {"method": data.method, "confidence": data.confidence}
            put(connection, Moment(data.candidates[0], event.id, "arrival", time, event.storeid, body))
    elif isinstance(data, Response):
        if data.action == "confirm":
            about = {"guide": data.guide, "arrival": str(data.arrival)}
            put(connection, Moment(data.member, event.id, "visit", time, event.storeid, about))
        elif data.action in ("wrong_person", "companion", "staff"):
            table = tables.customer_moment
            connection.execute(delete(table).where(table.c.id == data.arrival, table.c.kind == "arrival"))


def expire(connection: Connection, now: float) -> int:
    """Forget what is past its time; returns how many."""
    table, gone = tables.customer_moment, 0
    for kind, seconds in KEPT_S.items():
        where = table.c.kind == kind, table.c.time < millis(now - seconds)
        gone += connection.execute(delete(table).where(*where)).rowcount
    return gone
