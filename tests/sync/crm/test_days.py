"""Birthdays and anniversaries in both calendars, and days as files write them."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.crm import days, lunar
from sync.crm.lunar import LunarDay
from sync.crm.occasions import Occasion, following, kept_on, on, parse

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_a_birthday_on_29_february_is_on_1_march_in_other_years() -> None:
    birthday = parse("birthday", "1988-02-29")
    assert [on(birthday, year) for year in (2023, 2024, 2100)] == [
        date(2023, 3, 1),
        date(2024, 2, 29),
        date(2100, 3, 1),
    ]


def test_a_birthday_in_a_lunar_leap_month_is_in_the_month_of_that_number_in_other_years() -> None:
    birthday = parse("birthday", "农历2023-闰2-12")
    assert birthday.leap
    # 2023 had a leap second month; 2042 has one again.
    assert [on(birthday, year) for year in (2023, 2024, 2042)] == [
        date(2023, 4, 2),
        date(2024, 3, 21),
        lunar.to_date(LunarDay(2042, 2, 12, True)),
    ]


def test_the_thirtieth_of_a_short_lunar_month_is_kept_on_the_twenty_ninth() -> None:
    eve = parse("birthday", "lunar 12-30")
    # New Year's Eves: the twelfth month of 2024 (lunar) has 29 days.
    assert [on(eve, year) for year in (2023, 2024, 2025)] == [date(2024, 2, 9), date(2025, 1, 28), date(2026, 2, 16)]


@pytest.mark.parametrize(
    ("year", "new_year"), [(1949, (1949, 1, 29)), (1985, (1985, 2, 20)), (2026, (2026, 2, 17)), (2033, (2033, 1, 31))]
)
def test_lunar_new_years_are_those_of_the_almanac(year: int, new_year: tuple[int, int, int]) -> None:
    assert lunar.to_date(LunarDay(year, 1, 1)) == date(*new_year)


def test_the_year_2033_has_its_leap_month_after_the_eleventh() -> None:
    assert lunar.leap_month(2033) == 11


occasions = st.builds(
    lambda calendar, month, day, leap: (calendar, month, day, leap and calendar == "lunar"),
    st.sampled_from(["gregorian", "lunar"]),
    st.integers(1, 12),
    st.integers(1, 31),
    st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(occasions, st.dates(date(1920, 1, 1), date(2090, 1, 1)))
def test_the_next_day_is_never_past_and_is_found_from_the_day_itself(
    parts: tuple[str, int, int, bool], today: date
) -> None:
    try:
        occasion = Occasion("birthday", parts[0], parts[1], parts[2], None, parts[3])  # type: ignore[arg-type]
    except ValueError:
        return
    day = following(occasion, today)
    assert day is not None
    assert today <= day <= today + timedelta(days=400)
    assert (occasion.calendar, occasion.month, occasion.day, occasion.leap) in set(kept_on(day))


@pytest.mark.parametrize(
    "text", ["1987-02-29", "2-30", "13-1", "农历2024-闰2-1", "lunar 1-31", "yesterday", "2024-00-10", "农历2023-闰2-30"]
)
def test_a_day_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"day"):
        parse("birthday", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1990-05-12", ("gregorian", 1990, 5, 12)),
        ("19900512", ("gregorian", 1990, 5, 12)),
        ("1990年5月12日", ("gregorian", 1990, 5, 12)),
        ("5-12", ("gregorian", None, 5, 12)),
        ("农历8月15日", ("lunar", None, 8, 15)),
        ("lunar 1990-8-15", ("lunar", 1990, 8, 15)),
    ],
)
def test_days_are_read_as_people_write_them(text: str, expected: tuple[str, int | None, int, int]) -> None:
    found = parse("birthday", text)
    assert (found.calendar, found.year, found.month, found.day) == expected


def test_a_day_of_a_file_is_the_stores_day() -> None:
    for value in ("2026-11-20", "20261120", "2026/11/20", "2026年11月20日", date(2026, 11, 20), "2026-11-20 23:30"):
        assert days.moment(value, SHANGHAI).date() == date(2026, 11, 20)
    assert days.moment("2026-11-20T23:30:00+00:00", SHANGHAI).isoformat() == "2026-11-20T23:30:00+00:00"
    assert days.moment("20.11.2026", SHANGHAI, "%d.%m.%Y").date() == date(2026, 11, 20)
    assert days.moment(datetime(2026, 11, 20, 8), SHANGHAI).tzinfo is SHANGHAI


@pytest.mark.parametrize("text", ["03/04/2026", "2026-02-30", "20260230", "", "tomorrow", "1e9"])
def test_a_day_that_is_none_or_could_be_two_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no day"):
        days.moment(text, SHANGHAI)
