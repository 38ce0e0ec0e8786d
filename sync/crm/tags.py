"""Tags: given by hand, or by a rule that is data, gives and takes away, and never touches what a hand gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Connection, case, delete, func, select

from sync.crm import tables
from sync.crm.ids import millis
from sync.events import Name
from sync.store.database import insert

TagName = Annotated[str, Field(min_length=1, max_length=40)]


class Condition(BaseModel):
    """One thing that is so of a customer. ``at_least`` and ``at_most`` are both included.

    ``spent`` in minor units, less what was returned; ``purchases`` and ``returns`` counted; ``days_since_purchase``
    true only of who has bought; ``kind``, ``store`` and ``level`` are one of ``is_in``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    what: Literal["spent", "purchases", "returns", "days_since_purchase", "kind", "store", "level"]
    at_least: int | None = None
    at_most: int | None = None
    is_in: Annotated[tuple[str, ...], Field(max_length=100)] = ()


class TagRule(BaseModel):
    """Gives ``tag`` to everybody of whom every condition holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rule: Name
    tag: TagName
    every: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=10)]


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are about, of one customer and everybody merged into them."""

    kind: str
    store: str | None
    level: str | None
    spent: int = 0
    purchases: int = 0
    returns: int = 0
    days_since_purchase: int | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """``rule`` is empty for one by hand."""

    name: str
    rule: str = ""


def holds(rule: TagRule, facts: Facts) -> bool:
    """Whether the rule gives its tag."""
    return all(_holds(each, facts) for each in rule.every)


def _holds(condition: Condition, facts: Facts) -> bool:
    value = getattr(facts, condition.what)
    if condition.what in ("kind", "store", "level"):
        return value in condition.is_in
    if value is None:
        return False
    return (condition.at_least is None or value >= condition.at_least) and (
        condition.at_most is None or value <= condition.at_most
    )


def row(customer: str, name: str, by: str, now: float, rule: str = "") -> dict[str, object]:
    """As ``put_rows`` takes it."""
    return {"customer": customer, "name": name, "rule": rule, "by": by, "time": millis(now)}


def put_rows(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Many customers' at once; a tag that is there stays as it is."""
    if rows:
        connection.execute(insert(connection, tables.tag).on_conflict_do_nothing(), rows)


def give(connection: Connection, customer: str, name: str, by: str, now: float) -> None:
    """By hand."""
    put_rows(connection, [row(customer, name, by, now)])


def take(connection: Connection, customer: str, name: str) -> None:
    """Take away what a hand gave."""
    table = tables.tag
    where = table.c.customer == customer, table.c.name == name, table.c.rule == ""
    connection.execute(delete(table).where(*where))


def of(connection: Connection, customers: Sequence[str]) -> list[Tag]:
    """The tags of a group of customers."""
    table = tables.tag
    query = select(table.c.name, table.c.rule).where(table.c.customer.in_(customers)).distinct()
    return [Tag(name, rule) for name, rule in connection.execute(query.order_by(table.c.name, table.c.rule))]


def keep_rule(connection: Connection, rule: TagRule, now: float) -> None:
    """Store a rule, or replace the one of its name; ``apply`` then gives its tags."""
    statement = insert(connection, tables.tag_rule)
    values = {name: statement.excluded[name] for name in ("body", "changed")}
    row = {"rule": rule.rule, "body": rule.model_dump_json(), "changed": millis(now)}
    connection.execute(statement.on_conflict_do_update(index_elements=["rule"], set_=values), [row])


def drop_rule(connection: Connection, rule: str) -> None:
    """Forget a rule, and take its tags away."""
    connection.execute(delete(tables.tag).where(tables.tag.c.rule == rule))
    connection.execute(delete(tables.tag_rule).where(tables.tag_rule.c.rule == rule))


def rules(connection: Connection) -> list[TagRule]:
    """All of them, by name."""
    table = tables.tag_rule
    return [
        TagRule.model_validate_json(body) for body in connection.scalars(select(table.c.body).order_by(table.c.rule))
    ]


def apply(connection: Connection, today: date, now: float, roots: Sequence[str] | None = None) -> tuple[int, int]:
    """Give and take away by every rule, for these customers or all; returns how many tags were given and taken."""
    known = rules(connection)
    table = tables.tag
    held = select(table.c.customer, table.c.name, table.c.rule).where(table.c.rule != "")
    if roots is not None:
        held = held.where(table.c.customer.in_(roots))
    before = {(who, name, rule) for who, name, rule in connection.execute(held)}
    after = {
        (who, rule.tag, rule.rule)
        for who, facts in facts_of(connection, today, roots).items()
        for rule in known
        if holds(rule, facts)
    }
    given, taken = sorted(after - before), sorted(before - after)
    put_rows(connection, [row(who, name, "rule", now, rule) for who, name, rule in given])
    for who, name, rule in taken:
        where = table.c.customer == who, table.c.name == name, table.c.rule == rule
        connection.execute(delete(table).where(*where))
    return len(given), len(taken)


def facts_of(connection: Connection, today: date, roots: Sequence[str] | None = None) -> dict[str, Facts]:
    """The facts by root."""
    customer, purchase = tables.customer, tables.purchase
    sale = purchase.c.kind == "sale"
    bought: ColumnElement[int] = func.sum(case((sale, 1), else_=0))
    query = (
        select(
            customer.c.root,
            func.coalesce(func.sum(purchase.c.amount), 0),
            func.coalesce(bought, 0),
            func.coalesce(func.sum(case((purchase.c.kind == "return", 1), else_=0)), 0),
            func.max(case((sale, purchase.c.day))),
        )
        .outerjoin(purchase, purchase.c.customer == customer.c.customer)
        .group_by(customer.c.root)
    )
    itself = select(customer.c.customer, customer.c.kind, customer.c.store, customer.c.level)
    itself = itself.where(customer.c.customer == customer.c.root)
    if roots is not None:
        query, itself = query.where(customer.c.root.in_(roots)), itself.where(customer.c.root.in_(roots))
    sums = {root: row for root, *row in connection.execute(query)}
    found = {}
    for root, kind, store, level in connection.execute(itself):
        spent, purchases, returns, last = sums[root]
        days = None if last is None else (today - last).days
        found[root] = Facts(kind, store, level, int(spent), int(purchases), int(returns), days)
    return found
