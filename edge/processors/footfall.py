"""Frames to visits, stays and footfall minutes: one detector and one tracker, for the lines and the zones.

Every visit is returned together with the new state of its minute, so that both become durable in one transaction: a
box that is killed in the middle of a minute loses seconds of coverage at most, never the agreement of the two. After a
restart the rest of the minute is reported anew under the next boot id, and the centre adds up the boots.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.processors.coverage import by_minute
from edge.processors.picture import PictureWatch, Span
from edge.processors.zones import Stayed, ZoneConfig, Zones
from models.config import DetectorConfig, TrackerConfig
from models.detector import Detections
from models.heatmap import HeatMap
from models.lines import Crossing, Line, LineCounter
from models.tracker import Tracker, Update
from sensors.readings import Frame, Image
from sync.events import Event, Evidence, FootfallMinute, Name, Visit, utc

Place = Annotated[float, Field(ge=0, le=1)]

_LONGEST_GAP_MINUTES = 60
"""So many unobserved minutes are reported after a jump of the clock; a minute that nobody reported is unknown too."""
NOBODY = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))
_SURE = 3
"""Sightings from which a track is in the heat map, as for lines and zones."""
_KEPT_MINUTES = 26 * 60
"""How long totals are kept for corrections: a clock that was a day ahead and is set right comes back to old minutes."""


class LineConfig(BaseModel):
    """One entrance line, in shares of the picture from its upper left corner.

    Somebody who stands at ``start`` and looks towards ``end`` has the positive side on the left and the negative side
    on the right; ``entering`` names the side that lies inside the store.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Name
    start: tuple[Place, Place]
    end: tuple[Place, Place]
    entering: Literal["positive", "negative"]
    anchor: Literal["centre", "foot"] = "centre"

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same point: draw the line across the way that people walk")
        return self

    def line(self) -> Line:
        """For ``models.lines``."""
        return Line(self.name, self.start, self.end, self.anchor)


