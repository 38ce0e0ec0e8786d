"""Save what can be saved of an outbox that the disk damaged: a slow tool, for a box that is stopped."""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import sync.outbox.file as files
from sync.outbox.file import OutboxDamaged, OutboxError, State

STEP = 256
"""Rows read at once; where a page is damaged, they are then tried one by one."""
GIVE_UP_AFTER = 100_000
"""Numbers without a row after which nothing more is expected."""

RawRow = tuple[int, str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Salvaged:
    """``saved`` rows are what was written; ``lost`` ones are reported to the centre by an event each."""

    store: str
    saved: int
    lost: int
    confirmed: int
    same_id: bool


def salvage(damaged: Path, target: Path) -> Salvaged:
    """Write every intact event of ``damaged`` into a new outbox at ``target``; ``damaged`` is left as it is.

    The outbox keeps its id and what was confirmed, unless just that was damaged: then it takes a new id and sends all
    it has. Raises ``OutboxError`` when ``target`` exists or nothing can be read.
    """
    if target.exists():
        raise OutboxError(f"{target} exists already", "name a new file")
    if not damaged.is_file():
        raise OutboxError(f"{damaged}: there is no such file", "name the damaged outbox: a file, usually outbox.db")
    if not files.has_header(damaged) and not damaged.with_name(damaged.name + "-wal").exists():
        raise OutboxDamaged(
            f"{damaged} is no outbox: it does not begin as one", "name the outbox, or restore it from a copy"
        )
    with tempfile.TemporaryDirectory(prefix="yingke-salvage-") as folder:
        copy = Path(folder) / "outbox.db"
        for suffix in ("", "-wal"):
            source = damaged.with_name(damaged.name + suffix)
            if source.exists():
                _copy(source, copy.with_name(copy.name + suffix))
        try:
            db = files.connect(copy, durable=False, create=False)
        except sqlite3.DatabaseError as error:
            raise OutboxDamaged(f"{damaged}: nothing of it can be read: {error}", "restore it from a copy") from error
        try:
            state = _state(db)
            start = state.pruned if state is not None else 0
            rows = {row[0]: row for row in _rows(db, start)}
        finally:
            db.close()
    return _write(target, state, rows)


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        fix = "check its permissions, and the space for a copy in the folder for temporary files (TMPDIR)"
        raise OutboxError(f"{source} cannot be copied: {error.strerror}", fix) from error


def _state(db: sqlite3.Connection) -> State | None:
    try:
        return State.load(db)
    except sqlite3.DatabaseError:
        return None


def _rows(db: sqlite3.Connection, start: int) -> Iterator[RawRow]:
    """Every intact row from ``start + 1`` on that the file still gives."""
    seq, empty, found = start + 1, 0, start == 0
    while empty < GIVE_UP_AFTER:
        got = 0
        for row in _read(db, seq, seq + STEP - 1):
            if files.intact(row):
                yield row
                got += 1
        empty = 0 if got else empty + STEP
        found = found or bool(got)
        seq += STEP


def _read(db: sqlite3.Connection, first: int, last: int) -> list[RawRow]:
    query = "SELECT seq, leaf, body, checksum FROM event WHERE seq BETWEEN ? AND ?"
    try:
        return db.execute(query, (first, last)).fetchall()
    except sqlite3.DatabaseError:
        if first == last:
            return []
    middle = (first + last) // 2
    return [*_read(db, first, middle), *_read(db, middle + 1, last)]


def _write(target: Path, state: State | None, rows: dict[int, RawRow]) -> Salvaged:
    if not rows and state is None:
        raise OutboxDamaged("no event and no state could be read", "restore the outbox from a copy")
    store = state.store if state is not None else _store_of(rows)
    first, last = (min(rows), max(rows)) if rows else (1, 0)
    new = state or State(str(uuid4()), store, first - 1, first - 1, first - 1)
    last = max(last, new.confirmed)
    files.create(target, store)
    db = files.connect(target, durable=True, create=False)
    boot, now = UUID(int=uuid4().int), time.time()
    missing = [seq for seq in range(new.pruned + 1, last + 1) if seq not in rows]
    lost = [files.lost_row(store=store, boot=boot, seq=seq, now=now) for seq in missing]
    try:
        with files.transaction(db):
            db.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", sorted([*rows.values(), *lost]))
            replace(new).save(db)
    finally:
        db.close()
    return Salvaged(store, len(rows), len(lost), new.confirmed, state is not None)


def _store_of(rows: dict[int, RawRow]) -> str:
    import json

    return str(json.loads(next(iter(rows.values()))[2])["storeid"])
