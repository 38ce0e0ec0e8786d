"""Finds one person's face in a picture for little: in a small copy of the upper body, then in a small window around it.

The cost of CenterFace goes with the pixels it is given. One pass over the head and shoulders of somebody who fills a
picture of 720 lines took 11 CPU ms; both passes of this search take 3, and 1.5 while the face is followed.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.alignment import Floats, Image
from models.face_quality import MATCHED, FaceQuality, face_quality, main_face
from models.faces import Faces

Corners = tuple[float, float, float, float]

HEAD_SHARE = 0.45
"""Upper part of a person's box in which the face is looked for."""
WIDE_PX, WIDEST_PX = 64, 160
"""Height to which that part is scaled, and its greatest width: a face of a fifth of a body has 35 pixels there, and
CenterFace finds those of 16."""
NEAR_PX = 64
"""Side to which the window around a face is scaled. The face has 45 pixels there: its landmarks give the same TPIR as
those at full size (docs/figures.md)."""
NEAR = 2.2
"""Side of that window, in sides of the face: room for a face that moves."""
NEAR_S = 0.65
"""A face that was seen longer ago is looked for anew."""
LEAST_PX = 30
"""A smaller face is no use, see ``FaceLimits.side``; a box may be a little smaller than 2.4 distances of the eyes."""


class FaceFinder(Protocol):
    """What finds faces: ``models.faces.FaceDetector``, or a test's own."""

    def detect(self, image: Image, /, long_side: int | None = None) -> Faces:
        """Faces in pixels of the image, looked for in a copy of it that is at most so long."""


@dataclass(frozen=True, slots=True)
class SeenFace:
    """One face, cut out. Whoever gets it overwrites ``crop`` when done (PRIVACY rule 4)."""

    crop: Image
    """``(height, width, 3)`` uint8 BGR, a copy at the picture's own size."""
    landmarks: Floats
    """``(5, 2)``, pixels of the crop, in the order of ``Faces``."""
    quality: FaceQuality


class FaceSearch:
    """Where one followed person's face is. Keeps a place between pictures, and no image."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._place: tuple[float, float, float] | None = None
        """Middle and side of the face when last seen, pixels of the picture."""
        self._seen = float("-inf")

    def find(self, image: Image, box: Corners, time: float) -> SeenFace | None:
        """The face of the person in ``box`` (shares of the picture), or None. ``time``: seconds, of the picture."""
        if not 0 <= time - self._seen <= NEAR_S:
            self._place = None
        face = self._near(image)
        if face is None:
            left, top, right, bottom = head(box, *image.shape[:2])
            self._place = self._main(image, (left, top, right, bottom), wide_side(right - left, bottom - top))[0]
            face = self._near(image)
        if face is not None:
            self._seen = time
        return face

    def _near(self, image: Image) -> SeenFace | None:
        """The face at the place where one is expected, looked at closely."""
        if self._place is None or self._place[2] < LEAST_PX:
            return None
        x, y, side = self._place
        reach = NEAR * side / 2
        height, width = image.shape[:2]
        left, right = max(0, round(x - reach)), min(width, round(x + reach))
        top, bottom = max(0, round(y - reach)), min(height, round(y + reach))
        self._place = None
        if right - left < LEAST_PX or bottom - top < LEAST_PX:
            return None
        self._place, landmarks = self._main(image, (left, top, right, bottom), NEAR_PX)
        if landmarks is None:
            return None
        crop = image[top:bottom, left:right].copy()
        return SeenFace(crop, landmarks, face_quality(crop, landmarks, MATCHED))

    def _main(
        self, image: Image, window: tuple[int, int, int, int], long_side: int
    ) -> tuple[tuple[float, float, float] | None, Floats | None]:
        """Place in the picture, and landmarks in the window, of the face that the window is of."""
        left, top, right, bottom = window
        faces = self._finder.detect(image[top:bottom, left:right], long_side=long_side)
        chosen = main_face(faces, bottom - top, right - left)
        if chosen is None:
            return None, None
        x1, y1, x2, y2 = (float(value) for value in faces.boxes[chosen])
        place = left + (x1 + x2) / 2, top + (y1 + y2) / 2, max(x2 - x1, y2 - y1)
        return place, np.asarray(faces.landmarks[chosen], np.float32)


def head(box: Corners, height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, in pixels, of the upper part of a person, a little wider than the box."""
    x1, y1, x2, y2 = box
    aside, above = 0.1 * (x2 - x1), 0.05 * (y2 - y1)
    left, right = max(0, round((x1 - aside) * width)), min(width, round((x2 + aside) * width))
    top, bottom = max(0, round((y1 - above) * height)), min(height, round((y1 + HEAD_SHARE * (y2 - y1)) * height))
    left, top = min(left, width - 1), min(top, height - 1)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def wide_side(width: int, height: int) -> int:
    """The longer side, in pixels, to which a head region is scaled: a multiple of 32, so that nothing is padded."""
    if width <= height:
        return WIDE_PX
    return min(WIDEST_PX, max(WIDE_PX, 32 * int(WIDE_PX * width / height / 32)))
