"""Counting tracks that cross a line.

A line runs from ``start`` to ``end``. Its **positive** side is on the left of somebody who stands at ``start`` and
looks towards ``end`` in the picture, its negative side on the right. Only what crosses between the two ends counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.tracker import Corners, Person, cut_by_border

Anchor = Literal["centre", "foot"]
Direction = Literal["positive", "negative"]
Point = tuple[float, float]


_UNSEEN_S = 0.5
"""How long somebody may walk inside the picture before the first detection, or after the last: two pictures in five."""
_GAP_S = 1.0
"""Without a picture for longer than this, nobody watched."""
_RUN = 2.5
"""Body heights per second, as ``TrackerConfig.run``: 4 m/s."""
_HANDED_ON_S = 1.0
"""A track that begins so soon after another was lost, within a body of it, may be the same person's."""


@dataclass(frozen=True, slots=True)
class Line:
    """A directed segment in shares of the picture (0–1, y down), and the point of a person that crosses it.

    ``anchor``: ``centre`` of the box, or ``foot``, the middle of its lower edge.
    """

    name: str
    start: Point
    end: Point
    anchor: Anchor = "centre"

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("the line has no length")

    def side(self, point: Point) -> float:
        """Positive on the positive side, 0 on the line; grows with the distance."""
        (x1, y1), (x2, y2) = self.start, self.end
        return (point[0] - x1) * (y2 - y1) - (point[1] - y1) * (x2 - x1)

    def along(self, point: Point) -> float:
        """0 at ``start``, 1 at ``end``, for a point on the line."""
        (x1, y1), (x2, y2) = self.start, self.end
        dx, dy = x2 - x1, y2 - y1
        return ((point[0] - x1) * dx + (point[1] - y1) * dy) / (dx * dx + dy * dy)

    def extent(self, width: float, height: float) -> float:
        """Half of what a box of this size measures across the line, in the unit of ``side``."""
        (x1, y1), (x2, y2) = self.start, self.end
        return (abs(y2 - y1) * width + abs(x2 - x1) * height) / 2

    def towards(self, direction: Direction) -> Literal["right", "left", "down", "up"]:
        """The direction in words of the picture, by the axis that dominates."""
        (x1, y1), (x2, y2) = self.start, self.end
        sign = 1 if direction == "positive" else -1
        across_x, across_y = sign * (y2 - y1), -sign * (x2 - x1)
        if abs(across_x) >= abs(across_y):
            return "right" if across_x > 0 else "left"
        return "down" if across_y > 0 else "up"


@dataclass(frozen=True, slots=True)
class Crossing:
    """A person crossed a line at ``time``.

    ``movement`` is the displacement, in shares of the picture, from where the person was last clearly before the line
    to where it was first clearly behind it. ``rule`` says how it was decided: ``crossed`` (seen on both sides),
    ``from_border`` or ``to_border`` (one side lies outside the picture).
    """

    line: str
    time: float
    direction: Direction
    movement: tuple[float, float]
    person: Person
    rule: Literal["crossed", "from_border", "to_border"]


@dataclass(slots=True)
class _Path:
    """What a line remembers of a track."""

    side: int
    """Where the person clearly was last: 1 or -1."""
    clear: Point
    """The anchor at that moment."""
    last: Point
    last_value: float
    last_time: float
    person: Person
    passed: tuple[float, float] | None = None
    """Time and place along the line of the latest change of sides."""
    outside: int | None = None
    """The border (0 left, 1 upper, 2 right, 3 lower) behind which ``side`` is: somebody came in through it."""
    birth: Corners | None = field(default=None)
    """The first box, while the person has not been seen whole."""
    born: float = 0.0
    begun: Point = (0.0, 0.0)
    """Time and place of the first sighting."""
    known: bool = False
    """Was seen often enough to be a person."""


