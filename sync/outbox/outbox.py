"""The outbox: events are kept on the box, in one SQLite file, until the centre confirms that it holds them.

``put`` is one durable transaction (WAL, ``synchronous=FULL``). Nothing is confirmed but by the centre's own word, and
confirmed rows stay some days more. A row that the disk altered is found by its checksum and replaced, at its place, by
a ``health`` event that says so.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

import sync.outbox.file as files
from sync.config import MAX_EVENT_BYTES, OutboxConfig
from sync.errors import SyncError
from sync.events import Event, topic
from sync.outbox.file import OutboxDamaged, OutboxError, OutboxFull, Row, State

log = logging.getLogger(__name__)

PRUNE_ROWS = 5000
"""Rows deleted per call of ``prune``: some 20 ms, so that ``put`` never waits long for it."""
LOST_END = 10_000
"""Rows missing at the end that are believed; a larger number is a bit flipped in SQLite's own counter."""
ROW_OVERHEAD = 40
"""Bytes that a row costs in the file beyond its body (key, checksum, leaf, headers)."""


class EventTooLarge(SyncError):
    """An event is larger than ``MAX_EVENT_BYTES``; none of the call was stored."""


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """``first`` to ``last`` are kept; ``backlog`` counts events that the centre has not confirmed."""

    id: str
    store: str
    first: int
    last: int
    confirmed: int
    backlog: int
    quarantined: int
    bytes_used: int
    full: bool


