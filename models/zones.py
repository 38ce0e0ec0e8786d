"""Who is in a zone of the picture, since when, and for how long.

A stay begins once a person was inside for ``hold`` seconds, and ends once they were clearly outside for as long: by
``margin`` of their own box, so that a box that trembles at the border makes neither. Both moments are then those at
which the border was crossed. A track that is given up ends its stay at its last sighting.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

from models.lines import Anchor, Point
from models.tracker import Person

Span = tuple[float, float]
_DOUBTED = 10.0
"""Seconds after which a track that the detector doubts begins its stay anew: what is not decided on is kept."""
_RIM = 1e-6
"""Shares of the picture by which its rim lies inside a zone that is drawn to the rim."""
_FLAT = 1e-6
"""Twice the area, in shares of the picture, from which three points are no line."""


def problem(corners: Sequence[Point]) -> str | None:
    """Why these corners (shares of the picture) make no zone, as a sentence that counts them from 1; None for one."""
    count = len(corners)
    if count < 3:
        return f"a zone needs at least 3 points, not {count}"
    for index in range(count):
        after = (index + 1) % count
        if corners[index] == corners[after]:
            if after == 0:
                return "the last point repeats the first: leave it out, a zone closes by itself"
            return f"points {index + 1} and {after + 1} are the same"
    if all(abs(_turn(corners[0], b, c)) < _FLAT for b, c in combinations(corners[1:], 2)):
        return "the zone has no area: its points lie on one line"
    for one, two in combinations(range(count), 2):
        a, b = corners[one], corners[(one + 1) % count]
        c, d = corners[two], corners[(two + 1) % count]
        if two - one in (1, count - 1):
            # Neighbours share a point; they cross only where the second goes back along the first.
            start, shared, end = (a, b, d) if two - one == 1 else (c, d, b)
            back = (start[0] - shared[0]) * (end[0] - shared[0]) + (start[1] - shared[1]) * (end[1] - shared[1])
            crosses = abs(_turn(start, shared, end)) < _FLAT and back > 0
        else:
            crosses = _meet(a, b, c, d)
        if crosses:
            sides = f"{one + 1}–{(one + 1) % count + 1} and {two + 1}–{(two + 1) % count + 1}"
            return f"the zone crosses itself: its sides {sides} meet; give the points in order around it"
    return None


@dataclass(frozen=True, slots=True)
class Polygon:
    """A zone: its corners in shares of the picture (0–1, y down), and the point of a person that is in it or not.

    ``anchor``: ``foot``, the middle of the box's lower edge, or ``centre``. Raises ``ValueError`` for no polygon.
    """

    name: str
    corners: tuple[Point, ...]
    anchor: Anchor = "foot"

    def __post_init__(self) -> None:
        if (wrong := problem(self.corners)) is not None:
            raise ValueError(wrong)

    def contains(self, point: Point) -> bool:
        """Whether the point lies inside (even-odd rule)."""
        x, y = point
        inside = False
        x1, y1 = self.corners[-1]
        for x2, y2 in self.corners:
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
                inside = not inside
            x1, y1 = x2, y2
        return inside

    def distance(self, point: Point, width: float, height: float) -> float:
        """From the point to the border, where a box of this size measures 1 in each direction."""
        scaled = [((x - point[0]) / width, (y - point[1]) / height) for x, y in self.corners]
        nearest = float("inf")
        x1, y1 = scaled[-1]
        for x2, y2 in scaled:
            dx, dy = x2 - x1, y2 - y1
            share = min(1.0, max(0.0, -(x1 * dx + y1 * dy) / max(dx * dx + dy * dy, 1e-18)))
            nearest = min(nearest, (x1 + share * dx) ** 2 + (y1 + share * dy) ** 2)
            x1, y1 = x2, y2
        return float(nearest**0.5)

    def place(self, person: Person) -> Point:
        """The anchor of the whole person; one beyond the picture is taken at its border, where zones end."""
        x1, y1, x2, y2 = person.frame
        point = (x1 + x2) / 2, (y2 if self.anchor == "foot" else (y1 + y2) / 2)
        return min(max(point[0], _RIM), 1 - _RIM), min(max(point[1], _RIM), 1 - _RIM)


@dataclass(frozen=True, slots=True)
class Change:
    """A stay became long enough to tell of, or is over: ``clock`` is when it began or ended, ``seconds`` its length.

    ``seconds`` is 0 on ``enter``, and observed time on the media's clock on ``leave``.
    """

    track: int
    phase: Literal["enter", "leave"]
    clock: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What one picture made known of a zone.

    ``present`` holds, for each person and stretch of observed time that is now known to be spent inside, its begin and
    end in the clock of the events.
    """

    changes: Sequence[Change]
    present: Sequence[Span]


@dataclass(slots=True)
class _Stay:
    since: float
    """Media time from which the person was inside."""
    began: float
    """The same in the events' clock."""
    ended: float
    """Events' clock of the last picture whose time is counted."""
    seen: float
    """Media time of the last sighting."""
    sure: bool = False
    told: bool = False
    seconds: float = 0.0
    outside: float | None = None
    """Media time since which the anchor is not inside."""
    clear: float | None = None
    """Media time since which it is clearly outside."""
    pending: list[tuple[float, float, float, Span | None]] = field(default_factory=list)
    """Pictures not decided on yet: media time, clock, observed media seconds and observed span that each completes."""


