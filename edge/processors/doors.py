"""What the door cameras say, for those who need to know how many people are inside: a board in memory, and no more.

A line tells who came and who left: inside is the balance since the last moment at which the store was surely empty.
A zone tells how many people are in it. Minutes that were not observed make a line's balance unknown until the next
night: one that guessed would be wrong for the rest of the day.
"""

import threading
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Protocol

from sync.events import Event, FootfallMinute, Visit
from sync.settings import StoreConfig

MINUTE_S = 60.0
KEPT_S = 26 * 3600.0
LEAST_COVERAGE = 50.0
"""Seconds of a minute that a door must have been watched; a camera that blinks is no reason to give the day up."""
NIGHT = time(4)
"""Of a store that never closes, or has not said when: the hour of day at which the fewest are inside."""


class Sink(Protocol):
    """Where events become durable."""

    def put(self, events: Sequence[Event]) -> object: ...


@dataclass(frozen=True, slots=True)
class Flow:
    """Visits over the doors in some time, staff and what a rule excludes left out."""

    entered: int
    left: int


class DoorBoard:
    """Minutes and crossings of the doors for a day; written and read by any thread.

    ``empty_before`` gives the latest moment, up to a time (epoch seconds), at which nobody was inside; see ``nights``.
    """

    def __init__(self, empty_before: Callable[[float], float] | None = None) -> None:
        self._empty_before = empty_before or nights(StoreConfig(id="store"))
        self._minutes: dict[tuple[str, float], FootfallMinute] = {}
        self._crossings: dict[str, list[tuple[float, int]]] = {}
        self._latest = 0.0
        self._lock = threading.Lock()

    def note(self, events: Sequence[Event]) -> None:
        """Keep the minutes and crossings among the events; a later revision of a minute replaces an earlier one."""
        with self._lock:
            for event in events:
                data = event.data
                if isinstance(data, FootfallMinute):
                    self._minutes[data.place, data.minute.timestamp()] = data
                    self._forget(data.minute.timestamp())
                elif isinstance(data, Visit) and not data.staff:
                    # Also one that is no visit by a rule: somebody who comes back soon is inside again.
                    step = 1 if data.direction == "in" else -1
                    insort(self._crossings.setdefault(data.line, []), (event.time.timestamp(), step))

    def _forget(self, minute: float) -> None:
        if abs(minute - self._latest) < MINUTE_S:
            return
        self._latest = minute
        first = minute - KEPT_S
        self._minutes = {key: data for key, data in self._minutes.items() if key[1] > first}
        self._crossings = {
            line: [each for each in crossings if each[0] > first] for line, crossings in self._crossings.items()
        }

    def mean(self, places: Sequence[str], start: float, seconds: float) -> float | None:
        """Mean number inside over a window, added over places; ``None`` unless every whole minute of it was counted."""
        with self._lock:
            counted = self._counted(places, start, seconds)
            if counted is None:
                return None
            zones = [each for minutes in counted for each in minutes if each.kind == "zone"]
            if zones:
                known = [each.occupancy for each in zones if each.occupancy is not None]
                return sum(known) * MINUTE_S / seconds if len(known) == len(zones) else None
            empty = self._empty_before(start)
            first = -(-empty // MINUTE_S) * MINUTE_S
            if first < start and self._counted(places, first, start - first) is None:
                return None
            crossings = sorted(each for place in places for each in self._crossings.get(place, ()) if each[0] >= empty)
            return _mean_balance(crossings, start, seconds)

    def flow(self, places: Sequence[str], start: float, seconds: float) -> Flow | None:
        """Visits over lines in a window; ``None`` unless every whole minute was counted, and for zones."""
        with self._lock:
            counted = self._counted(places, start, seconds)
        if counted is None or any(each.kind == "zone" for minutes in counted for each in minutes):
            return None
        minutes = [each for of_place in counted for each in of_place]
        return Flow(sum(each.entered for each in minutes), sum(each.left for each in minutes))

    def _counted(self, places: Sequence[str], start: float, seconds: float) -> list[list[FootfallMinute]] | None:
        times = [start + MINUTE_S * step for step in range(int(seconds // MINUTE_S))]
        found = [[self._minutes.get((place, minute)) for minute in times] for place in places]
        counted = [[each for each in of_place if each and _watched(each)] for of_place in found]
        return counted if times and places and all(len(each) == len(times) for each in counted) else None


def _watched(minute: FootfallMinute) -> bool:
    return minute.coverage >= LEAST_COVERAGE


def _mean_balance(crossings: Sequence[tuple[float, int]], start: float, seconds: float) -> float:
    """People-seconds of a window over its seconds. Below nobody it cannot fall: somebody was missed coming in."""
    inside, total = 0, 0.0
    for (moment, step), (after, _) in pairwise((*crossings, (start + seconds, 0))):
        inside = max(0, inside + step)
        total += inside * max(0.0, min(after, start + seconds) - max(moment, start))
    return total / seconds


def nights(store: StoreConfig) -> Callable[[float], float]:
    """The latest middle of the store's closed hours up to a time, both in epoch seconds: by then everybody has left."""
    opens, closes = (moment.hour * 60 + moment.minute for moment in (store.opens, store.closes))
    closed = (opens - closes) % (24 * 60)
    minute = (closes + closed // 2) % (24 * 60) if closed else NIGHT.hour * 60

    def before(now: float) -> float:
        local = datetime.fromtimestamp(now, store.zone)
        night = local.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0)
        if night > local:
            night = (night - timedelta(days=1)).replace(fold=0)
        return night.timestamp()

    return before


class Noting:
    """A sink that also tells a board what it was given, once that is durable."""

    def __init__(self, sink: Sink, board: DoorBoard) -> None:
        self._sink = sink
        self._board = board

    def put(self, events: Sequence[Event]) -> None:
        """Raises what the sink raises."""
        self._sink.put(events)
        self._board.note(events)
