"""Whether a face in a picture is good enough to be compared, or to be enrolled; why not, as codes."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from models.alignment import Floats, Image, check_landmarks, check_picture, chip
from models.faces import Faces

FaceProblem = Literal[
    "no_face", "several_faces", "small", "blurred", "turned", "tilted", "dark", "bright", "flat", "cut"
]
"""``small``: too few pixels; ``turned``: looks to the side, up or down; ``tilted``: head to a shoulder; ``flat``: no
contrast; ``cut``: the picture ends in the face. ``no_face`` and ``several_faces`` are said of a whole picture."""

_SIDE = 64
_PLACES = _SIDE * np.array([(0.3156, 0.4616), (0.6826, 0.4616), (0.5003, 0.6405), (0.3495, 0.8247), (0.6534, 0.8247)])
_FACE_PER_EYES = 2.4
_PROMINENT = 2.0


@dataclass(frozen=True, slots=True)
class FaceLimits:
    """What is good enough. Compare 1,333 pictures of LFW: the percentiles in the comments are theirs."""

    side: float
    """Pixels. Below 40 recognition falls off, below 30 nothing works."""
    sharpness: float
    """1st percentile 158, median 545; 18 to 110 after a blur of 1.2 px at the measured size of 64 px."""
    turn: float
    """Median 0.09, 95th percentile 0.29, 99th 0.40."""
    pitch: tuple[float, float]
    """1st to 99th percentile 0.47 to 0.62."""
    narrow: float
    """99th percentile 1.52; a profile has 3."""
    tilt: float
    """99th percentile 9.9."""
    light: tuple[float, float]
    """1st to 99th percentile 67 to 181."""
    contrast: float
    """1st percentile 90."""


MATCHED = FaceLimits(40, 40, 0.45, (0.40, 0.70), 1.7, 30, (40, 215), 60)
ENROLLED = FaceLimits(80, 120, 0.28, (0.45, 0.65), 1.45, 15, (60, 195), 80)


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Measurements of one face and what is wrong with them; no picture."""

    side: float
    """Pixels: 2.4 times the distance of the eyes."""
    sharpness: float
    """Variance of the Laplacian over the aligned face at 64 px, grey levels squared."""
    turn: float
    """How far the nose is from the middle between the eyes, in distances of the eyes; 0 is straight ahead."""
    pitch: float
    """Where the nose is between eyes (0) and mouth (1)."""
    narrow: float
    """Eyes to mouth, in distances of the eyes: large in a profile."""
    tilt: float
    """Degrees by which the line of the eyes is turned."""
    light: float
    """Median grey level, 0–255."""
    contrast: float
    """Grey levels between the 5th and the 95th percentile."""
    problems: tuple[FaceProblem, ...]

    @property
    def good(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def face_quality(image: Image, landmarks: Floats, limits: FaceLimits = MATCHED) -> FaceQuality:
    """Judge one face. ``image``: ``(height, width, 3)`` uint8 BGR; ``landmarks``: ``(5, 2)``. Raises ``ModelError``."""
    check_picture(image)
    points = check_landmarks(np.asarray(landmarks)[None])[0]
    left, right, nose, *corners = (complex(*point) for point in points)
    across, eyes, mouth = right - left, (left + right) / 2, sum(corners) / 2
    span = max(abs(across), 1e-6)
    along = (nose - eyes) * (mouth - eyes).conjugate() / max(abs(mouth - eyes) ** 2, 1e-6)
    cut = chip(image, points, _PLACES, _SIDE)
    grey = cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY)
    low, middle, high = (float(level) for level in np.percentile(grey, (5, 50, 95)))
    measured = (
        _FACE_PER_EYES * abs(across),
        float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        abs(((nose - eyes) * across.conjugate()).real) / span**2,
        along.real,
        abs(mouth - eyes) / span,
        abs(float(np.degrees(np.angle(across)))),
        middle,
        high - low,
    )
    cut[:] = 0
    grey[:] = 0
    return FaceQuality(*measured, problems=_problems(measured, _is_cut(image, points), limits))


def _problems(measured: tuple[float, ...], cut: bool, limits: FaceLimits) -> tuple[FaceProblem, ...]:
    side, sharpness, turn, pitch, narrow, tilt, light, contrast = measured
    turned = turn > limits.turn or narrow > limits.narrow or not limits.pitch[0] <= pitch <= limits.pitch[1]
    said: tuple[tuple[FaceProblem, bool], ...] = (
        ("small", side < limits.side),
        ("blurred", sharpness < limits.sharpness),
        ("turned", turned),
        ("tilted", tilt > limits.tilt),
        ("dark", light < limits.light[0]),
        ("bright", light > limits.light[1]),
        ("flat", contrast < limits.contrast),
        ("cut", cut),
    )
    return tuple(problem for problem, wrong in said if wrong)


def _is_cut(image: Image, points: npt.NDArray[np.float64]) -> bool:
    """Whether a landmark lies outside the picture."""
    height, width = image.shape[:2]
    return bool((points < 0).any() or (points[:, 0] >= width).any() or (points[:, 1] >= height).any())


def picture_problems(image: Image, faces: Faces, limits: FaceLimits = ENROLLED) -> tuple[FaceProblem, ...]:
    """What keeps a picture from being enrolled: exactly one face, and that one good."""
    if len(faces) != 1:
        return ("several_faces",) if len(faces) else ("no_face",)
    return face_quality(image, faces.landmarks[0], limits).problems


def main_face(faces: Faces, height: int, width: int) -> int | None:
    """Which face a picture is of, where several may be on it: large and near the middle; None when two compete.

    Its height times ``exp(-d²)``, ``d`` being its distance from the middle in quarters of the short side, must be
    twice that of every other.
    """
    if not len(faces):
        return None
    middles = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    apart = np.linalg.norm(middles - (width / 2, height / 2), axis=1) / (min(height, width) / 4)
    weight = (faces.boxes[:, 3] - faces.boxes[:, 1]) * np.exp(-(apart**2))
    first, *others = np.argsort(-weight, kind="stable")
    return None if others and weight[first] < _PROMINENT * weight[others[0]] else int(first)
