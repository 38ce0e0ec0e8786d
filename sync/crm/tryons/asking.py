"""The quadrant and the conversion of visits from the central database. Times are epoch seconds, without ``end``."""

import json
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from sync.crm import consents, tables
from sync.crm.tryons import quadrant
from sync.crm.tryons.closing import ITEM_WINDOW_S, Closed, Session, Sold, close, united
from sync.crm.tryons.quadrant import Rate, Row, wilson
from sync.events import Item, TryOn
from sync.store import tables as central

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class HourRow:
    """One hour of one store: receipts of sales in the store against visits; ``coverage`` is the share of the hour that
    the lines were observed. ``rate`` may be cut at 1: one visit may make two receipts."""

    hour: float
    visits: int | None
    receipts: int
    coverage: float
    rate: Rate


def sessions(connection: Connection, store: str, start: float, end: float) -> list[Session]:
    """The try-ons that ended in the time; as long as events of them are kept (30 days)."""
    found = []
    for id_, data in _events(connection, store, TryOn.TYPE, start, end):
        each = TryOn.model_validate(data)
        began, ended = each.start.timestamp(), each.end.timestamp()
        found.append(Session(id_, store, each.epc, each.gtin, began, ended, each.kind))
    return found


def sales(connection: Connection, store: str, start: float, end: float) -> list[Sold]:
    """Units sold in the time: lines of receipts, and what the reader at the till saw that no line tells."""
    purchase, line, code = tables.purchase, tables.purchase_line, tables.variant_code
    query = (
        select(line.c.source, line.c.receipt, line.c.number, line.c.units, line.c.epc, line.c.variant, purchase.c.time)
        .join(purchase, (purchase.c.source == line.c.source) & (purchase.c.receipt == line.c.receipt))
        .where(purchase.c.store == store, purchase.c.kind == "sale", purchase.c.channel == "store")
        .where(purchase.c.time >= _ms(start), purchase.c.time < _ms(end))
    )
    lines = connection.execute(query).all()
    named = select(code.c.variant, func.min(code.c.code)).where(code.c.kind == "gtin")
    named = named.where(code.c.variant.in_({row.variant for row in lines if row.variant})).group_by(code.c.variant)
    gtins = {variant: text for variant, text in connection.execute(named)} if lines else {}
    told = [
        Sold(
            (row.source, row.receipt, f"{row.number:06}", f"{unit:06}"),
            store,
            row.time / 1000,
            row.epc if unit == 0 else None,
            gtins.get(row.variant),
        )
        for row in lines
        for unit in range(row.units)
    ]
    return united(told, _read_at_the_till(connection, store, start, end))


def _read_at_the_till(connection: Connection, store: str, start: float, end: float) -> list[Sold]:
    event = central.event
    query = select(event.c.id, event.c.time, event.c.payload).where(event.c.store == store, event.c.type == Item.TYPE)
    found = []
    for id_, time, payload in connection.execute(query.where(event.c.time >= _ms(start), event.c.time < _ms(end))):
        item = Item.model_validate(json.loads(payload)["data"])
        if item.step == "sold":
            found.append(Sold(("item", str(id_)), store, time / 1000, item.epc, item.gtin))
    return found


def closed(connection: Connection, store: str, start: float, end: float) -> tuple[list[Session], list[Closed]]:
    """The sessions of the time, and those of them that a sale closed; sales of the day after count, too."""
    tried = sessions(connection, store, start, end)
    first = min((each.start for each in tried), default=start)
    return tried, close(tried, sales(connection, store, min(start, first), end + ITEM_WINDOW_S))


