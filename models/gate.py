"""Detection only where something moved: between two detections a small grey copy of each picture is compared."""

import math
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from models.config import GateConfig, ModelsConfig
from models.detector import Detections, Detector, Floats, Part, open_detector
from models.parts import Blocks, covered, merged, parts
from models.tiles import TiledDetector

Image = npt.NDArray[np.uint8]

_BLOCKS = 52
"""Blocks along the long side: one is 8 pixels of a 416 pixel input, a third of the smallest person found there."""
_SAMPLES = 4
"""Pixels of the grey copy along the side of a block."""
_USUAL_PERIOD = 0.1
"""Seconds between pictures that come without a time."""
_NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution per median absolute deviation."""
_DARK = 8.0
"""Grey levels that are added before two blocks are divided: the ratio of two black ones says nothing."""
_GAIN = 1.5
"""Ratio of brightness beyond which the picture is another one."""


class ImageDetector(Protocol):
    """What the gate spares: ``models.detector.Detector``, or a test's own."""

    def detect(self, image: Image, /) -> Detections: ...


class PartDetector(Protocol):
    """What looks at parts of a picture: ``models.detector.Detector``."""

    def cells(self, width: int, height: int, /) -> tuple[float, float]: ...

    def detect_in(self, image: Image, parts: Sequence[Part], /) -> Sequence[Detections]: ...


class MotionGate:
    """Says whether a picture differs from the one that it was last told to remember.

    The difference is taken blockwise, so that noise averages out. What the blocks of a row share as a gain (exposure, a
    lamp, its flicker under a rolling shutter) is no motion. The threshold follows the noise that this very difference
    shows, between two bounds: the upper one keeps a crowd from being taken for noise.
    """

    def __init__(self, config: GateConfig | None = None) -> None:
        self._config = config or GateConfig()
        self._shape: tuple[int, int] | None = None
        self._reference: Floats | None = None
        self._blocks = np.empty((0, 0), np.float32)

    def moved(self, image: Image) -> bool:
        """``image``: ``(height, width, 3)`` uint8 BGR. True for the first picture and for another shape."""
        return bool(self.changed(image).any())

    def changed(self, image: Image) -> Blocks:
        """The same block by block: ``(rows, columns)`` over the picture."""
        self._look(image)
        if self._reference is None:
            return np.ones(self._blocks.shape, bool)
        return self._differs(self._reference, self._blocks)

    def remember(self, where: Blocks | None = None) -> None:
        """The picture that was seen last is the one to compare with from now on; only ``where`` that is true."""
        if where is None or self._reference is None:
            self._reference, self._blocks = self._blocks, np.empty_like(self._blocks)
        else:
            self._reference[where] = self._blocks[where]

    def _look(self, image: Image) -> None:
        height, width = image.shape[:2]
        if self._shape != (height, width):
            self._shape, self._reference = (height, width), None
            unit = max(height, width) / _BLOCKS
            high, wide = max(1, round(height / unit)), max(1, round(width / unit))
            self._small = np.empty((high * _SAMPLES, wide * _SAMPLES, 3), np.uint8)
            self._grey = np.empty(self._small.shape[:2], np.uint8)
            self._blocks = np.empty((high, wide), np.float32)
        rows, columns = self._grey.shape
        # Few of a large picture's pixels are read: what is lost in averaging, the blocks make up for.
        cv2.resize(image, (columns, rows), dst=self._small, interpolation=cv2.INTER_LINEAR)
        cv2.cvtColor(self._small, cv2.COLOR_BGR2GRAY, dst=self._grey)
        high, wide = self._blocks.shape
        cv2.resize(self._grey.astype(np.float32), (wide, high), dst=self._blocks, interpolation=cv2.INTER_AREA)

    def _differs(self, before: Floats, now: Floats) -> Blocks:
        gain = _median((now + _DARK) / (before + _DARK), axis=1)
        if not 1 / _GAIN <= float(_median(gain)[0]) <= _GAIN:
            return np.ones(now.shape, bool)
        change = now + _DARK - gain * (before + _DARK)
        np.abs(change, out=change)
        noise = _NORMAL_MAD * float(_median(change)[0])
        low, high = self._config.least, self._config.most
        return change > min(high, max(low, self._config.sigmas * noise))


