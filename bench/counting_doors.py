"""Made-up shop doors: cameras from above and aslant, lines at any angle, doorways in mid-picture, 3 to 30 fps.

Nobody's video is involved. People walk straight across a line, alone, as pairs and as threes, or along it without
crossing; others come towards them. A detector's noise has memory: it misses somebody for a while, sees only the upper
half for a while, and keeps one of two boxes that overlap much. Seeds below 1000 are for choosing, the rest for judging.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bench.counting_peers import Counted
from bench.counting_scenes import Scene
from models.detector import Detections
from models.lines import Line

Point = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
ASPECT = 16 / 9
"""Of the picture: a share of its height measures less of its width."""


@dataclass(frozen=True)
class Door:
    """What kind of scene. ``speed`` in m/s; ``tall``: height of a body's box in its widths (overhead: nearly 1)."""

    name: str
    fps: float = 10.0
    angle: float = 0.0
    """Of the line in degrees: 0 is upright, 90 level."""
    tall: float = 2.6
    group: int = 1
    speed: tuple[float, float] = (0.8, 1.8)
    way_in: str = "border"
    """``border``: the line lies about a body from the border; ``doorway``: people appear in mid-picture."""
    along: bool = False
    """People who walk along the line, too."""
    meeting: bool = False
    """Groups come from both sides at once."""
    near: bool = False
    """People two to four times as large, close to the camera; the line lies half a body from the border."""
    stop: bool = False
    """People stand near the line for some seconds before they go on."""


DOORS: tuple[Door, ...] = (
    Door("door, alone"),
    Door("door, alone, 30 fps", fps=30),
    Door("door, alone, 5 fps", fps=5),
    Door("door, alone, 3 fps", fps=3),
    Door("door, alone, level line, 10 fps", angle=90),
    Door("door, alone, slanted line, 5 fps", angle=40, fps=5),
    Door("door, alone, fast, 10 fps", speed=(2.0, 3.5)),
    Door("door, alone, fast, 5 fps", speed=(2.0, 3.5), fps=5),
    Door("door, pair, 10 fps", group=2),
    Door("door, pair, level line, 5 fps", group=2, angle=90, fps=5),
    Door("door, three, 10 fps", group=3),
    Door("door, three, level line, 5 fps", group=3, angle=90, fps=5),
    Door("doorway in mid-picture, alone", way_in="doorway"),
    Door("doorway in mid-picture, alone, level, 5 fps", way_in="doorway", fps=5, angle=90),
    Door("doorway in mid-picture, pair", way_in="doorway", group=2),
    Door("doorway in mid-picture, fast, 5 fps", way_in="doorway", fps=5, speed=(2.0, 3.5)),
    Door("from above, alone, level line", tall=1.1, angle=90),
    Door("from above, pair, level line", tall=1.1, angle=90, group=2),
    Door("from above, three, slanted line, 5 fps", tall=1.1, angle=60, group=3, fps=5),
    Door("along the line, alone", along=True),
    Door("along the line, level line, 5 fps", along=True, angle=90, fps=5),
    Door("two ways, alone", meeting=True),
    Door("two ways, pairs, 5 fps", meeting=True, group=2, fps=5),
    Door("they stop, alone", stop=True),
    Door("they stop, pairs, level line", stop=True, group=2, angle=90),
    Door("near, level line, 5 fps", near=True, angle=90, fps=5),
    Door("near, level line, 3 fps", near=True, angle=90, fps=3),
    Door("near, level line, 2 fps", near=True, angle=90, fps=2),
    Door("near, 3 fps", near=True, fps=3),
    Door("near, they stop, level line, 3 fps", near=True, angle=90, fps=3, stop=True),
)


@dataclass(frozen=True)
class _Walk:
    """A body: where its centre is at a time; size in shares of the picture; ``moves`` are pauses on the way."""

    begin: float
    end: float
    start: Point
    velocity: Point
    width: float
    height: float
    pause: tuple[float, float]

    def centre(self, time: float) -> Point:
        gone = time - self.begin
        after, length = self.pause
        return self.start + self.velocity * (gone - min(max(gone - after, 0.0), length))

    def body(self, time: float) -> Box:
        x, y = self.centre(time)
        return x - self.width / 2, y - self.height / 2, x + self.width / 2, y + self.height / 2


def doors(seeds: Sequence[int], kinds: Sequence[Door] = DOORS) -> list[Scene]:
    """A scene for each kind and seed."""
    return [scene(kind, seed) for kind in kinds for seed in seeds]


