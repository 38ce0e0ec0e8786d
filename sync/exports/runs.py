"""The marks of exports: what was told of which time, and which events were in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, select

from sync.errors import SyncError
from sync.events import uuid7
from sync.exports.buckets import Bucket
from sync.store import tables
from sync.store.database import insert

Kind = Literal["footfall", "events"]


class ExportError(SyncError):
    """An export that cannot be made, or is not known."""


@dataclass(frozen=True, slots=True)
class Run:
    """One export. Times are milliseconds; ``position`` is the newest event of the store that it knew."""

    store: str
    id: UUID
    kind: str
    grain: str
    start: int
    end: int
    position: int
    made: int
    rows: int


def position(connection: Connection, store: str) -> int:
    """The number of the store's last event. Nothing of the store comes in until this transaction ends."""
    table = tables.store
    return int(connection.scalar(select(table.c.position).where(table.c.store == store).with_for_update()) or 0)


def keep(
    connection: Connection,
    store: str,
    kind: Kind,
    grain: str,
    among: Sequence[Bucket],
    reached: int,
    rows: int,
    now: float,
) -> Run:
    """Store the mark of an export of these buckets."""
    made = round(now * 1000)
    start, end = among[0].start * 1000, among[-1].end * 1000
    run = Run(store, uuid7(now), kind, grain, start, end, reached, made, rows)
    connection.execute(insert(connection, tables.export_run), [{name: getattr(run, name) for name in Run.__slots__}])
    return run


def get(connection: Connection, store: str, run: UUID) -> Run:
    """An earlier export. Raises ``ExportError``."""
    table = tables.export_run
    row = connection.execute(select(table).where(table.c.store == store, table.c.id == run)).first()
    if row is None:
        raise ExportError(f"store {store} has no export {run}", "take an id that an export of this store printed")
    return Run(*row)
