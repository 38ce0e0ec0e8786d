"""Scenes in which people enter through the edge of the picture, alone and in groups, slowly and fast.

Views cut out of a recorded clip so that its line lies close to the new border; copies of everybody pasted a few tenths
of a second behind them, so that each comes as a pair or as three; the clip played faster than it was taken; true boxes
of recorded streets cut the same way; and made-up walkers. What is true follows from the crossings known beforehand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from bench.counting_peers import Counted, Found
from models.detector import Detections, Detector
from models.lines import Line
from sensors.readings import Image
from tests.models.crowd import Boxes, Noise, detected, entering, recorded, true_crossings

TOLERANCE_S = 1.0
BEHIND_S = 0.3
"""How far behind the person a pasted companion walks: an arm's length at 1.3 m/s, with the bodies overlapping."""
BELOW = 0.025
"""How much further down in the picture, as a share of its height: half a step nearer to the camera."""


@dataclass(frozen=True)
class Scene:
    """Detections of one sequence, its line, and the crossings that are true.

    ``doubtful``: spans of time, each of which may hold one more crossing there and back. ``size`` in pixels.
    """

    name: str
    found: Found
    line: Line
    truth: Counted
    fps: float
    size: tuple[int, int]
    doubtful: Sequence[tuple[float, float]] = ()


def judge(counted: Counted, scene: Scene, tolerance: float = TOLERANCE_S) -> npt.NDArray[np.int_]:
    """Correct, false, missed: one to one, the same direction, within ``tolerance`` seconds."""
    cost = np.full((len(counted), len(scene.truth)), 1e3)
    for i, (moment, direction) in enumerate(counted):
        for j, (true_moment, true_direction) in enumerate(scene.truth):
            if direction == true_direction and abs(moment - true_moment) <= tolerance:
                cost[i, j] = abs(moment - true_moment)
    rows, columns = linear_sum_assignment(cost)
    good = cost[rows, columns] < 1e3
    wrong = [item for i, item in enumerate(counted) if i not in set(rows[good].tolist())]
    for start, end in scene.doubtful:
        pair = [next((w for w in wrong if w[1] == way and start <= w[0] <= end), None) for way in ("L2R", "R2L")]
        if None not in pair:
            wrong = [item for item in wrong if item not in pair]
    correct = int(good.sum())
    return np.array([correct, len(wrong), len(scene.truth) - correct])


@dataclass(frozen=True)
class Clip:
    """Pictures of a recording at ``fps``, with the truth of its upright line."""

    images: Sequence[Image]
    fps: float
    truth: dict[str, Any]

    def events(self, copies: int = 1) -> Counted:
        """The true crossings, each ``copies`` times with the companions' delay."""
        return [(e["t"] + BEHIND_S * copy, e["dir"]) for copy in range(copies) for e in self.truth["events"]]

    def doubtful(self, copies: int = 1) -> list[tuple[float, float]]:
        """When the man hesitates on the line (see the truth's ``tolerated``)."""
        return [(68.1 + BEHIND_S * c, 71.1 + BEHIND_S * c) for c in range(copies) if self.truth.get("tolerated")]


