"""The tables of the CRM. Times are milliseconds since the epoch (UTC), days are the store's, money is in minor units.

``docs/crm.md`` says what each is for; ``sync/store/migrations/`` makes them, and a test compares the two.
"""

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, LargeBinary, String, Table, Text, Uuid, false
from sqlalchemy import text as sql

from sync.store.tables import NAME, STORE, metadata

CUSTOMER = String(32)

customer = Table(
    "customer",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("placeholder", Boolean, nullable=False, server_default=false()),
    # The customer that this one counts for: itself, or the end of the chain of ``merged_into``.
    Column("root", CUSTOMER, nullable=False),
    Column("merged_into", CUSTOMER),
    Column("name", String(120)),
    Column("salutation", String(40)),
    Column("level", String(40)),
    Column("store", STORE),
    Column("note", Text),
    Column("joined", Date),
    Column("created", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Index("customer_root", "root"),
    Index("customer_merged", "merged_into"),
    Index("customer_changed", "changed", "customer"),
)

customer_key = Table(
    "customer_key",
    metadata,
    Column("source", NAME, primary_key=True),
    Column("number", String(64), primary_key=True),
    Column("customer", CUSTOMER, nullable=False),
    # Of what was last taken in under this number, and by which import.
    Column("digest", LargeBinary(16)),
    Column("run", Uuid),
    Index("customer_key_customer", "customer"),
)

erased_key = Table(
    "erased_key",
    metadata,
    Column("source", NAME, primary_key=True),
    # SHA-256 of the number: says that it must not come back, and no more.
    Column("digest", LargeBinary(32), primary_key=True),
    Column("time", BigInteger, nullable=False),
)

contact = Table(
    "contact",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("value", String(254), primary_key=True),
    Column("time", BigInteger, nullable=False),
    Index("contact_value", "kind", "value"),
)

occasion = Table(
    "occasion",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("kind", String(12), primary_key=True),
    # "" is the customer's own; else the number of a relative.
    Column("whose", String(8), primary_key=True),
    Column("calendar", String(9), nullable=False),
    Column("year", Integer),
    Column("month", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    Column("leap", Boolean, nullable=False),
    Index("occasion_day", "calendar", "month", "day"),
)

relative = Table(
    "relative",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("relation", String(16), nullable=False),
    Column("name", String(120)),
    Column("of_customer", CUSTOMER),
    Column("note", String(400)),
)

trait = Table(
    "trait",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("value", String(40), nullable=False),
    Column("time", BigInteger, nullable=False),
)

tag = Table(
    "tag",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("name", String(40), primary_key=True),
    # "" by hand; else the rule that gave it and takes it away again.
    Column("rule", NAME, primary_key=True),
    Column("by", NAME, nullable=False),
    Column("time", BigInteger, nullable=False),
    Index("tag_name", "name", "customer"),
)

tag_rule = Table(
    "tag_rule",
    metadata,
    Column("rule", NAME, primary_key=True),
    Column("body", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
)

customer_consent = Table(
    "customer_consent",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

customer_merge = Table(
    "customer_merge",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("gone", CUSTOMER, nullable=False),
    Column("kept", CUSTOMER, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("by", NAME, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("undone_by", NAME),
    Column("undone", BigInteger),
    Index("customer_merge_gone", "gone"),
    Index("customer_merge_kept", "kept"),
)

interaction = Table(
    "interaction",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("guide", NAME),
    Column("store", STORE),
    Column("text", Text, nullable=False),
    Index("interaction_time", "customer", "time"),
)

customer_moment = Table(
    "customer_moment",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    # The event's.
    Column("id", Uuid, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("store", STORE, nullable=False),
    Column("data", Text, nullable=False),
    Index("customer_moment_time", "customer", "time"),
    Index("customer_moment_kind", "kind", "time"),
)

event_reader = Table(
    "event_reader",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("reader", NAME, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

product = Table(
    "product",
    metadata,
    Column("style", String(64), primary_key=True),
    Column("name", String(200)),
    Column("category", String(64)),
    Column("changed", BigInteger, nullable=False),
)

variant = Table(
    "variant",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("style", String(64)),
    Column("placeholder", Boolean, nullable=False, server_default=false()),
    Column("name", String(200)),
    Column("colour", String(40)),
    Column("size", String(40)),
    Column("price", BigInteger),
    Column("currency", String(3)),
    Column("digest", LargeBinary(16)),
    Column("run", Uuid),
    Column("changed", BigInteger, nullable=False),
    Index("variant_style", "style"),
)

variant_code = Table(
    "variant_code",
    metadata,
    Column("kind", String(4), primary_key=True),
    Column("code", String(124), primary_key=True),
    Column("variant", Uuid, nullable=False),
    Index("variant_code_variant", "variant"),
)

stock = Table(
    "stock",
    metadata,
    Column("store", STORE, primary_key=True),
    Column("variant", Uuid, primary_key=True),
    Column("units", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
)

purchase = Table(
    "purchase",
    metadata,
    Column("source", NAME, primary_key=True),
    Column("receipt", String(64), primary_key=True),
    Column("kind", String(6), nullable=False),
    Column("channel", String(8), nullable=False),
    Column("customer", CUSTOMER),
    Column("store", STORE),
    Column("guide", NAME),
    Column("time", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    # The receipt that a return takes back, where it is known.
    Column("returned", String(64)),
    Column("digest", LargeBinary(16), nullable=False),
    Column("received", BigInteger, nullable=False),
    Index("purchase_customer", "customer", "time"),
    Index("purchase_store", "store", "day"),
    Index("purchase_returned", "source", "returned"),
    Index("purchase_received", "received"),
)

purchase_line = Table(
    "purchase_line",
    metadata,
    Column("source", NAME, primary_key=True),
    Column("receipt", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("variant", Uuid),
    Column("epc", String(124)),
    Column("units", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Index("purchase_line_variant", "variant"),
)

guide = Table(
    "guide",
    metadata,
    Column("guide", NAME, primary_key=True),
    Column("name", String(120)),
    Column("store", STORE),
    Column("created", BigInteger, nullable=False),
    Column("left", BigInteger),
)

binding = Table(
    "binding",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("guide", NAME, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("reason", String(12), nullable=False),
    Column("by", NAME, nullable=False),
    # The guide before, and the handover that changed it.
    Column("before", NAME),
    Column("handover", Uuid),
    Index("binding_guide", "guide", "until"),
    Index(
        "binding_open",
        "customer",
        unique=True,
        sqlite_where=sql("until IS NULL"),
        postgresql_where=sql("until IS NULL"),
    ),
)

task = Table(
    "task",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("guide", NAME),
    Column("kind", String(16), nullable=False),
    Column("what", String(200), nullable=False),
    Column("due", Date, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("done", BigInteger),
    Column("handover", Uuid),
    Index("task_guide", "guide", "done", "due"),
)

handover = Table(
    "handover",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("leaver", NAME, nullable=False),
    Column("successor", NAME, nullable=False),
    Column("by", NAME, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("customers", Integer, nullable=False),
    Column("tasks", Integer, nullable=False),
)

binding_dispute = Table(
    "binding_dispute",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer", CUSTOMER, nullable=False),
    Column("binding", Uuid, nullable=False),
    Column("guide", NAME, nullable=False),
    Column("reason", String(400), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("decision", String(8)),
    Column("decided_by", NAME),
    Column("decided", BigInteger),
    Index("binding_dispute_binding", "binding", unique=True),
    Index("binding_dispute_customer", "customer"),
)

access = Table(
    "access",
    metadata,
    Column("customer", CUSTOMER, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("actor", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("act", String(12), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("store", STORE),
    Column("detail", String(400), nullable=False),
    Index("access_time", "customer", "time"),
    Index("access_actor", "actor", "time"),
)

import_run = Table(
    "import_run",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("source", NAME, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("settings", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("finished", BigInteger),
    # The last row that is done with; what follows is read again after an interruption.
    Column("row", BigInteger, nullable=False),
    Column("new", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("same", BigInteger, nullable=False),
    Column("wrong", BigInteger, nullable=False),
    # Bytes of the file of wrong rows that belong to ``row``.
    Column("errors", BigInteger, nullable=False),
    Index("import_run_file", "kind", "source", "digest"),
)

import_mapping = Table(
    "import_mapping",
    metadata,
    Column("kind", String(12), primary_key=True),
    Column("shape", String(64), primary_key=True),
    Column("body", Text, nullable=False),
    Column("used", BigInteger, nullable=False),
)

customer_segment = Table(
    "customer_segment",
    metadata,
    # A root: everybody merged into it counts with it.
    Column("customer", CUSTOMER, primary_key=True),
    Column("state", String(8), nullable=False),
    # The day from which the state holds.
    Column("since", Date, nullable=False),
    # Days with a purchase; the first and the last of them; what was paid less returns, in the basis' currency.
    Column("days", Integer, nullable=False),
    Column("first", Date, nullable=False),
    Column("last", Date, nullable=False),
    Column("spent", BigInteger, nullable=False),
    # "" where nobody said what was bought.
    Column("category", String(64), nullable=False),
    Column("cycle", Integer, nullable=False),
    # The customer's own median of days between purchases; NULL while there are too few.
    Column("pace", Integer),
    Column("recency", Integer, nullable=False),
    Column("frequency", Integer, nullable=False),
    Column("money", Integer, nullable=False),
    Column("vital", Boolean, nullable=False),
    Column("warning", String(16)),
    # The day on which it changes without any purchase; NULL when it never does.
    Column("due", Date),
    Column("computed", BigInteger, nullable=False),
    Index("customer_segment_state", "state", "customer"),
    Index("customer_segment_due", "due"),
)

segment_basis = Table(
    "segment_basis",
    metadata,
    Column("name", NAME, primary_key=True),
    # Bands, cycles, model: what was learnt of everybody, and holds until it is learnt again.
    Column("body", Text, nullable=False),
    Column("learnt", BigInteger, nullable=False),
    # Purchases and merges up to this time are in.
    Column("through", BigInteger, nullable=False),
)
