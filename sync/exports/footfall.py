"""Footfall as exported: each row with its coverage and its revision, kept so that a later export can tell changes."""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from sync.events import FootfallMinute
from sync.exports.buckets import Bucket, Grain
from sync.exports.runs import ExportError, Run, keep, position
from sync.store import tables
from sync.store.database import insert

Place = tuple[str, str]
"""Sensor and line."""
Key = tuple[int, str, str]
"""Start in milliseconds, sensor, line."""
Value = tuple[int | None, int | None, float]
"""Entered, left (None where nothing was observed), seconds observed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line in one bucket. ``revision`` is 0 as first exported, and one more for each export that found a change."""

    bucket: Bucket
    sensor: str
    place: str
    entered: int | None
    left: int | None
    coverage: float
    revision: int

    @property
    def share(self) -> float:
        """Of the bucket that was really observed, 0 to 1."""
        return min(1.0, self.coverage / (self.bucket.end - self.bucket.start))


@dataclass(frozen=True, slots=True)
class Change:
    """A row that is not any more as it was exported. ``before`` is None for a line that was not known then.

    ``events`` came in since: ``late`` are minutes that were not there before, ``restated`` replace earlier ones. A
    change without events is unexplained.
    """

    start: int
    sensor: str
    place: str
    before: Value | None
    after: Value
    events: int
    late: int
    restated: int


def export(
    connection: Connection, store: str, grain: Grain, among: Sequence[Bucket], now: float
) -> tuple[Run, list[Row]]:
    """The rows of the buckets that have begun, and the mark of this export. A line has a row also where it saw nothing.

    In a write transaction: what is exported is kept as revisions. Raises ``ExportError``.
    """
    begun = [bucket for bucket in among if bucket.start <= now]
    if not begun:
        raise ExportError("these days have not begun", "export days that are past")
    reached = position(connection, store)
    known = _known(connection, store, grain, begun)
    current = _current(connection, store, begun, {(sensor, place) for _, sensor, place in known})
    at = {bucket.start * 1000: bucket for bucket in begun}
    rows, fresh = [], []
    for key, value in sorted(current.items()):
        start, sensor, place = key
        before = known.get(key)
        revision = 0 if before is None else before[0] + (before[1] != value)
        rows.append(Row(at[start], sensor, place, *value, revision))
        if before is None or before[1] != value:
            names = ("entered", "left", "coverage")
            fresh.append(
                {"store": store, "grain": grain, "start": start, "sensor": sensor, "place": place}
                | {"revision": revision, "position": reached, "made": round(now * 1000)}
                | dict(zip(names, value, strict=True))
            )
    if fresh:
        connection.execute(insert(connection, tables.footfall_revision), fresh)
    return keep(connection, store, "footfall", grain, begun, reached, len(rows), now), rows


def changes(connection: Connection, run: Run, among: Sequence[Bucket]) -> list[Change]:
    """What is different now from what ``run`` exported, and the events that explain it. ``among``: its buckets."""
    begun = [bucket for bucket in among if run.start <= bucket.start * 1000 < run.end]
    if not begun:
        return []
    position(connection, run.store)
    then = _known(connection, run.store, run.grain, begun, run.made)
    current = _current(connection, run.store, begun, {(sensor, place) for _, sensor, place in then})
    since = _since(connection, run, begun)
    found = []
    for key, after in sorted(current.items()):
        before = then.get(key)
        if before is None or before[1] != after:
            late, restated = since.get(key, (0, 0))
            found.append(Change(*key, None if before is None else before[1], after, late + restated, late, restated))
    return found


def _current(connection: Connection, store: str, among: Sequence[Bucket], also: set[Place]) -> dict[Key, Value]:
    """What the roll-up says now, of every line that is known in the time, in every bucket."""
    table = tables.footfall_minute
    query = (
        select(
            table.c.minute,
            table.c.sensor,
            table.c.place,
            func.sum(table.c.entered),
            func.sum(table.c.left),
            func.sum(table.c.coverage),
        )
        .where(table.c.store == store, table.c.kind == "line")
        .where(table.c.minute >= among[0].start * 1000, table.c.minute < among[-1].end * 1000)
        .group_by(table.c.minute, table.c.sensor, table.c.place)
        .order_by(table.c.minute)
    )
    starts = [bucket.start * 1000 for bucket in among]
    sums: dict[Key, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    places = set(also)
    for minute, sensor, place, entered, left, coverage in connection.execute(query):
        total = sums[starts[bisect_right(starts, minute) - 1], sensor, place]
        # Parts of one minute by several starts of the box cannot have seen more than the minute.
        for number, part in enumerate((int(entered), int(left), min(60.0, coverage))):
            total[number] += part
        places.add((sensor, place))
    found: dict[Key, Value] = {}
    for start in starts:
        for sensor, place in places:
            entered, left, coverage = sums.get((start, sensor, place), (0, 0, 0.0))
            seen = coverage > 0 or entered or left
            counts = (int(entered), int(left)) if seen else (None, None)
            found[start, sensor, place] = (*counts, round(coverage, 3))
    return found


def _known(
    connection: Connection, store: str, grain: str, among: Sequence[Bucket], made: int | None = None
) -> dict[Key, tuple[int, Value]]:
    """The newest revision of each row, or that which an export at ``made`` (milliseconds) told."""
    table = tables.footfall_revision
    query = select(table).where(table.c.store == store, table.c.grain == grain)
    query = query.where(table.c.start >= among[0].start * 1000, table.c.start < among[-1].end * 1000)
    if made is not None:
        query = query.where(table.c.made <= made)
    found: dict[Key, tuple[int, Value]] = {}
    for row in connection.execute(query.order_by(table.c.revision)):
        found[row.start, row.sensor, row.place] = row.revision, (row.entered, row.left, row.coverage)
    return found


def _since(connection: Connection, run: Run, among: Sequence[Bucket]) -> dict[Key, tuple[int, int]]:
    """Events of minutes that came in after the run, by row: late ones, and such that restate earlier ones."""
    event = tables.event
    starts = [bucket.start * 1000 for bucket in among]
    query = select(event.c.sensor, event.c.payload).where(event.c.store == run.store, event.c.position > run.position)
    found: dict[Key, tuple[int, int]] = {}
    for sensor, payload in connection.execute(query.where(event.c.type == FootfallMinute.TYPE)):
        data = FootfallMinute.model_validate(json.loads(payload)["data"])
        minute = round(data.minute.timestamp() * 1000)
        if data.kind == "zone" or not starts[0] <= minute < among[-1].end * 1000:
            continue
        key = starts[bisect_right(starts, minute) - 1], sensor, data.place
        late, restated = found.get(key, (0, 0))
        found[key] = (late, restated + 1) if data.revision else (late + 1, restated)
    return found