def products(connection: Connection, store: str, start: float, end: float) -> list[Row]:
    """The quadrant: a row for each style that was tried in the time."""
    tried, done = closed(connection, store, start, end)
    code, variant = tables.variant_code, tables.variant
    names = {each.epc for each in tried} | {each.gtin for each in tried if each.gtin}
    query = select(code.c.code, variant.c.style).join(variant, variant.c.id == code.c.variant)
    query = query.where(code.c.kind.in_(("epc", "gtin")), variant.c.style.is_not(None))
    styles: dict[str, str] = {}
    wanted = sorted(names)
    for first in range(0, len(wanted), 500):
        rows = connection.execute(query.where(code.c.code.in_(wanted[first : first + 500])))
        styles.update({text: style for text, style in rows})
    visits = sum(entered for entered, _, _ in _visits(connection, store, start, end).values())
    return quadrant.rows(tried, done, styles, visits)


def member(connection: Connection, each: Closed) -> str | None:
    """Whose try-on it was, by the receipt: only of members who agreed to ``profile``, as far as all merged agree."""
    if each.sale.key[0] == "item":
        return None
    purchase, customer = tables.purchase, tables.customer
    query = select(customer.c.root).join(purchase, purchase.c.customer == customer.c.customer)
    root = connection.scalar(query.where(purchase.c.source == each.sale.key[0], purchase.c.receipt == each.sale.key[1]))
    if root is None:
        return None
    group = list(connection.scalars(select(customer.c.customer).where(customer.c.root == root)))
    return str(root) if "profile" in consents.in_force(connection, group) else None


def by_hour(connection: Connection, store: str, start: float, end: float) -> list[HourRow]:
    """Conversion of visits hour by hour from ``start`` on; an hour that nobody observed has no visits and no rate."""
    visits = _visits(connection, store, start, end)
    purchase = tables.purchase
    query = select(purchase.c.time).where(
        purchase.c.store == store,
        purchase.c.kind == "sale",
        purchase.c.channel == "store",
        purchase.c.time >= _ms(start),
        purchase.c.time < _ms(end),
    )
    receipts: dict[int, int] = {}
    for time in connection.scalars(query):
        number = (time - _ms(start)) // HOUR_MS
        receipts[number] = receipts.get(number, 0) + 1
    found = []
    for number in range(-(-(_ms(end) - _ms(start)) // HOUR_MS)):
        entered, seconds, lines = visits.get(number, (0, 0.0, 0))
        count = receipts.get(number, 0)
        known = entered if seconds > 0 else None
        rate = wilson(min(count, entered), entered) if known is not None else wilson(0, 0)
        share = min(1.0, seconds / 3600 / lines) if lines else 0.0
        found.append(HourRow(start + number * 3600, known, count, share, rate))
    return found


def _visits(connection: Connection, store: str, start: float, end: float) -> dict[int, tuple[int, float, int]]:
    """By hour from ``start``: who entered, seconds observed of all lines together, and how many lines there were."""
    table = central.footfall_minute
    query = select(table.c.minute, table.c.sensor, table.c.place, table.c.entered, table.c.coverage)
    query = query.where(table.c.store == store, table.c.kind == "line")
    query = query.where(table.c.minute >= _ms(start), table.c.minute < _ms(end))
    entered: dict[int, int] = {}
    seconds: dict[int, float] = {}
    lines = set()
    for minute, sensor, place, count, coverage in connection.execute(query):
        number = (minute - _ms(start)) // HOUR_MS
        entered[number] = entered.get(number, 0) + count
        seconds[number] = seconds.get(number, 0.0) + coverage
        lines.add((sensor, place))
    return {number: (entered[number], seconds[number], len(lines)) for number in entered}


def _events(
    connection: Connection, store: str, kind: str, start: float, end: float
) -> list[tuple[UUID, dict[str, object]]]:
    event = central.event
    query = select(event.c.id, event.c.payload).where(event.c.store == store, event.c.type == kind)
    query = query.where(event.c.time >= _ms(start), event.c.time < _ms(end)).order_by(event.c.time, event.c.id)
    return [(id_, json.loads(payload)["data"]) for id_, payload in connection.execute(query)]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
