"""How large the detector's input must be for the people of one camera, from how high they were seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lines import Anchor, Point
from models.observation import Doubles, Observation, anchors, distance

LEAST_PX = 30
"""Height in the network's input from which 97 % of the people are found (20 px: 90 %, 15 px: 64 %), on vtest;
measured by ``python -m bench.smallest``."""
_PERCENTILE = 10
_NEAR = 1.5
"""Body heights from a line or a zone within which people matter."""
_FEWEST = 20
"""Sightings from which a size is proposed."""
_WORTH = 0.7
"""Share of the present work that a smaller input may have at most to be proposed."""
SMALLEST, LARGEST, STEP = 224, 1280, 32
"""Below 224 px nobody in vtest is as high as ``LEAST_PX``: what a smaller input finds was not measured."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """``size`` for the detector of a camera.

    ``height`` is the 10th percentile of people's heights near what was drawn, as a share of the picture; ``pixels``
    and ``pixels_now`` are that height in the network's input with the proposed and the present size. ``cost`` is the
    work per picture against the present size. ``enough`` is False where even the largest input leaves people too small.
    """

    size: int
    height: float
    pixels: float
    pixels_now: float
    cost: float
    enough: bool


def propose(seen: Observation, places: Sequence[tuple[Sequence[Point], Anchor]], now: int) -> Proposal | None:
    """From the people near ``places`` (lines or zones by their points), or all where none was drawn.

    None while fewer than 20 sightings tell. ``now`` is the present size.
    """
    boxes = seen.boxes
    if places and len(boxes):
        boxes = boxes[_near(boxes, places, seen.aspect)]
    # Somebody whom the picture's edge cuts is higher than their box.
    whole = (boxes[:, 1] > 0.005) & (boxes[:, 3] < 0.995)
    boxes = boxes[whole] if whole.sum() >= _FEWEST else boxes
    if len(boxes) < _FEWEST:
        return None
    height = float(np.percentile(boxes[:, 3] - boxes[:, 1], _PERCENTILE))
    # The input's long side is ``size``: the picture's height takes this share of it.
    share = height * min(1.0, 1 / seen.aspect)
    wanted = STEP * int(np.ceil(round(LEAST_PX / share / STEP, 6)))
    size = min(LARGEST, max(SMALLEST, wanted))
    if size < now and (size / now) ** 2 > _WORTH:
        size = now
    return Proposal(size, height, share * size, share * now, (size / now) ** 2, wanted <= LARGEST)


def _near(boxes: Doubles, places: Iterable[tuple[Sequence[Point], Anchor]], aspect: float) -> npt.NDArray[np.bool_]:
    near = np.zeros(len(boxes), bool)
    tall = boxes[:, 3] - boxes[:, 1]
    for points, anchor in places:
        where = anchors(boxes, anchor)
        for a, b in zip(points, [*points[1:], points[0]], strict=True):
            near |= distance(where, a, b, aspect) <= _NEAR * tall
    return near