def scene(kind: Door, seed: int, *, groups: int = 8, apart: float = 6.0) -> Scene:
    """Groups one after the other, through one door."""
    rng = np.random.default_rng([seed, *kind.name.encode()])
    tilt = np.radians(kind.angle + rng.uniform(-8, 8))
    # Unit vectors of the picture measured in its heights: along the line and across it.
    way = np.array([np.sin(tilt), np.cos(tilt)])
    across = np.array([way[1], -way[0]]) * (1 if rng.random() < 0.5 else -1)
    high = rng.uniform(0.2, 0.34) * (2.5 if kind.near else 0.6 if kind.tall < 2 else 1)
    wide = high / kind.tall
    extent = abs(across[0]) * wide + abs(across[1]) * high
    size = np.array([ASPECT, 1.0])
    middle, blind = _placed(kind, rng, across, extent, size)
    (x1, y1), (x2, y2) = (((middle + sign * way * 1.2) / size).tolist() for sign in (-1, 1))
    line = Line("door", (x1, y1), (x2, y2))
    walks: list[_Walk] = []
    stature = high if kind.tall >= 2 else wide * 2.6
    for number in range(groups):
        for inwards in (True, False) if kind.meeting else (rng.random() < 0.55,):
            begin = number * apart + rng.uniform(0, 1)
            walks += _group(kind, rng, begin, middle, across * (1 if inwards else -1), way, (wide, high, stature))
    if kind.along:
        walks += [
            _stroller(rng, number * apart, middle, across, way, extent, (wide, high, stature))
            for number in range(groups)
        ]
    walks = [replace(w, start=w.start / size, velocity=w.velocity / size, width=w.width / ASPECT) for w in walks]
    times = np.arange(int((groups + 1) * apart * kind.fps)) / kind.fps
    truth = sorted(t for walk in walks for t in _crossings(walk, line))
    found = list(zip(times.tolist(), _detected(walks, times, line, blind, rng, kind.fps), strict=True))
    return Scene(kind.name, found, line, truth, kind.fps, (1280, 720))


def _placed(
    kind: Door, rng: np.random.Generator, across: Point, extent: float, size: Point
) -> tuple[Point, float | None]:
    """Middle of the line, and for a doorway how far before the line (in units of ``Line.side``, later) it is dark."""
    middle = size / 2 + rng.uniform(-0.08, 0.08, 2)
    if kind.way_in == "doorway":
        return middle, rng.uniform(0.5, 1.2) * extent
    # Push the line towards the border from which people come.
    reach = min((size[i] / 2) / abs(across[i]) for i in (0, 1) if abs(across[i]) > 0.3)
    return size / 2 - across * (reach - rng.uniform(*((0.4, 1.0) if kind.near else (0.7, 1.8))) * extent), None


def _group(
    kind: Door,
    rng: np.random.Generator,
    begin: float,
    middle: Point,
    heading: Point,
    way: Point,
    body: tuple[float, float, float],
) -> list[_Walk]:
    wide, high, stature = body
    pace = rng.uniform(*kind.speed) / 1.7 * stature
    slope = rng.uniform(-0.25, 0.25)
    velocity = (heading + slope * way) * pace
    until = 1.9
    place = rng.uniform(-0.12, 0.12)
    stop = (until * rng.uniform(0.7, 1.3), rng.uniform(1, 3)) if kind.stop and rng.random() < 0.6 else (0.0, 0.0)
    walks = []
    for member in range(kind.group):
        scale = rng.uniform(0.93, 1.07)
        # Half a metre to a metre beside each other, hardly behind each other; seen aslant, depth is a third of that.
        beside = member * rng.uniform(0.5, 0.9) / 1.7 * stature
        behind = rng.uniform(-0.35, 0.35) / 1.7 * stature
        offset = way * (place + beside) - heading * behind
        if kind.tall >= 2:
            offset = np.array([offset[0], offset[1] * 0.4]) if abs(way[1]) > 0.7 else offset
        start = middle + offset - velocity * until
        walks.append(_Walk(begin, begin + 2.2 * until + stop[1] + 1, start, velocity, wide * scale, high * scale, stop))
    return walks


def _stroller(
    rng: np.random.Generator,
    begin: float,
    middle: Point,
    across: Point,
    way: Point,
    extent: float,
    body: tuple[float, float, float],
) -> _Walk:
    """Somebody who walks along the line on one side of it, half a body to one and a half away."""
    wide, high, stature = body
    pace = rng.uniform(0.8, 1.5) / 1.7 * stature
    velocity = way * pace * (1 if rng.random() < 0.5 else -1)
    start = middle + across * extent * rng.uniform(0.45, 1.5) - velocity * 3
    return _Walk(begin + 1, begin + 7, start, velocity, wide, high, (0.0, 0.0))


def _crossings(walk: _Walk, line: Line) -> Counted:
    times = np.arange(walk.begin, walk.end, 0.01)
    sides = np.array([line.side(tuple(walk.centre(time))) for time in times])
    changes = np.flatnonzero(sides[1:] * sides[:-1] < 0)
    return [(float(times[i]), "L2R" if sides[i + 1] > 0 else "R2L") for i in changes]