def _median(values: Floats, axis: int | None = None) -> Floats:
    """The upper median, without the mean of the middle two: half of the time of ``np.median`` on a few blocks."""
    values = values.ravel() if axis is None else values
    middle = values.shape[-1] // 2
    return np.partition(values, middle, axis=-1)[..., middle : middle + 1]


class GatedDetector:
    """A detector that rests while nothing moves, and answers with what it found last: who stands still is still there.

    It looks when something moved since it looked last, and without motion too: after ``again`` seconds, then after
    twice as long, and so on up to ``every``. One look that misses somebody is thereby soon corrected, and who is too
    faint for the gate is found anyway. One gate serves one camera.

    Given ``parts`` (the same detector, for parts of a picture), it looks only at the parts where something moved, if
    these are less of the picture than ``config.parts``, and at the whole picture at least every ``every`` seconds.
    """

    def __init__(
        self, detector: ImageDetector, config: GateConfig | None = None, parts: PartDetector | None = None
    ) -> None:
        self._detector = detector
        self._parts = parts
        self._config = config or GateConfig()
        self._gate = MotionGate(self._config)
        self._last = Detections.none()
        self._looked = 0.0
        self._whole = -np.inf
        self._wait = 0.0
        self._time = -_USUAL_PERIOD
        self.pictures = 0
        """Pictures seen."""
        self.looks = 0
        """Pictures that the detector had to look at."""
        self.seen = 0.0
        """The same, a part of a picture as that share of it: what detection cost in whole pictures."""

    def detect(self, image: Image, time: float | None = None, /) -> Detections:
        """``image``: ``(height, width, 3)`` uint8 BGR; ``time`` of the media in s, else 10 a second are assumed."""
        before, self._time = self._time, self._time + _USUAL_PERIOD if time is None else time
        self.pictures += 1
        changed = self._gate.changed(image)
        back = self._time < before
        if back or changed.any():
            self._wait = self._config.again
        # A hair less: times are sums of tenths.
        elif self._time - self._looked < self._wait - 1e-3:
            return self._last
        else:
            self._wait = min(2 * self._wait, self._config.every)
        self.looks += 1
        self._looked = self._time
        due = back or not changed.any() or self._time - self._whole >= self._config.every - 1e-3
        if due or not self._partly(image, changed):
            self.seen += 1
            self._whole = self._time
            self._last = self._detector.detect(image)
            self._gate.remember()
        return self._last

    def _partly(self, image: Image, changed: Blocks) -> bool:
        """Look only where something moved, unless that is too much of the picture."""
        if self._parts is None or not self._config.parts:
            return False
        cells = self._parts.cells(image.shape[1], image.shape[0])
        where = parts(changed, self._last.boxes, cells)
        share = sum(part.area for part in where) / (math.ceil(cells[0]) * math.ceil(cells[1]))
        if share > self._config.parts:
            return False
        self.seen += share
        found = self._parts.detect_in(image, where)
        self._last = merged(self._last, where, found, cells)
        self._gate.remember(covered(where, cells, changed.shape))
        return True


def open_people(config: ModelsConfig | None = None) -> GatedDetector | TiledDetector | Detector:
    """What finds people in the pictures of one camera, as configured. Raises ``ModelError``."""
    config = config or ModelsConfig()
    return open_gated(config) if config.gate.enabled else _open(config)


def open_gated(config: ModelsConfig | None = None) -> GatedDetector:
    """A detector of its own for one camera, behind a gate. Raises ``ModelError``."""
    config = config or ModelsConfig()
    detector = _open(config)
    return GatedDetector(detector, config.gate, detector if isinstance(detector, Detector) else None)


def _open(config: ModelsConfig) -> Detector | TiledDetector:
    if config.detector.tiles is None:
        return open_detector(config)
    return TiledDetector(open_detector(config), open_detector(config), config.detector.tiles)
