"""Picture files of people who agreed, for enrolment and calibration: found and read, never written."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from sensors.errors import FormatError
from sensors.readings import Image

ENDINGS = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".bmp",
    ".webp",
    ".gif",
    ".tif",
    ".tiff",
    ".avif",
    ".heic",
    ".heif",
)
"""Endings of pictures, in small letters. Some of them this build cannot read: said, rather than passed over."""
LARGEST_BYTES = 200_000_000
"""Of a file: no camera makes a larger picture."""


def read_picture(file: Path) -> Image:
    """``(height, width, 3)`` uint8 BGR, turned upright as its EXIF says; 16 bits and grey levels become 8 and colour.

    Raises ``FormatError`` with ``reason`` ``unreadable`` or ``too_large``.
    """
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise _too_large(file)
        data = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        raise FormatError(
            f"{file} cannot be read: {error.strerror}", "check the path and who may read it", reason="unreadable"
        ) from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (cv2.error, MemoryError) as error:  # more pixels than OpenCV allows, or than there is memory for
        raise _too_large(file) from error
    if image is None or not image.size:
        raise FormatError(
            f"{file} is no picture that can be read",
            "take JPEG, PNG, WebP or TIFF, and see that the file is whole",
            reason="unreadable",
        )
    return image.astype(np.uint8, copy=False)


def _too_large(file: Path) -> FormatError:
    return FormatError(f"{file} has too many pixels", "make it smaller: a face needs a few hundred", reason="too_large")


def picture_files(root: Path) -> Iterator[Path]:
    """Pictures below ``root`` by their endings, in order of their names; hidden ones (``._a.jpg``) are left out.

    Links to folders are followed, but not back up. A link to nowhere is a file that cannot be read.
    """
    yield from sorted(_below(root, (os.path.realpath(root),)))


def _below(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """``above``: where we came through, this folder last."""
    for entry in os.scandir(folder):
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            if entry.name.lower().endswith(ENDINGS):
                yield Path(entry.path)
            continue
        real = os.path.realpath(entry.path)
        if not any(place == real or place.startswith(f"{real.rstrip(os.sep)}{os.sep}") for place in above):
            yield from _below(Path(entry.path), (*above, real))
