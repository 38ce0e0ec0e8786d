"""The first tables: events and their roll-ups, outboxes, dead letters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, PrimaryKeyConstraint, String, Text, Uuid

revision = "0001"
down_revision = None


def _big(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False, autoincrement=False) for name in names]


def _text(name: str, length: int = 32) -> Column[str]:
    return Column(name, String(length), nullable=False)


def _uuids(*names: str) -> list[Column[object]]:
    return [Column(name, Uuid, nullable=False) for name in names]


def upgrade() -> None:
    """Make the tables."""
    _delivery()
    _rollups()


def _delivery() -> None:
    op.create_table("store", _text("store"), *_big("position"), PrimaryKeyConstraint("store"))
    op.create_table(
        "event",
        _text("store"),
        *_uuids("id"),
        *_big("position"),
        _text("type", 64),
        _text("sensor"),
        *_big("time", "received"),
        *_uuids("outbox"),
        *_big("seq"),
        Column("payload", Text, nullable=False),
        PrimaryKeyConstraint("store", "id"),
    )
    op.create_index("event_position", "event", ["store", "position"], unique=True)
    op.create_index("event_time", "event", ["store", "type", "time"])
    op.create_table(
        "outbox",
        _text("store"),
        *_uuids("outbox"),
        *_big("through", "first_seen", "last_seen"),
        PrimaryKeyConstraint("store", "outbox"),
    )
    for name, extra in (("outbox_ahead", ()), ("outbox_gap", ("found",))):
        op.create_table(
            name,
            _text("store"),
            *_uuids("outbox"),
            *_big("first", "last", *extra),
            PrimaryKeyConstraint("store", "outbox", "first"),
        )
    op.create_table(
        "dead_letter",
        _text("store", 64),
        Column("digest", LargeBinary(16), nullable=False),
        _text("reason", 200),
        _text("topic", 200),
        Column("payload", LargeBinary, nullable=False),
        Column("size", sa.Integer, nullable=False),
        *_big("received"),
        PrimaryKeyConstraint("store", "digest"),
    )


def _rollups() -> None:
    op.create_table(
        "footfall_minute",
        _text("store"),
        *_big("minute"),
        _text("sensor"),
        _text("place"),
        *_uuids("boot"),
        *_big("revision"),
        *_uuids("event"),
        *_big("entered", "left"),
        Column("coverage", sa.Float(53), nullable=False),
        Column("occupancy", sa.Float(53)),
        PrimaryKeyConstraint("store", "minute", "sensor", "place", "boot"),
    )
    op.create_table(
        "tryon_hour",
        _text("store"),
        *_big("hour"),
        _text("product", 124),
        _text("kind", 16),
        *_big("sessions", "milliseconds"),
        PrimaryKeyConstraint("store", "hour", "product", "kind"),
    )
    op.create_table(
        "devices_window",
        _text("store"),
        *_big("start"),
        _text("sensor"),
        *_uuids("boot"),
        *_big("seq"),
        *_uuids("event"),
        Column("data", Text, nullable=False),
        PrimaryKeyConstraint("store", "start", "sensor", "boot"),
    )
    op.create_table(
        "sensor_state",
        _text("store"),
        _text("sensor"),
        *_uuids("outbox"),
        *_big("seq"),
        *_uuids("event"),
        *_big("time", "received"),
        Column("data", Text, nullable=False),
        PrimaryKeyConstraint("store", "sensor", "outbox"),
    )
