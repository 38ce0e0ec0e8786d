"""What is counted in one camera's view: tracks to visits, stays and footfall minutes, wherever the tracks come from.

Every visit is returned together with the new state of its minute, so that both become durable in one transaction: a
box that is killed in the middle of a minute loses seconds of coverage at most, never the agreement of the two. After a
restart the rest of the minute is reported anew under the next boot id, and the centre adds up the boots. Only what an
entry rule holds back until it is decided is lost with it: nothing by default.
"""

__all__ = ["Counting", "FootfallConfig", "LineConfig", "Moment"]

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.processors.badges import BadgeBoard
from edge.processors.entries import Entries, Entry, Moment
from edge.processors.entry_rules import EntryRules, StaffRules
from edge.processors.minutes import Counted, CountedPlace, Minutes, Span
from edge.processors.people import People
from edge.processors.zones import Stayed, ZoneConfig, Zones
from models.appearance import Look
from models.config import DetectorConfig, TrackerConfig
from models.heatmap import HeatMap
from models.lines import Line, LineCounter
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
    rules: EntryRules | None = Field(default=None, description="instead of those of the camera")

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
    rules: EntryRules = EntryRules()
    staff: StaffRules | None = None

    def rules_of(self, line: LineConfig) -> EntryRules:
        """Its own, or the camera's."""
        return self.rules if line.rules is None else line.rules

    @property
    def looks_at_clothes(self) -> bool:
        """Whether a rule compares what people wear."""
        uniforms = self.staff is not None and bool(self.staff.uniforms)
        return uniforms or any(self.rules_of(line).compares_looks for line in self.lines)

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
        for name in self.staff.zones if self.staff else ():
            if name not in zones:
                raise ValueError(f"staff.zones: there is no zone called {name}; draw it under zones first")
        return self


