"""What somebody's clothes look like: colours by height, from a few pictures, without a network.

A person's box is cut into six bands from head to foot. Each band has three histograms in CIE L*a*b*: lightness, and the
two opponent colours. Lightness is taken relative to the whole person's mean, so that a cloud or the camera's exposure
changes little. Two looks are compared by the Hellinger distance of their histograms: 0 alike, 1 nothing in common.

It tells clothes apart, not people: two people dressed alike are taken for one. No look leaves the process.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]

BANDS = 6
"""From 5 % to 95 % of the box's height: head, chest, waist, hips, legs, feet."""
TORSO = slice(1, 3)
"""The bands of what is worn above: 20 % to 50 % of the height."""
_LIGHT, _COLOUR = 12, 10
"""Bins of lightness (0 to 100) and of each opponent colour (-30 to 30; clothes are rarely stronger)."""
FEATURES = _LIGHT + 2 * _COLOUR
_STRONGEST = 30.0
_WIDE, _HIGH = 24, 64
"""A person is looked at in so many pixels, however near."""
_MIDDLE = 50.0
"""Mean lightness that every person is brought to."""
_SIDEWAYS = 0.15
"""Weight of a pixel by its distance from the middle of the box, in widths: the edges of a box are background."""
LEAST_HEIGHT = 40
"""Pixels; a smaller person's clothes cannot be told apart."""

ALIKE = 0.21
"""Distance up to which two looks are taken for the same person's. 2 % of the pairs of different people who are in the
picture at once in the first half of vtest.avi lie below (``python -m bench.appearance``)."""
ENOUGH = 5
"""Pictures of a person from which the mean look is settled."""


@dataclass(frozen=True, slots=True)
class Look:
    """``bands``: ``(6, 32)`` float64, each row the three histograms of a band, adding up to 1; mean of ``pictures``."""

    bands: Doubles
    pictures: int = 1

    def distance(self, other: "Look") -> float:
        """Hellinger distance, 0 to 1."""
        return hellinger(self.bands, other.bands)

    def __add__(self, other: "Look") -> "Look":
        """The mean over the pictures of both."""
        pictures = self.pictures + other.pictures
        return Look((self.bands * self.pictures + other.bands * other.pictures) / pictures, pictures)


def hellinger(first: Doubles, second: Doubles) -> float:
    """Distance of two ``(n, 32)`` histograms whose rows add up to 1: 0 alike, 1 nothing in common."""
    return float(np.sqrt(max(0.0, 1 - float(np.sqrt(first * second).sum()) / len(first))))


def look_at(image: Image, box: Box = (0.0, 0.0, 1.0, 1.0)) -> Look | None:
    """The look of the person in ``box`` (x1, y1, x2, y2 as shares) of a BGR picture; None where too little is seen."""
    height, width = image.shape[:2]
    x1, y1 = max(0, int(box[0] * width)), max(0, int(box[1] * height))
    x2, y2 = min(width, int(np.ceil(box[2] * width))), min(height, int(np.ceil(box[3] * height)))
    if y2 - y1 < LEAST_HEIGHT or x2 - x1 < LEAST_HEIGHT // 5:
        return None
    small = cv2.resize(image[y1:y2, x1:x2], (_WIDE, _HIGH), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB).astype(np.float64)
    lightness = np.clip(lab[..., 0] * (_MIDDLE / max(float(lab[..., 0].mean()), 5.0)), 0, 100)
    parts = (
        0.5 * _histogram(lightness / 100, _LIGHT),
        0.25 * _histogram((lab[..., 1] + _STRONGEST) / (2 * _STRONGEST), _COLOUR),
        0.25 * _histogram((lab[..., 2] + _STRONGEST) / (2 * _STRONGEST), _COLOUR),
    )
    return Look(np.concatenate(parts, axis=1))


def _bands() -> npt.NDArray[np.intp]:
    """The band of each row of pixels; -1 above and below them."""
    share = (np.arange(_HIGH) + 0.5) / _HIGH
    bands = np.floor((share - 0.05) / 0.9 * BANDS).astype(np.intp)
    return np.where((bands >= 0) & (bands < BANDS), bands, -1)


_ROWS = _bands()
_WEIGHTS = np.repeat(np.exp(-((((np.arange(_WIDE) + 0.5) / _WIDE - 0.5) / _SIDEWAYS) ** 2))[None, :], _HIGH, axis=0)


def _histogram(values: Doubles, bins: int) -> Doubles:
    """``(6, bins)`` of ``values`` (0 to 1, ``(64, 24)``); a value between two bins counts in both by its nearness."""
    used = _ROWS >= 0
    place = np.clip(values[used] * bins - 0.5, 0, bins - 1.001)
    lower = place.astype(np.intp)
    upper_share = place - lower
    first = _ROWS[used][:, None] * bins + lower
    weights = _WEIGHTS[used]
    counts = np.bincount(first.ravel(), (weights * (1 - upper_share)).ravel(), BANDS * bins)
    counts += np.bincount(first.ravel() + 1, (weights * upper_share).ravel(), BANDS * bins)[: BANDS * bins]
    table = counts.reshape(BANDS, bins)
    return np.asarray(table / table.sum(axis=1, keepdims=True))
