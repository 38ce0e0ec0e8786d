"""Birthdays and anniversaries, Gregorian and lunar, with or without a year.

In a year without the day: 29 February is kept on 1 March, as the tablet's cards do; a leap month is kept in the month
of the same number that is no leap month; the 30th of a month with 29 days is kept on the 29th.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from sqlalchemy import Connection, delete, select, tuple_

from sync.crm import lunar, tables
from sync.crm.lunar import LunarDay
from sync.store.database import insert

Kind = Literal["birthday", "anniversary"]
Calendar = Literal["gregorian", "lunar"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_LUNAR = re.compile(
    r"^(?:农历|阴历|lunar)?\s*(?:(\d{4})[-/.年])?\s*(闰|leap )?\s*(\d{1,2})[-/.月](\d{1,2})日?$", re.IGNORECASE
)
_MARKED = re.compile(r"^(农历|阴历|lunar)|闰|leap", re.IGNORECASE)
_GREGORIAN = re.compile(r"^(?:(\d{4})[-/.年]?)?(\d{1,2})[-/.月](\d{1,2})日?$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$")


@dataclass(frozen=True, slots=True)
class Occasion:
    """A day that comes back every year. ``whose`` is empty for the customer's own, else a relative's number."""

    kind: Kind
    calendar: Calendar
    month: int
    day: int
    year: int | None = None
    leap: bool = False
    whose: str = ""

    def __post_init__(self) -> None:
        limit = (
            30
            if self.calendar == "lunar"
            else (29, 31, 30)[0 if self.month == 2 else 1 + (self.month in (4, 6, 9, 11))]
        )
        if not 1 <= self.month <= 12 or not 1 <= self.day <= limit:
            raise ValueError(f"there is no day {self.month}-{self.day} in the {self.calendar} calendar")
        if self.leap and self.calendar != "lunar":
            raise ValueError("only a lunar month can be a leap month")
        if self.year is None:
            return
        if self.calendar == "gregorian":
            date(self.year, self.month, self.day)
        elif lunar.to_date(LunarDay(self.year, self.month, self.day, self.leap)) is None:
            raise ValueError(
                f"the lunar year {self.year} has no day {'leap ' if self.leap else ''}{self.month}-{self.day}"
            )


def parse(kind: Kind, value: object, calendar: Calendar = "gregorian", whose: str = "") -> Occasion:
    """``1988-02-29``, ``2-29``, ``农历1990-闰5-12``, ``lunar 8-15``. Raises ``ValueError``."""
    if isinstance(value, date):
        value = value.strftime("%Y-%m-%d")
    text = str(value).strip()
    if _MARKED.search(text):
        calendar = "lunar"
    match = _COMPACT.match(text) or _GREGORIAN.match(text)
    if calendar == "gregorian":
        if match is None:
            raise ValueError(f"{text[:40]!r} is no day such as 1988-02-29 or 2-29")
        year, month, day, leap = match[1], match[2], match[3], False
    else:
        found = _LUNAR.match(text)
        if found is None and match is None:
            raise ValueError(f"{text[:40]!r} is no lunar day such as 农历1990-闰5-12 or lunar 8-15")
        if found is not None:
            year, month, day, leap = found[1], found[3], found[4], found[2] is not None
        else:
            assert match is not None
            year, month, day, leap = match[1], match[2], match[3], False
    try:
        return Occasion(kind, calendar, int(month), int(day), int(year) if year else None, leap, whose)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r}: {error}") from error


def on(occasion: Occasion, year: int) -> date | None:
    """The day on which it is kept in that year: Gregorian, or lunar (whose twelfth month lies in the next one)."""
    if occasion.calendar == "gregorian":
        try:
            return date(year, occasion.month, occasion.day)
        except ValueError:
            return date(year, 3, 1)
    leap = occasion.leap and lunar.leap_month(year) == occasion.month
    day = min(occasion.day, lunar.days_of(year, occasion.month, leap))
    return lunar.to_date(LunarDay(year, occasion.month, day, leap)) if day else None


def following(occasion: Occasion, today: date) -> date | None:
    """The next day on which it is kept, today included; None only beyond the known lunar years."""
    first = today.year if occasion.calendar == "gregorian" else lunar.to_lunar(today).year
    days = (on(occasion, year) for year in (first, first + 1))
    return next((day for day in days if day is not None and day >= today), None)


def kept_on(day: date) -> Iterator[tuple[Calendar, int, int, bool]]:
    """Every (calendar, month, day, leap) that is kept on this Gregorian day: the inverse of ``on``."""
    yield "gregorian", day.month, day.day, False
    if (day.month, day.day) == (3, 1) and (day - timedelta(days=1)).day == 28:
        yield "gregorian", 2, 29, False
    year, month, of_month, leap = lunar.to_lunar(day)
    last = lunar.days_of(year, month, leap)
    for number in (of_month, 30) if of_month == last == 29 else (of_month,):
        yield "lunar", month, number, leap
        if not leap and lunar.leap_month(year) != month:
            yield "lunar", month, number, True


def put(connection: Connection, customer: str, occasions: Iterable[Occasion]) -> None:
    """Keep these; one of the same kind and person is replaced."""
    put_rows(connection, [row(customer, each) for each in occasions])


def put_rows(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Many customers' at once."""
    if not rows:
        return
    statement = insert(connection, tables.occasion)
    names = ("calendar", "year", "month", "day", "leap")
    values = {name: statement.excluded[name] for name in names}
    keys = ["customer", "kind", "whose"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def drop(connection: Connection, customer: str, kind: Kind, whose: str = "") -> None:
    """Forget one."""
    table = tables.occasion
    connection.execute(delete(table).where(table.c.customer == customer, table.c.kind == kind, table.c.whose == whose))


def of(connection: Connection, customers: Sequence[str]) -> list[tuple[str, Occasion]]:
    """The occasions of these customers."""
    table = tables.occasion
    query = select(table).where(table.c.customer.in_(customers)).order_by(table.c.kind, table.c.whose)
    return [(row.customer, _occasion(row)) for row in connection.execute(query)]


def near(connection: Connection, first: date, days: int) -> list[tuple[date, str, Occasion]]:
    """Whose day is kept from ``first`` on, within so many days, in order; ``customer`` is the root."""
    table, found = tables.occasion, []
    wanted: dict[tuple[Calendar, int, int, bool], date] = {}
    for offset in range(days):
        day = first + timedelta(days=offset)
        for key in kept_on(day):
            wanted.setdefault(key, day)
    for part in _parts(list(wanted), 300):
        where = tuple_(table.c.calendar, table.c.month, table.c.day, table.c.leap).in_(part)
        query = select(table, tables.customer.c.root).join(
            tables.customer, tables.customer.c.customer == table.c.customer
        )
        for row in connection.execute(query.where(where)):
            key = row.calendar, row.month, row.day, bool(row.leap)
            found.append((wanted[key], row.root, _occasion(row)))
    unique = {
        (day, customer, each.kind, each.whose, each.month): (day, customer, each) for day, customer, each in found
    }
    return sorted(unique.values(), key=lambda each: (each[0], each[1], each[2].kind))


def _parts(items: list[tuple[Calendar, int, int, bool]], size: int) -> Iterator[list[tuple[Calendar, int, int, bool]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def row(customer: str, each: Occasion) -> dict[str, object]:
    """As ``put_rows`` takes it."""
    return {
        "customer": customer,
        "kind": each.kind,
        "whose": each.whose,
        "calendar": each.calendar,
        "year": each.year,
        "month": each.month,
        "day": each.day,
        "leap": each.leap,
    }


def _occasion(row: object) -> Occasion:
    return Occasion(row.kind, row.calendar, row.month, row.day, row.year, bool(row.leap), row.whose)  # type: ignore[attr-defined]
