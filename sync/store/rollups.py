"""The roll-ups that the pages read, kept in the transaction that stores the events.

Each is a function of the set of events: in which order they came, and how often, makes no difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table

from sync.events import AnyEvent, DevicesWindow, FootfallMinute, Health, TryOn
from sync.store import tables
from sync.store.database import insert, put_newer

MINUTE_MS = 60_000
HOUR_MS = 3_600_000

Row = dict[str, Any]


def millis(moment: datetime) -> int:
    """Milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def apply(connection: Connection, events: Sequence[AnyEvent], received: int) -> None:
    """Add ``events``, none of which was added before; ``received`` in milliseconds."""
    _newest(connection, tables.footfall_minute, _minutes(events), ("revision", "event"))
    _newest(connection, tables.devices_window, _devices(events), ("seq", "event"))
    _newest(connection, tables.sensor_state, _states(events, received), ("seq", "event"))
    _add_tryons(connection, events)


def _minutes(events: Iterable[AnyEvent]) -> Iterable[Row]:
    for event in events:
        data = event.data
        if isinstance(data, FootfallMinute):
            yield {
                "store": event.storeid,
                "minute": millis(data.minute) // MINUTE_MS * MINUTE_MS,
                "sensor": event.sensor,
                "place": data.place,
                "boot": event.bootid,
                "revision": data.revision,
                "event": event.id,
                "entered": data.entered,
                "left": data.left,
                "coverage": data.coverage,
                "occupancy": data.occupancy,
                "kind": data.kind or "line",
                "staff_entered": data.staff_entered,
                "staff_left": data.staff_left,
                "excluded": data.excluded,
                "groups": data.groups,
            }


def _devices(events: Iterable[AnyEvent]) -> Iterable[Row]:
    for event in events:
        if isinstance(event.data, DevicesWindow):
            yield {
                "store": event.storeid,
                "start": millis(event.data.start),
                "sensor": event.sensor,
                "boot": event.bootid,
                "seq": event.seq,
                "event": event.id,
                "data": event.data.model_dump_json(),
            }


def _states(events: Iterable[AnyEvent], received: int) -> Iterable[Row]:
    for event in events:
        if isinstance(event.data, Health):
            # Order is the outbox's: clocks may jump. A replaced box has another outbox; readers take the newest.
            yield {
                "store": event.storeid,
                "sensor": event.sensor,
                "outbox": event.outboxid,
                "seq": event.seq,
                "event": event.id,
                "time": millis(event.time),
                "received": received,
                "data": event.data.model_dump_json(),
            }


def _newest(connection: Connection, table: Table, rows: Iterable[Row], order: Sequence[str]) -> None:
    keys = [column.name for column in table.primary_key]
    best: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[name] for name in keys)
        if key not in best or _rank(best[key], order) < _rank(row, order):
            best[key] = row
    put_newer(connection, table, list(best.values()), order)


def _rank(row: Mapping[str, Any], order: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in order)


def _add_tryons(connection: Connection, events: Iterable[AnyEvent]) -> None:
    totals: dict[tuple[str, int, str, str], list[int]] = {}
    for event in events:
        data = event.data
        if isinstance(data, TryOn):
            start, end = millis(data.start), millis(data.end)
            key = event.storeid, start // HOUR_MS * HOUR_MS, data.gtin or data.epc, data.kind
            total = totals.setdefault(key, [0, 0])
            total[0] += 1
            total[1] += max(0, end - start)
    if not totals:
        return
    names = ("store", "hour", "product", "kind", "sessions", "milliseconds")
    rows = [dict(zip(names, (*key, *totals[key]), strict=True)) for key in sorted(totals)]
    table = tables.tryon_hour
    statement = insert(connection, table)
    added = {name: table.c[name] + statement.excluded[name] for name in names[4:]}
    connection.execute(statement.on_conflict_do_update(index_elements=names[:4], set_=added), rows)
