"""The minutes of one sensor's lines and zones: totals, observed seconds, and which state of them was reported.

Every minute is reported once it is over, also one that nobody observed; and again, with a higher revision, whenever
something of it changes later.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edge.processors.coverage import by_minute
from sync.events import Event, FootfallMinute, utc

Span = tuple[float, float]

_LONGEST_GAP_MINUTES = 60
"""So many unobserved minutes are reported after a jump of the clock; a minute that nobody reported is unknown too."""
_KEPT_MINUTES = 26 * 60
"""How long totals are kept for corrections: a clock that was a day ahead and is set right comes back to old minutes."""


Counted = Literal["entered", "left", "staff_entered", "staff_left", "excluded", "groups"]


@dataclass(slots=True)
class _Minute:
    totals: dict[tuple[str, Counted], int] = field(default_factory=dict)
    """By line or zone."""
    coverage: float = 0.0
    observed: float = 0.0
    """As ``coverage``, but more than a minute where the clock was set back and went through this minute again."""
    present: dict[str, float] = field(default_factory=dict)
    """Person-seconds, by zone."""
    revision: dict[str, int] = field(default_factory=dict)
    """Last one that was emitted, by line or zone."""
    changed: bool = True

    def occupancy(self, zone: str) -> float | None:
        """Mean number of people inside over the seconds that were observed; None when none were."""
        return round(self.present.get(zone, 0.0) / self.observed, 3) if self.observed else None


@dataclass(frozen=True, slots=True)
class CountedPlace:
    """A line or zone that reports. ``apart``: what it counts beside ``entered`` and ``left``; the rest it says not."""

    kind: Literal["line", "zone"]
    apart: frozenset[Counted] = frozenset()


class Minutes:
    """``places``: each line and zone that reports, by name. Times are epoch seconds."""

    def __init__(self, sensor: str, places: Mapping[str, CountedPlace]) -> None:
        self._sensor = sensor
        self._places = dict(places)
        self._minutes: dict[int, _Minute] = {}
        self._reported: int | None = None
        """The minute up to which (inclusive) every minute was reported."""

    def know(self, time: float) -> None:
        """From the first moment on, every minute is reported."""
        if self._reported is None:
            self._reported = int(time // 60) - 1

    def cover(self, span: Span) -> None:
        """These seconds were observed."""
        for number, seconds in by_minute(*span):
            minute = self._minute(number)
            minute.coverage, minute.changed = min(60.0, minute.coverage + seconds), True
            minute.observed += seconds

    def withdraw(self, span: Span) -> None:
        """Seconds that were taken for observed: the minutes that have lost some are reported again."""
        for number, seconds in by_minute(*span):
            minute = self._minutes.get(number)
            if minute is None or not minute.observed:
                continue
            kept = max(0.0, minute.observed - seconds) / minute.observed
            minute.coverage, minute.observed = max(0.0, minute.coverage - seconds), minute.observed * kept
            # Who was inside meanwhile is not known by second: the mean stays as it is.
            minute.present = {zone: present * kept for zone, present in minute.present.items()}
            minute.changed = True

    def stay(self, zone: str, span: Span) -> None:
        """Somebody spent these observed seconds in a zone."""
        for number, seconds in by_minute(*span):
            minute = self._minute(number)
            minute.present[zone] = minute.present.get(zone, 0.0) + seconds
            minute.changed = True

    def count(self, time: float, place: str, what: Counted) -> int:
        """One more in the minute of ``time``, whose number it returns."""
        totals = self._minute(int(time // 60)).totals
        totals[place, what] = totals.get((place, what), 0) + 1
        return int(time // 60)

    def report_all(self, touched: Mapping[int, Iterable[str]]) -> list[Event]:
        """The new state of minutes, which are reported again as a whole when they are over."""
        events: list[Event] = []
        for number, places in touched.items():
            events += self._report(number, list(places))
            self._minute(number).changed = True
        return events

    def flush(self, ended: int) -> list[Event]:
        """What changed in the minutes before number ``ended``, each of which is reported at least once."""
        events: list[Event] = []
        for number in sorted(self._minutes):
            if number < ended and self._minutes[number].changed:
                events += self._report(number)
        if self._reported is not None:
            first = max(self._reported + 1, ended - _LONGEST_GAP_MINUTES)
            for number in range(first, ended):
                if number not in self._minutes:
                    events += self._report(number)
            self._reported = max(self._reported, ended - 1)
        for number in [number for number in self._minutes if number < ended - _KEPT_MINUTES]:
            del self._minutes[number]
        return events

    def close(self) -> list[Event]:
        """Whatever changed since it was reported, over or not."""
        events: list[Event] = []
        for number in sorted(self._minutes):
            if self._minutes[number].changed:
                events += self._report(number)
        return events

    def _minute(self, number: int) -> _Minute:
        return self._minutes.setdefault(number, _Minute())

    def _report(self, number: int, places: Sequence[str] | None = None) -> list[Event]:
        minute = self._minute(number)
        minute.changed = False
        events = []
        for place in self._places if places is None else dict.fromkeys(places):
            minute.revision[place] = minute.revision.get(place, -1) + 1
            zone = self._places[place].kind == "zone"
            data = FootfallMinute(
                minute=utc(number * 60.0),
                place=place,
                entered=minute.totals.get((place, "entered"), 0),
                left=minute.totals.get((place, "left"), 0),
                coverage=round(minute.coverage, 3),
                revision=minute.revision[place],
                occupancy=minute.occupancy(place) if zone else None,
                # A line's minute stays as it always was: an older centre reads it, too.
                kind="zone" if zone else None,
                **{what: minute.totals.get((place, what), 0) for what in self._places[place].apart},
            )
            events.append(Event.new(self._sensor, number * 60.0, data))
        return events