class Outbox:
    """The outbox of one store's box. A context manager; any number of threads may ``put``, one relay reads.

    ``path`` is created when it does not exist. Entering raises ``OutboxError`` (or ``OutboxDamaged``) when the file
    cannot be used, or belongs to another store. ``now`` gives epoch seconds.
    """

    def __init__(
        self,
        path: Path,
        store: str,
        config: OutboxConfig | None = None,
        now: Callable[[], float] = time.time,
        *,
        create: bool = True,
    ) -> None:
        self.path = path
        self.store = store
        self.boot = uuid4()
        self.inherited = 0
        """The last sequence number when the file was opened."""
        self._config = config or OutboxConfig()
        self._now = now
        self._create = create
        self._write_lock = threading.RLock()
        self._read_lock = threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._full = False

    def __enter__(self) -> Self:
        with files.translated(self.path):
            missing = self._create and not self.path.exists()
        if missing:
            files.create(self.path, self.store)
        try:
            with self._writing() as db:
                self._check(db)
                self.inherited = self._last(db, self._state(db))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    # Source threads ---------------------------------------------------------------------------------------------------

    def put(self, events: Sequence[Event]) -> range:
        """Store ``events`` in one durable transaction; returns their sequence numbers.

        When it returns, they survive kill -9 and a power cut. When it raises, none of them was accepted:
        ``OutboxFull`` at the configured bound, ``EventTooLarge``, ``OutboxError`` for a full, failing or lost disk.
        The same events may then be put again: the centre counts an event id once.
        """
        with self._writing() as db, files.transaction(db):
            state = self._state(db)
            first = self._last(db, state) + 1
            outbox = UUID(state.id)
            rows = [
                files.encode(event, store=self.store, boot=self.boot, outbox=outbox, seq=seq)
                for seq, event in enumerate(events, first)
            ]
            for event, row in zip(events, rows, strict=True):
                if len(row[2]) > MAX_EVENT_BYTES - 64:
                    message = f"a {event.data.TYPE} event of {len(row[2])} bytes is over {MAX_EVENT_BYTES}"
                    raise EventTooLarge(message, "report it: a sensor made an event that cannot be sent")
            self._make_room(db, state, first - 1, len(rows), sum(len(row[2]) + ROW_OVERHEAD for row in rows))
            db.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", rows)
        return range(first, first + len(rows))

    # The relay --------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """As it stands in the file now (a command of another process may have changed it)."""
        with self._reading() as db:
            return self._state(db)

    def last(self) -> int:
        """The highest sequence number given so far, 0 at first."""
        with self._reading() as db:
            return self._last(db, self._state(db))

    def pending(self, after: int, limit: int) -> list[Row]:
        """Up to ``limit`` events after sequence ``after``, in order and without a gap.

        Rows that fail their checksum or are missing are replaced first. Raises ``OutboxError``.
        """
        for mended in (False, True):
            with self._reading() as db:
                state = self._state(db)
                after = max(after, state.floor - 1)
                # Read before the rows: what is put in between only makes them more.
                last = self._last(db, state)
                rows = db.execute(
                    "SELECT seq, leaf, body, checksum FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
                ).fetchall()
            good = all(files.intact(row) and row[0] == expected for expected, row in enumerate(rows, after + 1))
            if good and (rows or last <= after):
                return [self._row(state, row) for row in rows]
            if not mended:
                self.mend(after)
        raise OutboxDamaged(f"the outbox {self.path} does not keep what is written", "replace the disk")

    def alerts(self, after: int, limit: int) -> list[Row]:
        """Up to ``limit`` arrivals after sequence ``after``, in order; those that the disk altered are left out."""
        with self._reading() as db:
            state = self._state(db)
            rows = db.execute(
                f"SELECT seq, leaf, body, checksum FROM event WHERE leaf = '{files.ALERTS}' AND seq > ?"  # noqa: S608
                " ORDER BY seq LIMIT ?",
                (max(after, state.floor - 1), limit),
            ).fetchall()
        return [self._row(state, row) for row in rows if files.intact(row)]

    def confirm(self, through: int) -> None:
        """The centre holds everything up to ``through``. Not synced by itself: losing it only sends events again."""
        with self._reading() as db, files.transaction(db):
            state = self._state(db)
            through = min(through, self._last(db, state))
            if through > state.confirmed:
                replace(state, confirmed=through).save(db)
                db.execute("INSERT OR REPLACE INTO confirmation VALUES (?, ?)", (int(self._now() // 60), through))

    def replay(self, first: int, *, everything: bool = False) -> int:
        """Unconfirm the kept rows from ``first`` on; returns how many will be sent again.

        With ``everything`` they are all sent, even when the centre says that it holds them.
        """
        with self._writing() as db, files.transaction(db):
            state = self._state(db)
            confirmed = max(min(first - 1, state.confirmed), state.floor - 1)
            resend = self._last(db, state) if everything else state.resend
            replace(state, confirmed=confirmed, resend=resend).save(db)
            db.execute("DELETE FROM confirmation WHERE through > ?", (confirmed,))
            return state.confirmed - confirmed

    def renew(self) -> str:
        """Take a new outbox id, because the centre knows this one with other events (the file was rolled back).

        Unconfirmed rows go out under the new id; the centre counts those that it already has once. Returns the id.
        """
        with self._writing() as db, files.transaction(db):
            state = self._state(db)
            renewed = replace(state, id=str(uuid4()), base=state.confirmed, resend=0)
            renewed.save(db)
        log.error("the outbox went back in time (a restored or copied file): it continues as outbox %s", renewed.id)
        return renewed.id

    def prune(self) -> int:
        """Delete up to ``PRUNE_ROWS`` rows that were confirmed longer ago than configured; returns how many."""
        cutoff = int((self._now() - self._config.keep_confirmed_days * 86400) // 60)
        with self._reading() as db, files.transaction(db):
            (through,) = db.execute("SELECT max(through) FROM confirmation WHERE minute <= ?", (cutoff,)).fetchone()
            if through is None:
                return 0
            state = self._state(db)
            through = min(through, state.confirmed, state.pruned + PRUNE_ROWS)
            gone = self._delete(db, state, through)
            db.execute("DELETE FROM confirmation WHERE minute <= ? AND through <= ?", (cutoff, through))
            db.execute("DELETE FROM quarantine WHERE found < ?", (cutoff * 60,))
            return gone

    def mend(self, after: int) -> int:
        """Quarantine altered rows after ``after`` and put a ``health`` event where one is missing; returns how many."""
        with self._writing() as db, files.transaction(db):
            bad, missing = _survey(db, after, self._config.max_rows)
            now = self._now()
            db.executemany("INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?)", [(*row, now) for row in bad])
            db.executemany("DELETE FROM event WHERE seq = ?", [(row[0],) for row in bad])
            db.executemany(
                "INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?)",
                (files.lost_row(store=self.store, boot=self.boot, seq=seq, now=now) for seq in missing),
            )
        # Nothing is missing where another process put events while this one looked.
        if bad or missing:
            log.error("the disk altered or lost %d events of the outbox %s; each is reported", len(missing), self.path)
        return len(missing)

    def status(self) -> OutboxStatus:
        """For health and for people."""
        with self._reading() as db:
            state = self._state(db)
            last = self._last(db, state)
            (quarantined,) = db.execute("SELECT count(*) FROM quarantine").fetchone()
            used = _bytes_used(db)
        backlog = last - state.confirmed
        first = state.pruned + 1
        return OutboxStatus(state.id, state.store, first, last, state.confirmed, backlog, quarantined, used, self._full)

    # Inside -----------------------------------------------------------------------------------------------------------

    def _check(self, db: sqlite3.Connection) -> None:
        if not files.is_outbox(db):
            raise OutboxDamaged(
                f"{self.path} is not an outbox of Yingke", "name another folder in edge.data, or move this file away"
            )
        state = State.load(db)
        if state is None:
            with files.transaction(db):
                (first,) = db.execute("SELECT min(seq) FROM event").fetchone()
                start = (first or 1) - 1
                state = State(str(uuid4()), self.store, start, start, start)
                state.save(db)
            log.error("the outbox %s lost its state: it continues as %s and sends all it has", self.path, state.id)
        if state.store != self.store:
            message = f"the outbox {self.path} belongs to store {state.store}, not {self.store}"
            raise OutboxError(message, "let its events drain under the old name, or name another folder in edge.data")
        row = db.execute("SELECT seq, leaf, body, checksum FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        last = max(row[0] if row else 0, state.confirmed)
        if (row is not None and not files.intact(row)) or 0 < files.last_given(db) - last < LOST_END:
            self.mend(state.floor - 1)

    def _make_room(self, db: sqlite3.Connection, state: State, last: int, rows: int, size: int) -> None:
        over_rows = last - state.pruned + rows - self._config.max_rows
        over_bytes = _bytes_used(db) + size - self._config.max_megabytes * 1_000_000
        if over_rows > 0 or over_bytes > 0:
            through = min(state.confirmed, state.pruned + max(over_rows, PRUNE_ROWS))
            self._delete(db, state, through)
            fits = last - through + rows <= self._config.max_rows
            fits = fits and (over_bytes <= 0 or _bytes_used(db) + size <= self._config.max_megabytes * 1_000_000)
            if not fits:
                self._alarm(True)
                message = f"the outbox {self.path} is full: {last - state.confirmed} events wait for the centre"
                raise OutboxFull(
                    message, "restore the connection to the centre, or raise outbox.max_rows/max_megabytes"
                )
        self._alarm(False)

    def _alarm(self, full: bool) -> None:
        if full != self._full:
            self._full = full
            log.log(logging.ERROR if full else logging.INFO, "outbox %s: %s", self.path, "FULL" if full else "has room")

    def _delete(self, db: sqlite3.Connection, state: State, through: int) -> int:
        if through <= state.pruned:
            return 0
        gone = db.execute("DELETE FROM event WHERE seq <= ?", (through,)).rowcount
        replace(state, pruned=through).save(db)
        return gone

    def _row(self, state: State, row: tuple[int, str, bytes, bytes]) -> Row:
        return Row(row[0], topic(self.store, row[1]), files.payload(state.id, row[2]))

    def _state(self, db: sqlite3.Connection) -> State:
        state = State.load(db)
        if state is None:
            raise OutboxDamaged(f"the outbox {self.path} lost its state", "restart the edge: it takes a new outbox id")
        return state

    def _last(self, db: sqlite3.Connection, state: State) -> int:
        (last,) = db.execute("SELECT max(seq) FROM event").fetchone()
        return max(last or 0, state.confirmed)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The durable connection. After any error it is opened anew: a failed fsync must not be trusted."""
        with self._write_lock, files.translated(self.path):
            if self._writer is None:
                self._writer = files.connect(self.path, durable=True, create=False)
            try:
                yield self._writer
            except sqlite3.Error:
                self._writer.close()
                self._writer = None
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The relay's connection: reads, and writes that may be lost."""
        with self._read_lock, files.translated(self.path):
            if self._reader is None:
                self._reader = files.connect(self.path, durable=False, create=False)
            try:
                yield self._reader
            except sqlite3.Error:
                self._reader.close()
                self._reader = None
                raise

    def _close(self) -> None:
        with self._write_lock, self._read_lock:
            for db in (self._reader, self._writer):
                if db is not None:
                    db.close()
            self._reader = self._writer = None


def _survey(db: sqlite3.Connection, after: int, most: int) -> tuple[list[tuple[object, ...]], list[int]]:
    """The altered rows after ``after``, and the sequence numbers at which an intact row is missing.

    Where the rows end is told by intact rows, by altered rows that stand where the next one would, and by the number
    that SQLite gave last. More than ``most`` missing rows cannot be true: then only ``OutboxDamaged`` is.
    """
    bad: list[tuple[object, ...]] = []
    missing: list[int] = []
    expected, beyond = after + 1, []
    for row in db.execute("SELECT seq, leaf, body, checksum FROM event WHERE seq > ? ORDER BY seq", (after,)):
        if not files.intact(row):
            bad.append(row)
            beyond.append(row[0])
            continue
        if row[0] - expected > most:
            raise OutboxDamaged("the outbox has a gap larger than itself", "yingke outbox salvage OLD NEW_FILE")
        missing.extend(range(expected, row[0]))
        expected, beyond = row[0] + 1, []
    for seq in beyond:
        if seq == expected:
            missing.append(seq)
            expected += 1
    given = files.last_given(db)
    if given - expected < LOST_END:
        missing.extend(range(expected, given + 1))
    return bad, missing


def _bytes_used(db: sqlite3.Connection) -> int:
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)
