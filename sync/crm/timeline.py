"""Everything that happened with one customer, in one line, newest first, with a cursor."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, FromClause, Row, select

from sync.crm import customers, money, tables
from sync.crm.errors import CrmError


@dataclass(frozen=True, slots=True)
class Entry:
    """``kind``: sale, return, arrival, visit, tryon, call, message, talk, note. ``time`` in milliseconds.

    ``key`` names it among the entries of its time: what it is, and its own key.
    """

    time: int
    key: str
    kind: str
    customer: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """``cursor`` leads to the next page; None at the end."""

    entries: tuple[Entry, ...]
    cursor: str | None


def of(connection: Connection, customer: str, cursor: str | None = None, limit: int = 50) -> Page:
    """A page of the time line of a customer and everybody merged into them.

    Raises ``CrmError``: ``unknown``, ``invalid`` for a cursor that is none.
    """
    names = [each.customer for each in customers.group(connection, customer)]
    after = None if cursor is None else _read(cursor)
    found = [
        *_part(connection, tables.purchase, names, after, limit, _purchase),
        *_part(connection, tables.interaction, names, after, limit, _interaction),
        *_part(connection, tables.customer_moment, names, after, limit, _moment),
    ]
    found.sort(key=lambda each: (each.time, each.key), reverse=True)
    if after is not None:
        found = [each for each in found if (each.time, each.key) < after]
    page = tuple(found[:limit])
    return Page(page, _write(page[-1]) if len(found) > limit else None)


def _part(
    connection: Connection,
    table: FromClause,
    names: Sequence[str],
    after: tuple[int, str] | None,
    limit: int,
    entry: "Any",
) -> list[Entry]:
    """More than a page of one table; of the cursor's own millisecond all, since keys of tables mix there."""
    customer, time = table.c.customer, table.c.time
    query = select(table).where(customer.in_(names)).order_by(time.desc())
    if after is None:
        return _with_ties(connection, query.limit(limit + 1), table, names, entry)
    same = [entry(row) for row in connection.execute(select(table).where(customer.in_(names), time == after[0]))]
    return same + _with_ties(connection, query.where(time < after[0]).limit(limit + 1), table, names, entry)


def _with_ties(connection: Connection, query: Any, table: FromClause, names: Sequence[str], entry: Any) -> list[Entry]:
    rows = connection.execute(query).all()
    found = [entry(row) for row in rows]
    if rows:
        ties = select(table).where(table.c.customer.in_(names), table.c.time == rows[-1].time)
        known = {each.key for each in found}
        found += [each for row in connection.execute(ties) if (each := entry(row)).key not in known]
    return found


def _purchase(row: Row[Any]) -> Entry:
    data = {
        "source": row.source,
        "receipt": row.receipt,
        "channel": row.channel,
        "store": row.store,
        "guide": row.guide,
        "units": row.units,
        "amount": money.text(row.amount, row.currency),
        "currency": row.currency,
        "returned": row.returned,
    }
    return Entry(row.time, f"p:{row.source}:{row.receipt}", row.kind, row.customer, data)


def _interaction(row: Row[Any]) -> Entry:
    data = {"guide": row.guide, "store": row.store, "text": row.text}
    return Entry(row.time, f"i:{row.id}", row.kind, row.customer, data)


def _moment(row: Row[Any]) -> Entry:
    return Entry(row.time, f"m:{row.id}", row.kind, row.customer, {"store": row.store, **json.loads(row.data)})


def _write(entry: Entry) -> str:
    return base64.urlsafe_b64encode(f"{entry.time} {entry.key}".encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[int, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        time, key = text.split(" ", 1)
        return int(time), key
    except (binascii.Error, ValueError) as error:
        raise CrmError("invalid", "this is no cursor of a time line", "start without one") from error
