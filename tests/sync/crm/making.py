"""Customers, receipts and files for the tests of the CRM."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, select

from sync.crm import customers, purchases
from sync.crm.customers import CustomerIn, Profile
from sync.crm.importing.parsing import Settings
from sync.crm.importing.runner import Plan, Report, run
from sync.crm.purchases import PurchaseIn
from sync.store.database import open_engine, reading, writing
from sync.store.tables import metadata

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC).timestamp()
"""Noon in Shanghai."""
SHANGHAI = ZoneInfo("Asia/Shanghai")
SETTINGS = Settings(source="till", zone=SHANGHAI)
DAY_S = 86400.0


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def known(connection: Connection, number: str, source: str = "till", **profile: object) -> str:
    """A customer of that number; the reference."""
    given = CustomerIn(source, number, profile=Profile(**profile))  # type: ignore[arg-type]
    customers.put(connection, [given], NOW, "test")
    return str(customers.keys_of(connection, [(source, number)])[source, number].customer)


def receipt(number: str, customer: str | None = None, **more: object) -> PurchaseIn:
    fields: dict[str, object] = {
        "source": "till",
        "receipt": number,
        "moment": datetime(2026, 11, 20, 15, 0, tzinfo=SHANGHAI),
        "amount": 9_900,
        "currency": "CNY",
        "customer": customer,
    }
    return PurchaseIn(**(fields | more))  # type: ignore[arg-type]


def bought(engine: Engine, *receipts: PurchaseIn, now: float = NOW) -> list[object]:
    with writing(engine) as connection:
        return list(purchases.put(connection, receipts, now))


def csv_file(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def taken(engine: Engine, plan: Plan, now: Callable[[], float] = lambda: NOW) -> Report:
    """Run an import to its end."""
    *_, last = run(engine, plan, now)
    return last


def wrong_rows(plan: Plan) -> dict[int, str]:
    """The reasons by row."""
    if not plan.errors_path.exists():
        return {}
    with plan.errors_path.open(encoding="utf-8", newline="") as file:
        return {int(row["row"]): row["reason"] for row in csv.DictReader(file)}


def count(engine: Engine, name: str) -> int:
    with reading(engine) as connection:
        table = metadata.tables[name]
        return connection.scalar(select(func.count()).select_from(table)) or 0


def content(engine: Engine) -> dict[str, list[str]]:
    """Every row of what imports write, as text, in order: without random references, times and runs."""
    skipped = {"customer", "created", "changed", "received", "time", "run", "root", "id", "variant", "since"}
    found = {}
    with reading(engine) as connection:
        for name in ("customer", "customer_key", "contact", "purchase", "purchase_line", "variant_code", "product"):
            rows = connection.execute(select(*metadata.tables[name].columns)).mappings()
            found[name] = sorted(repr({k: v for k, v in row.items() if k not in skipped}) for row in rows)
    return found
