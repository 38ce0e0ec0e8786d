"""Whether a camera's picture can be counted on: not frozen, not dark, not covered, not destroyed.

Everything is read from a grid of single pixels of about 128×72, not from averages: sensor noise, which tells a still
scene from a frozen picture, would be averaged away. Times are seconds of the stream's own media, so that a recording
that is analysed faster than it was filmed is judged like life.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.int16]
Reason = Literal["frozen", "dark", "uniform", "corrupt"]

LEAST_SIDE = 32
"""Pixels; a smaller picture is not judged."""
_GRID_ROWS, _GRID_COLUMNS = 72, 128
_LOOK_EVERY = 0.5
"""Seconds between two looks while all is well; while something is wrong, every picture is looked at."""
_PERSISTS = 1.0
"""Seconds that a picture must be unusable: one damaged picture is no condition."""

_DARK_LEVEL = 28
"""Of 255. A picture of which 98 % lie below shows nothing that a detector could find."""
_FLAT_RANGE = 20
"""Levels between the 1st and the 99th percentile of a grid averaged over 4×4: less is a wall of one colour."""
_EDGE_LEVEL = 10
_FLAT_EDGES = 0.003
"""Share of neighbours in the averaged grid that differ by more than ``_EDGE_LEVEL``: a covered lens has shades, but no
edges. A plain floor seen from above has the edges of its mat, door or shelf."""
_CONCEALED = (126, 133)
"""What decoders show where data is missing: luma 128 without colour, 130 after conversion from video range."""
_CONCEALED_SHARE = 0.25
_SMEARED_SHARE = 0.25
"""Share of rows that repeat the row above though they have structure: concealment, and prediction from lost blocks."""

_SPACING = 1.0
"""Seconds between the pictures that are remembered."""
_LAG = 12.0
"""A picture is compared with those at least this much older: longer than a usual group of pictures, within which an
encoder repeats a really still scene bit by bit and drops its noise."""
_MEMORY = 26.0
_CONFIRM = 18.0
"""Seconds over which more than half of the pictures must have been there before: rate control makes some encodings of
the same picture coarser."""
_FROZEN_AFTER = 35.0
"""Seconds that a picture must be the same: drawn or filtered scenes without noise stand still for shorter times. A
freeze is found after 35 to 45 s."""
_LEAST_LOOKS = 4
_MOVED_LEVEL = 24
_MOVED_SHARE = 0.002
"""Share of the grid that changes by more than ``_MOVED_LEVEL`` in a second: something moves."""
_SAME_LEVELS = 0.15
"""Mean absolute difference up to which a picture is an earlier one, encoded anew. Measured with a picture of
vtest.avi, as it is and darkened, in H.264 and MPEG-4: the median of the least difference to pictures at least 12 s
older is 0 to 0.15 for the frozen one, 0.30 to 1.8 with a sensor noise of 0.7 to 1.5 levels."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Why pictures do not count as observed, and from which media time on (which may lie before its discovery)."""

    reason: Reason
    since: float


class PictureQuality:
    """Watches one stream. The pictures that it remembers are grids of grey levels that never leave it."""

    def __init__(self) -> None:
        self.condition: Condition | None = None
        self._shape: tuple[int, ...] = ()
        self._looked = -np.inf
        self._last = -np.inf
        self._bad: Condition | None = None
        self._still = _Stillness()

    def update(self, image: Picture, time: float) -> Condition | None:
        """Look at one picture, ``(height, width, 3)`` BGR at ``time`` seconds of media; returns the condition."""
        if min(image.shape[:2]) < LEAST_SIDE:
            return self.condition
        if image.shape != self._shape or time < self._last:
            # Another resolution, or the media began anew: nothing to compare with.
            self._shape, self._looked, self._bad, self._still = image.shape, -np.inf, None, _Stillness()
            self.condition = None
        self._last = time
        if self.condition is None and time - self._looked < _LOOK_EVERY:
            return None
        self._looked = time
        self.condition = self._judge(_grid(image), time)
        return self.condition

    def _judge(self, grid: Picture, time: float) -> Condition | None:
        unusable = unusable_because(grid)
        frozen_since = self._still.update(np.ascontiguousarray(grid[:, :, 1]), time)
        if unusable is None:
            self._bad = None
            return None if frozen_since is None else Condition("frozen", frozen_since)
        if self._bad is None or self._bad.reason != unusable:
            # A black picture that becomes a grey one was unusable all the time.
            self._bad = Condition(unusable, time if self._bad is None else self._bad.since)
        return self._bad if time - self._bad.since >= _PERSISTS or self.condition is not None else None


