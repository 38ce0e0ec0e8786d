"""What is past its day at the centre is deleted, in small transactions beside the ingest (PRIVACY rule 13).

Roll-ups are functions of events that were stored, and are not touched: totals stay when what they were made of goes.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection, Engine, and_, delete, or_, select, tuple_

from sync.config import RetentionConfig
from sync.errors import SyncError
from sync.events import Arrival, Response, TryOn
from sync.store import tables
from sync.store.database import translated, writing

log = logging.getLogger("yingke.centre")

BATCH_ROWS = 500
"""Rows deleted in one transaction: the ingest waits for no longer than for one of its own batches."""
EVERY_S = 3600.0
DAY_MS = 86_400_000


class Retention:
    """Deletes what is past its day. ``now`` gives epoch seconds."""

    def __init__(self, engine: Engine, config: RetentionConfig, now: Callable[[], float]) -> None:
        self._engine = engine
        self._config = config
        self._now = now

    def tidy(self) -> dict[str, int]:
        """Delete all of it; how many of each type were deleted. Raises ``StoreError``, having done a part."""
        now = round(self._now() * 1000)
        arrivals, tryons, letters = (
            now - days * DAY_MS
            for days in (self._config.arrival_days, self._config.tryon_days, self._config.dead_letter_days)
        )
        gone = {
            kind: self._delete(partial(_events, kind=kind, limit=limit, now=now))
            for kind, limit in ((Arrival.TYPE, arrivals), (Response.TYPE, arrivals), (TryOn.TYPE, tryons))
        }
        gone["dead_letter"] = self._delete(partial(_letters, limit=letters))
        return {kind: count for kind, count in gone.items() if count}

    def run(self, stop: threading.Event) -> None:
        """Now, and every hour until ``stop`` is set. A failing database is told, and asked again in an hour."""
        while True:
            try:
                for kind, count in self.tidy().items():
                    log.info("retention: %d of %s were past their day and are deleted", count, kind)
            except SyncError as error:
                log.error("retention: %s; %s", error, error.fix)
            if stop.wait(EVERY_S):
                return

    def _delete(self, batch: Callable[[Connection], int]) -> int:
        total = 0
        while True:
            with translated(), writing(self._engine) as connection:
                count = batch(connection)
            total += count
            if count < BATCH_ROWS:
                return total


def _events(connection: Connection, kind: str, limit: int, now: int) -> int:
    table, key = tables.event, tuple_(tables.event.c.store, tables.event.c.id)
    # By when it came as well: a box whose clock ran ahead must not keep a person for longer. What came in today stays
    # for a day, however old it says it is: whoever follows the events reads it first.
    old = or_(table.c.received < limit, and_(table.c.time < limit, table.c.received < now - DAY_MS))
    rows = connection.execute(
        select(table.c.store, table.c.id).where(table.c.type == kind, old).limit(BATCH_ROWS)
    ).all()
    if rows:
        connection.execute(delete(table).where(key.in_([tuple(row) for row in rows])))
    return len(rows)


def _letters(connection: Connection, limit: int) -> int:
    table = tables.dead_letter
    query = select(table.c.store, table.c.digest).where(table.c.received < limit).limit(BATCH_ROWS)
    rows = connection.execute(query).all()
    if rows:
        where = tuple_(table.c.store, table.c.digest).in_([tuple(row) for row in rows])
        connection.execute(delete(table).where(where))
    return len(rows)
