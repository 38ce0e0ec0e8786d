from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.quality import Condition, Picture, PictureQuality, unusable_because
from tests.shared_data import shared

FPS = 5
Seconds = float


def scene(width: int = 640, height: int = 360, seed: int = 1, light: float = 1.0) -> Picture:
    """A made-up shop: shelves, a floor and a door, each with its texture."""
    rng = np.random.default_rng(seed)
    small = rng.integers(30, 220, (9, 16, 3)).astype(np.uint8)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.float32)
    texture = cv2.resize(rng.normal(0, 12, (height // 4, width // 4)).astype(np.float32), (width, height))
    lit: Picture = np.clip((image + texture[..., None]) * light, 0, 255).astype(np.uint8)
    return lit


def noisy(image: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    noise = rng.normal(0, sigma, image.shape[:2])[..., None]
    return np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)


def walked(image: Picture, seconds: float) -> Picture:
    """The scene with a dark figure that walks through it."""
    shown = image.copy()
    height, width = image.shape[:2]
    x = int(seconds * 0.1 % 0.9 * width)
    shown[height // 4 : height * 3 // 4, x : x + width // 12] = (20, 30, 40)
    return shown


def conditions(pictures: Iterator[Picture] | Sequence[Picture], fps: float = FPS) -> list[Condition | None]:
    quality = PictureQuality()
    return [quality.update(picture, number / fps) for number, picture in enumerate(pictures)]


def found(seen: Sequence[Condition | None], fps: float = FPS) -> tuple[Seconds, Condition]:
    return next((number / fps, condition) for number, condition in enumerate(seen) if condition is not None)


def encoded(path: Path, codec: str, pictures: Sequence[Picture]) -> Iterator[Picture]:
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), FPS, (width, height))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    capture = cv2.VideoCapture(str(path))
    while (read := capture.read())[0]:
        yield read[1].astype(np.uint8, copy=False)
    capture.release()


def test_a_picture_that_comes_again_and_again_is_frozen_within_a_minute_and_since_its_beginning() -> None:
    shop = scene()
    living = [walked(shop, number / FPS) for number in range(20 * FPS)]
    time, condition = found(conditions([*living, *[living[-1]] * (60 * FPS)]))
    assert condition.reason == "frozen"
    assert condition.since == pytest.approx(20, abs=1.5)
    assert time - 20 < 50


@pytest.mark.parametrize("codec", ["mp4v", "MJPG"])
@pytest.mark.parametrize("light", [1.0, 0.25])
def test_a_frozen_picture_that_is_encoded_anew_is_found_too(tmp_path: Path, codec: str, light: float) -> None:
    still = noisy(scene(320, 240, light=light), 2.0, np.random.default_rng(3))
    pictures = encoded(tmp_path / "frozen.avi", codec, [still] * (60 * FPS))
    time, condition = found(conditions(pictures))
    assert condition.reason == "frozen"
    assert time < 60


@pytest.mark.parametrize("codec", ["mp4v", "MJPG"])
@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_a_still_scene_at_night_has_the_noise_of_a_sensor_and_is_not_frozen(
    tmp_path: Path, codec: str, sigma: float
) -> None:
    rng, night = np.random.default_rng(4), scene(320, 240, light=0.4)
    pictures = encoded(tmp_path / "night.avi", codec, [noisy(night, sigma, rng) for _ in range(80 * FPS)])
    assert set(conditions(pictures)) == {None}


def test_a_still_scene_that_an_encoder_repeats_bit_by_bit_within_a_group_of_pictures_is_not_frozen() -> None:
    rng, shop = np.random.default_rng(5), scene()
    groups = [noisy(shop, 1.0, rng) for _ in range(12)]
    assert set(conditions([picture for picture in groups for _ in range(10 * FPS)])) == {None}


def test_a_drawn_scene_that_stands_still_for_half_a_minute_is_not_frozen() -> None:
    shop = scene()
    pictures = [walked(shop, number / FPS) for number in range(10 * FPS)]
    assert set(conditions([*pictures, *[pictures[-1]] * (30 * FPS), *pictures])) == {None}


def test_a_picture_that_moves_again_is_well_again_at_once() -> None:
    shop = scene()
    seen = conditions([*[shop] * (60 * FPS), *[walked(shop, number / FPS) for number in range(20)]])
    assert seen[60 * FPS - 1] is not None
    assert seen[60 * FPS :] == [None] * 20


def test_a_still_scene_whose_sensor_delivers_again_is_well_again_in_a_quarter_of_a_minute() -> None:
    rng, shop = np.random.default_rng(6), scene()
    seen = conditions([*[shop] * (60 * FPS), *[noisy(shop, 1.0, rng) for _ in range(15 * FPS)]])
    assert seen[60 * FPS - 1] is not None
    assert seen[-1] is None


def test_a_recording_that_begins_anew_every_few_seconds_is_not_frozen() -> None:
    quality, shop = PictureQuality(), scene()
    pictures = [walked(shop, number / FPS) for number in range(14 * FPS)]
    for _ in range(8):
        for number, picture in enumerate(pictures):
            assert quality.update(picture, number / FPS) is None


@pytest.mark.parametrize("name", ["edge/demo/clip.mp4", "data/video/vtest.avi"])
def test_pictures_of_real_recordings_are_well(name: str) -> None:
    path = Path(__file__).parents[2] / name
    capture = cv2.VideoCapture(str(path if path.exists() else shared(name)))
    quality, number = PictureQuality(), 0
    while (read := capture.read())[0]:
        assert quality.update(read[1].astype(np.uint8, copy=False), number / 10) is None
        number += 1
    assert number > 700


def covered(rng: np.random.Generator) -> Picture:
    """A hand on the lens: a reddish gradient with noise."""
    across = np.linspace(40, 120, 640)[None, :, None] * np.array([0.3, 0.5, 1.0])
    return noisy(np.repeat(across, 360, 0).astype(np.uint8), 4.0, rng)


def grey_smear(rng: np.random.Generator) -> Picture:
    """What decoders make of a picture whose lower half never came."""
    image = noisy(scene(), 2.0, rng)
    image[150:] = 130
    return image


def row_smear(rng: np.random.Generator) -> Picture:
    """A row of blocks that was repeated down to the bottom."""
    image = noisy(scene(), 2.0, rng)
    image[100:] = image[99]
    return image


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda rng: np.zeros((360, 640, 3), np.uint8), "dark"),
        (lambda rng: noisy(np.full((360, 640, 3), 8, np.uint8), 5.0, rng), "dark"),
        (lambda rng: np.full((360, 640, 3), 130, np.uint8), "uniform"),
        (lambda rng: noisy(np.full((1080, 1920, 3), 90, np.uint8), 3.0, rng), "uniform"),
        (covered, "uniform"),
        (grey_smear, "corrupt"),
        (row_smear, "corrupt"),
    ],
)
def test_a_picture_that_shows_nothing_is_said_by_name_and_forgiven_when_it_is_over(
    make: Callable[[np.random.Generator], Picture], reason: str
) -> None:
    rng = np.random.default_rng(7)
    bad = make(rng)
    shop = scene(bad.shape[1], bad.shape[0])
    good = [walked(shop, number / FPS) for number in range(5 * FPS)]
    seen = conditions([*good, *[bad] * (5 * FPS), *good])
    time, condition = found(seen)
    assert condition.reason == reason
    assert condition.since == pytest.approx(5, abs=0.6)
    assert time - 5 < 2
    assert seen[10 * FPS :] == [None] * (5 * FPS)