def companions(clip: Clip, copies: int) -> Callable[[int], Image]:
    """The clip's pictures by number, everybody followed by ``copies`` − 1 of themselves."""
    background = np.median(np.stack(clip.images[:: max(1, len(clip.images) // 40)]), axis=0).astype(np.uint8)
    shift = round(BELOW * background.shape[0])

    def paste(number: int) -> Image:
        picture = clip.images[number].copy()
        for copy in range(1, copies):
            other = clip.images[max(0, number - round(BEHIND_S * clip.fps) * copy)]
            moved = cv2.absdiff(other, background).max(axis=2)
            mask = (cv2.GaussianBlur(moved, (5, 5), 0) > 28).astype(np.uint8)
            mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
            mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)).astype(bool)
            down = shift * copy
            picture[down:][mask[:-down]] = other[:-down][mask[:-down]]
        return picture

    return paste


def view(
    clip: Clip, name: str, left: float, right: float, *, copies: int = 1, every: int = 1, size: int = 416
) -> Scene:
    """The clip's line seen by a camera that shows only ``left`` to ``right`` (shares of the width)."""
    wide = clip.images[0].shape[1]
    first, last = round(left * wide), round(right * wide)
    (x, top), (_, bottom) = clip.truth["p1"], clip.truth["p2"]
    place = (x * wide - first) / (last - first)
    picture, detector = companions(clip, copies), Detector(long_side=size)
    found = [
        (number / clip.fps, detector.detect(np.ascontiguousarray(picture(number)[:, first:last])))
        for number in range(0, len(clip.images), every)
    ]
    line = Line("line", (place, top), (place, bottom))
    pixels = (last - first, clip.images[0].shape[0])
    return Scene(name, found, line, clip.events(copies), clip.fps / every, pixels, clip.doubtful(copies))


def thinned(scene: Scene, every: int, phase: int) -> Scene:
    """Every ``every``-th picture from the ``phase``-th."""
    name = f"{scene.name}, every {every} from {phase}"
    fps = scene.fps / every
    return Scene(name, scene.found[phase::every], scene.line, scene.truth, fps, scene.size, scene.doubtful)


def faster(scene: Scene, times: float) -> Scene:
    """The same pictures with a clock that makes everybody ``times`` as fast."""
    return Scene(
        f"{scene.name}, {times:g} times as fast",
        [(moment / times, found) for moment, found in scene.found],
        scene.line,
        [(moment / times, way) for moment, way in scene.truth],
        scene.fps * times,
        scene.size,
        [(start / times, end / times) for start, end in scene.doubtful],
    )


def _ways(pictures: Sequence[Boxes], line: Line, fps: float) -> Counted:
    return [
        (crossing.time, "L2R" if crossing.direction == "positive" else "R2L")
        for crossing in true_crossings(pictures, [line], fps)
    ]


def street(path: Path, *, every: int, seeds: Sequence[int]) -> list[Scene]:
    """Cut views of recorded true boxes (25 pictures a second) with a detector's noise; truth from the whole view.

    Lines lie one mean body width from the new border; a person who is less than a third inside is not seen.
    """
    pictures = recorded(path)
    body = float(np.mean([box[2] - box[0] for picture in pictures for box in picture.values()]))
    scenes = []
    for border in (0.2, 0.35, 0.5, 0.65):
        for leftmost in (True, False):
            left, right = (border, 1.0) if leftmost else (0.0, 1 - border)
            at = left + body if leftmost else right - body
            truth = _ways(pictures, Line("line", (at, 0.0), (at, 1.0)), 25.0)
            cut = [_cut(picture, left, right) for picture in pictures][::every]
            place = (at - left) / (right - left)
            for seed in seeds:
                found = [(i * every / 25, d) for i, d in enumerate(detected(cut, Noise(), seed))]
                pixels = (round(640 * (right - left)), 480)
                scenes.append(
                    Scene(path.parent.name, found, Line("line", (place, 0), (place, 1)), truth, 25 / every, pixels)
                )
    return scenes


def _cut(picture: Boxes, left: float, right: float) -> Boxes:
    cut: Boxes = {}
    for person, (x1, y1, x2, y2) in picture.items():
        a, b = max(x1, left), min(x2, right)
        if b - a > (x2 - x1) / 3:
            cut[person] = (a - left) / (right - left), y1, (b - left) / (right - left), y2
    return cut


def made_up(name: str, group: int, speed: tuple[float, float], *, fps: float, seeds: Sequence[int]) -> list[Scene]:
    """Walkers in groups of ``group`` who enter and leave through the edges of the picture."""
    scenes = []
    for seed in seeds:
        for line, truth, pictures in entering(seed, group=group, speed=speed, fps=fps):
            found: list[tuple[float, Detections]] = [
                (i / fps, found) for i, found in enumerate(detected(pictures, Noise(), seed))
            ]
            scenes.append(Scene(name, found, line, truth, fps, (640, 480)))
    return scenes
