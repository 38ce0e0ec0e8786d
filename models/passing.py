"""How the people who were seen walked past a line: through it, around its ends, or not at all, and who stood there."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lines import Anchor, Point
from models.observation import Observation, Walk, distance

Doubles = npt.NDArray[np.float64]

_WALKED = 1.0
"""Body heights from the first to the last sighting from which somebody walked."""
_NEAR = 1.0
"""Body heights from the line within which somebody came near it."""
_BESIDE = 1.0
"""Body heights beyond an end of the line within which somebody walked around that end."""
_SLOW = 0.2
"""Body heights per second (0.35 m/s) below which somebody stands, measured over a second: boxes tremble."""
_STOOD_S = 3.0


@dataclass(frozen=True, slots=True)
class Passing:
    """Numbers of people: who walked at all, came near the line, went through it, beside its start and its end.

    ``standing`` people stopped on it; ``stood`` is the longest of their times in seconds.
    """

    walkers: int
    near: int
    through: int
    before_start: int
    after_end: int
    standing: int
    stood: float


def passing(start: Point, end: Point, anchor: Anchor, seen: Observation) -> Passing:
    """Of everybody seen. Each person counts once in each number."""
    walkers = near = through = before = after = standing = 0
    stood = 0.0
    for walk in seen.walks:
        tall = float(np.median(walk.boxes[:, 3] - walk.boxes[:, 1]))
        points = walk.anchors(anchor)
        away = distance(points, start, end, seen.aspect) / max(tall, 1e-6)
        walked = _walked(points, seen.aspect) / max(tall, 1e-6) >= _WALKED
        walkers += walked
        near += bool(walked and (away.min() <= _NEAR))
        places = _crossed_at(points, start, end)
        long = float(np.hypot((end[0] - start[0]) * seen.aspect, end[1] - start[1]))
        beside = _BESIDE * tall / max(long, 1e-6)
        inside = bool(((places >= 0) & (places <= 1)).any())
        through += inside
        before += not inside and bool(((places < 0) & (places >= -beside)).any())
        after += not inside and bool(((places > 1) & (places <= 1 + beside)).any())
        seconds = _stands(walk, points, away, tall, seen.aspect)
        standing += seconds >= _STOOD_S
        stood = max(stood, seconds)
    return Passing(walkers, near, through, before, after, standing, stood)


def _walked(points: Doubles, aspect: float) -> float:
    """The diagonal of where somebody was, in picture heights."""
    span = np.ptp(points, axis=0)
    return float(np.hypot(span[0] * aspect, span[1]))


def _crossed_at(points: Doubles, start: Point, end: Point) -> Doubles:
    """Where along the line (0 at its start, 1 at its end, also beyond) the way crosses it or its extension."""
    direction = np.array(end) - np.array(start)
    offset = points - np.array(start)
    value = offset[:, 0] * direction[1] - offset[:, 1] * direction[0]
    # Who stands exactly on the line is on no side: what counts is where they came from and went to.
    offset, value = offset[value != 0], value[value != 0]
    change = np.flatnonzero(value[:-1] * value[1:] < 0)
    share = value[change] / (value[change] - value[change + 1])
    at = offset[change] + share[:, None] * (offset[change + 1] - offset[change])
    places: Doubles = at @ direction / max(float(direction @ direction), 1e-18)
    return places


def _stands(walk: Walk, points: Doubles, away: Doubles, tall: float, aspect: float) -> float:
    """Seconds for which somebody stood within half a body of the line."""
    later = np.searchsorted(walk.times, walk.times + 1.0)
    now = np.flatnonzero(later < len(points))
    later = later[now]
    step = points[later] - points[now]
    moved = np.hypot(step[:, 0] * aspect, step[:, 1]) / max(tall, 1e-6)
    slow = (moved / (walk.times[later] - walk.times[now]) < _SLOW) & (away[now] <= _NEAR / 2)
    lasts = np.minimum(np.diff(walk.times, append=walk.times[-1])[now], 1.0)
    return float(lasts[slow].sum())