def test_one_damaged_picture_is_no_condition() -> None:
    shop = scene()
    pictures = [walked(shop, number / FPS) for number in range(10 * FPS)]
    pictures[17] = np.zeros_like(shop)
    assert set(conditions(pictures)) == {None}


def test_a_dim_scene_an_upside_down_one_and_a_foggy_one_can_be_counted_on() -> None:
    shop = noisy(scene(), 2.0, np.random.default_rng(8))
    assert unusable_because(scene(light=0.3)) is None
    assert unusable_because(shop[::-1, ::-1]) is None
    assert unusable_because((shop * 0.35 + 150).astype(np.uint8)) is None


@pytest.mark.parametrize("exposure", [0.15, 0.4, 1.6, 2.0, 4.0, 6.0])
def test_a_scene_can_be_counted_on_in_any_exposure_that_leaves_something_to_see(exposure: float) -> None:
    # At 6.0 nine of ten pixels are white; what is left of the shelves has a sensor's noise.
    seen = noisy(scene(), 1.5, np.random.default_rng(8)) * exposure
    exposed = noisy(np.clip(seen, 0, 255).astype(np.uint8), 1.5, np.random.default_rng(9))
    assert unusable_because(np.where(seen >= 255, 255, exposed).astype(np.uint8)[2::5, 2::5]) is None


def test_a_bare_wall_with_a_door_in_it_shows_something() -> None:
    wall = np.full((360, 640, 3), 150, np.uint8)
    wall[100:360, 280:360] = 90
    assert unusable_because(noisy(wall, 1.5, np.random.default_rng(9))[2::5, 2::5]) is None


def test_a_picture_of_another_size_is_compared_with_nothing_before_it() -> None:
    quality, shop = PictureQuality(), scene(640, 360)
    seen = [quality.update(shop, number / FPS) for number in range(60 * FPS)]
    assert seen[-1] is not None
    assert quality.update(scene(320, 240), 61.0) is None


def test_a_camera_with_one_picture_in_five_seconds_freezes_too() -> None:
    time, condition = found(conditions([scene()] * 20, fps=0.2), fps=0.2)
    assert condition.reason == "frozen"
    assert time < 60


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90), st.just(3))), st.floats(0, 1e6))
def test_any_picture_of_any_size_is_judged_without_an_error(image: Picture, time: float) -> None:
    quality = PictureQuality()
    for step in range(4):
        quality.update(image, time + step)
