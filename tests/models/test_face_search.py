"""A face found in small copies of the picture: a real photograph, the real detector."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from models.alignment import Image
from models.face_search import NEAR_PX, NEAR_S, WIDEST_PX, FaceSearch, head
from models.faces import FaceDetector, Faces
from tests.shared_data import shared

BOX = (0.3, 0.05, 0.7, 0.98)


@dataclass
class Counting:
    """The real detector, and at what sizes it was asked."""

    real: FaceDetector = field(default_factory=FaceDetector)
    sizes: list[int | None] = field(default_factory=list)

    def detect(self, image: Image, long_side: int | None = None) -> Faces:
        self.sizes.append(long_side)
        return self.real.detect(image, long_side)


def scene(x: int = 515, side: int = 250) -> Image:
    """Somebody of LFW at the head of a person in a picture of 720 lines."""
    face = cv2.imread(str(shared("data/faces/lfw_subset/strangers/Hiroki_Gomi_0001.jpg")))
    image = np.full((720, 1280, 3), 96, np.uint8)
    image[40 : 40 + side, x : x + side] = cv2.resize(np.asarray(face, np.uint8), (side, side))
    return image


def body(side: int) -> tuple[float, float, float, float]:
    """The box of somebody who stands upright with such a picture as the head: 2.4 distances of the eyes are two fifths
    of the picture's side, and an eleventh of a body.
    """
    tall = 11 * 0.4 * side
    return (
        (640 - 0.19 * tall) / 1280,
        (40 + 0.2 * side) / 720,
        (640 + 0.19 * tall) / 1280,
        (40 + 0.2 * side + tall) / 720,
    )


@pytest.mark.parametrize(("side", "box"), [(110, body(110)), (140, body(140)), (250, BOX), (330, BOX)])
def test_its_landmarks_are_those_at_full_size_within_a_twentieth_of_the_face(
    side: int, box: tuple[float, float, float, float]
) -> None:
    image = scene(640 - side // 2, side)
    face = FaceSearch(FaceDetector()).find(image, box, 0.0)
    assert face is not None
    whole = FaceDetector().detect(face.crop).landmarks[0]
    apart = np.linalg.norm(face.landmarks - whole, axis=1)
    assert np.sqrt((apart**2).mean()) < 0.05 * face.quality.side


def test_a_followed_face_is_looked_for_once_around_its_place_and_anew_after_a_while() -> None:
    finder = Counting()
    search = FaceSearch(finder)
    assert search.find(scene(515), BOX, 0.0) is not None
    assert finder.sizes[1:] == [NEAR_PX]
    assert search.find(scene(530), BOX, 0.1) is not None
    assert finder.sizes[2:] == [NEAR_PX]
    assert search.find(scene(545), BOX, 0.2 + NEAR_S) is not None
    assert len(finder.sizes) == 5


def test_a_face_that_is_gone_from_its_place_is_looked_for_in_the_whole_upper_body_at_once() -> None:
    search = FaceSearch(FaceDetector())
    assert search.find(scene(400), (0.2, 0.05, 0.7, 0.98), 0.0) is not None
    assert search.find(scene(620), (0.4, 0.05, 0.75, 0.98), 0.1) is not None


def test_a_picture_without_a_face_gives_none() -> None:
    assert FaceSearch(FaceDetector()).find(np.full((720, 1280, 3), 96, np.uint8), BOX, 0.0) is None


def test_the_crop_is_a_copy_which_may_be_overwritten() -> None:
    image = scene()
    face = FaceSearch(FaceDetector()).find(image, BOX, 0.0)
    assert face is not None
    face.crop[:] = 0
    assert np.array_equal(image, scene())


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.99, 0.99, 1, 1), (0, 0.4, 0.01, 0.42), (0.5, 0.5, 0.5, 0.5)])
def test_every_box_has_a_head_region_of_at_least_a_pixel(box: tuple[float, float, float, float]) -> None:
    (left, top, right, bottom), long_side = head(box, 360, 640)
    assert 0 <= left < right <= 640
    assert 0 <= top < bottom <= 360
    assert long_side % 32 == 0
    assert 32 <= long_side <= WIDEST_PX
