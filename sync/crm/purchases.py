"""Purchases and returns by receipt, whole or not at all, and each once however often it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, func, select

from sync.crm import customers, guides, products, tables
from sync.crm.ids import millis
from sync.crm.locks import one_at_a_time
from sync.crm.products import Code
from sync.crm.taking import Outcome, Wrong, digest
from sync.store.database import insert

Kind = Literal["sale", "return"]
Channel = Literal["store", "web", "phone"]


@dataclass(frozen=True, slots=True)
class LineIn:
    """One variant on a receipt: its codes, and units and amount as the receipt shows them, not negative."""

    codes: tuple[Code, ...]
    units: int
    amount: int


@dataclass(frozen=True, slots=True)
class PurchaseIn:
    """A receipt as a source tells it. Units and amount are those of the whole receipt, not negative, returns too.

    ``customer`` is the source's number for who bought, None for somebody unknown; ``moment`` is aware, of the store's
    zone; ``returned`` is the receipt that a return takes back, where it is known. ``customer_source`` names the numbers
    where they are not the till's own.
    """

    source: str
    receipt: str
    moment: datetime
    amount: int
    currency: str
    units: int = 1
    kind: Kind = "sale"
    channel: Channel = "store"
    customer: str | None = None
    customer_source: str | None = None
    store: str | None = None
    guide: str | None = None
    returned: str | None = None
    lines: tuple[LineIn, ...] = ()

    @property
    def customer_key(self) -> tuple[str, str] | None:
        """Source and number of who bought."""
        return None if self.customer is None else (self.customer_source or self.source, self.customer)


@dataclass(frozen=True, slots=True)
class Purchase:
    """One receipt as it is stored: amounts and units of a return are negative. Times are milliseconds."""

    source: str
    receipt: str
    kind: Kind
    channel: Channel
    customer: str | None
    store: str | None
    guide: str | None
    time: int
    day: date
    units: int
    amount: int
    currency: str
    returned: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is stored; negative in a return."""

    number: int
    variant: UUID | None
    epc: str | None
    units: int
    amount: int


def fault(purchase: PurchaseIn, now: float) -> str | None:
    """Why this can be no purchase, for people; None when it can."""
    # Today is the store's: the moment carries its zone.
    today = datetime.fromtimestamp(now, purchase.moment.tzinfo).date()
    if purchase.moment.date() > today:
        return f"the day {purchase.moment.date().isoformat()} is in the future"
    if purchase.moment.year < 1950:
        return f"the day {purchase.moment.date().isoformat()} is too long ago"
    if purchase.amount < 0 or any(line.amount < 0 for line in purchase.lines):
        return "a negative amount: name the row a return, or give the amount that was paid"
    if purchase.units < 0 or any(line.units < 0 for line in purchase.lines):
        return "a negative number of units: name the row a return"
    if purchase.kind == "sale" and purchase.returned is not None:
        return "only a return names the receipt that it takes back"
    return None


def put(connection: Connection, given: Sequence[PurchaseIn], now: float) -> list[Outcome]:
    """Take receipts in; an outcome for each, in order. The same receipt with the same content is no change.

    Customers, variants and guides who are not known yet become placeholders.
    """
    one_at_a_time(connection)
    by_source: dict[str, list[str]] = {}
    for each in given:
        by_source.setdefault(each.source, []).append(each.receipt)
    known: dict[tuple[str, str], bytes] = {}
    table = tables.purchase
    for source, receipts in by_source.items():
        query = select(table.c.receipt, table.c.digest).where(table.c.source == source, table.c.receipt.in_(receipts))
        known.update({(source, row.receipt): row.digest for row in connection.execute(query)})
    outcomes: list[Outcome] = []
    fresh: list[tuple[PurchaseIn, bytes]] = []
    for each in given:
        outcome, content = _judged(each, known, now)
        if outcome == "new":
            known[each.source, each.receipt] = content
            fresh.append((each, content))
        outcomes.append(outcome)
    if fresh:
        _write(connection, fresh, now)
    return outcomes


