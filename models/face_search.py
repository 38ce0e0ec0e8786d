"""Finds one person's face in a picture for little: in a small copy of the upper body, then in a small window around it.

The cost of CenterFace goes with the pixels it is given. One pass over head and shoulders at full size took 7 to 11 CPU
ms; a first look takes 2.5 for both passes, and 1.2 while the face is followed (``python -m bench.face_path``).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.alignment import Floats, Image
from models.face_quality import MATCHED, FaceQuality, face_quality, main_face
from models.faces import Faces
from models.tracker import Corners, cut_by_border

UPPER, UPRIGHT = 0.45, 0.33
"""Upper part of a box in which the face is looked for, and that of somebody who is seen upright from head to foot: the
head is an eighth of a body."""
SLIM, SLIMMER = 1.3, 1.6
"""Height by width from which a box may hold a whole body, and from which it does where no border cuts it."""
CLOSE_PX, WHOLE_PX, WIDEST_PX = 64, 128, 160
"""Height to which that part is scaled: of a bust, and of what may be a whole body; and its greatest width. The face is
15 cm wide, an eleventh of a body: 30 pixels are left of it, 22 where the upper half was taken; CenterFace finds those
of 16. 97.5 % of the good faces of the shipped clip and all of the singer's are found again with 64, 99.2 % with 96 for
twice the cost; of 100 faces on upright bodies 95 with 128, 85 to 96 with 96. Whom one look misses, the next one finds.
"""
NEAR_PX = 64
"""Side to which the window around a face is scaled. The face has 29 pixels there, and its landmarks give the TPIR of
those at full size (docs/figures.md)."""
NEAR = 2.2
"""Side of that window, in sides of the face: room for a face that moves."""
NEAR_S = 0.65
"""A face that was seen longer ago is looked for anew at once; sooner, first where it was."""
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
            window, long_side = head(box, *image.shape[:2])
            self._place = self._main(image, window, long_side)[0]
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
        quality = face_quality(image[top:bottom, left:right], landmarks, MATCHED)
        return SeenFace(image[top:bottom, left:right].copy(), landmarks, quality)

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


def finer(finder: FaceFinder, crop: Image, long_side: int) -> Floats | None:
    """The landmarks of the face in ``SeenFace.crop``, ``(5, 2)`` in its pixels, from a copy that is at most so long.

    None where no face stands out.
    """
    faces = finder.detect(crop, long_side=long_side)
    chosen = main_face(faces, *crop.shape[:2])
    return None if chosen is None else np.asarray(faces.landmarks[chosen], np.float32)


def head(box: Corners, height: int, width: int) -> tuple[tuple[int, int, int, int], int]:
    """Left, top, right, bottom, in pixels, of the part of a person in which the face is, a little wider than the box.

    And the longer side to which it is scaled, a multiple of 32, so that little is padded.
    """
    x1, y1, x2, y2 = box
    slim = (y2 - y1) * height / max((x2 - x1) * width, 1.0)
    cut_left, _, cut_right, cut_below = cut_by_border(box)
    body = slim >= SLIM and not cut_left and not cut_right
    share = UPRIGHT if body and slim >= SLIMMER and not cut_below else UPPER
    aside, above = 0.1 * (x2 - x1), 0.05 * (y2 - y1)
    left, right = max(0, round((x1 - aside) * width)), min(width, round((x2 + aside) * width))
    top, bottom = max(0, round((y1 - above) * height)), min(height, round((y1 + share * (y2 - y1)) * height))
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    scaled = WHOLE_PX if body else CLOSE_PX
    long_side = 32 * int(scaled * max(1.0, (right - left) / (bottom - top)) / 32)
    return (left, top, right, bottom), min(WIDEST_PX, long_side)