class FootfallConfig(BaseModel):
    """What is counted in the pictures of one camera: people who cross lines, people who are in zones."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    lines: tuple[LineConfig, ...] = ()
    zones: tuple[ZoneConfig, ...] = ()
    tracker: TrackerConfig = TrackerConfig()
    detector: DetectorConfig | None = None
    """Of this camera, where people are smaller or larger than usual; ``models.detector`` when absent."""

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        lines, zones = [line.name for line in self.lines], [zone.name for zone in self.zones]
        for kind, names in (("lines", lines), ("zones", zones)):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"two {kind} are called {', '.join(twice)}")
        if both := sorted(set(lines) & set(zones)):
            raise ValueError(f"a line and a zone are both called {', '.join(both)}: give each its own name")
        if not lines and not zones:
            raise ValueError("there is neither a line nor a zone: give at least one of lines and zones")
        return self


class PersonDetector(Protocol):
    """What finds people in a picture: ``models.detector.Detector``, the same behind a gate, or a test's own.

    The media time of the picture comes with it: the gate looks again after so many seconds of media.
    """

    def detect(self, image: Image, time: float, /) -> Detections: ...


@dataclass(slots=True)
class _Minute:
    entered: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
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


class FootfallProcessor:
    """One camera's frames to ``visit``, ``zone`` and ``footfall.minute`` events; see ``edge.processing.Processor``.

    Tracks live on the media's clock, events on the frames' (which may jump, or run faster in a time lapse).
    """

    def __init__(self, sensor: str, config: FootfallConfig, detector: PersonDetector) -> None:
        self._sensor = sensor
        self._detector = detector
        self._tracker = Tracker(config.tracker)
        self._counters = [LineCounter(line.line()) for line in config.lines]
        self._entering = {line.name: line.entering for line in config.lines}
        self._zones = Zones(sensor, config.zones)
        self._places: dict[str, Literal["line", "zone"]] = {line.name: "line" for line in config.lines}
        self._places |= {zone.name: "zone" for zone in config.zones}
        self._heat = HeatMap()
        self._grace = config.tracker.lost_after + self._zones.hold
        self._watch = PictureWatch()
        self._minutes: dict[int, _Minute] = {}
        self._reported: int | None = None
        """The minute up to which (inclusive) every minute was reported."""
        self._last: Frame | None = None
        self._scale = 1.0

    @property
    def condition(self) -> str | None:
        """Why the pictures cannot be counted on (``frozen``, ``dark``, ``uniform``, ``corrupt``), or None."""
        return self._watch.condition

    def process(self, frame: Frame) -> Sequence[Event]:
        self._know(frame.time)
        seen = self._watch.picture(frame)
        for span in seen.withdrawn:
            self._withdraw(span)
        interval = seen.interval
        if interval is not None:
            for number, seconds in by_minute(*interval):
                minute = self._minute(number)
                minute.coverage, minute.changed = min(60.0, minute.coverage + seconds), True
                minute.observed += seconds
        update = self._follow(frame, seen.reshaped)
        # The image is not kept: only where the two clocks stand.
        before, self._last = self._last, Frame(frame.image[:0, :0], frame.time, frame.media_time, frame.index)
        if before is not None and frame.media_time > before.media_time and frame.time > before.time:
            self._scale = (frame.time - before.time) / (frame.media_time - before.media_time)
        crossings = [
            crossing
            for counter in self._counters
            for crossing in counter.update(update.people, update.ended, frame.media_time)
        ]
        # Where the media began anew, what ended with it is on the clock of the frame before.
        jumped = before is not None and frame.media_time < before.media_time
        events = self._visits(crossings, before if jumped and before is not None else self._last)
        events += self._stays(self._zones.update(update, frame.media_time, frame.time, interval))
        if interval is not None:
            self._warm(update, interval[1] - interval[0])
        return events

    def _follow(self, frame: Frame, reshaped: bool) -> Update:
        """Who is in the picture. Where it is another one, everybody in the old one is given up."""
        gone = self._tracker.finish() if reshaped else ()
        # Whoever is in a frozen picture, or seems to be in a destroyed one, is not there.
        found = NOBODY if self.condition else self._detector.detect(frame.image, frame.media_time)
        update = self._tracker.update(found, frame.media_time)
        return Update(update.people, [*gone, *update.ended]) if gone else update

    def _withdraw(self, span: Span) -> None:
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

    @property
    def waiting(self) -> dict[str, tuple[float, ...]]:
        """Who is in each zone now, as of the last picture: their seconds so far, the longest first."""
        return self._zones.waiting

    @property
    def heat(self) -> npt.NDArray[np.float64]:
        """Person-seconds since the start on a grid over the picture, ``(9, 16)``, by where the feet were."""
        return self._heat.cells

    def flush(self, now: float) -> Sequence[Event]:
        self._know(now)
        events: list[Event] = []
        # A crossing may be known only when its track is given up: the minute waits for it.
        ended = int((now - self._grace) // 60)
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

    def close(self, now: float) -> Sequence[Event]:
        events: list[Event] = []
        ended = self._tracker.finish()
        if self._last is not None:
            crossings = [
                crossing for counter in self._counters for crossing in counter.update((), ended, self._last.media_time)
            ]
            events += self._visits(crossings, self._last)
        events += self._stays(self._zones.finish(ended))
        events += self.flush(now)
        for number in sorted(self._minutes):
            if self._minutes[number].changed:
                events += self._report(number)
        return events

    def _know(self, time: float) -> None:
        """From the first moment on, every minute is reported."""
        if self._reported is None:
            self._reported = int(time // 60) - 1

    def _minute(self, number: int) -> _Minute:
        return self._minutes.setdefault(number, _Minute())

    def _visits(self, crossings: Sequence[Crossing], clock: Frame) -> list[Event]:
        events: list[Event] = []
        touched: dict[int, list[str]] = {}
        for crossing in crossings:
            time = clock.time + (crossing.time - clock.media_time) * self._scale
            entered = crossing.direction == self._entering[crossing.line]
            events.append(Event.new(self._sensor, time, self._visit(crossing, entered)))
            touched.setdefault(self._count(time, crossing.line, entered), []).append(crossing.line)
        return events + self._report_all(touched)

    def _stays(self, stayed: Stayed) -> list[Event]:
        for presence in stayed.present:
            for number, seconds in by_minute(*presence.span):
                minute = self._minute(number)
                minute.present[presence.zone] = minute.present.get(presence.zone, 0.0) + seconds
                minute.changed = True
        touched: dict[int, list[str]] = {}
        for stay in stayed.stays:
            number = self._count(stay.event.time.timestamp(), stay.zone, stay.entered)
            touched.setdefault(number, []).append(stay.zone)
        return [stay.event for stay in stayed.stays] + self._report_all(touched)

    def _warm(self, update: Update, seconds: float) -> None:
        # What was seen once or twice is more often a flicker than a person.
        feet = [((p.box[0] + p.box[2]) / 2, p.box[3]) for p in update.people if p.detections >= _SURE]
        self._heat.add(feet, seconds)

    def _count(self, time: float, place: str, entered: bool) -> int:
        """One more in the minute of ``time``, whose number it returns."""
        minute = self._minute(int(time // 60))
        totals = minute.entered if entered else minute.left
        totals[place] = totals.get(place, 0) + 1
        return int(time // 60)

    def _report_all(self, touched: dict[int, list[str]]) -> list[Event]:
        """The new state of minutes, which are reported again as a whole when they are over."""
        events: list[Event] = []
        for number, places in touched.items():
            events += self._report(number, places)
            self._minute(number).changed = True
        return events

    def _visit(self, crossing: Crossing, entered: bool) -> Visit:
        person = crossing.person
        evidence = Evidence(
            track=person.track,
            track_seconds=max(0.0, round(crossing.time - person.since, 3)),
            detections=person.detections,
            rule=crossing.rule,
        )
        return Visit(
            line=crossing.line,
            direction="in" if entered else "out",
            confidence=round(min(1.0, person.score), 3),
            evidence=evidence,
        )

    def _report(self, number: int, places: Sequence[str] | None = None) -> list[Event]:
        minute = self._minute(number)
        minute.changed = False
        events = []
        for place in self._places if places is None else dict.fromkeys(places):
            minute.revision[place] = minute.revision.get(place, -1) + 1
            zone = self._places[place] == "zone"
            data = FootfallMinute(
                minute=utc(number * 60.0),
                place=place,
                entered=minute.entered.get(place, 0),
                left=minute.left.get(place, 0),
                coverage=round(minute.coverage, 3),
                revision=minute.revision[place],
                occupancy=minute.occupancy(place) if zone else None,
                # A line's minute stays as it always was: an older centre reads it, too.
                kind="zone" if zone else None,
            )
            events.append(Event.new(self._sensor, number * 60.0, data))
        return events
