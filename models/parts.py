"""Which parts of a picture the detector has to look at: where something moved, with everybody whom that touches."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from models.detector import Detections, Floats, Part, suppress

Blocks = npt.NDArray[np.bool_]
_Rect = tuple[float, float, float, float]
_Body = tuple[list[float], list[float]]
"""A person's box and what is to be seen around it, in cells."""

_LEAST = 4
"""Cells along the side of the smallest part: the network needs to see what is around somebody."""
_MARGIN = 1.5
"""Cells around what moved. With 1, people who cover each other are found less surely (vtest, docs/figures.md)."""
_AROUND = 0.5
"""Share of a person's height that is looked at around the box, at least ``_MARGIN`` cells."""
_OVERLAP = 0.45
"""IoU of two boxes of one person, as within a picture (``models.detector``)."""


def parts(moved: Blocks, people: Floats, cells: tuple[float, float]) -> list[Part]:
    """Parts that hold all blocks that moved, and all of ``people`` of whom they hold a piece; no two overlap.

    ``moved``: ``(rows, columns)`` over the picture; ``people``: ``(n, 4)`` boxes in shares of it; ``cells``: how many
    cells of the detector's input the picture is wide and high.
    """
    wide, high = cells
    shape = int(np.ceil(wide)), int(np.ceil(high))
    rows, columns = moved.shape
    block = np.array([wide / columns, high / rows] * 2)
    _, _, stats, _ = cv2.connectedComponentsWithStats(moved.astype(np.uint8), connectivity=8)
    corners = stats[1:, [0, 1, 0, 1]] + stats[1:, [2, 3, 2, 3]] * np.array([0, 0, 1, 1])
    found = [_whole(rect, shape) for rect in corners * block + np.array([-1, -1, 1, 1]) * _MARGIN]
    scaled = people * np.array([wide, high] * 2)
    around = np.maximum(_AROUND * (scaled[:, 3] - scaled[:, 1]), _MARGIN)[:, None]
    bodies = list(zip(scaled.tolist(), (scaled + np.array([-1, -1, 1, 1]) * around).tolist(), strict=True))
    return _joined([_holding(part, bodies, shape) for part in found], bodies, shape)


def covered(where: Sequence[Part], cells: tuple[float, float], shape: tuple[int, int]) -> Blocks:
    """Blocks of the picture that lie in a part as a whole: ``shape`` rows and columns."""
    rows, columns = shape
    x = np.arange(columns + 1) * cells[0] / columns
    y = np.arange(rows + 1) * cells[1] / rows
    result = np.zeros(shape, bool)
    for part in where:
        # The last cell reaches over the border of the picture.
        inside_x = (x[:-1] >= part.left) & (x[1:] <= part.right)
        inside_y = (y[:-1] >= part.top) & (y[1:] <= part.bottom)
        result |= inside_y[:, None] & inside_x
    return result


def merged(
    before: Detections, where: Sequence[Part], found: Sequence[Detections], cells: tuple[float, float]
) -> Detections:
    """What was found in the parts now, and outside of them before."""
    scale = np.array([*cells, *cells], np.float32)
    centres = (before.boxes[:, :2] + before.boxes[:, 2:]) / 2 * scale[:2]
    stays = np.ones(len(before), bool)
    for part in where:
        low, high = np.array([part.left, part.top]), np.array([part.right, part.bottom])
        stays &= ~((centres >= low) & (centres < high)).all(axis=1)
    boxes = np.concatenate([before.boxes[stays], *(one.boxes for one in found)])
    scores = np.concatenate([before.scores[stays], *(one.scores for one in found)])
    chosen = suppress(boxes, scores, _OVERLAP)
    return Detections(boxes[chosen], scores[chosen])


def _joined(found: list[Part], bodies: list[_Body], shape: tuple[int, int]) -> list[Part]:
    """Parts that overlap become one, until none do."""
    done: list[Part] = []
    while found:
        part = found.pop()
        other = next((other for other in done if _touch(part, other)), None)
        if other is None:
            done.append(part)
            continue
        done.remove(other)
        both = Part(
            min(part.left, other.left),
            min(part.top, other.top),
            max(part.right, other.right),
            max(part.bottom, other.bottom),
        )
        found.append(_holding(both, bodies, shape))
    return done


def _holding(part: Part, bodies: list[_Body], shape: tuple[int, int]) -> Part:
    """The part, grown until it cuts nobody."""
    rest = bodies
    while True:
        touched = [body for body in rest if _meets(part, body[0])]
        if not touched:
            return part
        rest = [body for body in rest if not _meets(part, body[0])]
        for _, (left, top, right, bottom) in touched:
            grown = min(part.left, left), min(part.top, top), max(part.right, right), max(part.bottom, bottom)
            part = _whole(grown, shape)


def _whole(rect: npt.NDArray[np.float64] | _Rect, shape: tuple[int, int]) -> Part:
    """Whole cells that hold the rectangle, at least ``_LEAST`` each way, inside the picture."""
    left, right = _side(float(rect[0]), float(rect[2]), shape[0])
    top, bottom = _side(float(rect[1]), float(rect[3]), shape[1])
    return Part(left, top, right, bottom)


def _side(low: float, high: float, end: int) -> tuple[int, int]:
    start, stop = max(0, int(np.floor(low))), min(end, int(np.ceil(high)))
    lacking = min(_LEAST, end) - (stop - start)
    if lacking > 0:
        start = max(0, min(start - lacking // 2, end - min(_LEAST, end)))
        stop = start + min(_LEAST, end)
    return start, stop


def _meets(part: Part, body: list[float]) -> bool:
    left, top, right, bottom = body
    return left < part.right and right > part.left and top < part.bottom and bottom > part.top


def _touch(one: Part, other: Part) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom
