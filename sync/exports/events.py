"""Events as exported, in order of their time: each with the coverage of its minute, and how late it came in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select

from sync.events import Arrival, ConsentGiven, Response
from sync.exports.buckets import Bucket
from sync.exports.runs import Run, keep, position
from sync.store import tables

OF_PEOPLE = (Arrival.TYPE, Response.TYPE, ConsentGiven.TYPE)
"""These name a member: no export of events holds them; the customer's own data is another matter."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event; times are milliseconds. ``coverage`` are the seconds of its minute that its line, zone or sensor
    observed; None where no minute of it is known."""

    cursor: int
    id: UUID
    type: str
    sensor: str
    time: int
    received: int
    coverage: float | None
    data: dict[str, Any]


def export(connection: Connection, store: str, among: Sequence[Bucket], now: float) -> tuple[Run, list[EventRow]]:
    """The events of the days, and the mark of this export."""
    reached = position(connection, store)
    found = _events(connection, store, among[0].start * 1000, among[-1].end * 1000, 0)
    return keep(connection, store, "events", "event", among, reached, len(found), now), found


def since(connection: Connection, run: Run) -> list[EventRow]:
    """The events of the run's days that came in after it: events never change, so these are all the changes."""
    return _events(connection, run.store, run.start, run.end, run.position)


def _events(connection: Connection, store: str, start: int, end: int, after: int) -> list[EventRow]:
    event = tables.event
    query = select(event).where(event.c.store == store, event.c.position > after, event.c.type.not_in(OF_PEOPLE))
    query = query.where(event.c.time >= start, event.c.time < end).order_by(event.c.time, event.c.position)
    coverage = _coverage(connection, store, start, end)
    return [_row(row, coverage) for row in connection.execute(query)]


def _coverage(connection: Connection, store: str, start: int, end: int) -> dict[tuple[int, str, str], float]:
    """By minute, sensor and place; the place "" is the best covered one of the sensor."""
    table = tables.footfall_minute
    query = select(table.c.minute, table.c.sensor, table.c.place, func.sum(table.c.coverage))
    query = query.where(table.c.store == store, table.c.minute >= start - 60_000, table.c.minute < end)
    found: dict[tuple[int, str, str], float] = {}
    for minute, sensor, place, seconds in connection.execute(
        query.group_by(table.c.minute, table.c.sensor, table.c.place)
    ):
        seconds = min(60.0, seconds)
        found[minute, sensor, place] = seconds
        found[minute, sensor, ""] = max(seconds, found.get((minute, sensor, ""), 0.0))
    return found


def _row(row: Row[Any], coverage: dict[tuple[int, str, str], float]) -> EventRow:
    data = json.loads(row.payload)["data"]
    place = data.get("line") or data.get("zone") or ""
    seen = coverage.get((row.time // 60_000 * 60_000, row.sensor, place))
    return EventRow(row.position, row.id, row.type, row.sensor, row.time, row.received, seen, data)
