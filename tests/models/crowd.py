"""Made-up people who walk through a picture, as a detector would report them: the calibration side of the tracker.

Seeds below 1000 are for choosing settings, seeds from 1000 for tests; no recorded video is involved.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from models.config import TrackerConfig
from models.detector import Detections
from models.lines import Crossing, Line, LineCounter, Point
from models.tracker import Person, Tracker

Boxes = dict[int, tuple[float, float, float, float]]
"""True boxes of one picture (x1, y1, x2, y2 as shares) by person."""
ASPECT = 4 / 3


@dataclass(frozen=True)
class Noise:
    """How a detector differs from the truth: shares of the box, probabilities."""

    jitter: float = 0.03
    missed: float = 0.08
    hidden: float = 0.65
    """Share of a person covered by nearer ones from which it is missed."""
    ghosts: float = 0.05
    """Expected false detections per picture."""


def walkers(seed: int, *, people: int = 10, seconds: float = 30.0, fps: float = 10.0) -> list[Boxes]:
    """People who cross the picture on gently bent paths at 0.8–1.8 m/s, some stopping on the way or turning back."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * fps)) / fps
    pictures: list[Boxes] = [{} for _ in times]
    for person in range(people):
        height = rng.uniform(0.12, 0.35)
        width = height * rng.uniform(0.34, 0.46) / ASPECT
        speed = rng.uniform(0.8, 1.8) / 1.7 * height / ASPECT
        foot = 0.35 + 1.6 * height + rng.uniform(-0.05, 0.05)
        start = rng.uniform(-0.4, 0.8) * seconds
        leftwards = rng.random() < 0.5
        drift = rng.uniform(-0.02, 0.02)
        pause = (rng.uniform(0, seconds), rng.uniform(0.5, 4)) if rng.random() < 0.3 else (0.0, 0.0)
        turn = rng.uniform(0, seconds) if rng.random() < 0.15 else np.inf
        travelled = 0.0
        for index, time in enumerate(times):
            if time < start:
                continue
            if not pause[0] <= time < pause[0] + pause[1]:
                travelled += speed / fps * (-1 if time > turn else 1)
            x = -width + travelled
            x = 1 - x if leftwards else x
            y = foot + drift * (time - start) + 0.004 * np.sin(7 * time)
            box = (max(0.0, x - width / 2), max(0.0, y - height), min(1.0, x + width / 2), min(1.0, y))
            if box[2] - box[0] > width / 3 and box[3] - box[1] > height / 3:
                pictures[index][person] = box
    return pictures


def recorded(path: Path, width: int = 640, height: int = 480) -> list[Boxes]:
    """True boxes of a recording in the MOT text format."""
    rows = np.loadtxt(path, delimiter=",", usecols=range(6))
    pictures: list[Boxes] = [{} for _ in range(int(rows[:, 0].max()))]
    for frame, person, x, y, w, h in rows:
        pictures[int(frame) - 1][int(person)] = (x / width, y / height, (x + w) / width, (y + h) / height)
    return pictures


def detected(pictures: Sequence[Boxes], noise: Noise, seed: int) -> Iterator[Detections]:
    """What a detector reports: jitter, misses (low scores first), people hidden by nearer ones, ghosts."""
    rng = np.random.default_rng(seed)
    for truth in pictures:
        boxes, scores = [], []
        near_first = sorted(truth.values(), key=lambda box: -box[3])
        for rank, box in enumerate(near_first):
            covered = max((_covered(box, other) for other in near_first[:rank]), default=0.0)
            if covered > noise.hidden or rng.random() < noise.missed:
                continue
            size = np.array([box[2] - box[0], box[3] - box[1]] * 2)
            boxes.append(np.array(box) + noise.jitter * size * rng.normal(size=4))
            scores.append(np.clip(rng.normal(0.75 - 0.6 * covered, 0.15), 0.06, 0.95))
        for _ in range(rng.poisson(noise.ghosts)):
            corner, height = rng.uniform(0, 0.8, 2), rng.uniform(0.1, 0.2)
            boxes.append(np.concatenate([corner, corner + np.array([height * 0.3, height])]))
            scores.append(rng.uniform(0.1, 0.4))
        order = np.argsort(-np.array(scores))
        yield (
            Detections(
                np.clip(np.array(boxes)[order], 0, 1).astype(np.float32), np.array(scores)[order].astype(np.float32)
            )
            if boxes
            else Detections.none()
        )


