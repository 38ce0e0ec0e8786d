"""The read side of the central store, for the pages and the API. Times are epoch seconds, UTC."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Engine, Row, case, func, select, tuple_

from sync.events import Arrival, Response
from sync.store import tables
from sync.store.database import reading

Document = dict[str, Any]
Kind = Literal["line", "zone"]
_APART = ("staff_entered", "staff_left", "excluded", "groups")


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """One minute of one line or zone: ``minute`` is its start, ``coverage`` the seconds really observed (0 to 60).

    ``occupancy``, of a zone, is the mean number of people inside over those seconds; None where nothing was observed.
    ``entered`` and ``left`` are visits; what is counted apart is None where no box looked for it.
    """

    minute: float
    sensor: str
    place: str
    entered: int
    left: int
    coverage: float
    occupancy: float | None = None
    staff_entered: int | None = None
    staff_left: int | None = None
    excluded: int | None = None
    groups: int | None = None


@dataclass(frozen=True, slots=True)
class TryOnRow:
    """Try-on sessions of one product that began in the hour from ``hour`` on."""

    hour: float
    product: str
    kind: str
    sessions: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FaceVerdicts:
    """Members suggested by their face, and how many of them clerks confirmed, or said to be somebody else."""

    suggested: int
    confirmed: int
    wrong: int


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A message that was no event; ``size`` is that of the message, of which ``payload`` may be the beginning."""

    store: str
    reason: str
    topic: str
    payload: bytes
    size: int
    received_at: float


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """What is held of one outbox: everything up to ``through``; ``ahead`` events beyond it, ``gone`` never to come."""

    outbox: UUID
    through: int
    ahead: int
    gone: int
    first_seen: float
    last_seen: float


