"""People who are small in the picture: it is looked at as a whole, and again in overlapping tiles that are larger.

In a tile, somebody at its seam is cut. Neighbours overlap, so that most of them are whole in the next tile; who is not
is large and whole in the picture; what is left are pieces of one body, which are joined.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.config import TilesConfig
from models.detector import Detections, Floats, Image, suppress

_OVERLAP = 0.45
"""IoU of two boxes of one person, as within a picture (``models.detector``)."""
_INSIDE = 0.6
"""A piece of which more lies inside a whole person is of that person."""
_ALONG = 0.5
"""Two pieces that are cut by the same seam, and share more of the narrower one's side there, are one person."""
_SEAM = 0.02
"""How near to a tile's border a box ends that is cut by it: share of the tile's side, 8 of 416 pixels."""
_ROUNDING = 5e-3
"""Share of the picture by which what should meet may miss: tiles are whole pixels, boxes are not exact."""


class ImageDetector(Protocol):
    """What looks at one picture: ``models.detector.Detector``."""

    def detect(self, image: Image, /) -> Detections: ...


def tiles(config: TilesConfig) -> Floats:
    """``(n, 4)``: x1 y1 x2 y2 of each tile, in shares of the picture, all of one size."""

    def sides(count: int) -> list[tuple[float, float]]:
        side = 1 / (count - (count - 1) * config.overlap)
        step = side * (1 - config.overlap)
        return [(index * step, min(1.0, index * step + side)) for index in range(count)]

    return np.array([(x1, y1, x2, y2) for y1, y2 in sides(config.rows) for x1, x2 in sides(config.columns)], np.float32)


class TiledDetector:
    """Looks at the whole picture and at its tiles, and says of each person once."""

    def __init__(self, whole: ImageDetector, tile: ImageDetector, config: TilesConfig) -> None:
        """``whole`` and ``tile`` are two detectors: each is at its best while the size of its pictures stays."""
        self._whole = whole
        self._tile = tile
        self._tiles = tiles(config)

    def detect(self, image: Image, _time: float | None = None, /) -> Detections:
        """``image``: ``(height, width, 3)`` uint8 BGR."""
        high, wide = image.shape[:2]
        size = np.array([wide, high] * 2)
        first = self._whole.detect(image)
        found, cut = [first], [np.zeros((len(first), 4), bool)]
        for tile in self._tiles:
            x1, y1, x2, y2 = np.rint(tile * size).astype(int)
            if x1 == x2 or y1 == y2:
                continue
            seen = self._tile.detect(image[y1:y2, x1:x2])
            inside = seen.boxes * np.array([x2 - x1, y2 - y1] * 2) + np.array([x1, y1] * 2)
            found.append(Detections((inside / size).astype(np.float32), seen.scores))
            cut.append(_cut(seen.boxes, tile))
        return once(found, cut)


def once(found: Sequence[Detections], cut: Sequence[npt.NDArray[np.bool_]]) -> Detections:
    """Each person once, of boxes in shares of the picture.

    ``cut``: ``(n, 4)`` for each of ``found``: whether a box is cut on the left, above, on the right, below.
    """
    boxes = np.concatenate([one.boxes for one in found])
    scores = np.concatenate([one.scores for one in found])
    sides = np.concatenate(cut)
    whole = np.flatnonzero(~sides.any(axis=1))
    whole = whole[suppress(boxes[whole], scores[whole], _OVERLAP)]
    pieces = np.flatnonzero(sides.any(axis=1))
    pieces = pieces[~(_inside(boxes[pieces], boxes[whole]) > _INSIDE).any(axis=1)]
    joined = _joined([(boxes[index], float(scores[index]), sides[index]) for index in pieces])
    bodies = np.array([*boxes[whole], *(box for box, _, _ in joined)], np.float32).reshape(-1, 4)
    sure = np.array([*scores[whole], *(score for _, score, _ in joined)], np.float32)
    order = np.argsort(-sure, kind="stable")
    return Detections(bodies[order], sure[order])


_Piece = tuple[Floats, float, npt.NDArray[np.bool_]]


def _cut(boxes: Floats, tile: Floats) -> npt.NDArray[np.bool_]:
    """Which sides of boxes in a tile end at its border, where that is not the picture's; ``boxes`` in its shares."""
    ends = np.concatenate([boxes[:, :2] < _SEAM, boxes[:, 2:] > 1 - _SEAM], axis=1)
    seams = np.concatenate([tile[:2] > 0, tile[2:] < 1 - _ROUNDING])
    return np.asarray(ends & seams)


def _inside(boxes: Floats, others: Floats) -> Floats:
    """``(n, m)``: which share of each box lies inside each of the others."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    return np.asarray(common / np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1e-12)[:, None])


def _joined(pieces: list[_Piece]) -> list[_Piece]:
    """Pieces of one person become one box around them, until none fit together."""
    done: list[_Piece] = []
    pieces = list(pieces)
    while pieces:
        piece = pieces.pop()
        index = next((index for index, other in enumerate(done) if _fit(piece, other)), None)
        if index is None:
            done.append(piece)
            continue
        other = done.pop(index)
        box = np.concatenate([np.minimum(piece[0][:2], other[0][:2]), np.maximum(piece[0][2:], other[0][2:])])
        # A side stays cut where the piece that reaches farthest there is.
        outer = np.concatenate([piece[0][:2] < other[0][:2], piece[0][2:] > other[0][2:]])
        pieces.append((box, max(piece[1], other[1]), np.where(outer, piece[2], other[2])))
    return done


def _fit(one: _Piece, other: _Piece) -> bool:
    """Whether two pieces are the same piece, or go on in each other across a seam."""
    a, b = one[0], other[0]
    share = _inside(a[None], b[None])[0, 0], _inside(b[None], a[None])[0, 0]
    if max(share) > _INSIDE:
        return True
    for axis in (0, 1):
        low, high = (one, other) if a[axis] <= b[axis] else (other, one)
        across = 1 - axis
        common = min(a[across + 2], b[across + 2]) - max(a[across], b[across])
        least = min(a[across + 2] - a[across], b[across + 2] - b[across])
        meet = low[0][axis + 2] >= high[0][axis] - _ROUNDING
        if low[2][axis + 2] and high[2][axis] and meet and common > _ALONG * least:
            return True
    return False