class Counting:
    """The lines and zones of one camera, fed with the people that somebody else follows.

    ``update`` for each picture in order, ``flush`` about once a second, ``close`` at the end, as in
    ``edge.processing.Processor``. Track numbers are never used again; a source of tracks without pictures gives what it
    knows of the people at a moment, and the span of time that this observes.
    """

    def __init__(
        self, sensor: str, config: FootfallConfig, board: BadgeBoard | None = None, rule: str | None = None
    ) -> None:
        """``board``: where badges are asked for. Raises ``ModelError`` when the file of a uniform is none.

        ``rule`` says that these are the tracks of another system, which evidence names by it: its sightings come out of
        order, one person at a time, and their media clock is the events' clock.
        """
        self._sensor = sensor
        self._rule = rule
        self._counters = [LineCounter(line.line()) for line in config.lines]
        self._entering = {line.name: line.entering for line in config.lines}
        self._zones = Zones(sensor, config.zones)
        self._people = People(config.staff, {zone.name: zone.watch().zone for zone in config.zones})
        self._entries = Entries(
            {line.name: config.rules_of(line) for line in config.lines},
            uniforms=self._people.looks_at_uniforms,
            badges=config.staff.badges if config.staff else None,
            board=board,
        )
        self._minutes = Minutes(sensor, _places(config))
        self._heat = HeatMap()
        self._grace = config.tracker.lost_after + max(self._zones.hold, self._entries.hold)
        self._last: Moment | None = None
        self._scale = 1.0

    def know(self, time: float) -> None:
        """The box is running at ``time`` (epoch seconds): from the first such moment on every minute is reported."""
        self._minutes.know(time)

    def withdraw(self, span: Span) -> None:
        """A span of time that was given as observed was not, after all."""
        self._minutes.withdraw(span)

    def update(
        self, update: Update, now: Moment, observed: Span | None, looks: Mapping[int, Look] | None = None
    ) -> list[Event]:
        """Who is there ``now`` and which tracks are given up; ``observed``: the span of ``time`` that this completes.

        None after a gap: what was not seen is not counted as time without people. ``looks``: what people wear, by
        track, where it was looked at now.
        """
        self.know(now.time)
        if observed is not None:
            self._minutes.cover(observed)
        before, self._last = self._last, now
        if self._rule is not None and before is not None and now.time < before.time:
            self._last = before
        if before is not None and now.media > before.media and now.time > before.time:
            self._scale = (now.time - before.time) / (now.media - before.media)
        self._people.see(update, looks or {}, now.media)
        jumped = before is not None and now.media < before.media and self._rule is None
        # Where the media began anew, what ended with it is on the clock of the moment before.
        self._cross(update, now.media, before if jumped and before is not None else now)
        if jumped:
            self._entries.restart()
        staff = self._people.staff()
        self._people.forget(update.ended)
        events = self._visits(self._entries.settle(self._last))
        events += self._stays(self._zones.update(update, now.media, now.time, observed, staff))
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
        """The crossings that are decided, and the minutes that are over, by ``now`` (epoch seconds)."""
        self.know(now)
        events: list[Event] = []
        if self._last is not None:
            # Without pictures the media stands still, but nobody waits longer for that.
            media = self._last.media + (now - self._last.time) / self._scale
            events += self._visits(self._entries.settle(Moment(now, media)))
        # A crossing may be known only when its track is given up, and decided only later: the minute waits for it.
        return events + self._minutes.flush(int((now - self._grace) // 60))

    def close(self, ended: Sequence[int], now: float) -> list[Event]:
        """What is still open; ``ended``: the tracks that were followed until now."""
        staff = self._people.staff()
        if self._last is not None:
            self._cross(Update((), ended), self._last.media, self._last)
        self._people.forget(ended)
        events = self._visits(self._entries.finish())
        events += self._stays(self._zones.finish(ended, staff))
        return events + self.flush(now) + self._minutes.close()

    def _cross(self, update: Update, media: float, clock: Moment) -> None:
        for counter in self._counters:
            for crossing in counter.update(update.people, update.ended, media):
                time = clock.time + (crossing.time - clock.media) * self._scale
                entered = crossing.direction == self._entering[crossing.line]
                self._entries.cross(crossing, time, entered, self._people.get(crossing.person.track))

    def _visits(self, entries: Sequence[Entry]) -> list[Event]:
        events: list[Event] = []
        touched: dict[int, list[str]] = {}
        for entry in entries:
            events.append(Event.new(self._sensor, entry.time, _visit(entry, self._rule)))
            number = self._minutes.count(entry.time, entry.crossing.line, _counted(entry))
            group = entry.group
            if group is not None and not group.counted and entry.entered and not entry.exclusions:
                group.counted = True
                self._minutes.count(entry.time, entry.crossing.line, "groups")
            touched.setdefault(number, []).append(entry.crossing.line)
        return events + self._minutes.report_all(touched)

    def _stays(self, stayed: Stayed) -> list[Event]:
        for presence in stayed.present:
            self._minutes.stay(presence.zone, presence.span)
        touched: dict[int, list[str]] = {}
        for stay in stayed.stays:
            what = _way(stay.entered, stay.staff)
            number = self._minutes.count(stay.event.time.timestamp(), stay.zone, what)
            touched.setdefault(number, []).append(stay.zone)
        return [stay.event for stay in stayed.stays] + self._minutes.report_all(touched)

    def _warm(self, update: Update, seconds: float) -> None:
        # What was seen once or twice is more often a flicker than a person, and a part stands where its person does.
        feet = [((p.box[0] + p.box[2]) / 2, p.box[3]) for p in update.people if p.detections >= _SURE and not p.part]
        self._heat.add(feet, seconds)


def _places(config: FootfallConfig) -> dict[str, CountedPlace]:
    staff: frozenset[Counted] = frozenset(("staff_entered", "staff_left") if config.staff else ())
    places = {zone.name: CountedPlace("zone", staff) for zone in config.zones}
    for line in config.lines:
        rules = config.rules_of(line)
        excluded: frozenset[Counted] = frozenset(("excluded",) if rules.excludes else ())
        groups: frozenset[Counted] = frozenset(("groups",) if rules.group_seconds else ())
        places[line.name] = CountedPlace("line", staff | excluded | groups)
    return {line.name: places[line.name] for line in config.lines} | places


def _way(entered: bool, staff: bool) -> Counted:
    if staff:
        return "staff_entered" if entered else "staff_left"
    return "entered" if entered else "left"


def _counted(entry: Entry) -> Counted:
    """Staff are staff whatever else a rule says; what another rule excludes is no visit."""
    return "excluded" if entry.reasons and not entry.staff else _way(entry.entered, entry.staff)


def _visit(entry: Entry, rule: str | None) -> Visit:
    crossing, person = entry.crossing, entry.crossing.person
    evidence = Evidence(
        track=person.track,
        track_seconds=max(0.0, round(crossing.time - person.since, 3)),
        detections=person.detections,
        rule=rule or crossing.rule,
        exclusions=entry.exclusions,
    )
    return Visit(
        line=crossing.line,
        direction="in" if entry.entered else "out",
        group=entry.group.id if entry.group else None,
        staff=entry.staff,
        confidence=round(min(1.0, person.score), 3),
        evidence=evidence,
    )