class ZoneWatch:
    """Watches one zone. Memory grows with the people inside only.

    ``minimum`` is how many observed seconds a stay takes before it is told of; shorter ones are in ``present`` only.
    """

    def __init__(
        self,
        zone: Polygon,
        *,
        minimum: float = 0.0,
        hold: float = 1.0,
        margin: float = 0.2,
        least_detections: int = 3,
        least_score: float = 0.25,
    ) -> None:
        """``margin``, ``least_detections`` and ``least_score`` are those of ``models.lines.LineCounter``."""
        self.zone = zone
        self.hold = hold
        self._minimum = minimum
        self._margin = margin
        self._least = least_detections
        self._least_score = least_score
        self._stays: dict[int, _Stay] = {}
        self._time: float | None = None

    @property
    def waiting(self) -> dict[int, float]:
        """The people inside: track number to seconds so far. For a queue its length and the waiting times."""
        return {track: stay.seconds for track, stay in self._stays.items() if stay.sure}

    def update(
        self, people: Sequence[Person], ended: Sequence[int], time: float, clock: float, observed: Span | None
    ) -> Watched:
        """One picture at ``time`` on the media's clock and ``clock`` on the events'.

        ``observed``: the stretch of the events' clock that it completes, None after a gap.
        """
        changes, present = self._end(ended)
        elapsed = time - self._time if self._time is not None and observed is not None else 0.0
        self._time = time
        for stay in self._stays.values():
            stay.pending.append((time, clock, max(0.0, elapsed), observed))
        for person in people:
            more_changes, more_present = self._see(person, time, clock)
            changes += more_changes
            present += more_present
        return Watched(changes, present)

    def finish(self, ended: Sequence[int]) -> Watched:
        """The tracks ``ended`` when there is no further picture."""
        return Watched(*self._end(ended))

    def _see(self, person: Person, time: float, clock: float) -> tuple[list[Change], list[Span]]:
        point = self.zone.place(person)
        inside = self.zone.contains(point)
        stay = self._stays.get(person.track)
        if stay is None:
            if inside:
                self._stays[person.track] = _Stay(time, clock, clock, time)
            return [], []
        stay.seen = time
        if not stay.sure:
            if not inside:
                del self._stays[person.track]
                return [], []
            known = person.detections >= self._least and person.score >= self._least_score and not person.part
            # A hair less than asked for: times are sums of tenths.
            stay.sure = known and time - stay.since >= self.hold - 1e-6
            if not stay.sure and time - stay.since > max(_DOUBTED, self.hold):
                self._stays[person.track] = _Stay(time, clock, clock, time)
            return self._settle(person.track, stay, time) if stay.sure else ([], [])
        if inside:
            stay.outside = stay.clear = None
            return self._settle(person.track, stay, time)
        return self._outside(person, stay, point, time)

    def _outside(self, person: Person, stay: _Stay, point: Point, time: float) -> tuple[list[Change], list[Span]]:
        x1, y1, x2, y2 = person.frame
        away = self.zone.distance(point, max(x2 - x1, 1e-4), max(y2 - y1, 1e-4))
        stay.outside = time if stay.outside is None else stay.outside
        if away < self._margin:
            stay.clear = None
        elif stay.clear is None:
            stay.clear = time
        changes, present = self._settle(person.track, stay, self._left_at(stay))
        if stay.clear is not None and time - stay.clear >= self.hold - 1e-6:
            del self._stays[person.track]
            changes += self._leave(person.track, stay)
        return changes, present

    def _left_at(self, stay: _Stay) -> float:
        """When somebody who is outside left: who lingers at the border has not left before ``hold`` ago."""
        assert stay.outside is not None
        return max(stay.outside, (stay.seen if stay.clear is None else stay.clear) - self.hold)

    def _settle(self, track: int, stay: _Stay, until: float) -> tuple[list[Change], list[Span]]:
        """Count the pictures up to media time ``until`` as spent inside."""
        present: list[Span] = []
        count = 0
        for time, clock, elapsed, observed in stay.pending:
            if time > until:
                break
            count += 1
            stay.ended = clock
            stay.seconds += elapsed
            if observed is not None:
                present.append(observed)
        del stay.pending[:count]
        if stay.told or stay.seconds < self._minimum - 1e-6:
            return [], present
        stay.told = True
        return [Change(track, "enter", stay.began, 0.0)], present

    def _end(self, ended: Sequence[int]) -> tuple[list[Change], list[Span]]:
        changes: list[Change] = []
        present: list[Span] = []
        for track in ended:
            stay = self._stays.pop(track, None)
            if stay is None or not stay.sure:
                continue
            more, spent = self._settle(track, stay, stay.seen if stay.outside is None else self._left_at(stay))
            changes += [*more, *self._leave(track, stay)]
            present += spent
        return changes, present

    def _leave(self, track: int, stay: _Stay) -> list[Change]:
        return [Change(track, "leave", stay.ended, stay.seconds)] if stay.told else []


def _turn(a: Point, b: Point, c: Point) -> float:
    """Twice the signed area of a triangle."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the segments a–b and c–d have a point in common."""
    first, second = _turn(a, b, c), _turn(a, b, d)
    third, fourth = _turn(c, d, a), _turn(c, d, b)
    if first * second < 0 and third * fourth < 0:
        return True
    return any(
        turn == 0 and min(p[0], q[0]) <= r[0] <= max(p[0], q[0]) and min(p[1], q[1]) <= r[1] <= max(p[1], q[1])
        for turn, p, q, r in ((first, a, b, c), (second, a, b, d), (third, c, d, a), (fourth, c, d, b))
    )
