"""The pictures of the endurance run: people cut out of the clip that ships walk through its empty shop, with noise.

A picture is 320×180, BGR, so that eight hours of four cameras can be drawn and looked at in minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from sensors.readings import Image

CLIP = Path(__file__).resolve().parent.parent / "edge" / "demo" / "clip.mp4"
WIDE, HIGH = 320, 180
LINE = 0.46
"""Share of the width at which the entrance line stands."""
EDGE = 0.25
"""How far outside the picture walkers begin and end, as a share of its width."""
CUTS = (3.6, 28.3, 37.4, 47.0, 9.7)
"""Seconds of the clip at which one person is alone and whole in the picture; the last one walks to the left."""
NOISE = 2.0
"""Grey levels of a camera's sensor by day."""


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody who walks to the right: colours times alpha ``(h, w, 3)``, what shows through ``(h, w, 1)``, top row."""

    body: npt.NDArray[np.float32]
    through: npt.NDArray[np.float32]
    top: int


@cache
def scene() -> tuple[Image, tuple[Look, ...]]:
    """The empty shop, and the people. Read once from the clip."""
    capture = cv2.VideoCapture(str(CLIP))
    pictures = []
    while (read := capture.read())[0]:
        pictures.append(cv2.resize(read[1], (WIDE, HIGH), interpolation=cv2.INTER_AREA).astype(np.uint8))
    capture.release()
    empty: Image = np.median(np.stack(pictures[::10]), axis=0).astype(np.uint8)
    looks = [_cut(pictures[round(second * 10)], empty) for second in CUTS]
    *rightwards, last = looks
    return empty, (*rightwards, Look(last.body[:, ::-1], last.through[:, ::-1], last.top))


def _cut(picture: Image, empty: Image) -> Look:
    changed = cv2.absdiff(picture, empty).max(axis=2)
    mask = (cv2.GaussianBlur(changed, (3, 3), 0) > 22).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height = (int(value) for value in stats[largest][:4])
    soft = cv2.GaussianBlur((labels == largest).astype(np.float32), (3, 3), 0)
    alpha = soft[y : y + height, x : x + width, None].astype(np.float32)
    return Look(picture[y : y + height, x : x + width].astype(np.float32) * alpha, 1 - alpha, y)


@dataclass(frozen=True, slots=True)
class Walker:
    """One person's way: ``speed`` in widths of the picture a second, ``enters`` from the left or leaves to it.

    ``turns``: goes back before the line, which is no crossing.
    """

    start: float
    speed: float
    enters: bool
    look: int
    turns: bool = False

    def place(self, time: float) -> float | None:
        """The middle of the body as a share of the width, None outside the picture."""
        way = (time - self.start) * self.speed
        if self.turns:
            # As far as 0.3 of the picture before the line, and back.
            far = EDGE + (LINE if self.enters else 1 - LINE) - 0.3
            way = min(way, 2 * far - way)
        if not 0 <= way <= 1 + 2 * EDGE:
            return None
        return way - EDGE if self.enters else 1 + EDGE - way

    @property
    def crosses(self) -> float | None:
        """When the middle of the body is on the line."""
        return None if self.turns else self.start + (EDGE + (LINE if self.enters else 1 - LINE)) / self.speed

    @property
    def gone(self) -> float:
        """When the way is over."""
        return self.start + (1 + 2 * EDGE) / self.speed


def traffic(rng: np.random.Generator, seconds: float, an_hour: float) -> list[Walker]:
    """People by their start: about ``an_hour`` of them, in busy quarters of an hour with quiet ones between."""
    walkers: list[Walker] = []
    time = 20.0
    while time < seconds:
        busy = int(time // 900) % 2 == 0
        enters, speed = bool(rng.random() < 0.5), float(rng.uniform(0.12, 0.24))
        look = int(rng.integers(len(CUTS)))
        walkers.append(Walker(time, speed, enters, look, turns=bool(rng.random() < 0.1)))
        if rng.random() < 0.15:
            other = (look + 1) % len(CUTS)
            walkers.append(Walker(time + float(rng.uniform(1.5, 2.5)), speed, enters, other))
        time = walkers[-1].gone + float(rng.exponential(3600 / an_hour * (0.4 if busy else 3.0)))
    return walkers


class Painter:
    """Draws the pictures of one camera, with noise that never comes again."""

    def __init__(self, rng: np.random.Generator, walkers: Sequence[Walker]) -> None:
        self._empty, self._looks = scene()
        self._walkers = walkers
        self._first = 0
        self._rng = rng
        # Cut out at random places, it costs a tenth of drawing it anew for each picture.
        self._noise = rng.normal(0, 1, (2 * HIGH, 2 * WIDE, 1)).astype(np.float32)
        self._levels: dict[float, npt.NDArray[np.int16]] = {}

    def paint(self, time: float, gain: float = 1.0) -> Image:
        """The shop at ``time``, without noise. Times must not go back."""
        while self._first < len(self._walkers) and self._walkers[self._first].gone < time - 60:
            self._first += 1
        image = self._empty.copy()
        for walker in self._walkers[self._first :]:
            if walker.start > time:
                break
            place = walker.place(time)
            if place is not None:
                self._put(image, walker, place, time)
        return image if gain == 1.0 else cv2.convertScaleAbs(image, alpha=gain).astype(np.uint8)

    def _put(self, image: Image, walker: Walker, place: float, time: float) -> None:
        look = self._looks[walker.look]
        height, width = look.through.shape[:2]
        left, top = round(place * WIDE - width / 2), look.top - round(abs(np.sin(2 * np.pi * time)))
        first, last = max(0, left), min(WIDE, left + width)
        if first >= last:
            return
        later = walker.place(time + 0.05)
        ahead = walker.enters if later is None else later >= place
        part = slice(first - left, last - left)
        body, through = (look.body, look.through) if ahead else (look.body[:, ::-1], look.through[:, ::-1])
        under = image[top : top + height, first:last]
        under[:] = under * through[:, part] + body[:, part]

    def noisy(self, image: Image, sigma: float = NOISE) -> Image:
        """As a sensor gives it."""
        if sigma not in self._levels:
            self._levels[sigma] = np.repeat(np.rint(self._noise * sigma).astype(np.int16), 3, axis=2)
        high, wide = image.shape[:2]
        y, x = (int(self._rng.integers(0, side)) for side in (2 * HIGH - high + 1, 2 * WIDE - wide + 1))
        return cv2.add(image, self._levels[sigma][y : y + high, x : x + wide], dtype=cv2.CV_8U).astype(np.uint8)
