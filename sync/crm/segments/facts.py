"""What the segments are made of: each customer's purchase days, money and category, with everybody merged into them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, func, select

from sync.crm import tables

_AT_ONCE = 500
"""Customers in one question: SQLite takes up to 32,766 values, and plans short lists faster."""


@dataclass(frozen=True, slots=True)
class Facts:
    """``days`` with a purchase, rising, each once; ``spent`` less returns, in one currency; ``category`` by money."""

    days: tuple[date, ...]
    spent: int
    category: str


def currency(connection: Connection) -> str:
    """The one that most receipts are in; "" where there is none. Amounts in others are not added to it."""
    column = tables.purchase.c.currency
    query = select(column).group_by(column).order_by(func.count().desc(), column).limit(1)
    return connection.scalar(query) or ""


def of_all(connection: Connection, money: str) -> dict[str, Facts]:
    """By root, of everybody who ever bought."""
    return _facts(connection, money, None)


def of(connection: Connection, roots: Sequence[str], money: str) -> dict[str, Facts]:
    """By root; who never bought is not among them."""
    found: dict[str, Facts] = {}
    for start in range(0, len(roots), _AT_ONCE):
        found |= _facts(connection, money, roots[start : start + _AT_ONCE])
    return found


def _facts(connection: Connection, money: str, roots: Sequence[str] | None) -> dict[str, Facts]:
    purchase, customer = tables.purchase, tables.customer
    query = select(
        customer.c.root, purchase.c.day, purchase.c.kind, purchase.c.currency, func.sum(purchase.c.amount)
    ).join(customer, customer.c.customer == purchase.c.customer)
    if roots is not None:
        query = query.where(customer.c.root.in_(roots))
    query = query.group_by(customer.c.root, purchase.c.day, purchase.c.kind, purchase.c.currency)
    days: dict[str, set[date]] = defaultdict(set)
    spent: dict[str, int] = defaultdict(int)
    for root, day, kind, paid_in, amount in connection.execute(query):
        if kind == "sale":
            days[root].add(day)
        if paid_in == money:
            spent[root] += int(amount)
    category = dict(_categories(connection, roots))
    return {root: Facts(tuple(sorted(each)), spent[root], category.get(root, "")) for root, each in days.items()}


def _categories(connection: Connection, roots: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """The category that each spent most in, the first by name of equals."""
    purchase, customer, line = tables.purchase, tables.customer, tables.purchase_line
    variant, product = tables.variant, tables.product
    total = func.sum(line.c.amount)
    query = (
        select(customer.c.root, product.c.category)
        .select_from(purchase)
        .join(customer, customer.c.customer == purchase.c.customer)
        .join(line, (line.c.source == purchase.c.source) & (line.c.receipt == purchase.c.receipt))
        .join(variant, variant.c.id == line.c.variant)
        .join(product, product.c.style == variant.c.style)
        .where(product.c.category.is_not(None))
        .group_by(customer.c.root, product.c.category)
        .order_by(total, product.c.category.desc())
    )
    if roots is not None:
        query = query.where(customer.c.root.in_(roots))
    # Rising: the last one said of a customer is the largest.
    yield from ((root, category) for root, category in connection.execute(query))
