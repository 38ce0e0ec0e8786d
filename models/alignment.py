"""Cuts a face out of a picture so that its five landmarks lie where an encoder was trained to see them.

A similarity transform (turn, scale, shift; no mirror, no shear) fitted by least squares. In the plane it is one complex
multiplication and addition, ``w = a z + b``, and its best ``a`` and ``b`` are those of linear regression.
"""

import cv2
import numpy as np
import numpy.typing as npt

from models.errors import ModelError

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

_LEAST_EXTENT = 1.0
"""Pixels between landmarks (root mean square from their middle): less is no face."""


def check_picture(image: Image) -> None:
    """Raises ``ModelError`` for anything but ``(height, width, 3)`` uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ModelError(
            f"a picture of shape {image.shape} and type {image.dtype} is not one", "give (height, width, 3) uint8 BGR"
        )


def check_landmarks(landmarks: Floats) -> npt.NDArray[np.float64]:
    """``(n, 5, 2)`` as float64. Raises ``ModelError`` for other shapes and for points that are not those of a face."""
    points = np.asarray(landmarks, np.float64)
    if points.ndim != 3 or points.shape[1:] != (5, 2):
        raise ModelError(f"landmarks of shape {points.shape} are none", "give (n, 5, 2): x and y of five points")
    if not np.isfinite(points).all() or (np.abs(points) > 1e6).any() or (_extent(points) < _LEAST_EXTENT).any():
        raise ModelError("these landmarks are not those of a face", "take them from FaceDetector.detect")
    return points


def _extent(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    centred = points - points.mean(axis=1, keepdims=True)
    extent: npt.NDArray[np.float64] = np.sqrt((centred**2).sum(axis=2).mean(axis=1))
    return extent


def similarity(points: npt.NDArray[np.float64], template: npt.NDArray[np.float64]) -> tuple[complex, complex]:
    """``a`` and ``b`` with ``a z + b`` nearest to the template; both ``(k, 2)``, x y in pixels."""
    here, there = points @ (1, 1j), template @ (1, 1j)
    moved = here - here.mean()
    a = complex(np.vdot(moved, there - there.mean()) / np.vdot(moved, moved).real)
    return a, complex(there.mean() - a * here.mean())


def chip(image: Image, points: npt.NDArray[np.float64], template: npt.NDArray[np.float64], side: int) -> Image:
    """``(side, side, 3)`` of the picture's type: its ``points`` come to lie on ``template``, black beyond its border.

    Pixel centres are whole numbers. A face more than twice as large as the chip is made smaller by averaging first:
    sampling alone would pick single pixels.
    """
    a, b = similarity(points, template)
    smaller: Image | None = None
    shrink = 1 << max(0, int(np.floor(-np.log2(abs(a)))))
    if shrink > 1:
        corners = (np.array([0, side, 1j * side, side * (1 + 1j)]) - b) / a
        left, top = (int(np.floor(part.min() / shrink - 1)) * shrink for part in (corners.real, corners.imag))
        right, bottom = (int(np.ceil(part.max() / shrink + 1)) * shrink for part in (corners.real, corners.imag))
        window = _window(image, left, top, right, bottom)
        size = window.shape[1] // shrink, window.shape[0] // shrink
        image = smaller = cv2.resize(window, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        window[:] = 0
        # Centre of small pixel u is at shrink * u + (shrink - 1) / 2 of the window.
        b += a * (complex(left, top) + (shrink - 1) / 2 * (1 + 1j))
        a *= shrink
    matrix = np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])
    cut = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    if smaller is not None:
        smaller[:] = 0
    return cut


def _window(image: Image, left: int, top: int, right: int, bottom: int) -> Image:
    """That part of the picture, black where it lies outside."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    window = np.zeros((bottom - top, right - left, 3), np.uint8)
    if x0 < x1 and y0 < y1:
        window[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return window


def both_ways(chips: Image) -> Image:
    """``(n, side, side, 3)`` to ``(2 n, …)``: each chip, and behind all of them each one's mirror image."""
    return np.concatenate([chips, chips[:, :, ::-1]])


def unit(rows: Floats) -> Floats:
    """Every row scaled to length 1. In place of a copy: no second one is left behind in freed memory."""
    scaled = np.array(rows, np.float32)
    # Not np.linalg.norm, which makes a copy (its conjugate) and lets it go as it is.
    lengths = np.sqrt(np.einsum("...i,...i->...", scaled, scaled))
    scaled /= np.maximum(lengths, 1e-12)[..., None]
    return scaled


def mean_of_both(rows: Floats) -> Floats:
    """``(2 n, size)`` in the order of ``both_ways`` to ``(n, size)``: unit length, the mean of unit vectors.

    ``rows`` is overwritten: what an encoder says of a face is in one place only.
    """
    half = len(rows) // 2
    lengthened = unit(rows)
    lengthened[:half] += lengthened[half:]
    mean = unit(lengthened[:half])
    lengthened[:] = 0
    rows[:] = 0
    return mean
