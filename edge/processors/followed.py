"""Tracks of another system, such as Frigate, to visits, stays and footfall minutes, by our lines, zones and rules."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from edge.processors.badges import BadgeBoard
from edge.processors.counting import Counting, FootfallConfig, Moment
from edge.processors.minutes import Span
from models.tracker import Person, Update
from sensors.frigate import OFFLINE
from sensors.readings import Attention, Sighting
from sync.events import Event

PROOF_S = 150.0
"""Two signs of life at most this far apart observe the time between. Frigate sends its stats every 60 s by default, so
that one that is lost on the way makes no gap and two do."""
_DELAY_S = 65.0
"""Zones are counted so much later, in order of time: Frigate tells of everybody at least once in 60 s."""
_SEEN_BEFORE = 3
"""Frigate tells of nobody whom it has not detected at least three times."""
_MOST_TRACKS = 500
_FORGOTTEN_S = 600.0
"""A track of which nothing is heard for so long has ended: its end was told while nobody listened."""


@dataclass(slots=True)
class _Track:
    number: int
    seen: float
    """Of its latest sighting that was counted."""
    sightings: int = 0
    ended: bool = False
    """It is remembered for a while, so that nobody counts twice whose end is told twice."""


class FollowedProcessor:
    """One camera's sightings to events; see ``edge.processing.Processor``.

    Lines count each sighting at once. Zones wait, because sightings of several people come out of order.
    """

    def __init__(self, sensor: str, config: FootfallConfig, rule: str, board: BadgeBoard | None = None) -> None:
        """``rule`` is what the evidence of a visit names: whose tracks they are. ``board`` as for ``Counting``."""
        lines, zones = config.model_copy(update={"zones": ()}), config.model_copy(update={"lines": ()})
        self._lines = Counting(sensor, lines, board, rule) if config.lines else None
        self._zones = Counting(sensor, zones, board, rule) if config.zones else None
        self._tracks: dict[str, _Track] = {}
        self._next = 1
        self._began: float | None = None
        self._sign: float | None = None
        """When the other system last gave a sign that it watches; None while it does not."""
        self._waiting: list[tuple[float, Person | None, int | None]] = []
        """For the zones: moment, who was seen, which track ended; neither for a sign of life or its absence."""
        self._covered: deque[Span] = deque()
        """What was observed of the time that the zones have not been told of, in order."""
        self._replayed = -math.inf
        self._settled = -math.inf
        """Up to this moment it is known what was observed."""
        self._reason: str | None = None

    @property
    def condition(self) -> str | None:
        """Why nothing is observed, in the other system's words, or None."""
        return self._reason

    def process(self, reading: Sighting | Attention) -> Sequence[Event]:
        if self._began is None:
            self._began = reading.time
            for counting in self._countings:
                counting.know(reading.time)
        if isinstance(reading, Attention):
            return self._attend(reading)
        return self._follow(reading)

    def lost(self, now: float) -> None:
        self._sign = None

    def flush(self, now: float) -> Sequence[Event]:
        gone = [name for name, track in self._tracks.items() if now - track.seen > _FORGOTTEN_S]
        events = [event for name in gone for event in self._end(name)]
        for name in gone:
            del self._tracks[name]
        events += self._replay(min(now - _DELAY_S, self._settled))
        # A minute is told once its last sign of life can have come; what comes later restates it.
        return events + [event for counting in self._countings for event in counting.flush(now - _DELAY_S)]

    def close(self, now: float) -> Sequence[Event]:
        events = self._replay(math.inf)
        ended = [track.number for track in self._tracks.values() if not track.ended]
        return events + [event for counting in self._countings for event in counting.close(ended, now)]

    @property
    def _countings(self) -> list[Counting]:
        return [counting for counting in (self._lines, self._zones) if counting is not None]

    def _attend(self, sign: Attention) -> list[Event]:
        self._reason = sign.reason
        before, self._sign = self._sign, (sign.time if sign.reason is None else None)
        proven = sign.reason is None and before is not None and before < sign.time <= before + PROOF_S
        span = (before, sign.time) if proven and before is not None else None
        events: list[Event] = []
        if sign.reason == OFFLINE:
            # When it is back, it follows everybody anew, under other names.
            events = [event for name in list(self._tracks) for event in self._end(name)]
        if self._zones is not None:
            self._waiting.append((sign.time, None, None))
            self._covered.extend([span] if span is not None else [])
            self._settled = sign.time
        if self._lines is None:
            return events
        return events + self._lines.update(Update((), ()), Moment(sign.time, sign.time), span)

    def _follow(self, seen: Sighting) -> list[Event]:
        assert self._began is not None
        track = self._tracks.get(seen.track)
        # What was before this box began to listen was counted by the run before, or by nobody: it is not made up.
        new = seen.time >= self._began and (track is None or (seen.time > track.seen and not track.ended))
        events: list[Event] = []
        if track is None and new:
            events += self._make_room()
            track = self._tracks[seen.track] = _Track(self._next, seen.time)
            self._next += 1
        if track is not None and new:
            track.seen, track.sightings = seen.time, track.sightings + 1
            detections = max(track.sightings, _SEEN_BEFORE)
            person = Person(track.number, seen.box, seen.score, seen.since, detections)
            if self._zones is not None:
                self._waiting.append((seen.time, person, None))
            if self._lines is not None:
                events += self._lines.update(Update((person,), ()), Moment(seen.time, seen.time), None)
        return events + (self._end(seen.track) if seen.ended else [])

    def _end(self, name: str) -> list[Event]:
        track = self._tracks.get(name)
        if track is None or track.ended:
            return []
        track.ended = True
        if self._zones is not None:
            self._waiting.append((track.seen, None, track.number))
        if self._lines is None:
            return []
        return self._lines.update(Update((), (track.number,)), Moment(track.seen, track.seen), None)

    def _make_room(self) -> list[Event]:
        if len(self._tracks) < _MOST_TRACKS:
            return []
        oldest = min(self._tracks, key=lambda name: self._tracks[name].seen)
        events = self._end(oldest)
        del self._tracks[oldest]
        return events

    def _replay(self, until: float) -> list[Event]:
        """Give the zones, in order of time, what happened up to ``until``."""
        if self._zones is None or not self._waiting:
            return []
        due = sorted((item for item in self._waiting if item[0] <= until), key=lambda item: item[0])
        self._waiting = [item for item in self._waiting if item[0] > until]
        events: list[Event] = []
        for time, person, ended in due:
            people = () if person is None else (person,)
            update = Update(people, () if ended is None else (ended,))
            events += self._zones.update(update, Moment(time, time), self._observed(time))
        return events

    def _observed(self, time: float) -> Span | None:
        """What the zones observe from the moment before to ``time``. Signs of life are moments, too."""
        before, self._replayed = self._replayed, max(time, self._replayed)
        while self._covered and self._covered[0][1] <= before:
            self._covered.popleft()
        if not self._covered or not self._covered[0][0] <= before < time <= self._covered[0][1]:
            return None
        return before, time