@dataclass
class _Eye:
    """What the detector makes of one person just now; each state lasts for a while."""

    missed: bool = False
    partial: bool = False


def _detected(
    walks: Sequence[_Walk],
    times: npt.NDArray[np.float64],
    line: Line,
    blind: float | None,
    rng: np.random.Generator,
    fps: float,
) -> list[Detections]:
    eyes = {index: _Eye() for index in range(len(walks))}
    pictures = []
    for time in times:
        rows: list[tuple[Box, float]] = []
        bodies = [(i, w.body(time)) for i, w in enumerate(walks) if w.begin <= time < w.end]
        bodies.sort(key=lambda item: -item[1][3])
        for rank, (index, body) in enumerate(bodies):
            seen = _visible(body, line, blind, rng)
            eye = eyes[index]
            _blink(eye, rng, 1 / fps)
            if seen is None or eye.missed or rng.random() < 0.03:
                continue
            hidden = max((_share(seen, other) for _, other in bodies[:rank]), default=0.0)
            if hidden > 0.75:
                continue
            x1, y1, x2, y2 = seen
            if eye.partial:
                y2 = y1 + 0.55 * (y2 - y1)
            noise = rng.normal(0, 0.025, 4) * np.array([x2 - x1, y2 - y1] * 2)
            box = np.clip(np.array([x1, y1, x2, y2]) + noise, 0, 1)
            rows.append(
                (
                    tuple(box.tolist()),
                    float(np.clip(rng.normal(0.72 - 0.5 * hidden - 0.2 * eye.partial, 0.12), 0.05, 0.95)),
                )
            )
        for _ in range(rng.poisson(0.03)):
            x, y, high = rng.uniform(0, 0.8), rng.uniform(0, 0.8), rng.uniform(0.1, 0.2)
            rows.append(((x, y, x + 0.25 * high, y + high), rng.uniform(0.1, 0.4)))
        pictures.append(_kept(rows))
    return pictures


def _blink(eye: _Eye, rng: np.random.Generator, step: float) -> None:
    """On average one miss of 0.25 s in 4 s, one spell of half bodies of 0.4 s in 5 s."""
    eye.missed = rng.random() < (np.exp(-step / 0.25) if eye.missed else step / 4)
    eye.partial = rng.random() < (np.exp(-step / 0.4) if eye.partial else step / 5)


def _visible(body: Box, line: Line, blind: float | None, rng: np.random.Generator) -> Box | None:
    """What of a body lies in the picture and, at a doorway, on this side of the dark."""
    x1, y1, x2, y2 = body
    if blind is not None and not _out_of_the_dark(body, line, blind):
        return None
    left, upper, right, lower = max(0.0, x1), max(0.0, y1), min(1.0, x2), min(1.0, y2)
    if right <= left or lower <= upper:
        return None
    shown = (right - left) / (x2 - x1)
    if shown * (lower - upper) / (y2 - y1) < 0.33:
        return None
    # Of who is half out at a side the legs are seen last.
    if shown < 0.7:
        upper = max(upper, lower - (y2 - y1) * (0.4 + 0.6 * shown / 0.7))
    return left, upper, right, lower


def _out_of_the_dark(body: Box, line: Line, blind: float) -> bool:
    """The doorway is on the negative side of the line, where nobody is seen further away than ``blind``."""
    (x1, y1), (x2, y2) = line.start, line.end
    # Side in units of the picture's heights: the line is 2.4 long.
    x, y = (body[0] + body[2]) / 2, (body[1] + body[3]) / 2
    distance = ((x - x1) * ASPECT * (y2 - y1) - (y - y1) * (x2 - x1) * ASPECT) / 2.4
    return distance > -blind


def _share(box: Box, other: Box) -> float:
    wide, high = min(box[2], other[2]) - max(box[0], other[0]), min(box[3], other[3]) - max(box[1], other[1])
    return max(0.0, wide) * max(0.0, high) / ((box[2] - box[0]) * (box[3] - box[1]))


def _kept(rows: list[tuple[Box, float]], overlap: float = 0.45) -> Detections:
    """Of two boxes that overlap more than that the better one, as the detector does."""
    rows.sort(key=lambda row: -row[1])
    kept: list[tuple[Box, float]] = []
    for box, score in rows:
        area = (box[2] - box[0]) * (box[3] - box[1])
        if area <= 0:
            continue
        clash = False
        for other, _ in kept:
            common = _share(box, other) * area
            clash |= common > overlap * (area + (other[2] - other[0]) * (other[3] - other[1]) - common)
        if not clash:
            kept.append((box, score))
    if not kept:
        return Detections.none()
    return Detections(np.array([box for box, _ in kept], np.float32), np.array([s for _, s in kept], np.float32))
