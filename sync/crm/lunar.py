"""The Chinese lunar calendar, 1900 to 2100. The only module that knows the library."""

from datetime import date
from typing import NamedTuple

from lunar_python import Lunar, LunarMonth, Solar
from lunar_python import LunarYear as _Year

FIRST, LAST = 1900, 2100
"""Lunar years whose months are known; beyond, a birthday of somebody alive does not lie."""


class LunarDay(NamedTuple):
    """A day of the lunar calendar; ``leap`` is the month that follows one of the same number."""

    year: int
    month: int
    day: int
    leap: bool = False


def to_lunar(day: date) -> LunarDay:
    """The lunar day of a Gregorian one."""
    lunar = Solar.fromYmd(day.year, day.month, day.day).getLunar()
    month = lunar.getMonth()
    return LunarDay(lunar.getYear(), abs(month), lunar.getDay(), month < 0)


def to_date(lunar: LunarDay) -> date | None:
    """The Gregorian day; None where that year has no such day: no such leap month, or a month of 29 days."""
    if not FIRST <= lunar.year <= LAST or not 1 <= lunar.day <= days_of(lunar.year, lunar.month, lunar.leap):
        return None
    solar = Lunar.fromYmd(lunar.year, -lunar.month if lunar.leap else lunar.month, lunar.day).getSolar()
    return date(solar.getYear(), solar.getMonth(), solar.getDay())


def days_of(year: int, month: int, leap: bool) -> int:
    """29 or 30; 0 where the year has no such month."""
    if not 1 <= month <= 12 or (leap and leap_month(year) != month):
        return 0
    found = LunarMonth.fromYm(year, -month if leap else month)
    return 0 if found is None else int(found.getDayCount())


def leap_month(year: int) -> int:
    """Which month comes twice in that lunar year; 0 when none does."""
    return int(_Year.fromYear(year).getLeapMonth())
