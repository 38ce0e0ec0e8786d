"""The CRM: customers, what they bought, who serves them, what was imported; looks that nobody can take back."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, LargeBinary, String, Text, Uuid, false
from sqlalchemy import text as sql

revision = "0006"
down_revision = "0005"

KEPT_MS = 94_672_800_000
"""Three years of 365.25 days: looks may be deleted after so long."""


def upgrade() -> None:
    """Add the tables and the triggers."""
    _customers()
    _what_happened()
    _sales()
    _guides()
    _imports()
    _triggers()


def _customers() -> None:
    op.create_table(
        "customer",
        Column("customer", String(32), primary_key=True),
        Column("kind", String(8), nullable=False),
        Column("placeholder", Boolean, nullable=False, server_default=false()),
        Column("root", String(32), nullable=False),
        Column("merged_into", String(32)),
        Column("name", String(120)),
        Column("salutation", String(40)),
        Column("level", String(40)),
        Column("store", String(32)),
        Column("note", Text),
        Column("joined", Date),
        Column("created", BigInteger, nullable=False),
        Column("changed", BigInteger, nullable=False),
    )
    op.create_index("customer_root", "customer", ["root"])
    op.create_index("customer_merged", "customer", ["merged_into"])
    op.create_index("customer_changed", "customer", ["changed", "customer"])
    op.create_table(
        "customer_key",
        Column("source", String(32), primary_key=True),
        Column("number", String(64), primary_key=True),
        Column("customer", String(32), nullable=False),
        Column("digest", LargeBinary(16)),
        Column("run", Uuid),
    )
    op.create_index("customer_key_customer", "customer_key", ["customer"])
    op.create_table(
        "erased_key",
        Column("source", String(32), primary_key=True),
        Column("digest", LargeBinary(32), primary_key=True),
        Column("time", BigInteger, nullable=False),
    )
    op.create_table(
        "contact",
        Column("customer", String(32), primary_key=True),
        Column("kind", String(8), primary_key=True),
        Column("value", String(254), primary_key=True),
        Column("time", BigInteger, nullable=False),
    )
    op.create_index("contact_value", "contact", ["kind", "value"])
    op.create_table(
        "occasion",
        Column("customer", String(32), primary_key=True),
        Column("kind", String(12), primary_key=True),
        Column("whose", String(8), primary_key=True),
        Column("calendar", String(9), nullable=False),
        Column("year", Integer),
        Column("month", Integer, nullable=False),
        Column("day", Integer, nullable=False),
        Column("leap", Boolean, nullable=False),
    )
    op.create_index("occasion_day", "occasion", ["calendar", "month", "day"])
    op.create_table(
        "relative",
        Column("customer", String(32), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("relation", String(16), nullable=False),
        Column("name", String(120)),
        Column("of_customer", String(32)),
        Column("note", String(400)),
    )
    op.create_table(
        "trait",
        Column("customer", String(32), primary_key=True),
        Column("kind", String(8), primary_key=True),
        Column("name", String(40), primary_key=True),
        Column("value", String(40), nullable=False),
        Column("time", BigInteger, nullable=False),
    )
    op.create_table(
        "tag",
        Column("customer", String(32), primary_key=True),
        Column("name", String(40), primary_key=True),
        Column("rule", String(32), primary_key=True),
        Column("by", String(32), nullable=False),
        Column("time", BigInteger, nullable=False),
    )
    op.create_index("tag_name", "tag", ["name", "customer"])
    op.create_table(
        "tag_rule",
        Column("rule", String(32), primary_key=True),
        Column("body", Text, nullable=False),
        Column("changed", BigInteger, nullable=False),
    )
    op.create_table(
        "customer_consent",
        Column("customer", String(32), primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("purpose", String(16), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "customer_merge",
        Column("id", Uuid, primary_key=True),
        Column("gone", String(32), nullable=False),
        Column("kept", String(32), nullable=False),
        Column("reason", String(200), nullable=False),
        Column("by", String(32), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("undone_by", String(32)),
        Column("undone", BigInteger),
    )
    op.create_index("customer_merge_gone", "customer_merge", ["gone"])
    op.create_index("customer_merge_kept", "customer_merge", ["kept"])


def _what_happened() -> None:
    op.create_table(
        "interaction",
        Column("customer", String(32), primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("kind", String(12), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("guide", String(32)),
        Column("store", String(32)),
        Column("text", Text, nullable=False),
    )
    op.create_index("interaction_time", "interaction", ["customer", "time"])
    op.create_table(
        "customer_moment",
        Column("customer", String(32), primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("kind", String(8), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("store", String(32), nullable=False),
        Column("data", Text, nullable=False),
    )
    op.create_index("customer_moment_time", "customer_moment", ["customer", "time"])
    op.create_index("customer_moment_kind", "customer_moment", ["kind", "time"])
    op.create_table(
        "event_reader",
        Column("store", String(32), primary_key=True),
        Column("reader", String(32), primary_key=True),
        Column("position", BigInteger, nullable=False),
    )
    op.create_table(
        "access",
        Column("customer", String(32), primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("actor", String(64), nullable=False),
        Column("role", String(16), nullable=False),
        Column("act", String(12), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("store", String(32)),
        Column("detail", String(400), nullable=False),
    )
    op.create_index("access_time", "access", ["customer", "time"])
    op.create_index("access_actor", "access", ["actor", "time"])


def _sales() -> None:
    op.create_table(
        "product",
        Column("style", String(64), primary_key=True),
        Column("name", String(200)),
        Column("category", String(64)),
        Column("changed", BigInteger, nullable=False),
    )
    op.create_table(
        "variant",
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
    )
    op.create_index("variant_style", "variant", ["style"])
    op.create_table(
        "variant_code",
        Column("kind", String(4), primary_key=True),
        Column("code", String(124), primary_key=True),
        Column("variant", Uuid, nullable=False),
    )
    op.create_index("variant_code_variant", "variant_code", ["variant"])
    op.create_table(
        "stock",
        Column("store", String(32), primary_key=True),
        Column("variant", Uuid, primary_key=True),
        Column("units", BigInteger, nullable=False),
        Column("time", BigInteger, nullable=False),
    )
    op.create_table(
        "purchase",
        Column("source", String(32), primary_key=True),
        Column("receipt", String(64), primary_key=True),
        Column("kind", String(6), nullable=False),
        Column("channel", String(8), nullable=False),
        Column("customer", String(32)),
        Column("store", String(32)),
        Column("guide", String(32)),
        Column("time", BigInteger, nullable=False),
        Column("day", Date, nullable=False),
        Column("units", BigInteger, nullable=False),
        Column("amount", BigInteger, nullable=False),
        Column("currency", String(3), nullable=False),
        Column("returned", String(64)),
        Column("digest", LargeBinary(16), nullable=False),
        Column("received", BigInteger, nullable=False),
    )
    op.create_index("purchase_customer", "purchase", ["customer", "time"])
    op.create_index("purchase_store", "purchase", ["store", "day"])
    op.create_index("purchase_returned", "purchase", ["source", "returned"])
    op.create_table(
        "purchase_line",
        Column("source", String(32), primary_key=True),
        Column("receipt", String(64), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("variant", Uuid),
        Column("epc", String(124)),
        Column("units", BigInteger, nullable=False),
        Column("amount", BigInteger, nullable=False),
    )
    op.create_index("purchase_line_variant", "purchase_line", ["variant"])


def _guides() -> None:
    op.create_table(
        "guide",
        Column("guide", String(32), primary_key=True),
        Column("name", String(120)),
        Column("store", String(32)),
        Column("created", BigInteger, nullable=False),
        Column("left", BigInteger),
    )
    op.create_table(
        "binding",
        Column("customer", String(32), primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("guide", String(32), nullable=False),
        Column("since", BigInteger, nullable=False),
        Column("until", BigInteger),
        Column("reason", String(12), nullable=False),
        Column("by", String(32), nullable=False),
        Column("before", String(32)),
        Column("handover", Uuid),
    )
    op.create_index("binding_guide", "binding", ["guide", "until"])
    op.create_index(
        "binding_open",
        "binding",
        ["customer"],
        unique=True,
        sqlite_where=sql("until IS NULL"),
        postgresql_where=sql("until IS NULL"),
    )
    op.create_table(
        "task",
        Column("customer", String(32), primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("guide", String(32)),
        Column("kind", String(16), nullable=False),
        Column("what", String(200), nullable=False),
        Column("due", Date, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("done", BigInteger),
        Column("handover", Uuid),
    )
    op.create_index("task_guide", "task", ["guide", "done", "due"])
    op.create_table(
        "handover",
        Column("id", Uuid, primary_key=True),
        Column("leaver", String(32), nullable=False),
        Column("successor", String(32), nullable=False),
        Column("by", String(32), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("customers", Integer, nullable=False),
        Column("tasks", Integer, nullable=False),
    )
    op.create_table(
        "binding_dispute",
        Column("id", Uuid, primary_key=True),
        Column("customer", String(32), nullable=False),
        Column("binding", Uuid, nullable=False),
        Column("guide", String(32), nullable=False),
        Column("reason", String(400), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("decision", String(8)),
        Column("decided_by", String(32)),
        Column("decided", BigInteger),
    )
    op.create_index("binding_dispute_binding", "binding_dispute", ["binding"], unique=True)
    op.create_index("binding_dispute_customer", "binding_dispute", ["customer"])


def _imports() -> None:
    op.create_table(
        "import_run",
        Column("id", Uuid, primary_key=True),
        Column("kind", String(12), nullable=False),
        Column("source", String(32), nullable=False),
        Column("digest", String(64), nullable=False),
        Column("settings", String(64), nullable=False),
        Column("name", String(200), nullable=False),
        Column("started", BigInteger, nullable=False),
        Column("finished", BigInteger),
        Column("row", BigInteger, nullable=False),
        Column("new", BigInteger, nullable=False),
        Column("changed", BigInteger, nullable=False),
        Column("same", BigInteger, nullable=False),
        Column("wrong", BigInteger, nullable=False),
        Column("errors", BigInteger, nullable=False),
    )
    op.create_index("import_run_file", "import_run", ["kind", "source", "digest"])
    op.create_table(
        "import_mapping",
        Column("kind", String(12), primary_key=True),
        Column("shape", String(64), primary_key=True),
        Column("body", Text, nullable=False),
        Column("used", BigInteger, nullable=False),
    )


def _triggers() -> None:
    """No row of these tables is changed; none is deleted but looks past their time and consents of who was erased."""
    postgres = op.get_bind().dialect.name == "postgresql"
    if postgres:
        op.execute(
            "CREATE FUNCTION yingke_fixed() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'append-only'; END $$"
        )
    for table, event, when in (
        ("access", "UPDATE", ""),
        ("access", "DELETE", f"old.time > (SELECT MAX(time) FROM access) - {KEPT_MS}"),  # noqa: S608  # a constant
        ("customer_consent", "UPDATE", ""),
    ):
        name = f"{table}_{event.lower()}"
        if not postgres:
            condition = f"WHEN {when}" if when else ""
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} {condition} "
                "BEGIN SELECT RAISE(ABORT, 'append-only'); END"
            )
        elif when:
            op.execute(
                f"CREATE FUNCTION yingke_{name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN IF {when} THEN RAISE EXCEPTION 'append-only'; END IF; RETURN old; END $$"
            )
            op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION yingke_{name}()")
        else:
            op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION yingke_fixed()")
