"""An append-only book in SQLite: every entry carries a digest over itself and the entry before it.

Rows cannot be changed or deleted through SQL (triggers), other than entries older than their retention; whoever edits
the file around that breaks the chain, and ``verify`` names the first entry that does not fit.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

Book = Literal["consent", "access"]
RETENTION_S = 3 * 365.25 * 86400
"""PRIVACY rule 12: every look is kept for three years. Consents are kept as long as the file."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS ledger (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, book TEXT NOT NULL, time REAL NOT NULL, member TEXT NOT NULL,
  body TEXT NOT NULL, mark BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS ledger_member ON ledger (member, book, seq);
CREATE TRIGGER IF NOT EXISTS ledger_fixed BEFORE UPDATE ON ledger
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_kept BEFORE DELETE ON ledger
  WHEN old.book <> 'access' OR old.time > (SELECT MAX(time) FROM ledger) - {RETENTION_S}
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""  # noqa: S608  # a constant, nobody's input


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; ``body`` is what the writer gave, ``time`` epoch seconds.

    ``intact``: it is as it was written; else ``body`` may be anything, and is empty where it cannot be read.
    """

    seq: int
    book: Book
    time: float
    member: str
    body: dict[str, Any]
    intact: bool = True


def append(db: sqlite3.Connection, book: Book, time: float, member: str, body: dict[str, Any]) -> int:
    """Add an entry within the caller's transaction; returns its number."""
    row = db.execute("SELECT mark FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    # A damaged mark keeps nobody from being erased: the chain goes on without it, and ``verify`` names the place.
    previous = row[0] if row and isinstance(row[0], bytes) else b""
    mark = _mark(previous, book, time, member, text)
    cursor = db.execute(
        "INSERT INTO ledger (book, time, member, body, mark) VALUES (?, ?, ?, ?, ?)", (book, time, member, text, mark)
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def entries(
    db: sqlite3.Connection, book: Book, member: str | None = None, *, after: int = 0, limit: int = -1
) -> Iterator[Entry]:
    """In the order they were written; those after a number, at most so many (all where negative)."""
    rows = db.execute(
        "SELECT l.seq, l.book, l.time, l.member, l.body, l.mark, p.mark FROM ledger l LEFT JOIN ledger p"
        " ON p.seq = l.seq - 1 WHERE l.book = ?1 AND (?2 IS NULL OR l.member = ?2) AND l.seq > ?3"
        " ORDER BY l.seq LIMIT ?4",
        (book, member, after, limit),
    )
    for seq, kind, time, whose, body, mark, previous in rows:
        # One whose predecessor retention took away cannot be checked; the first has none.
        unknown = previous is None and seq != 1
        intact = unknown or _fits(previous or b"", kind, time, whose, body, mark)
        content = _content(body)
        yield Entry(seq, kind, time, whose, content or {}, intact and content is not None)


def expire(db: sqlite3.Connection, now: float) -> int:
    """Delete looks older than their retention; returns how many. The chain is checked from the oldest kept one on."""
    cursor = db.execute(
        "DELETE FROM ledger WHERE book = 'access' AND time <= ? AND time <= (SELECT MAX(time) FROM ledger) - ?",
        (now - RETENTION_S, RETENTION_S),
    )
    return cursor.rowcount


def verify(db: sqlite3.Connection) -> int | None:
    """The number of the first entry that was altered, or follows one that is missing; None when all is well.

    Entries that retention deleted leave a gap whose successor cannot be checked and is trusted.
    """
    before: tuple[int, bytes] | None = None
    for seq, book, time, member, body, mark in db.execute(
        "SELECT seq, book, time, member, body, mark FROM ledger ORDER BY seq"
    ):
        follows = before is None or before[0] == seq - 1
        if follows and (before is not None or seq == 1):
            previous = b"" if before is None else before[1]
            if not _fits(previous, book, time, member, body, mark):
                return int(seq)
        before = seq, mark
    return None


def _content(body: object) -> dict[str, Any] | None:
    try:
        found = json.loads(body) if isinstance(body, str) else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _fits(previous: object, book: object, time: object, member: object, body: object, mark: object) -> bool:
    """Whether an entry carries its own digest; a column may hold anything where the file was altered."""
    texts = isinstance(book, str) and isinstance(member, str) and isinstance(body, str)
    if not texts or not isinstance(time, float) or not isinstance(previous, bytes):
        return False
    return _mark(previous, str(book), time, str(member), str(body)) == mark


def _mark(previous: bytes, book: str, time: float, member: str, body: str) -> bytes:
    return blake2b(
        b"\0".join((previous, book.encode(), repr(time).encode(), member.encode(), body.encode())), digest_size=16
    ).digest()
