"""One SQLite file of the members' part: opened privately, every change one durable transaction, errors as sentences."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sync.members.errors import MemberError


class MemberFile:
    """A context manager; any number of threads and processes. Entering raises ``MemberError``.

    ``what`` names the file for people. Only this user may read it.
    """

    SCRIPT = ""
    """Statements that make the tables where they are missing."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self._what = what
        self._db: sqlite3.Connection | None = None
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        with self._said():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Made with its mode, before SQLite writes a byte into it.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self.path.chmod(0o600)
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
            self._db = db
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                db.execute(f"PRAGMA {pragma}")
        with self._changing() as db:
            for statement in _statements(self.SCRIPT):
                db.execute(statement)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        assert self._db is not None, "entered"
        with self._lock, self._said():
            yield self._db

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter for a damaged schema
            raise MemberError(
                "file",
                f"the {self._what} file {self.path} cannot be used: {error}",
                "check the disk, or restore the file",
            ) from error
        except OSError as error:
            raise MemberError("file", f"{self.path} cannot be opened: {error.strerror}", "check the path") from error


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: ``executescript`` would end the transaction."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
