"""Who may use the tablets of a store: guides with a PIN, sessions that end at once when a guide leaves."""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from sync.members.errors import MemberError
from sync.members.file import MemberFile

LEAST_DIGITS = 6
SESSION_S = 12 * 3600.0
"""A long working day; a tablet left overnight asks again."""
FREE_TRIES = 5
WAIT_S = 30.0
"""After ``FREE_TRIES`` wrong PINs a guide waits so long, doubling up to a quarter of an hour."""
LONGEST_WAIT_S = 900.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS guide (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, pin TEXT NOT NULL, role TEXT NOT NULL, wrong INTEGER NOT NULL DEFAULT 0,
  until REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS session (token BLOB PRIMARY KEY, guide TEXT NOT NULL, expires REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Guide:
    """One clerk. ``role``: ``clerk``, or ``manager`` who also sees the site's false-alert rate."""

    id: str
    name: str
    role: str


class WrongPin(MemberError):
    """The guide or the PIN is wrong, or too many were; which of these is not said."""


class Guides(MemberFile):
    """A context manager; any number of threads and processes. Times are epoch seconds."""

    SCRIPT = _SCHEMA

    def __init__(self, path: Path, hasher: PasswordHasher | None = None) -> None:
        super().__init__(path, "guides'")
        # Argon2id with RFC 9106's second recommendation (64 MiB, three passes), the library's default.
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex(8))

    def add(self, guide: Guide, pin: str) -> None:
        """Let a guide in, or give them a new PIN (their sessions end). Raises ``MemberError`` for a weak one."""
        if len(pin) < LEAST_DIGITS or len(set(pin)) < 3:
            raise MemberError(
                "unknown",
                f"a PIN needs at least {LEAST_DIGITS} characters, not all alike",
                "choose another, one that is not a birthday",
            )
        with self._changing() as db:
            row = (guide.id, guide.name, self._hasher.hash(pin), guide.role)
            db.execute("INSERT OR REPLACE INTO guide (id, name, pin, role) VALUES (?, ?, ?, ?)", row)
            db.execute("DELETE FROM session WHERE guide = ?", (guide.id,))

    def remove(self, guide: str) -> bool:
        """The guide has left: no PIN and no session of theirs works from now on. Whether there was one."""
        with self._changing() as db:
            db.execute("DELETE FROM session WHERE guide = ?", (guide,))
            return db.execute("DELETE FROM guide WHERE id = ?", (guide,)).rowcount > 0

    def all(self) -> list[Guide]:
        """By name."""
        with self._reading() as db:
            return [Guide(*row) for row in db.execute("SELECT id, name, role FROM guide ORDER BY name")]

    def login(self, guide: str, pin: str, now: float) -> str:
        """The token of a new session. Raises ``WrongPin``, with the same words whatever was wrong."""
        with self._reading() as db:
            row = db.execute("SELECT pin, wrong, until FROM guide WHERE id = ?", (guide,)).fetchone()
        known, wrong, until = row if row is not None else (self._nobody, 0, 0.0)
        if now < until:
            raise WrongPin(
                "pin_wait", "too many wrong PINs", f"wait {until - now:.0f} s, or ask the manager for a new PIN"
            )
        try:
            good = self._hasher.verify(known, pin) and row is not None
        except VerificationError:
            good = False
        if not good:
            self._wrong(guide, wrong + 1, now)
            raise WrongPin("pin", "this guide and PIN do not fit", "try again, or ask the manager for a new PIN")
        token = secrets.token_urlsafe(32)
        with self._changing() as db:
            db.execute("UPDATE guide SET wrong = 0, until = 0 WHERE id = ?", (guide,))
            db.execute("DELETE FROM session WHERE expires <= ?", (now,))
            db.execute("INSERT INTO session VALUES (?, ?, ?)", (_hashed(token), guide, now + SESSION_S))
        return token

    def _wrong(self, guide: str, times: int, now: float) -> None:
        """One more wrong PIN: from ``FREE_TRIES`` on the guide waits, longer each time."""
        over = times - FREE_TRIES
        wait = min(LONGEST_WAIT_S, WAIT_S * 2.0 ** min(over, 10)) if over >= 0 else 0.0
        with self._changing() as db:
            db.execute("UPDATE guide SET wrong = wrong + 1, until = ? WHERE id = ?", (now + wait if wait else 0, guide))

    def who(self, token: str, now: float) -> Guide | None:
        """Whose session it is; None when it has ended."""
        with self._reading() as db:
            row = db.execute(
                "SELECT guide.id, guide.name, guide.role, session.token"
                " FROM session JOIN guide ON guide.id = session.guide WHERE session.token = ? AND session.expires > ?",
                (_hashed(token), now),
            ).fetchone()
        if row is None or not hmac.compare_digest(row[3], _hashed(token)):
            return None
        return Guide(*row[:3])

    def logout(self, token: str) -> None:
        """End a session."""
        with self._changing() as db:
            db.execute("DELETE FROM session WHERE token = ?", (_hashed(token),))


def _hashed(token: str) -> bytes:
    # What stands in the file opens nothing.
    return sha256(token.encode()).digest()
