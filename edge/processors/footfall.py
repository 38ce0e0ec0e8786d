"""Frames to visits and footfall minutes: detector, tracker, lines.

Every visit is returned together with the new state of its minute, so that both become durable in one transaction: a
box that is killed in the middle of a minute loses seconds of coverage at most, never the agreement of the two. After a
restart the rest of the minute is reported anew under the next boot id, and the centre adds up the boots.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.processors.coverage import Observed, by_minute
from models.config import TrackerConfig
from models.detector import Detections
from models.lines import Crossing, Line, LineCounter
from models.tracker import Tracker
from sensors.readings import Frame, Image
from sync.events import Event, Evidence, FootfallMinute, Name, Visit, utc

Place = Annotated[float, Field(ge=0, le=1)]

_LONGEST_GAP_MINUTES = 60
"""So many unobserved minutes are reported after a jump of the clock; a minute that nobody reported is unknown too."""
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
    """What is counted in the pictures of one camera."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    lines: Annotated[tuple[LineConfig, ...], Field(min_length=1)]
    tracker: TrackerConfig = TrackerConfig()

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        names = [line.name for line in self.lines]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two lines are called {', '.join(twice)}")
        return self


class PersonDetector(Protocol):
    """What finds people in a picture: ``models.detector.Detector``, or a test's own."""

    def detect(self, image: Image, /) -> Detections: ...


@dataclass(slots=True)
class _Minute:
    entered: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    coverage: float = 0.0
    revision: dict[str, int] = field(default_factory=dict)
    """Last one that was emitted, by line."""
    changed: bool = True


class FootfallProcessor:
    """One camera's frames to ``visit`` and ``footfall.minute`` events; see ``edge.processing.Processor``.

    Tracks live on the media's clock, events on the frames' (which may jump, or run faster in a time lapse).
    """

    def __init__(self, sensor: str, config: FootfallConfig, detector: PersonDetector) -> None:
        self._sensor = sensor
        self._detector = detector
        self._tracker = Tracker(config.tracker)
        self._counters = [LineCounter(line.line()) for line in config.lines]
        self._entering = {line.name: line.entering for line in config.lines}
        self._grace = config.tracker.lost_after
        self._observed = Observed()
        self._minutes: dict[int, _Minute] = {}
        self._reported: int | None = None
        """The minute up to which (inclusive) every minute was reported."""
        self._last: Frame | None = None
        self._scale = 1.0

    def process(self, frame: Frame) -> Sequence[Event]:
        found = self._detector.detect(frame.image)
        self._know(frame.time)
        interval = self._observed.picture(frame.time)
        if interval is not None:
            for number, seconds in by_minute(*interval):
                minute = self._minute(number)
                minute.coverage, minute.changed = min(60.0, minute.coverage + seconds), True
        update = self._tracker.update(found, frame.media_time)
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
        return self._visits(crossings, before if jumped and before is not None else self._last)

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
            minute = self._minute(int(time // 60))
            totals = minute.entered if entered else minute.left
            totals[crossing.line] = totals.get(crossing.line, 0) + 1
            touched.setdefault(int(time // 60), []).append(crossing.line)
        for number, lines in touched.items():
            events += self._report(number, lines)
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

    def _report(self, number: int, lines: Sequence[str] | None = None) -> list[Event]:
        minute = self._minute(number)
        minute.changed = False
        events = []
        for line in self._entering if lines is None else dict.fromkeys(lines):
            minute.revision[line] = minute.revision.get(line, -1) + 1
            data = FootfallMinute(
                minute=utc(number * 60.0),
                place=line,
                entered=minute.entered.get(line, 0),
                left=minute.left.get(line, 0),
                coverage=round(minute.coverage, 3),
                revision=minute.revision[line],
            )
            events.append(Event.new(self._sensor, number * 60.0, data))
        return events