class LineCounter:
    """Counts one line. The side of a person is kept for the life of the track.

    A change of sides counts when the anchor is clearly behind the line: by ``hysteresis`` of what the box measures
    across the line. Until then it does not count, and then it does not count again before the person is clearly back.
    """

    def __init__(
        self,
        line: Line,
        *,
        hysteresis: float = 0.2,
        least_detections: int = 3,
        least_seconds: float = 0.4,
        least_score: float = 0.25,
    ) -> None:
        """A track counts once it was seen ``least_detections`` times over ``least_seconds``, with that mean score.

        0.4 s are three pictures at 5 a second: what flickers for less is a part of somebody, or nobody.
        """
        self.line = line
        self._hysteresis = hysteresis
        self._least = least_detections
        self._least_seconds = least_seconds
        self._least_score = least_score
        self._paths: dict[int, _Path] = {}
        self._watching = self._latest = -math.inf
        """Times of the first picture since the start or a gap, before which nothing was watched, and of the latest."""

    def update(self, people: Sequence[Person], ended: Sequence[int], time: float) -> list[Crossing]:
        """The crossings that this picture completes; ``time`` of the picture in seconds."""
        crossings = []
        if time - self._latest > _GAP_S:
            self._watching = time
        self._latest = time
        for person in people:
            path = self._paths.get(person.track)
            if path is None:
                self._paths[person.track] = self._begin(person, time)
            elif (crossing := self._follow(path, person, time)) is not None:
                crossings.append(crossing)
        for track in ended:
            gone = self._paths.pop(track, None)
            if gone is not None and (crossing := self._leave(gone, time)) is not None:
                crossings.append(crossing)
        return crossings

    def _begin(self, person: Person, time: float) -> _Path:
        point = _anchor(person.frame, self.line.anchor)
        value = self.line.side(point)
        path = _Path(1 if value >= 0 else -1, point, point, value, time, person, born=time, begun=point)
        if not person.whole:
            path.birth = person.box
        self._set_origin(path, person.box, point, value)
        return path

    def _set_origin(self, path: _Path, box: Corners, point: Point, value: float) -> None:
        """The side from which somebody has come who was first seen at ``point``, in ``box``."""
        path.side, path.clear, path.outside = 1 if value >= 0 else -1, point, None
        border, origin = _beyond_border(box, point)
        if border is None:
            return
        before = self.line.side(origin)
        if before * value < 0:
            place = self._place(origin, point, before / (before - value))
            if 0 <= place <= 1:
                path.side, path.clear, path.outside = (1 if before > 0 else -1), origin, border
                path.passed = path.passed or (path.born, place)

    def _begin_again(self, path: _Path, person: Person) -> None:
        """Where somebody was first, now that more of the person is seen: as near to here as the first box allows."""
        if path.birth is None:
            return
        first = _covering(path.birth, person.frame)
        point = _anchor(first, self.line.anchor)
        self._set_origin(path, path.birth, point, self.line.side(point))
        if person.whole:
            path.birth = None

    def _look_back(self, path: _Path, person: Person) -> None:
        """Nobody appears from nothing: who was outside the picture a moment before has come in, though not seen to."""
        value = self.line.side(path.begun)
        if not _is_walking(person) or path.outside is not None or value * path.side < 0 or self._continues(path):
            return
        before = _moved(path.begun, person.velocity, -_UNSEEN_S)
        border = _left_through(before)
        if border is None:
            return
        other = self.line.side(before)
        if other * value < 0:
            share = other / (other - value)
            place = self._place(before, path.begun, share)
            moment = path.born - (1 - share) * _UNSEEN_S
            if 0 <= place <= 1 and moment > self._watching:
                path.side, path.clear, path.outside = (1 if other > 0 else -1), before, border
                path.passed = path.passed or (moment, place)

    def _continues(self, path: _Path) -> bool:
        """Whether a known person was lost near where and when this track began: more likely the same one again."""
        return any(
            other.known
            and path.born - _HANDED_ON_S <= other.last_time < path.born
            and _near(other.last, path.begun, path)
            for other in self._paths.values()
        )

    def _follow(self, path: _Path, person: Person, time: float) -> Crossing | None:
        point = _anchor(person.frame, self.line.anchor)
        value = self.line.side(point)
        if value * path.last_value < 0 or (value != 0 and path.last_value == 0):
            share = path.last_value / (path.last_value - value)
            path.passed = (
                path.last_time + share * (time - path.last_time),
                self._place(_anchor(path.person.box, self.line.anchor), _anchor(person.box, self.line.anchor), share),
            )
        path.last, path.last_value, path.last_time, path.person = point, value, time, person
        self._begin_again(path, person)
        if not path.known and self._is_known(person, time):
            path.known = True
            self._look_back(path, person)
        x1, y1, x2, y2 = person.frame
        band = 2 * self._hysteresis * self.line.extent(x2 - x1, y2 - y1)
        if value * path.side > 0:
            if abs(value) >= band:
                path.clear, path.outside = point, None
            return None
        if abs(value) < band or not path.known:
            return None
        if path.outside is None:
            return self._cross(path, "crossed")
        # Who still touches the border they came through may go back; the others may touch: large people do.
        return None if cut_by_border(person.box)[path.outside] else self._cross(path, "from_border")

    def _is_known(self, person: Person, time: float) -> bool:
        # A hair less than asked for: times are sums of tenths.
        seen = time - person.since >= self._least_seconds - 1e-6
        return seen and person.detections >= self._least

    def _cross(self, path: _Path, rule: Literal["crossed", "from_border", "to_border"]) -> Crossing | None:
        before, path.side, path.outside, path.birth = path.clear, -path.side, None, None
        path.clear = path.last
        passed, path.passed = path.passed, None
        # What the detector doubts is no person, and does not become one when a person takes over its track later.
        if passed is None or not 0 <= passed[1] <= 1 or path.person.score < self._least_score or path.person.part:
            return None
        movement = path.last[0] - before[0], path.last[1] - before[1]
        direction: Direction = "positive" if path.side > 0 else "negative"
        return Crossing(self.line.name, passed[0], direction, movement, path.person, rule)

    def _leave(self, path: _Path, time: float) -> Crossing | None:
        """A track given up at ``time``: who was behind the line, though not clearly, or on the way out, has crossed."""
        if path.outside is not None or not path.known:
            return None
        if path.last_value * path.side < 0:
            gone = any(cut_by_border(path.person.box))
            return self._cross(path, "to_border") if gone else None
        after = _moved(path.last, path.person.velocity, _UNSEEN_S)
        value = self.line.side(after)
        if _left_through(after) is None or value * path.side >= 0 or self._goes_on(path):
            return None
        share = path.last_value / (path.last_value - value)
        moment = path.last_time + share * _UNSEEN_S
        if moment > time or not _is_walking(path.person):
            return None
        path.passed = moment, self._place(path.last, after, share)
        path.last, path.last_value = after, value
        return self._cross(path, "to_border")

    def _goes_on(self, path: _Path) -> bool:
        """Whether another track began near where and when this one was lost."""
        return any(
            path.last_time < other.born <= path.last_time + _HANDED_ON_S and _near(path.last, other.begun, path)
            for other in self._paths.values()
        )

    def _place(self, a: Point, b: Point, share: float) -> float:
        """Where along the line somebody was at ``share`` of the way from ``a`` to ``b``."""
        return self.line.along((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))


