"""The CRM follows the stores' events: what arrivals, taps and consents say of a customer, each read once.

The position reached is kept in the transaction of what was made of it.
"""

import logging
import threading

from sqlalchemy import Connection, Engine, func, select

from sync.clock import Now
from sync.crm import access, consents, customers, moments, tables
from sync.crm.ids import millis
from sync.crm.moments import Moment
from sync.events import AnyEvent, Arrival, ConsentGiven, Response, decode
from sync.members.consent import Consent
from sync.store import tables as central
from sync.store.database import StoreError, insert, reading, translated, writing

log = logging.getLogger(__name__)

READER = "crm"
EVERY_S = 2.0
TIDY_EVERY_S = 3600.0
_TYPES = (Arrival.TYPE, Response.TYPE, ConsentGiven.TYPE)


class Follower:
    """``run`` blocks; part of the centre's process."""

    def __init__(self, engine: Engine, now: Now) -> None:
        self._engine, self._now = engine, now
        self._tidied = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set. A lost database is waited for, and said once."""
        failing = False
        while not stop.is_set():
            try:
                self.step()
                failing = False
            except StoreError as error:
                if not failing:
                    log.error("crm: %s; %s", error, error.fix)
                failing = True
            stop.wait(EVERY_S)

    def step(self) -> int:
        """Read what is new of every store, and forget what is past its time; returns how many events were read."""
        with reading(self._engine) as connection:
            stores = _behind(connection)
        read = 0
        for store in stores:
            while True:
                with translated(), writing(self._engine) as connection:
                    found, more = catch_up(connection, store, self._now())
                read += found
                if not more:
                    break
        if self._now() - self._tidied >= TIDY_EVERY_S:
            self._tidied = self._now()
            with translated(), writing(self._engine) as connection:
                moments.expire(connection, self._now())
                access.expire(connection, self._now())
        return read


def _behind(connection: Connection) -> list[str]:
    """Stores that have events beyond what was read: nothing is written, and nobody waits, while there are none."""
    reader, store = tables.event_reader, central.store
    query = select(store.c.store).outerjoin(reader, (reader.c.store == store.c.store) & (reader.c.reader == READER))
    return list(connection.scalars(query.where(store.c.position > func.coalesce(reader.c.position, 0))))


def catch_up(connection: Connection, store: str, now: float, limit: int = 500) -> tuple[int, bool]:
    """Read a store's next events about people; returns how many, and whether there may be more.

    An arrival with two candidates is nobody's until a clerk says whose. "Wrong person" takes an arrival away again.
    """
    reader, event = tables.event_reader, central.event
    where = reader.c.store == store, reader.c.reader == READER
    after = connection.scalar(select(reader.c.position).where(*where).with_for_update()) or 0
    # Whoever sees a position sees all lower ones: what this query leaves out up to here is about nobody.
    through = connection.scalar(select(central.store.c.position).where(central.store.c.store == store)) or 0
    query = select(event.c.position, event.c.payload)
    query = query.where(event.c.store == store, event.c.position > after, event.c.type.in_(_TYPES))
    rows = connection.execute(query.order_by(event.c.position).limit(limit)).all()
    for row in rows:
        _read(connection, decode(row.payload.encode()), now)
    more = len(rows) == limit
    reached = rows[-1].position if more else max(through, rows[-1].position if rows else 0)
    statement = insert(connection, reader)
    upsert = statement.on_conflict_do_update(
        index_elements=["store", "reader"], set_={"position": statement.excluded.position}
    )
    connection.execute(upsert, [{"store": store, "reader": READER, "position": reached}])
    return len(rows), more


def _read(connection: Connection, event: AnyEvent, now: float) -> None:
    data, time = event.data, millis(event.time.timestamp())
    if isinstance(data, Arrival):
        if len(data.candidates) == 1 and customers.ensure_references(connection, data.candidates, now):
            body = {"method": data.method, "confidence": data.confidence}
            moments.put(connection, Moment(data.candidates[0], event.id, "arrival", time, event.storeid, body))
    elif isinstance(data, Response):
        if data.action in ("wrong_person", "companion", "staff"):
            moments.take_back(connection, data.arrival)
        elif data.action == "confirm" and customers.ensure_references(connection, [data.member], now):
            about = {"guide": data.guide, "arrival": str(data.arrival)}
            moments.put(connection, Moment(data.member, event.id, "visit", time, event.storeid, about))
    elif isinstance(data, ConsentGiven) and customers.ensure_references(connection, [data.member], now):
        consents.record(connection, Consent(**data.model_dump(), time=event.time.timestamp()))
