"""What is counted in one camera's view: tracks to visits, stays and footfall minutes, wherever the tracks come from.

Every visit is returned together with the new state of its minute, so that both become durable in one transaction: a
box that is killed in the middle of a minute loses seconds of coverage at most, never the agreement of the two. After a
restart the rest of the minute is reported anew under the next boot id, and the centre adds up the boots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.processors.minutes import Minutes, Span
from edge.processors.zones import Stayed, ZoneConfig, Zones
from models.config import TrackerConfig
from models.heatmap import HeatMap
from models.lines import Crossing, Line, LineCounter
from models.tracker import Update
from sync.events import Event, Evidence, Name, Visit

Place = Annotated[float, Field(ge=0, le=1)]

_SURE = 3
"""Sightings from which a track is in the heat map, as for lines and zones."""


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


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks: ``time`` in epoch seconds, ``media`` in seconds of the stream.

    Tracks live on the media's clock, events on the other (which may jump, or run faster in a time lapse).
    """

    time: float
    media: float


class Counting:
    """The lines and zones of one camera, fed with the people that somebody else follows.

    ``update`` for each picture in order, ``flush`` about once a second, ``close`` at the end, as in
    ``edge.processing.Processor``. Track numbers are never used again; a source of tracks without pictures gives what it
    knows of the people at a moment, and the span of time that this observes.
    """

    def __init__(self, sensor: str, config: FootfallConfig, rule: str | None = None) -> None:
        """``rule`` is what the evidence names instead of how a crossing was decided: whose tracks they are."""
        self._sensor = sensor
        self._rule = rule
        self._counters = [LineCounter(line.line()) for line in config.lines]
        self._entering = {line.name: line.entering for line in config.lines}
        self._zones = Zones(sensor, config.zones)
        places: dict[str, Literal["line", "zone"]] = {line.name: "line" for line in config.lines}
        self._minutes = Minutes(sensor, places | {zone.name: "zone" for zone in config.zones})
        self._heat = HeatMap()
        self._grace = config.tracker.lost_after + self._zones.hold
        self._last: Moment | None = None
        self._scale = 1.0

    def know(self, time: float) -> None:
        """The box is running at ``time`` (epoch seconds): from the first such moment on every minute is reported."""
        self._minutes.know(time)

    def withdraw(self, span: Span) -> None:
        """A span of time that was given as observed was not, after all."""
        self._minutes.withdraw(span)

    def update(self, update: Update, now: Moment, observed: Span | None) -> list[Event]:
        """Who is there ``now`` and which tracks are given up; ``observed``: the span of ``time`` that this completes.

        None after a gap: what was not seen is not counted as time without people.
        """
        self.know(now.time)
        if observed is not None:
            self._minutes.cover(observed)
        before, self._last = self._last, now
        if before is not None and now.media > before.media and now.time > before.time:
            self._scale = (now.time - before.time) / (now.media - before.media)
        crossings = [
            crossing
            for counter in self._counters
            for crossing in counter.update(update.people, update.ended, now.media)
        ]
        # Where the media began anew, what ended with it is on the clock of the moment before.
        clock = before if before is not None and now.media < before.media else now
        events = self._visits(crossings, clock)
        events += self._stays(self._zones.update(update, now.media, now.time, observed))
        if observed is not None:
            self._warm(update, observed[1] - observed[0])
        return events

    @property
    def waiting(self) -> dict[str, tuple[float, ...]]:
        """Who is in each zone now, as of the last update: their seconds so far, the longest first."""
        return self._zones.waiting

    @property
    def heat(self) -> npt.NDArray[np.float64]:
        """Person-seconds since the start on a grid over the picture, ``(9, 16)``, by where the feet were."""
        return self._heat.cells

    def flush(self, now: float) -> list[Event]:
        """The minutes that are over by ``now`` (epoch seconds)."""
        self.know(now)
        # A crossing may be known only when its track is given up: the minute waits for it.
        return self._minutes.flush(int((now - self._grace) // 60))

    def close(self, ended: Sequence[int], now: float) -> list[Event]:
        """What is still open; ``ended``: the tracks that were followed until now."""
        events: list[Event] = []
        if self._last is not None:
            crossings = [
                crossing for counter in self._counters for crossing in counter.update((), ended, self._last.media)
            ]
            events += self._visits(crossings, self._last)
        events += self._stays(self._zones.finish(ended))
        return events + self.flush(now) + self._minutes.close()

    def _visits(self, crossings: Sequence[Crossing], clock: Moment) -> list[Event]:
        events: list[Event] = []
        touched: dict[int, list[str]] = {}
        for crossing in crossings:
            time = clock.time + (crossing.time - clock.media) * self._scale
            entered = crossing.direction == self._entering[crossing.line]
            events.append(Event.new(self._sensor, time, self._visit(crossing, entered)))
            touched.setdefault(self._minutes.count(time, crossing.line, entered), []).append(crossing.line)
        return events + self._minutes.report_all(touched)

    def _stays(self, stayed: Stayed) -> list[Event]:
        for presence in stayed.present:
            self._minutes.stay(presence.zone, presence.span)
        touched: dict[int, list[str]] = {}
        for stay in stayed.stays:
            number = self._minutes.count(stay.event.time.timestamp(), stay.zone, stay.entered)
            touched.setdefault(number, []).append(stay.zone)
        return [stay.event for stay in stayed.stays] + self._minutes.report_all(touched)

    def _warm(self, update: Update, seconds: float) -> None:
        # What was seen once or twice is more often a flicker than a person.
        feet = [((p.box[0] + p.box[2]) / 2, p.box[3]) for p in update.people if p.detections >= _SURE]
        self._heat.add(feet, seconds)

    def _visit(self, crossing: Crossing, entered: bool) -> Visit:
        person = crossing.person
        evidence = Evidence(
            track=person.track,
            track_seconds=max(0.0, round(crossing.time - person.since, 3)),
            detections=person.detections,
            rule=self._rule or crossing.rule,
        )
        return Visit(
            line=crossing.line,
            direction="in" if entered else "out",
            confidence=round(min(1.0, person.score), 3),
            evidence=evidence,
        )