def _covered(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    wide = min(box[2], other[2]) - max(box[0], other[0])
    high = min(box[3], other[3]) - max(box[1], other[1])
    return max(0.0, wide) * max(0.0, high) / ((box[2] - box[0]) * (box[3] - box[1]))


def true_crossings(pictures: Sequence[Boxes], lines: Sequence[Line], fps: float) -> list[Crossing]:
    """What a perfect tracker would count: the same rule on the true boxes."""
    counters = [LineCounter(line) for line in lines]
    seen: dict[int, tuple[float, int]] = {}
    result: list[Crossing] = []
    for index, truth in enumerate(pictures):
        time = index / fps
        people = []
        for person, box in truth.items():
            since, count = seen.get(person, (time, 0))
            seen[person] = since, count + 1
            people.append(Person(person, box, 1.0, since, count + 1))
        for counter in counters:
            result += counter.update(people, [], time)
    for counter in counters:
        result += counter.update([], list(seen), len(pictures) / fps)
    return result


def counted(
    found: Sequence[Detections],
    lines: Sequence[Line],
    fps: float,
    *,
    every: int = 1,
    config: TrackerConfig | None = None,
) -> list[Crossing]:
    """Tracker and lines on every ``every``-th picture."""
    tracker = Tracker(config)
    counters = [LineCounter(line) for line in lines]
    result: list[Crossing] = []
    for index in range(0, len(found), every):
        update = tracker.update(found[index], index / fps)
        for counter in counters:
            result += counter.update(update.people, update.ended, index / fps)
    ended = tracker.finish()
    for counter in counters:
        result += counter.update([], ended, len(found) / fps)
    return result


def compared(mine: Sequence[Crossing], truth: Sequence[Crossing], tolerance: float = 1.0) -> npt.NDArray[np.int_]:
    """Correct, false, missed: same line, same direction, within ``tolerance`` seconds, one to one."""
    cost = np.full((len(mine), len(truth)), 1e3)
    for i, one in enumerate(mine):
        for j, other in enumerate(truth):
            apart = abs(one.time - other.time)
            if one.line == other.line and one.direction == other.direction and apart <= tolerance:
                cost[i, j] = apart
    rows, columns = linear_sum_assignment(cost)
    correct = int((cost[rows, columns] < 1e3).sum())
    return np.array([correct, len(mine) - correct, len(truth) - correct])


def grid_lines(anchor: str = "centre") -> list[Line]:
    """Nine upright, five level and two slanted lines through the picture."""
    lines = [Line(f"v{i}", (x, 0.1), (x, 1.0), anchor) for i, x in enumerate(np.linspace(0.1, 0.9, 9))]  # type: ignore[arg-type]
    lines += [Line(f"h{i}", (0.1, y), (0.9, y), anchor) for i, y in enumerate(np.linspace(0.4, 0.8, 5))]  # type: ignore[arg-type]
    lines += [Line("d0", (0.2, 0.2), (0.6, 1.0), anchor), Line("d1", (0.8, 0.2), (0.4, 1.0), anchor)]  # type: ignore[arg-type]
    return lines


def entering(
    seed: int,
    *,
    group: int = 1,
    speed: tuple[float, float] = (0.8, 1.8),
    fps: float = 10.0,
    groups: int = 6,
    seconds: float = 40.0,
) -> Iterator[tuple[Line, list[tuple[float, str]], list[Boxes]]]:
    """People who enter or leave through the left, right and lower edge, across a line 0.6–1.6 bodies from it.

    For each edge: the line, when whole bodies cross it and to which side (``L2R``: the positive), and what is seen of
    them. ``speed`` in m/s of people of 1.7 m; those of a group walk side by side, half a body apart, at one speed.
    """
    rng = np.random.default_rng(seed)
    for edge in ("left", "right", "lower"):
        height = rng.uniform(0.25, 0.4)
        width = height * 0.4 / ASPECT
        from_edge = rng.uniform(0.6, 1.6) * (height / 2 if edge == "lower" else width)
        line = {
            "left": Line("edge", (from_edge, 0.05), (from_edge, 1.0)),
            "right": Line("edge", (1 - from_edge, 0.05), (1 - from_edge, 1.0)),
            "lower": Line("edge", (0.0, 1 - from_edge), (1.0, 1 - from_edge)),
        }[edge]
        pictures: list[Boxes] = [{} for _ in range(int(seconds * fps))]
        truth: list[tuple[float, str]] = []
        for number in range(groups):
            inwards = rng.random() < 0.6
            begin = number * seconds / groups
            pace = rng.uniform(*speed) / 1.7 * height
            place, beside = rng.uniform(0.3, 0.7), 0.0
            for member in range(group):
                one = height * rng.uniform(0.92, 1.08)
                behind = rng.uniform(-0.4, 0.4) / 1.7 * height
                path = _path(edge, pace, behind, place + beside, one)
                beside += rng.uniform(0.6, 1.3) * width if edge == "lower" else rng.uniform(0.08, 0.25) * one
                _walk(pictures, truth, line, path, one, (begin, seconds / groups, fps), inwards, 10 * number + member)
        yield line, sorted(truth), pictures


def _path(edge: str, pace: float, behind: float, across: float, height: float) -> Callable[[float], Point]:
    """Centre of a body by seconds since its group came up to the edge."""

    def at(time: float) -> Point:
        gone = pace * time - behind
        if edge == "lower":
            return across, 1 + height / 2 - gone
        x = gone / ASPECT - height * 0.2 / ASPECT
        return (x if edge == "left" else 1 - x), 0.3 + across * 0.6

    return at


def _walk(
    pictures: list[Boxes],
    truth: list[tuple[float, str]],
    line: Line,
    path: Callable[[float], Point],
    height: float,
    when: tuple[float, float, float],
    inwards: bool,
    person: int,
) -> None:
    """Draw one body that walks in, or out again, for the span ``when``: begin, length, pictures per second."""
    begin, length, fps = when
    before: float | None = None
    half = height * 0.2 / ASPECT
    for index in range(int(begin * fps), min(len(pictures), int((begin + length) * fps))):
        since = index / fps - begin
        x, y = path(since if inwards else length - 1 - since)
        side = line.side((x, y))
        if before is not None and before * side < 0:
            truth.append((index / fps, "L2R" if side > 0 else "R2L"))
        before = side
        box = (max(0.0, x - half), max(0.0, y - height / 2), min(1.0, x + half), min(1.0, y + height / 2))
        if box[2] - box[0] > 2 * half / 3 and box[3] - box[1] > height / 3:
            pictures[index][person] = box
