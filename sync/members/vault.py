"""Templates sealed one by one with AES-256-GCM, each under a key of its own. The only module that encrypts them.

The keys stand in a file of their own (mode 0600) that belongs in no backup. Erasing a member deletes their keys: every
copy of the sealed template, in any backup, is unreadable from then on.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sync.members.errors import MemberError

KEY_BITS = 256
_NONCE = 12
"""Bytes; NIST SP 800-38D, 8.2.1. Random, and each key seals a template a few times at most."""
_SCHEMA = "CREATE TABLE IF NOT EXISTS key (id TEXT PRIMARY KEY, secret BLOB NOT NULL, made REAL NOT NULL)"


@dataclass(frozen=True, slots=True)
class Bound:
    """What a sealed template is bound to: it opens for this store, person, model and key only."""

    store: str
    member: str
    model: str
    key: str

    def data(self) -> bytes:
        """The authenticated data: each part with its length, so that no two bindings read alike."""
        parts = [part.encode() for part in ("yingke template 1", self.store, self.member, self.model, self.key)]
        return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


class Vault:
    """The keys of one box. A context manager; one thread at a time.

    Entering makes the file when it is missing, and raises ``MemberError`` when others may read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        with _said(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Made with its mode, before SQLite writes a byte into it.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            mode = stat.S_IMODE(self.path.stat().st_mode)
            if mode & 0o077:
                raise MemberError(
                    "file", f"the key file {self.path} is open to others (mode {mode:o})", f"chmod 600 {self.path}"
                )
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
            # A deleted key is overwritten, and no journal keeps a copy of it.
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("PRAGMA journal_mode = TRUNCATE")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_SCHEMA)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def new_key(self, now: float) -> str:
        """The id of a new key."""
        name = uuid4().hex
        with _said(self.path):
            self._open().execute("INSERT INTO key VALUES (?, ?, ?)", (name, AESGCM.generate_key(KEY_BITS), now))
        return name

    def seal(self, plain: bytes, bound: Bound) -> bytes:
        """Nonce and ciphertext. Raises ``MemberError`` when the key is gone."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._key(bound)).encrypt(nonce, plain, bound.data())

    def open(self, sealed: bytes, bound: Bound) -> bytes:
        """The template. Raises ``MemberError``: ``erased`` without its key, ``altered`` for anything not sealed so."""
        key = self._key(bound)
        try:
            cipher = AESGCM(key)
            return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound.data())
        except (InvalidTag, ValueError, TypeError) as error:  # a damaged file may hold anything for key and template
            raise MemberError(
                "altered",
                f"the template of {bound.member} was altered or belongs elsewhere",
                f"erase it and enrol anew: yingke erase {bound.member}",
            ) from error

    def forget(self, keys: Iterator[str] | list[str]) -> None:
        """Delete keys; what they sealed can never be opened again."""
        with _said(self.path):
            self._open().executemany("DELETE FROM key WHERE id = ?", [(key,) for key in keys])

    def made(self, key: str) -> float | None:
        """When the key was made (epoch seconds); None when there is none such."""
        with _said(self.path):
            row = self._open().execute("SELECT made FROM key WHERE id = ?", (key,)).fetchone()
        return None if row is None else float(row[0])

    def _key(self, bound: Bound) -> bytes:
        with _said(self.path):
            row = self._open().execute("SELECT secret FROM key WHERE id = ?", (bound.key,)).fetchone()
        if row is None:
            raise MemberError(
                "erased",
                f"the key of {bound.member}'s template is gone",
                "the member was erased; enrol anew with consent",
            )
        secret: bytes = row[0]
        return secret

    def _open(self) -> sqlite3.Connection:
        assert self._db is not None, "entered"
        return self._db


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter for a damaged schema
        raise MemberError(
            "file",
            f"the key file {path} cannot be used: {error}",
            "check the disk; keys come from no backup: enrol anew",
        ) from error
    except OSError as error:
        raise MemberError(
            "file", f"the key file {path} cannot be opened: {error.strerror}", "check the path"
        ) from error
