import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.config import GateConfig, ModelsConfig
from models.detector import Detections
from models.gate import GatedDetector, MotionGate, open_gated
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.readings import Frame, Image
from tests.shared_data import shared

HIGH, WIDE = 360, 640
RNG = np.random.default_rng(3)
ROOM = 120 + 350 * cv2.GaussianBlur(RNG.normal(0, 1, (HIGH, WIDE, 3)), (0, 0), 6)
"""Furniture: grey levels that spread by 20 around 120."""


def room(gain: float = 1.0, noise: float = 4.0, seed: int = 0) -> Image:
    """A textured room as a camera sees it: with a gain and independent noise."""
    grain = np.random.default_rng(seed).normal(0, noise, ROOM.shape)
    seen: Image = np.clip(ROOM * gain + grain, 0, 255).astype(np.uint8)
    return seen


def with_somebody(image: Image, x: int, contrast: float = 20.0, height: int = 90) -> Image:
    """Somebody a quarter of the picture high, as much darker than the room as ``contrast`` grey levels."""
    image = image.copy()
    part = image[200 : 200 + height, x : x + height * 2 // 5]
    part[:] = np.clip(part - np.float64(contrast), 0, 255)
    return image


class Counting:
    """A detector that finds one person, more of the picture each time."""

    def __init__(self) -> None:
        self.looks = 0

    def detect(self, image: Image, /) -> Detections:
        self.looks += 1
        box: npt.NDArray[np.float32] = np.array([[0, 0, min(1.0, 0.1 * self.looks), 0.5]], np.float32)
        return Detections(box, np.ones(1, np.float32))


def test_a_noisy_empty_room_is_looked_at_ten_times_less() -> None:
    inner = Counting()
    gate = GatedDetector(inner)
    for index in range(300):
        gate.detect(room(seed=index), index / 10)
    assert gate.looks == inner.looks <= 300 / 10
    assert gate.pictures == 300


def test_between_two_looks_the_last_people_are_still_there() -> None:
    gate = GatedDetector(Counting())
    first = gate.detect(room(seed=1), 0.0)
    assert gate.detect(room(seed=2), 0.1) is first
    assert not np.array_equal(gate.detect(room(seed=3), 0.2).boxes, first.boxes)


def test_looks_without_motion_come_twice_as_far_apart_each_time() -> None:
    gate = GatedDetector(Counting(), GateConfig(again=0.2, every=1.5))
    looked = []
    for index in range(60):
        before = gate.looks
        gate.detect(room(noise=0), index / 10)
        looked += [index] * (gate.looks - before)
    assert looked == [0, 2, 6, 14, 29, 44, 59]


@pytest.mark.parametrize("contrast", [12, 20, 60, -40])
def test_somebody_who_walks_is_looked_at_in_every_picture(contrast: float) -> None:
    gate = GatedDetector(Counting())
    for index in range(40):
        gate.detect(with_somebody(room(seed=index), 40 + 8 * index, contrast), index / 10)
    assert gate.looks == 40


def test_somebody_who_creeps_is_seen_because_the_last_look_is_compared_and_not_the_last_picture() -> None:
    gate = GatedDetector(Counting(), GateConfig(again=60, every=60))
    for index in range(100):
        gate.detect(with_somebody(room(seed=index), 100 + index, 40), index / 10)
    assert gate.looks >= 12


def test_a_darkening_room_and_a_flickering_lamp_are_no_motion_but_a_switched_light_is() -> None:
    gate = MotionGate()
    assert gate.moved(room(seed=0))
    gate.remember()
    for index in range(1, 30):
        assert not gate.moved(room(gain=1 - index / 100, seed=index)), f"gain {1 - index / 100}"
    bands = 1 + 0.15 * np.sin(np.arange(HIGH) / 30)[:, None, None]
    assert not gate.moved(np.clip(room(seed=30) * bands, 0, 255).astype(np.uint8))
    assert gate.moved(room(gain=0.3))


def test_somebody_is_seen_while_the_exposure_changes_too() -> None:
    gate = MotionGate()
    gate.moved(with_somebody(room(seed=0), 200))
    gate.remember()
    assert gate.moved(with_somebody(room(gain=0.8, seed=1), 230))


def test_a_crowd_everywhere_is_not_taken_for_noise() -> None:
    gate = MotionGate()
    gate.moved(room(seed=0))
    gate.remember()
    crowd = room(seed=1)
    crowd[:, ::2] = crowd[::-1, ::2]
    assert gate.moved(np.ascontiguousarray(crowd[:, ::-1]))


def test_media_that_begins_anew_and_another_resolution_are_looked_at_at_once() -> None:
    gate = GatedDetector(Counting())
    picture = room(noise=0)
    gate.detect(picture, 5.0)
    gate.detect(picture, 0.0)
    assert gate.looks == 2
    gate.detect(picture[::2, ::2], 0.1)
    assert gate.looks == 3


def test_without_times_ten_pictures_a_second_are_assumed() -> None:
    gate = GatedDetector(Counting(), GateConfig(again=1.0, every=1.0))
    for _ in range(31):
        gate.detect(room(noise=0))
    assert gate.looks == 4


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 255))
def test_pictures_of_any_shape_and_light_are_taken(high: int, wide: int, grey: int) -> None:
    gate = MotionGate()
    picture = np.full((high, wide, 3), grey, np.uint8)
    assert gate.moved(picture)
    gate.remember()
    assert not gate.moved(picture)


def test_a_configuration_that_contradicts_itself_is_refused() -> None:
    for wrong in ({"least": 6.0}, {"again": 2.0}, {"every": 0.0}):
        with pytest.raises(ValueError, match=r"least|again|every"):
            GateConfig.model_validate(wrong)


def test_a_street_with_people_is_looked_at_in_every_picture_and_a_stopped_one_is_not() -> None:
    url = f"file:{shared('data/video/vtest.avi')}"
    gate = open_gated(ModelsConfig())
    last: Image | None = None
    with CameraSource(CameraConfig(url=url)) as source:
        for reading in source:
            if isinstance(reading, Frame):
                found = gate.detect(reading.image, reading.media_time)
                last = reading.image
                if reading.index == 29:
                    break
    assert gate.looks == gate.pictures == 30
    assert last is not None
    for index in range(30, 180):
        assert len(gate.detect(last, index / 10)) == len(found)
    assert gate.looks <= 30 + 150 / 10