def _moved(point: Point, velocity: Point, seconds: float) -> Point:
    return point[0] + seconds * velocity[0], point[1] + seconds * velocity[1]


def _is_walking(person: Person) -> bool:
    """Whether the speed is a person's: of somebody whose size is known, and no faster than people run."""
    x1, y1, x2, y2 = person.frame
    across, down = person.velocity
    # As in the tracker, a box is taken as 0.4 times as wide as high.
    return person.whole and math.hypot(0.4 * across / (x2 - x1), down / (y2 - y1)) <= _RUN


def _near(a: Point, b: Point, path: _Path) -> bool:
    """Within two widths and one height of this path's body."""
    x1, y1, x2, y2 = path.person.frame
    return abs(a[0] - b[0]) <= 2 * (x2 - x1) and abs(a[1] - b[1]) <= y2 - y1


def _left_through(point: Point) -> int | None:
    """The border beyond which a point lies, in the order of ``cut_by_border``; None inside the picture."""
    x, y = point
    beyond = (-x, -y, x - 1, y - 1)
    furthest = max(range(4), key=beyond.__getitem__)
    return furthest if beyond[furthest] >= 0 else None


def _anchor(box: Corners, anchor: Anchor) -> Point:
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, (y2 if anchor == "foot" else (y1 + y2) / 2)


def _covering(box: Corners, body: Corners) -> Corners:
    """The place of ``body`` that covers ``box`` and is nearest to where it is; an edge at the border bounds nothing."""
    left, upper, right, lower = cut_by_border(box)
    middle = (body[0] + body[2] - box[0] - box[2]) / 2
    across = _shift(box, body, 0, left, right) if left or right else middle
    down = _shift(box, body, 1, upper, lower)
    return body[0] - across, body[1] - down, body[2] - across, body[3] - down


def _shift(box: Corners, body: Corners, axis: int, before: bool, after: bool) -> float:
    least, most = body[axis] - box[axis], body[axis + 2] - box[axis + 2]
    if before != after:
        return most if before else least
    return min(max(0.0, least), max(least, most))


def _beyond_border(box: Corners, point: Point) -> tuple[int | None, Point]:
    """Through which border a person whose box it cuts comes, and where they were before: just outside.

    None and the point itself for one inside.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    x, y = point
    left, upper, right, lower = cut_by_border(box)
    # Who reaches from one border to the opposite one may have come through either.
    if left != right:
        return (0, (-width, y)) if left else (2, (1 + width, y))
    if lower != upper:
        return (3, (x, 1 + height)) if lower else (1, (x, -height))
    return None, point
