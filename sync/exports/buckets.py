"""A store's minutes, hours and days between two of its dates, exact on the days when clocks change."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Grain = Literal["minute", "hour", "day"]
_SECONDS = {"minute": 60, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Bucket:
    """From ``start`` until ``end``, epoch seconds; ``local`` is the start in the store's zone."""

    start: int
    end: int
    local: datetime


def buckets(first: date, last: date, zone: ZoneInfo, grain: Grain) -> list[Bucket]:
    """Of the days ``first`` to ``last``, both included. A day with a clock change has 23 or 25 hours, each once.

    Where clocks change by half an hour, the last hour of that day is half a one.
    """
    found, day = [], first
    while day <= last:
        start, end = _midnight(day, zone), _midnight(day + timedelta(1), zone)
        step = _SECONDS.get(grain, end - start)
        for at in range(start, end, step):
            found.append(Bucket(at, min(at + step, end), datetime.fromtimestamp(at, zone)))
        day += timedelta(1)
    return found


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The first moment of the day, also where clocks skip its midnight or show it twice."""
    return round(datetime.combine(day, time(), zone).timestamp())
