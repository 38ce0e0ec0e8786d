"""Where people walked in a camera's picture and how large they were there: what calibration looks at, in RAM only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lines import Anchor, Point
from models.tracker import Update

Doubles = npt.NDArray[np.float64]

NEAREST = 25
"""Sightings nearest to a place that tell how large people are there."""
FEWEST = 8
"""With fewer sightings in all nothing is said about sizes."""
USUAL_HEIGHT = 0.25
"""Share of the picture's height that a person is taken to have where nobody was seen."""
SMALLEST_HEIGHT = 0.05
"""The same for the smallest person that can be counted: 24 px of 480."""
WIDTH_OF_HEIGHT = 0.4
"""Of a standing or walking person's box, in pixels."""
_MOST = 40_000
"""Sightings kept (3 MB); what comes after is not."""
_LEAST_DETECTIONS = 3
_LEAST_SCORE = 0.25


@dataclass(frozen=True, slots=True)
class Size:
    """Of a person's box as shares of the picture; ``seen`` says that it was observed and is not the usual one."""

    width: float
    height: float
    seen: bool


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way: ``times`` ``(n,)`` in seconds, ``boxes`` ``(n, 4)`` x1 y1 x2 y2 as shares of the picture."""

    times: Doubles
    boxes: Doubles

    def anchors(self, anchor: Anchor) -> Doubles:
        """``(n, 2)``: the point of the person that crosses lines."""
        return anchors(self.boxes, anchor)


@dataclass(frozen=True, slots=True)
class Observation:
    """The walks of everybody seen; ``aspect`` is the picture's width divided by its height."""

    aspect: float
    walks: tuple[Walk, ...] = ()

    @property
    def boxes(self) -> Doubles:
        """All sightings, ``(n, 4)``."""
        return np.concatenate([walk.boxes for walk in self.walks]) if self.walks else np.empty((0, 4))

    def size_near(self, start: Point, end: Point, anchor: Anchor) -> Size:
        """How large people are at the segment: the median of the nearest sightings."""
        boxes = self.near(start, end, anchor)
        if not len(boxes):
            return usual_size(self.aspect)
        spans = boxes[:, 2:] - boxes[:, :2]
        return Size(float(np.median(spans[:, 0])), float(np.median(spans[:, 1])), True)

    def near(self, start: Point, end: Point, anchor: Anchor) -> Doubles:
        """The boxes ``(n, 4)`` of the sightings nearest to the segment; none when too few people were seen at all."""
        boxes = self.boxes
        if len(boxes) < FEWEST:
            return np.empty((0, 4))
        away = distance(anchors(boxes, anchor), start, end, self.aspect)
        return boxes[np.argsort(away, kind="stable")[:NEAREST]]


def usual_size(aspect: float, height: float = USUAL_HEIGHT) -> Size:
    """What is assumed where nobody was seen."""
    return Size(WIDTH_OF_HEIGHT * height / aspect, height, False)


def anchors(boxes: Doubles, anchor: Anchor) -> Doubles:
    """``(n, 2)``: centre of each box ``(n, 4)``, or the middle of its lower edge."""
    x = (boxes[:, 0] + boxes[:, 2]) / 2
    return np.stack([x, boxes[:, 3] if anchor == "foot" else (boxes[:, 1] + boxes[:, 3]) / 2], axis=1)


def distance(points: Doubles, start: Point, end: Point, aspect: float) -> Doubles:
    """``(n,)``: from points ``(n, 2)`` (shares of the picture) to the segment, in picture heights."""
    scale = np.array([aspect, 1.0])
    a, b, p = np.array(start) * scale, np.array(end) * scale, points * scale
    along = b - a
    share = np.clip((p - a) @ along / max(float(along @ along), 1e-18), 0, 1)
    gap: Doubles = np.hypot(*(p - a - share[:, None] * along).T)
    return gap


class Observer:
    """Collects an ``Observation`` from what a tracker says, picture by picture."""

    def __init__(self, aspect: float) -> None:
        self._aspect = aspect
        self._seen: dict[int, list[tuple[float, tuple[float, float, float, float]]]] = {}
        self._sure: set[int] = set()
        self._count = 0

    def see(self, update: Update, time: float) -> None:
        """One picture at ``time`` (seconds)."""
        for person in update.people:
            if self._count >= _MOST:
                return
            self._seen.setdefault(person.track, []).append((time, person.box))
            self._count += 1
            if person.detections >= _LEAST_DETECTIONS and person.score >= _LEAST_SCORE:
                self._sure.add(person.track)
        for track in update.ended:
            if track not in self._sure:
                self._count -= len(self._seen.pop(track, ()))

    def observation(self) -> Observation:
        """What was seen until now, of tracks that are people."""
        return Observation(self._aspect, tuple(_walk(self._seen[track]) for track in sorted(self._sure)))


def _walk(sightings: Sequence[tuple[float, tuple[float, float, float, float]]]) -> Walk:
    return Walk(np.array([time for time, _ in sightings]), np.array([box for _, box in sightings]))
