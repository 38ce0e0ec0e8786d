"""Opening the central database: SQLite or PostgreSQL, brought up to date by its migrations, errors as sentences."""

import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Column, Insert, Table, create_engine, event, text
from sqlalchemy import Connection as Connection
from sqlalchemy import Engine as Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from sync.errors import SyncError

MIGRATION_LOCK = 0x59_4B_4D_47
"""PostgreSQL advisory lock: two centres that start at once migrate one after the other."""


PATIENCE_S = 30.0
"""How long a process waits for others that hold SQLite's lock."""


class StoreError(SyncError):
    """The central database cannot be used now. What was asked was not done."""


def open_engine(url: str) -> Engine:
    """An engine over an up-to-date database. Raises ``StoreError``."""
    with translated():
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise StoreError("the database URL cannot be read", "correct sync.database.url") from error
        if parsed.drivername == "sqlite":
            engine = _sqlite(url, parsed.database)
        elif parsed.drivername == "postgresql+psycopg":
            engine = _postgresql(url)
        else:
            raise StoreError(f"no support for {parsed.drivername}", "use sqlite:/// or postgresql+psycopg://")
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


def migrate(engine: Engine) -> None:
    """Run the migrations that are missing, in one transaction."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(f"the database is not of this version: {error}", "upgrade Yingke on the centre") from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction. Raises ``StoreError`` when the database fails."""
    with translated(), engine.connect() as connection:
        yield connection


@contextmanager
def translated() -> Iterator[None]:
    """SQLAlchemy's errors as one line with a next step."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        line = " ".join(cause.split())[:300]
        raise StoreError(f"the central database fails: {line}", "check that it runs, and sync.database") from error
    except ImportError as error:
        raise StoreError("the PostgreSQL driver is missing", "pip install 'yingke[postgres]'") from error


def insert(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that knows ON CONFLICT, of the connection's dialect."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def put_newer(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], newer: Sequence[str]) -> None:
    """Insert, or replace a row of the same key whose columns ``newer`` compare lower.

    ``rows`` holds each key once. In order of their keys, so that two writers cannot wait for each other.
    """
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = insert(connection, table)
    new = statement.excluded
    older: Any = table.c[newer[-1]] < new[newer[-1]]
    for name in reversed(newer[:-1]):
        column: Column[Any] = table.c[name]
        older = (column < new[name]) | ((column == new[name]) & older)
    values = {column.name: new[column.name] for column in table.columns if column.name not in keys}
    upsert: Insert = statement.on_conflict_do_update(index_elements=keys, set_=values, where=older)
    connection.execute(upsert, sorted(rows, key=lambda row: [str(row[key]) for key in keys]))


def _sqlite(url: str, path: str | None) -> Engine:
    if path and path != ":memory:":
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"no folder for the database {path}: {error.strerror}", "correct the path") from error
    engine = create_engine(url, connect_args={"timeout": PATIENCE_S})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, record: object) -> None:
        # The driver must not begin transactions by itself: it would begin them deferred, and fail to upgrade later.
        connection.isolation_level = None
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        # What is deleted because it told of a person is overwritten too.
        connection.execute("PRAGMA secure_delete = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN DEFERRED"
        )

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. SQLite's own patience does not cover this statement: it needs the file alone."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311  # jitter, not secrets


def _postgresql(url: str) -> Engine:
    return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
