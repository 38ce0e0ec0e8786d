"""The central store: one transaction per batch takes in events, their roll-ups, dead letters and delivery marks."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, func, select, tuple_, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from sync.config import IngestConfig
from sync.delivery import Ack
from sync.events import AnyEvent, Health, InvalidEvent, decode
from sync.store import marks, rollups, tables
from sync.store.database import insert, open_engine, translated, writing
from sync.store.incoming import TOPIC, Good, Incoming, Key, Letter, Sorted, digest, refused, sort
from sync.store.queries import Queries

REPLAY_ROWS = 200
"""Dead letters looked at per transaction of a replay."""


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of a batch. Everything of it is committed, except ``refused``: dead letters over the bound."""

    stored: int = 0
    duplicates: int = 0
    dead: int = 0
    refused: int = 0
    acks: tuple[tuple[str, Ack], ...] = ()
    """(store, ack) of each outbox that the batch had something of."""

    def __add__(self, other: "IngestResult") -> "IngestResult":
        acks = {(store, ack.outbox): ack for store, ack in (*self.acks, *other.acks)}
        return IngestResult(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.dead + other.dead,
            self.refused + other.refused,
            tuple((store, ack) for (store, _), ack in acks.items()),
        )


class CentralStore(Queries):
    """The central database at ``url`` (SQLite or PostgreSQL), brought up to date when entered.

    A context manager; any number of threads and processes may ingest and read. Every method raises ``StoreError``
    when the database fails; the call then has done nothing and may be made again. ``now`` gives epoch seconds.
    """

    def __init__(self, url: str, config: IngestConfig | None = None, now: Callable[[], float] = time.time) -> None:
        self._url = url
        self._config = config or IngestConfig()
        self._now = now

    def __enter__(self) -> Self:
        self._engine = open_engine(self._url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()

    @property
    def engine(self) -> Engine:
        """Of the open database, for what else is kept in it."""
        return self._engine

    def ingest(self, batch: Sequence[Incoming]) -> IngestResult:
        """Take in a batch, in one transaction; when this returns, it is committed.

        Each event is stored and counted once, however often it comes. What is no event of its topic's store becomes
        a dead letter, and so does the one event that the database refuses: the batch is then halved until it is alone.
        """
        return self._ingest(sort(batch), self._millis())

    def replay_dead_letters(self) -> IngestResult:
        """Try every dead letter again, after an upgrade for instance; those that are events now leave the table."""
        total, after = IngestResult(), ("", b"")
        table = tables.dead_letter
        where = tuple_(table.c.store, table.c.digest)
        while True:
            with translated(), writing(self._engine) as connection:
                page = select(table).where(where > after).order_by(table.c.store, table.c.digest).limit(REPLAY_ROWS)
                rows = connection.execute(page).all()
                if not rows:
                    return total
                after = (rows[-1].store, rows[-1].digest)
                whole = [row for row in rows if len(row.payload) == row.size and _is_good(row.topic, row.payload)]
                parts = sort(Incoming(row.topic, row.payload) for row in whole)
                total += self._store(connection, parts, self._millis(), replayed=True)
                keys = [(row.store, row.digest) for row in whole]
                if keys:
                    connection.execute(delete(table).where(where.in_(keys)))

    def _millis(self) -> int:
        return round(self._now() * 1000)

    def _ingest(self, parts: Sorted, received: int) -> IngestResult:
        with translated():
            try:
                with writing(self._engine) as connection:
                    return self._store(connection, parts, received)
            except (OverflowError, StatementError) as error:
                # A failing database is not the event's fault: only its values can be refused.
                if isinstance(error, DBAPIError) and not isinstance(error, DataError | IntegrityError):
                    raise
                reason = type(error).__name__
        goods = list(parts.good.items())
        if not goods:
            raise AssertionError(f"the database refuses what is no event: {reason}")
        if len(goods) == 1:
            letters = [*parts.letters, refused(goods[0][1], reason)]
            return self._ingest(Sorted({}, parts.repeated, letters, parts.floors), received)
        half = len(goods) // 2
        first = self._ingest(Sorted(dict(goods[:half]), parts.repeated, parts.letters, parts.floors), received)
        return first + self._ingest(Sorted(dict(goods[half:])), received)

    def _store(self, connection: Connection, parts: Sorted, received: int, *, replayed: bool = False) -> IngestResult:
        positions = _lock(connection, parts.stores())
        fresh = _insert_events(connection, parts.good, positions, received)
        letters, turned_away = self._insert_letters(connection, parts.letters, received)
        rollups.apply(connection, [good.event for good in fresh], received)

        held: dict[Key, set[int]] = {}
        for good in parts.good.values():
            held.setdefault((good.event.storeid, good.event.outboxid), set()).add(good.event.seq)
        for letter in letters:
            if letter.number is not None:
                held.setdefault((letter.store, letter.number[0]), set()).add(letter.number[1])
        keys = sorted(held.keys() | parts.floors.keys())
        loaded = marks.load(connection, keys)
        before = {key: list(mark.ahead) for key, mark in loaded.items()}
        rolled_back = set() if replayed else _rolled_back(connection, fresh, loaded)
        gaps = {key: loaded[key].skip(oldest) for key, oldest in parts.floors.items()}
        for key, seqs in held.items():
            loaded[key].add(seqs)
        marks.save(connection, before, loaded, received)
        marks.record_gaps(connection, gaps, received)
        acks = tuple(
            (key[0], Ack(outbox=key[1], through=mark.through, renew=key in rolled_back)) for key, mark in loaded.items()
        )
        duplicates = len(parts.good) - len(fresh) + parts.repeated
        return IngestResult(len(fresh), duplicates, len(letters), turned_away, acks)

    def _insert_letters(
        self, connection: Connection, letters: Sequence[Letter], received: int
    ) -> tuple[list[Letter], int]:
        """Keep dead letters up to the bound of each store; returns those that are held, and how many are not."""
        table, held, turned_away = tables.dead_letter, [], 0
        wanted = {(letter.store, letter.digest): letter for letter in letters}
        if not wanted:
            return [], 0
        where = tuple_(table.c.store, table.c.digest).in_(list(wanted))
        known = {
            (store, mark) for store, mark in connection.execute(select(table.c.store, table.c.digest).where(where))
        }
        counts = select(table.c.store, func.count()).where(table.c.store.in_({store for store, _ in wanted}))
        counted: dict[str, int] = {store: count for store, count in connection.execute(counts.group_by(table.c.store))}
        rows = []
        for (store, mark), letter in sorted(wanted.items()):
            if (store, mark) not in known:
                counted[store] = counted.get(store, 0) + 1
                if counted[store] > self._config.max_dead_letters:
                    turned_away += 1
                    continue
                values = {
                    "reason": letter.reason,
                    "topic": letter.topic,
                    "payload": letter.payload,
                    "size": letter.size,
                }
                rows.append({"store": store, "digest": mark, "received": received, **values})
            held.append(letter)
        if rows:
            connection.execute(insert(connection, table).on_conflict_do_nothing(), rows)
        return held, turned_away


def _lock(connection: Connection, stores: Sequence[str]) -> dict[str, int]:
    """Lock these stores until the end of the transaction, always in order; returns their last positions."""
    if not stores:
        return {}
    table = tables.store
    connection.execute(
        insert(connection, table).on_conflict_do_nothing(), [{"store": name, "position": 0} for name in stores]
    )
    locked = select(table.c.store, table.c.position).where(table.c.store.in_(stores))
    rows = connection.execute(locked.order_by(table.c.store).with_for_update())
    return {name: position for name, position in rows}


def _insert_events(
    connection: Connection, goods: Mapping[tuple[str, UUID], Good], positions: dict[str, int], received: int
) -> list[Good]:
    """Store the events that are not stored yet, and return them.

    Positions are given under the store's lock, so that whoever sees one sees all lower ones; repeated events leave
    holes among them.
    """
    if not goods:
        return []
    before = dict(positions)
    rows = []
    for good in goods.values():
        event = good.event
        positions[event.storeid] += 1
        rows.append(
            {
                "store": event.storeid,
                "id": event.id,
                "position": positions[event.storeid],
                "type": event.type,
                "sensor": event.sensor,
                "time": rollups.millis(event.time),
                "received": received,
                "outbox": event.outboxid,
                "seq": event.seq,
                "payload": good.incoming.payload.decode(),
            }
        )
    table = tables.event
    # Only the event's own key may conflict: a position that is taken must be an error, not an event less.
    done = connection.execute(insert(connection, table).on_conflict_do_nothing(index_elements=["store", "id"]), rows)
    fresh = list(goods.values()) if done.rowcount == len(rows) else _inserted(connection, goods, before)
    moved = {good.event.storeid for good in fresh}
    for name in sorted(moved):
        connection.execute(update(tables.store).where(tables.store.c.store == name).values(position=positions[name]))
    return fresh


def _inserted(connection: Connection, goods: Mapping[tuple[str, UUID], Good], before: Mapping[str, int]) -> list[Good]:
    """Those of ``goods`` that got a position beyond ``before``; the others were stored earlier."""
    table, names = tables.event, sorted({store for store, _ in goods})
    found = []
    for name in names:
        query = select(table.c.id).where(table.c.store == name, table.c.position > before[name])
        found += [goods[name, id_] for id_ in connection.scalars(query.order_by(table.c.position))]
    return found


def _rolled_back(connection: Connection, fresh: Iterable[Good], loaded: Mapping[Key, marks.Mark]) -> set[Key]:
    """Outboxes that sent a new event under a number that another event had: their file went back in time.

    A row that the disk lost is told by a ``health`` event at its number, and a dead letter may come again as an event
    after an upgrade: neither is such a case. The latter's dead letter is done with.
    """
    suspects = [
        good
        for good in fresh
        if loaded[good.event.storeid, good.event.outboxid].holds(good.event.seq) and not _tells_of_loss(good.event)
    ]
    if not suspects:
        return set()
    table = tables.dead_letter
    letters = {(good.event.storeid, digest(good.incoming.topic, good.incoming.payload)): good for good in suspects}
    where = tuple_(table.c.store, table.c.digest).in_(list(letters))
    known = {(store, mark) for store, mark in connection.execute(select(table.c.store, table.c.digest).where(where))}
    if known:
        connection.execute(delete(table).where(where))
    return {(good.event.storeid, good.event.outboxid) for letter, good in letters.items() if letter not in known}


def _tells_of_loss(event: AnyEvent) -> bool:
    return isinstance(event.data, Health) and event.data.reason == "outbox_row_lost"


def _is_good(topic: str, payload: bytes) -> bool:
    match = TOPIC.match(topic)
    try:
        return match is not None and decode(payload).storeid == match["store"]
    except InvalidEvent:
        return False