class Queries:
    """Reads over the engine of ``CentralStore``; each call is one consistent read. Raises ``StoreError``."""

    _engine: Engine

    def stores(self) -> list[str]:
        """The names of the stores that ever sent something."""
        with reading(self._engine) as connection:
            return list(connection.scalars(select(tables.store.c.store).order_by(tables.store.c.store)))

    def footfall_minutes(self, store: str, start: float, end: float, kind: Kind = "line") -> list[MinuteRow]:
        """The minutes in [start, end) of the lines, or of the zones; one that is missing here was not observed.

        The parts that several starts of the box reported of one minute are added up; their occupancy is the mean,
        weighted by coverage. What zones entered are stays, and never to be added to the visits over lines.
        """
        table = tables.footfall_minute
        weight = case((table.c.occupancy.is_not(None), table.c.coverage), else_=0.0)
        query = (
            select(
                table.c.minute,
                table.c.sensor,
                table.c.place,
                func.sum(table.c.entered),
                func.sum(table.c.left),
                func.sum(table.c.coverage),
                func.sum(table.c.occupancy * table.c.coverage) / func.nullif(func.sum(weight), 0.0),
                *(func.sum(table.c[name]) for name in _APART),
            )
            .where(table.c.store == store, table.c.kind == kind)
            .where(table.c.minute >= round(start * 1000), table.c.minute < round(end * 1000))
            .group_by(table.c.minute, table.c.sensor, table.c.place)
            .order_by(table.c.minute, table.c.sensor, table.c.place)
        )
        with reading(self._engine) as connection:
            return [
                MinuteRow(
                    minute / 1000,
                    sensor,
                    place,
                    int(entered),
                    int(left),
                    min(60.0, coverage),
                    occupancy,
                    *(None if count is None else int(count) for count in apart),
                )
                for minute, sensor, place, entered, left, coverage, occupancy, *apart in connection.execute(query)
            ]

    def places(self, store: str, start: float, end: float, kind: Kind = "line") -> list[str]:
        """The lines, or the zones, that reported in [start, end)."""
        table = tables.footfall_minute
        query = select(table.c.place).distinct().where(table.c.store == store, table.c.kind == kind)
        query = query.where(table.c.minute >= round(start * 1000), table.c.minute < round(end * 1000))
        with reading(self._engine) as connection:
            return list(connection.scalars(query.order_by(table.c.place)))

    def latest_events(self, store: str, limit: int, without: Sequence[str] = ()) -> list[Document]:
        """The events that came in last, newest first; those of the types in ``without`` are left out."""
        table = tables.event
        query = select(table).where(table.c.store == store).order_by(table.c.position.desc()).limit(limit)
        if without:
            query = query.where(table.c.type.not_in(without))
        with reading(self._engine) as connection:
            return [_document(row) for row in connection.execute(query)]

    def events_after(self, store: str, cursor: int, limit: int, types: Sequence[str] = ()) -> list[Document]:
        """The next events after ``cursor`` (0 at first) in the order in which they came in; each has its ``cursor``.

        Nothing is skipped: an event that becomes visible later has a higher cursor, also with several writers. With
        ``types``, only those.
        """
        table = tables.event
        query = select(table).where(table.c.store == store, table.c.position > cursor)
        if types:
            query = query.where(table.c.type.in_(types))
        with reading(self._engine) as connection:
            return [_document(row) for row in connection.execute(query.order_by(table.c.position).limit(limit))]

    def events_between(
        self,
        store: str,
        start: float,
        end: float,
        types: Sequence[str],
        after: tuple[float, int] | None = None,
        limit: int = 1000,
    ) -> list[Document]:
        """The next events of ``types`` in [start, end) by time, behind ``after``: time and cursor of the last one."""
        table = tables.event
        query = select(table).where(table.c.store == store, table.c.type.in_(types))
        query = query.where(table.c.time >= round(start * 1000), table.c.time < round(end * 1000))
        if after is not None:
            query = query.where(tuple_(table.c.time, table.c.position) > (round(after[0] * 1000), after[1]))
        with reading(self._engine) as connection:
            ordered = query.order_by(table.c.time, table.c.position).limit(limit)
            return [_document(row) for row in connection.execute(ordered)]

    def last_cursor(self, store: str | None = None) -> int:
        """The newest cursor of a store; without one, a number that grows whenever any store gets an event."""
        query = select(func.coalesce(func.sum(tables.store.c.position), 0))
        with reading(self._engine) as connection:
            return int(connection.scalar(query if store is None else query.where(tables.store.c.store == store)) or 0)

    def sensor_states(self, store: str) -> list[Document]:
        """The last heartbeat of each sensor: sensor, time, received_at, and what ``health`` says."""
        state, outbox = tables.sensor_state, tables.outbox
        query = (
            select(state.c.sensor, state.c.time, state.c.received, state.c.data)
            .join(outbox, (outbox.c.store == state.c.store) & (outbox.c.outbox == state.c.outbox))
            .where(state.c.store == store)
            .order_by(state.c.sensor, outbox.c.first_seen, state.c.received)
        )
        newest: dict[str, Document] = {}
        with reading(self._engine) as connection:
            for sensor, time, received, data in connection.execute(query):
                about = {"sensor": sensor, "time": time / 1000, "received_at": received / 1000}
                newest[sensor] = about | json.loads(data)
        return list(newest.values())

    def audits(self, store: str) -> list[Document]:
        """The latest audit of each line: sensor, id, time, received_at, and what ``audit`` says."""
        table = tables.audit
        query = select(table.c.sensor, table.c.event, table.c.time, table.c.received, table.c.data)
        query = query.where(table.c.store == store).order_by(table.c.sensor, table.c.line)
        with reading(self._engine) as connection:
            return [
                {"sensor": sensor, "id": str(event), "time": time / 1000, "received_at": received / 1000}
                | json.loads(data)
                for sensor, event, time, received, data in connection.execute(query)
            ]

    def face_verdicts(self, store: str, start: float, end: float) -> FaceVerdicts:
        """Arrivals by face from ``start`` until ``end``, and how many of them clerks confirmed or called wrong.

        The last word on an arrival counts; one that a code or a card settled first is no verdict on the face.
        """
        table = tables.event
        query = select(table.c.id, table.c.type, table.c.payload).where(
            table.c.store == store,
            table.c.type.in_((Arrival.TYPE, Response.TYPE)),
            table.c.time >= round(start * 1000),
            table.c.time < round(end * 1000),
        )
        faces: set[str] = set()
        said: dict[str, str] = {}
        with reading(self._engine) as connection:
            for name, kind, payload in connection.execute(query.order_by(table.c.time, table.c.position)):
                data = json.loads(payload)["data"]
                if kind == Arrival.TYPE:
                    if data["method"] == "face":
                        faces.add(str(name))
                elif data["action"] in ("confirm", "wrong_person"):
                    said[data["arrival"]] = data["action"]
        verdicts = [action for arrival, action in said.items() if arrival in faces]
        return FaceVerdicts(len(faces), verdicts.count("confirm"), verdicts.count("wrong_person"))

    def tryons(self, store: str, start: float, end: float) -> list[TryOnRow]:
        """Try-on sessions by product and hour, of the hours in [start, end)."""
        table = tables.tryon_hour
        query = select(table.c.hour, table.c.product, table.c.kind, table.c.sessions, table.c.milliseconds)
        query = query.where(
            table.c.store == store, table.c.hour >= round(start * 1000), table.c.hour < round(end * 1000)
        )
        with reading(self._engine) as connection:
            return [
                TryOnRow(hour / 1000, product, kind, sessions, spent / 1000)
                for hour, product, kind, sessions, spent in connection.execute(
                    query.order_by(table.c.hour, table.c.product, table.c.kind)
                )
            ]

    def tryon_count(self, store: str, start: float, end: float) -> int:
        """All try-on sessions of the hours in [start, end)."""
        table = tables.tryon_hour
        query = select(func.coalesce(func.sum(table.c.sessions), 0)).where(table.c.store == store)
        query = query.where(table.c.hour >= round(start * 1000), table.c.hour < round(end * 1000))
        with reading(self._engine) as connection:
            return int(connection.scalar(query) or 0)

    def devices(self, store: str, start: float, end: float) -> list[Document]:
        """The Wi-Fi windows that began in [start, end), oldest first: sensor, and what ``devices.window`` says."""
        table = tables.devices_window
        query = select(table.c.sensor, table.c.start, table.c.data).where(table.c.store == store)
        query = query.where(table.c.start >= round(start * 1000), table.c.start < round(end * 1000))
        with reading(self._engine) as connection:
            return [
                {"sensor": sensor} | json.loads(data) | {"start": begin / 1000}
                for sensor, begin, data in connection.execute(query.order_by(table.c.start, table.c.sensor))
            ]

    def latest_devices(self, store: str, start: float, end: float) -> Document | None:
        """The last of ``devices``, or None."""
        windows: Sequence[Document] = self.devices(store, start, end)
        return windows[-1] if windows else None

    def outboxes(self, store: str) -> list[OutboxRow]:
        """What is held of each outbox of a store, the newest box last."""
        box, ahead, gap = tables.outbox, tables.outbox_ahead, tables.outbox_gap
        query = select(box.c.outbox, box.c.through, box.c.first_seen, box.c.last_seen).where(box.c.store == store)
        counts: list[dict[UUID, int]] = []
        with reading(self._engine) as connection:
            for table in (ahead, gap):
                total = select(table.c.outbox, func.sum(table.c.last - table.c.first + 1)).group_by(table.c.outbox)
                found = connection.execute(total.where(table.c.store == store))
                counts.append({name: int(count) for name, count in found})
            return [
                OutboxRow(name, through, counts[0].get(name, 0), counts[1].get(name, 0), first / 1000, last / 1000)
                for name, through, first, last in connection.execute(query.order_by(box.c.first_seen))
            ]

    def dead_letters(self, limit: int = 1000) -> list[DeadLetterRow]:
        """The newest dead letters of all stores."""
        table = tables.dead_letter
        columns = (table.c.store, table.c.reason, table.c.topic, table.c.payload, table.c.size, table.c.received)
        query = select(*columns).order_by(table.c.received.desc(), table.c.store, table.c.digest).limit(limit)
        with reading(self._engine) as connection:
            return [
                DeadLetterRow(store, reason, topic, payload, size, received / 1000)
                for store, reason, topic, payload, size, received in connection.execute(query)
            ]


def _document(row: Row[Any]) -> Document:
    return {
        "id": str(row.id),
        "type": row.type,
        "sensor": row.sensor,
        "time": row.time / 1000,
        "data": json.loads(row.payload)["data"],
        "received_at": row.received / 1000,
        "cursor": row.position,
    }
