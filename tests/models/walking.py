"""Made-up people who walk straight through a picture, as calibration would have seen them."""

import numpy as np

from models.lines import Point
from models.observation import Observation, Walk

ASPECT = 16 / 9
WIDTH, HEIGHT = 0.06, 0.27


def walk(
    start: Point, end: Point, *, seconds: float = 5.0, rate: float = 5.0, width: float = WIDTH, height: float = HEIGHT
) -> Walk:
    """Somebody whose centre goes from ``start`` to ``end``; boxes end at the picture's edge."""
    count = max(2, int(seconds * rate))
    x, y = np.linspace(start[0], end[0], count), np.linspace(start[1], end[1], count)
    boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)
    return Walk(np.arange(count) / rate, np.clip(boxes, 0, 1))


def across(count: int = 6, *, height: float = HEIGHT, width: float = WIDTH, y: float = 0.5) -> Observation:
    """Several who walk from left to right through the middle, one a little below the other."""
    return Observation(
        ASPECT,
        tuple(
            walk((0.1, y + 0.02 * index), (0.9, y + 0.02 * index), height=height, width=width) for index in range(count)
        ),
    )
