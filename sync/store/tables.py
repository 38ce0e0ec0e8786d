"""The tables of the central database. Every key starts with the store, so that they distribute by store as they are.

Times are milliseconds since the epoch, UTC. ``migrations/`` makes these tables; a test compares the two.
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text, Uuid

metadata = MetaData()

STORE = String(32)
NAME = String(32)

store = Table(
    "store",
    metadata,
    Column("store", STORE, primary_key=True),
    # The number of the last event row; locked by each transaction that adds some, so that readers see them in order.
    Column("position", BigInteger, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("type", String(64), nullable=False),
    Column("sensor", NAME, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("outbox", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Index("event_position", "store", "position", unique=True),
    Index("event_time", "store", "type", "time"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("outbox", Uuid, primary_key=True),
    Column("through", BigInteger, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
)

outbox_ahead = Table(
    "outbox_ahead",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("outbox", Uuid, primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)

outbox_gap = Table(
    "outbox_gap",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("outbox", Uuid, primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("found", BigInteger, nullable=False),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("store", String(64), primary_key=True),
    Column("digest", LargeBinary(16), primary_key=True),
    Column("reason", String(200), nullable=False),
    Column("topic", String(200), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("received", BigInteger, nullable=False),
)

footfall_minute = Table(
    "footfall_minute",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("sensor", NAME, primary_key=True),
    Column("place", NAME, primary_key=True),
    # Each start of the box reports its own part of a minute: parts add up, revisions of one part replace each other.
    Column("boot", Uuid, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("event", Uuid, nullable=False),
    Column("entered", BigInteger, nullable=False),
    Column("left", BigInteger, nullable=False),
    Column("coverage", Float(53), nullable=False),
    Column("occupancy", Float(53)),
    # "line" or "zone". What a zone entered is no visit.
    Column("kind", String(8), nullable=False, server_default="line"),
    # Counted apart from visits; NULL where the box does not look for it.
    Column("staff_entered", BigInteger),
    Column("staff_left", BigInteger),
    Column("excluded", BigInteger),
    Column("groups", BigInteger),
)

tryon_hour = Table(
    "tryon_hour",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    # The GTIN, or the EPC where no GTIN is known.
    Column("product", String(124), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("sessions", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
)

devices_window = Table(
    "devices_window",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("sensor", NAME, primary_key=True),
    Column("boot", Uuid, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("event", Uuid, nullable=False),
    Column("data", Text, nullable=False),
)

sensor_state = Table(
    "sensor_state",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("sensor", NAME, primary_key=True),
    Column("outbox", Uuid, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("event", Uuid, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("sensor", NAME, primary_key=True),
    Column("line", NAME, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("event", Uuid, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
)

box_order = Table(
    "box_order",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("member", String(32)),
    Column("issued", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    # The box's signed receipt as it came; null while it has not answered.
    Column("receipt", Text),
    Index("box_order_member", "member", "kind"),
)

box_key = Table(
    "box_key",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("public", String(64), nullable=False),
    Column("first_seen", BigInteger, nullable=False),
)

erased_member = Table(
    "erased_member",
    metadata,
    Column("member", String(32), primary_key=True),
    Column("time", BigInteger, nullable=False),
)

footfall_revision = Table(
    "footfall_revision",
    metadata,
    Column("store", STORE, primary_key=True),
    # "minute", "hour" or "day" of the store.
    Column("grain", String(8), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("sensor", NAME, primary_key=True),
    Column("place", NAME, primary_key=True),
    # 0 as first exported; one more each time that an export found it changed.
    Column("revision", Integer, primary_key=True, autoincrement=False),
    # The store's position when it was exported: what came later is not in it.
    Column("position", BigInteger, nullable=False),
    Column("made", BigInteger, nullable=False),
    # NULL where nothing was observed.
    Column("entered", BigInteger),
    Column("left", BigInteger),
    Column("coverage", Float(53), nullable=False),
)

export_run = Table(
    "export_run",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("grain", String(8), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
)
