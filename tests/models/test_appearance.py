import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.appearance import BANDS, FEATURES, Image, Look, look_at

RED, GREEN, NAVY, WHITE = (40, 40, 190), (60, 140, 60), (90, 40, 30), (225, 225, 225)
Colour = tuple[int, int, int]


def person(shirt: Colour, trousers: Colour, *, seed: int = 0, height: int = 200, wall: int = 150) -> Image:
    """Somebody before a wall: head, shirt, trousers, with the noise of a sensor."""
    rng = np.random.default_rng(seed)
    width = height * 2 // 5
    image = np.full((height, width, 3), wall, np.float64)
    left, right = round(width * 0.2), round(width * 0.8)
    image[round(height * 0.02) : round(height * 0.17), round(width * 0.35) : round(width * 0.65)] = (120, 150, 190)
    image[round(height * 0.17) : round(height * 0.52), left:right] = shirt
    image[round(height * 0.52) :, left:right] = trousers
    image += rng.normal(0, 6, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def look(image: Image) -> Look:
    found = look_at(image)
    assert found is not None
    return found


def test_a_look_is_shares_of_colours_by_height() -> None:
    bands = look(person(RED, NAVY)).bands
    assert bands.shape == (BANDS, FEATURES)
    assert np.allclose(bands.sum(axis=1), 1)
    assert (bands >= 0).all()


def test_the_same_clothes_look_alike_and_others_do_not() -> None:
    one, again = look(person(RED, NAVY, seed=1)), look(person(RED, NAVY, seed=2))
    other, swapped = look(person(GREEN, NAVY)), look(person(NAVY, RED))
    assert one.distance(again) < 0.1
    assert one.distance(other) > 0.3
    assert one.distance(swapped) > 0.5


@pytest.mark.parametrize("change", [lambda image: image * 0.6, lambda image: np.clip(image * 1.25, 0, 255)])
def test_less_or_more_light_changes_less_than_another_shirt(change: object) -> None:
    assert callable(change)
    shot = person((60, 60, 150), (90, 60, 50))
    lit = look(change(shot.astype(np.float64)).astype(np.uint8))
    assert look(shot).distance(lit) < look(person(GREEN, (90, 60, 50))).distance(lit)


def test_near_and_far_make_little_difference() -> None:
    near, far = person(RED, NAVY, height=400), person(RED, NAVY, height=60)
    assert look(near).distance(look(far)) < 0.2


def test_the_wall_behind_somebody_makes_less_difference_than_the_shirt() -> None:
    assert look(person(RED, NAVY, wall=90)).distance(look(person(RED, NAVY, wall=200))) < 0.35
    assert look(person(RED, NAVY, wall=90)).distance(look(person(WHITE, NAVY, wall=90))) > 0.35


def test_a_person_in_a_picture_is_looked_at_in_their_box() -> None:
    scene = np.full((480, 640, 3), 150, np.uint8)
    scene[100:300, 200:280] = person(RED, NAVY)
    found = look_at(scene, (200 / 640, 100 / 480, 280 / 640, 300 / 480))
    assert found is not None
    assert found.distance(look(person(RED, NAVY))) < 0.01


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.5, 0.05), (0.5, 0.5, 0.5, 0.9), (0.9, 0.9, 1.0, 1.0)])
def test_somebody_too_small_is_not_judged(box: tuple[float, float, float, float]) -> None:
    assert look_at(np.zeros((100, 100, 3), np.uint8), box) is None


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_looks_add_up_to_their_mean_in_any_order(seeds: list[int]) -> None:
    looks = [look(cv2.resize(person(RED, NAVY, seed=seed), (40, 100)).astype(np.uint8)) for seed in seeds]
    forward, backward = looks[0], looks[-1]
    for one in looks[1:]:
        forward = forward + one
    for one in looks[-2::-1]:
        backward = backward + one
    assert forward.pictures == len(looks)
    assert np.allclose(forward.bands, backward.bands)
    assert np.allclose(forward.bands, np.mean([one.bands for one in looks], axis=0))