def _judged(each: PurchaseIn, known: dict[tuple[str, str], bytes], now: float) -> tuple[Outcome, bytes]:
    content = digest(each)
    before = known.get((each.source, each.receipt))
    if before is not None:
        if before == content:
            return "same", content
        return Wrong(f"receipt {each.receipt} is known with another content"), content
    wrong = fault(each, now)
    return (Wrong(wrong) if wrong is not None else "new"), content


def _write(connection: Connection, fresh: Sequence[tuple[PurchaseIn, bytes]], now: float) -> None:
    who = customers.ensure(connection, [key for each, _ in fresh if (key := each.customer_key) is not None], now)
    what = products.ensure(connection, [line.codes for each, _ in fresh for line in each.lines if line.codes], now)
    guides.ensure(connection, sorted({each.guide for each, _ in fresh if each.guide is not None}), now)
    received, rows, lines = millis(now), [], []
    for each, content in fresh:
        sign = -1 if each.kind == "return" else 1
        key = each.customer_key
        rows.append(
            {
                "source": each.source,
                "receipt": each.receipt,
                "kind": each.kind,
                "channel": each.channel,
                "customer": None if key is None else who.get(key),
                "store": each.store,
                "guide": each.guide,
                "time": millis(each.moment.timestamp()),
                "day": each.moment.date(),
                "units": sign * each.units,
                "amount": sign * each.amount,
                "currency": each.currency,
                "returned": each.returned,
                "digest": content,
                "received": received,
            }
        )
        for number, line in enumerate(each.lines, 1):
            lines.append(
                {
                    "source": each.source,
                    "receipt": each.receipt,
                    "number": number,
                    "variant": what[line.codes[0]] if line.codes else None,
                    "epc": next((code for kind, code in line.codes if kind == "epc"), None),
                    "units": sign * line.units,
                    "amount": sign * line.amount,
                }
            )
    connection.execute(insert(connection, tables.purchase), rows)
    if lines:
        connection.execute(insert(connection, tables.purchase_line), lines)


def get(connection: Connection, source: str, receipt: str) -> tuple[Purchase, list[Line]] | None:
    """One receipt with its lines; None when there is none such."""
    table, line = tables.purchase, tables.purchase_line
    row = connection.execute(select(table).where(table.c.source == source, table.c.receipt == receipt)).first()
    if row is None:
        return None
    query = select(line).where(line.c.source == source, line.c.receipt == receipt).order_by(line.c.number)
    lines = [Line(each.number, each.variant, each.epc, each.units, each.amount) for each in connection.execute(query)]
    return purchase_of(row), lines


def without_purchase(connection: Connection, limit: int = 200) -> list[Purchase]:
    """Returns whose purchase is not known: not named, or not here yet."""
    table, sold = tables.purchase, tables.purchase.alias()
    query = select(table).outerjoin(
        sold, (sold.c.source == table.c.source) & (sold.c.receipt == table.c.returned) & (sold.c.kind == "sale")
    )
    query = query.where(table.c.kind == "return", sold.c.receipt.is_(None)).order_by(table.c.time.desc()).limit(limit)
    return [purchase_of(row) for row in connection.execute(query)]


def total(connection: Connection, roots: Sequence[str]) -> dict[tuple[str, str], int]:
    """What each customer (with everybody merged into them) spent less returns, by currency."""
    table, customer = tables.purchase, tables.customer
    query = select(customer.c.root, table.c.currency, func.sum(table.c.amount))
    query = query.join(customer, customer.c.customer == table.c.customer).where(customer.c.root.in_(roots))
    rows = connection.execute(query.group_by(customer.c.root, table.c.currency))
    return {(root, currency): int(amount) for root, currency, amount in rows}


def purchase_of(row: Row[Any]) -> Purchase:
    """A row of the table."""
    return Purchase(*(getattr(row, name) for name in Purchase.__slots__))
