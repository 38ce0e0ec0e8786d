"""The segments as pages, the API and the command show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, select

from sync.crm import tables
from sync.crm.segments import basis as learning
from sync.crm.segments import lifecycle
from sync.crm.segments.next_purchase import Model
from sync.crm.segments.rules import State, Warning_

STATES: tuple[State, ...] = ("new", "active", "at_risk", "silent", "dormant", "lost")


@dataclass(frozen=True, slots=True)
class Segment:
    """One customer. ``expected`` purchase days in the next ``WEEKS_AHEAD`` weeks and the probability to be ``alive``
    are None where there is no model; ``reason`` says why there is a ``warning``."""

    customer: str
    state: State
    since: date
    days: int
    first: date
    last: date
    spent: int
    category: str
    cycle: int
    pace: int | None
    recency: int
    frequency: int
    money: int
    vital: bool
    warning: Warning_ | None
    due: date | None
    reason: str | None
    expected: float | None
    alive: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """The 80/20 view: ``vital`` of ``customers`` spent ``vital_spent`` of ``spent`` (minor units of ``currency``)."""

    customers: int
    vital: int
    spent: int
    vital_spent: int
    currency: str


WEEKS_AHEAD = 12.0


def of(connection: Connection, roots: Sequence[str], today: date) -> list[Segment]:
    """Of these customers, by root; who never bought is in no segment."""
    table = tables.customer_segment
    return _segments(connection, select(table).where(table.c.customer.in_(roots)).order_by(table.c.customer), today)


def listed(
    connection: Connection,
    today: date,
    *,
    state: State | None = None,
    warned: bool = False,
    after: str = "",
    limit: int = 200,
) -> list[Segment]:
    """Customers in order of their references, from ``after`` on: in one state, or only those with a warning."""
    table = tables.customer_segment
    query = select(table).where(table.c.customer > after).order_by(table.c.customer).limit(limit)
    if state is not None:
        query = query.where(table.c.state == state)
    if warned:
        query = query.where(table.c.warning.is_not(None))
    return _segments(connection, query, today)


def counts(connection: Connection) -> dict[State, int]:
    """Customers by state, in the order of the life cycle."""
    table = tables.customer_segment
    found = {
        state: count for state, count in connection.execute(select(table.c.state, func.count()).group_by(table.c.state))
    }
    return {state: int(found.get(state, 0)) for state in STATES}


def warnings(connection: Connection) -> dict[str, int]:
    """Customers by kind of warning."""
    table = tables.customer_segment
    query = select(table.c.warning, func.count()).where(table.c.warning.is_not(None)).group_by(table.c.warning)
    return {kind: int(count) for kind, count in connection.execute(query.order_by(table.c.warning))}


def cells(connection: Connection) -> dict[tuple[int, int, int], int]:
    """Customers by their three scores: recency, frequency, money."""
    table = tables.customer_segment
    key = table.c.recency, table.c.frequency, table.c.money
    return {(r, f, m): int(count) for r, f, m, count in connection.execute(select(*key, func.count()).group_by(*key))}


def share(connection: Connection) -> Share:
    """How few customers make up most of the turnover."""
    table = tables.customer_segment
    query = select(table.c.vital, func.count(), func.coalesce(func.sum(table.c.spent), 0)).group_by(table.c.vital)
    found = {bool(vital): (int(count), int(spent)) for vital, count, spent in connection.execute(query)}
    (few, most), (many, rest) = found.get(True, (0, 0)), found.get(False, (0, 0))
    known = learning.load(connection)
    return Share(few + many, few, most + rest, most, "" if known is None else known[0].currency)


def _segments(connection: Connection, query: Any, today: date) -> list[Segment]:
    known = learning.load(connection)
    model = None if known is None else known[0].next_purchase()
    return [_segment(row, model, today) for row in connection.execute(query)]


def _segment(row: Row[Any], model: Model | None, today: date) -> Segment:
    fields = {name: getattr(row, name) for name in Segment.__slots__[:16]}
    warning = row.warning
    history = learning.history(row.days, row.first, row.last, today)
    return Segment(
        **fields,
        reason=None if warning is None else lifecycle.reason(warning, row.last, row.cycle, row.pace, today),
        expected=None if model is None else model.expected(history, WEEKS_AHEAD),
        alive=None if model is None else model.alive(history),
    )
