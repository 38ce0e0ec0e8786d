from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.day import bounds, day_view
from sync.settings import StoreConfig

SHANGHAI = StoreConfig(id="nanjing-road", timezone="Asia/Shanghai", opens=time(10), closes=time(22))
DAY = date(2026, 11, 21)
OPENS = datetime(2026, 11, 21, 2, tzinfo=UTC).timestamp()  # 10:00 in Shanghai


@dataclass
class Row:
    minute: float
    entered: int = 0
    left: int = 0
    coverage: float = 60.0
    place: str = "entrance"
    staff_entered: int | None = None
    excluded: int | None = None
    groups: int | None = None


def view(rows: list[Row], now: float, store: StoreConfig = SHANGHAI, places: tuple[str, ...] = ("entrance",)) -> Any:
    return day_view(rows, places, store, DAY, now)


def hour(shown: Any, label: str) -> Any:
    return next(h for h in shown["hours"] if h["label"] == label)


def test_an_hour_that_was_observed_throughout_shows_its_visits() -> None:
    rows = [Row(OPENS + 60 * i, entered=1) for i in range(60)]
    shown = view(rows, OPENS + 3600)
    assert hour(shown, "10:00") | {"start": ""} == {
        "label": "10:00", "start": "", "entered": 60, "left": 0, "coverage": 1.0, "covered": "full"
    }  # fmt: skip
    assert shown["visits"] == 60
    assert shown["coverage"] == 1.0


def test_an_hour_that_nobody_observed_is_a_gap_and_never_zero() -> None:
    rows = [Row(OPENS + 60 * i) for i in range(60)]
    shown = view(rows, OPENS + 2 * 3600)
    assert (hour(shown, "10:00")["entered"], hour(shown, "10:00")["covered"]) == (0, "full")
    assert (hour(shown, "11:00")["entered"], hour(shown, "11:00")["covered"]) == (None, "gap")
    assert shown["coverage"] == 0.5


def test_a_day_without_any_observation_has_no_total() -> None:
    shown = view([], OPENS + 3600)
    assert shown["visits"] is None
    assert shown["coverage"] == 0.0


def test_a_minute_with_no_coverage_is_not_an_observation() -> None:
    shown = view([Row(OPENS + 60 * i, coverage=0) for i in range(60)], OPENS + 3600)
    assert hour(shown, "10:00")["covered"] == "gap"


def test_hours_to_come_are_neither_gaps_nor_zeros() -> None:
    shown = view([], OPENS - 60)
    assert {h["covered"] for h in shown["hours"]} == {"future"}
    assert shown["coverage"] is None


def test_half_an_hour_of_observation_is_partial() -> None:
    shown = view([Row(OPENS + 60 * i, entered=2) for i in range(30)], OPENS + 3600)
    assert hour(shown, "10:00") | {"start": ""} == {
        "label": "10:00", "start": "", "entered": 60, "left": 0, "coverage": 0.5, "covered": "partial"
    }  # fmt: skip


def test_what_is_counted_apart_is_shown_where_a_box_looks_for_it_and_unknown_elsewhere() -> None:
    rows = [Row(OPENS, 4, staff_entered=2, groups=3), Row(OPENS + 60, 1, staff_entered=1), Row(OPENS + 120, 1)]
    shown = view(rows, OPENS + 3600)
    assert (shown["visits"], shown["staff"], shown["groups"], shown["excluded"]) == (6, 3, 3, None)


def test_one_dead_door_of_two_halves_the_coverage() -> None:
    rows = [Row(OPENS + 60 * i, place="north") for i in range(60)]
    assert view(rows, OPENS + 3600, places=("north", "south"))["coverage"] == 0.5


def test_somebody_who_comes_before_opening_is_shown_and_does_not_count_as_coverage() -> None:
    shown = view([Row(OPENS - 1800, entered=1)], OPENS + 3600)
    assert (hour(shown, "09:00")["entered"], hour(shown, "09:00")["covered"]) == (1, "closed")
    assert shown["coverage"] == 0.0


def test_hours_outside_the_opening_time_are_not_shown_when_nothing_happened() -> None:
    assert [h["label"] for h in view([], OPENS)["hours"]] == [f"{h}:00" for h in range(10, 22)]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_both_daylight_saving_days_are_exact(day: date, hours: int) -> None:
    berlin = StoreConfig(id="b", timezone="Europe/Berlin")
    start, end = bounds(berlin, day)
    rows = [Row(start + 60 * i, entered=1) for i in range(hours * 60)]
    shown = day_view(rows, ("entrance",), berlin, day, end)
    assert len(shown["hours"]) == hours
    assert shown["visits"] == hours * 60
    assert shown["coverage"] == 1.0


@given(
    st.lists(st.tuples(st.integers(0, 1439), st.integers(0, 5), st.floats(0, 60)), unique_by=lambda r: r[0]),
    st.floats(0, 90000),
)
def test_coverage_is_a_share_and_no_visit_is_lost_where_something_was_observed(
    raw: list[tuple[int, int, float]], elapsed: float
) -> None:
    start, _ = bounds(SHANGHAI, DAY)
    rows = [Row(start + 60 * m, entered=n, coverage=c) for m, n, c in raw if 60 * m < elapsed and c > 0]
    shown = view(rows, start + elapsed)
    assert shown["coverage"] is None or 0 <= shown["coverage"] <= 1
    assert sum(h["entered"] or 0 for h in shown["hours"]) == sum(row.entered for row in rows)