def _grid(image: Picture) -> Picture:
    """Single pixels of the picture, ``(rows, columns, 3)``; at most twice 72×128."""
    height, width = image.shape[:2]
    down, right = max(1, height // _GRID_ROWS), max(1, width // _GRID_COLUMNS)
    return np.ascontiguousarray(image[down // 2 :: down, right // 2 :: right])


def unusable_because(grid: Picture) -> Reason | None:
    """``dark``, ``uniform`` or ``corrupt`` for a picture (or a grid of its pixels) that shows nothing; else None."""
    green = grid[:, :, 1]
    # Counting is five times as fast as a percentile.
    if np.count_nonzero(green >= _DARK_LEVEL) < 0.02 * green.size:
        return "dark"
    if _is_uniform(green):
        return "uniform"
    return "corrupt" if _is_concealed(grid) or _is_smeared(green) else None


def _is_uniform(green: Picture) -> bool:
    mean = _averaged(green)
    least = mean.size // 100
    ordered = np.partition(mean, (least, mean.size - 1 - least), axis=None)
    if ordered[-1 - least] - ordered[least] <= _FLAT_RANGE:
        return True
    across = np.count_nonzero(np.abs(np.diff(mean, axis=1)) > _EDGE_LEVEL)
    down = np.count_nonzero(np.abs(np.diff(mean, axis=0)) > _EDGE_LEVEL)
    return bool(across + down < _FLAT_EDGES * 2 * mean.size)


def _averaged(green: Picture) -> Levels:
    """Means of 4×4 pixels, without the noise of single ones."""
    rows, columns = (side // 4 * 4 for side in green.shape)
    level = green[:rows, :columns].astype(np.int16)
    lines = level[0::4] + level[1::4] + level[2::4] + level[3::4]
    total: Levels = lines[:, 0::4] + lines[:, 1::4] + lines[:, 2::4] + lines[:, 3::4]
    return total >> 4


def _is_concealed(grid: Picture) -> bool:
    low, high = _CONCEALED
    green = grid[:, :, 1]
    # A real grey wall has noise and shades; what a decoder makes up is exactly flat.
    flat = (green[:, 1:] == green[:, :-1]) & (green[:, 1:] >= low) & (green[:, 1:] <= high)
    if np.count_nonzero(flat) <= _CONCEALED_SHARE * flat.size:
        return False
    colours = grid[:, 1:][flat]
    return bool(np.mean(((colours >= low) & (colours <= high)).all(axis=1)) * flat.mean() > _CONCEALED_SHARE)


def _is_smeared(green: Picture) -> bool:
    level = green.astype(np.int16)
    repeats = np.abs(level[1:] - level[:-1]) <= 1
    still = np.count_nonzero(repeats, axis=1) > 0.8 * level.shape[1]
    if np.count_nonzero(still) <= _SMEARED_SHARE * len(still):
        return False
    edges = np.abs(np.diff(level[1:], axis=1)) > 6
    count = np.count_nonzero(edges, axis=1)
    # White walls of an overexposed picture repeat too: what a decoder copies repeats at its edges as well.
    copied = np.count_nonzero(edges & repeats[:, 1:], axis=1) > 0.8 * count
    return bool(np.count_nonzero(still & copied & (count > 0.1 * edges.shape[1])) > _SMEARED_SHARE * len(still))


class _Stillness:
    """Finds a picture that comes again and again.

    A really still scene differs from itself 12 s ago by the noise of the sensor, in every new group of pictures.
    A frozen one that is encoded again and again comes back to pictures that were there before.
    """

    def __init__(self) -> None:
        self._kept: deque[tuple[float, Picture]] = deque()
        self._again: deque[tuple[float, float | None]] = deque()
        """For each look of the last ``_CONFIRM`` seconds: when, and the time of the older picture that it equals."""
        self._same_since: float | None = None

    def update(self, levels: Picture, time: float) -> float | None:
        """The time since when the picture is frozen, or None. ``levels`` is kept."""
        if self._kept and _moved(levels, self._kept[-1][1]):
            self._kept.clear()
            self._again.clear()
            self._same_since = None
        if not self._kept or time - self._kept[-1][0] >= _SPACING:
            self._remember(levels, time)
        if self._same_since is None or time - self._same_since < _FROZEN_AFTER:
            return None
        return self._same_since

    def _remember(self, levels: Picture, time: float) -> None:
        old = next((at for at, kept in self._kept if at <= time - _LAG and _same(levels, kept)), None)
        self._kept.append((time, levels))
        while self._kept[0][0] < time - _MEMORY:
            self._kept.popleft()
        self._again.append((time, old))
        while len(self._again) > _LEAST_LOOKS and self._again[1][0] <= time - _CONFIRM:
            self._again.popleft()
        equal = [at for _, at in self._again if at is not None]
        if len(self._again) < _LEAST_LOOKS or 2 * len(equal) <= len(self._again):
            self._same_since = None
        elif self._same_since is None and time - self._again[0][0] >= _CONFIRM:
            self._same_since = equal[0]


def _difference(one: Picture, two: Picture) -> Picture:
    # In bytes: several times as fast as a difference of wider numbers.
    return np.maximum(one, two) - np.minimum(one, two)


def _moved(one: Picture, two: Picture) -> bool:
    return bool(np.count_nonzero(_difference(one, two) > _MOVED_LEVEL) > _MOVED_SHARE * one.size)


def _same(one: Picture, two: Picture) -> bool:
    return int(_difference(one, two).sum(dtype=np.uint32)) <= _SAME_LEVELS * one.size
