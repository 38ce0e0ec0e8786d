"""The file of the outbox: its tables, its checksums, how it is opened, and what its damage is called.

Tables: ``event`` (one row per event; ``body`` is the envelope without the outbox's id), ``state`` (one row),
``confirmation`` (what was confirmed when, one row per minute), ``quarantine`` (rows whose checksum failed).
Rows of ``event`` are contiguous from ``state.pruned + 1`` on: whatever is missing in between was lost by the disk.
"""

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from hashlib import blake2b
from pathlib import Path
from uuid import UUID, uuid4

from sync.errors import SyncError
from sync.events import Event, Health, event_topic

APPLICATION_ID = 0x59_4B_4F_42
"""``YKOB``: told apart from any other SQLite file by ``file`` and by us."""
VERSION = 1
HEADER = b"SQLite format 3\0"
"""How every SQLite file begins."""
ALERTS = "alerts"
LOST = Health(state="degraded", reason="outbox_row_lost")

SCHEMA = f"""
CREATE TABLE event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, leaf TEXT NOT NULL, body BLOB NOT NULL, checksum BLOB NOT NULL);
CREATE INDEX event_alert ON event (seq) WHERE leaf = '{ALERTS}';
CREATE TABLE state (
  one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, store TEXT NOT NULL, confirmed INTEGER NOT NULL,
  pruned INTEGER NOT NULL, base INTEGER NOT NULL, resend INTEGER NOT NULL, checksum BLOB NOT NULL);
CREATE TABLE confirmation (minute INTEGER PRIMARY KEY, through INTEGER NOT NULL);
CREATE TABLE quarantine (
  number INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER, leaf, body, checksum, found REAL NOT NULL);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""


class OutboxError(SyncError):
    """The outbox cannot be used, or could not store; nothing of the call was accepted."""


class OutboxFull(OutboxError):
    """The configured bound is reached by events that the centre has not confirmed."""


class OutboxDamaged(OutboxError):
    """The file is not an outbox, or the disk altered it beyond what checksums can mend in place."""


@dataclass(frozen=True, slots=True)
class State:
    """What the outbox knows about itself.

    ``confirmed``: the centre holds everything up to here. ``pruned``: rows up to here were deleted. ``base``: rows up
    to here belong to an earlier ``id`` of this file. ``resend``: everything up to here is sent again, confirmed or not.
    """

    id: str
    store: str
    confirmed: int = 0
    pruned: int = 0
    base: int = 0
    resend: int = 0

    @property
    def floor(self) -> int:
        """The lowest sequence that can still be sent under this id."""
        return max(self.pruned, self.base) + 1

    def save(self, db: sqlite3.Connection) -> None:
        """Write it, with its checksum, in the caller's transaction."""
        db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?)", (*astuple(self), self._checksum()))

    @classmethod
    def load(cls, db: sqlite3.Connection) -> "State | None":
        """Read it; None when it is missing or fails its checksum."""
        row = db.execute("SELECT id, store, confirmed, pruned, base, resend, checksum FROM state").fetchone()
        if row is None:
            return None
        state = cls(*row[:-1])
        return state if state._checksum() == row[-1] else None

    def _checksum(self) -> bytes:
        return blake2b(repr(astuple(self)).encode(), digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class Row:
    """One event, ready to publish."""

    seq: int
    topic: str
    payload: bytes

    @property
    def alert(self) -> bool:
        """Whether it goes ahead of everything else."""
        return self.topic.endswith("/" + ALERTS)


def checksum(seq: int, leaf: str, body: bytes) -> bytes:
    """BLAKE2b, 8 bytes, over everything of the row, its key included: a row in the wrong place is found too."""
    return blake2b(struct.pack(">qH", seq, len(leaf)) + leaf.encode() + body, digest_size=8).digest()


def intact(row: tuple[object, ...]) -> bool:
    """Whether ``(seq, leaf, body, checksum)`` is what was written (SQLite may hand over any type after bit-rot)."""
    seq, leaf, body, mark = row
    typed = isinstance(seq, int) and isinstance(leaf, str) and isinstance(body, bytes)
    return typed and checksum(seq, leaf, body) == mark  # type: ignore[arg-type]


def encode(event: Event, *, store: str, boot: UUID, outbox: UUID, seq: int) -> tuple[int, str, bytes, bytes]:
    """The row of an event. The outbox's id is left out of the body: ``payload`` adds the one that is current."""
    envelope = event.envelope(store=store, boot=boot, outbox=outbox, seq=seq)
    leaf = event_topic(envelope).split("/", 3)[3]
    body = envelope.model_dump_json(exclude_none=True, exclude={"outboxid"}).encode()
    return seq, leaf, body, checksum(seq, leaf, body)


def payload(outbox: str, body: bytes) -> bytes:
    """The event as it travels."""
    return b'{"outboxid":"' + outbox.encode() + b'",' + body[1:]


def last_given(db: sqlite3.Connection) -> int:
    """The highest number that SQLite's own counter gave to a row (AUTOINCREMENT); it has no checksum."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
    return row[0] if row is not None and isinstance(row[0], int) else 0


def lost_row(*, store: str, boot: UUID, seq: int, now: float) -> tuple[int, str, bytes, bytes]:
    """What stands at the place of a row that the disk lost, so that the centre knows and does not wait for it."""
    return encode(Event.new("outbox", now, LOST), store=store, boot=boot, outbox=boot, seq=seq)


def lenient(text: bytes) -> str:
    """Text as SQLite stored it; what bit-rot made invalid is replaced and then fails its checksum."""
    return text.decode("utf-8", "replace")


def connect(path: Path, *, durable: bool, create: bool) -> sqlite3.Connection:
    """Open the file; ``durable`` commits reach the disk before they return. Raises ``sqlite3.Error``."""
    mode = "rwc" if create else "rw"
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=10
    )
    db.text_factory = lenient
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        db.execute("PRAGMA journal_size_limit = 16777216")
    except sqlite3.Error:
        db.close()
        raise
    return db


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open the file to look at it; nothing can be changed through this. Raises ``sqlite3.Error``."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    db.text_factory = lenient
    return db


def create(path: Path, store: str) -> None:
    """Make a new, empty outbox at ``path``, durable with its directory entry. Raises ``OutboxError``.

    It is made beside and renamed when it is whole: killed in between, the next start makes it again.
    """
    new = path.with_name(path.name + ".new")
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", "-wal", "-shm", "-journal"):
            new.with_name(new.name + suffix).unlink(missing_ok=True)
        db = connect(new, durable=True, create=True)
        try:
            db.executescript("BEGIN IMMEDIATE;" + SCHEMA)
            State(str(uuid4()), store).save(db)
            db.execute("COMMIT")
        finally:
            # The last connection to close moves the log into the file and removes it.
            db.close()
        _fsync(new)
        new.rename(path)
        _fsync(path.parent)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_outbox(db: sqlite3.Connection) -> bool:
    """Whether the file is an outbox of this version. Raises ``OutboxError`` for a newer one."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION_ID and version > VERSION:
        raise OutboxError("the outbox was written by a newer Yingke", "upgrade Yingke on this box")
    return bool(application == APPLICATION_ID)


def has_header(path: Path) -> bool:
    """Whether the file begins as a SQLite database does; True when that cannot be seen."""
    try:
        with path.open("rb") as file:
            return file.read(len(HEADER)) == HEADER
    except OSError:
        return True


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """One write transaction: committed at the end, rolled back on any exception."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as sentences with a next step."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if isinstance(error, sqlite3.OperationalError):
            if "full" in text:
                raise OutboxError(
                    f"no space left for the outbox {path}", "free disk space; it resumes itself"
                ) from error
            if path.is_dir():
                raise OutboxError(f"{path} is a folder, not an outbox", "name the file in it: outbox.db") from error
            fix = "check that the disk is present, writable and not failing; it resumes by itself"
            raise OutboxError(f"the outbox {path} cannot be written or read: {text}", fix) from error
        if not has_header(path):
            fix = "name the right file; if it was an outbox, move it away and restore it from a copy"
            raise OutboxDamaged(f"{path} is no outbox: it does not begin as one", fix) from error
        fix = f"stop the edge, then: yingke outbox salvage {path} NEW_FILE"
        raise OutboxDamaged(f"the outbox {path} is damaged: {text}", fix) from error
    except OSError as error:
        raise OutboxError(f"the outbox {path} cannot be opened: {error.strerror}", "check the path") from error
