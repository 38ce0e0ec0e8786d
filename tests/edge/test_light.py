"""Counting when the light changes: with the real detector on the clip that ships, and on a single walker drawn."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from bench import light
from bench.soak_shop import LINE, Painter, Walker
from bench.vision import compare, decoded
from sensors.readings import Frame

SECONDS = 45
WHOLE = json.loads(light.CLIP.with_name("clip.truth.json").read_text(encoding="utf-8"))["lines"][0]
TRUTH = {**WHOLE, "events": [event for event in WHOLE["events"] if event["t"] < SECONDS - 1]}
FPS = 5.0
WALKER = Walker(1.0, 0.15, True, 0)
DOOR = {"p1": [LINE, 0.05], "p2": [LINE, 0.95]}


@pytest.fixture(scope="module")
def clip() -> list[Frame]:
    """The first part of the clip, every second picture: five a second. Eight people cross."""
    return [frame for frame in decoded(light.CLIP, 2)[0] if frame.media_time < SECONDS]


@pytest.mark.parametrize(
    "name", ["as recorded", "gain 0.4", "gain 2", "exposure jumps every 3 s", "infrared, gain 0.5, noise of 6"]
)
def test_the_clip_is_counted_in_other_light_too(clip: list[Frame], name: str) -> None:
    result = light.count(clip, TRUTH, light.lights()[name])
    correct, false, missed = compare(result.crossings, TRUTH)
    assert correct >= 7, f"{correct} correct, {false} false, {missed} missed"
    assert false <= 1
    assert result.coverage > 0.97


def test_a_night_in_which_nothing_can_be_seen_is_not_covered_and_a_dim_one_is(clip: list[Frame]) -> None:
    night = light.count(clip, TRUTH, light.lights()["night (gain 0.05)"])
    assert night.crossings == []
    assert night.coverage < 0.05
    dim = light.count(clip, TRUTH, light.lights()["gain 0.2 and noise of 4"])
    assert dim.coverage > 0.97
    assert compare(dim.crossings, TRUTH)[0] >= 7


def walk() -> Iterator[Frame]:
    """One person who walks in through the door."""
    painter = Painter(np.random.default_rng(1), [WALKER])
    for tick in range(round((WALKER.gone + 2) * FPS)):
        yield Frame(painter.noisy(painter.paint(tick / FPS)), 0.0, tick / FPS, tick)


@pytest.mark.parametrize("factor", [0.4, 0.6, 1.6, 2.0])
@pytest.mark.parametrize("before", [-0.6, -0.2, 0.0, 0.2, 0.6])
def test_an_exposure_that_jumps_in_the_middle_of_a_crossing_counts_once(factor: float, before: float) -> None:
    assert WALKER.crosses is not None
    jump = WALKER.crosses - before
    result = light.count(
        walk(), DOOR, lambda image, at, rng: image if at < jump else light.exposed(image, factor, rng), size=224
    )
    assert [way for _, way in result.crossings] == ["L2R"]
    assert result.crossings[0][0] == pytest.approx(WALKER.crosses, abs=1.0)


def test_an_exposure_that_hunts_up_and_down_while_somebody_walks_counts_once() -> None:
    result = light.count(walk(), DOOR, light.lights()["exposure hunts, period 2 s"], size=224)
    assert [way for _, way in result.crossings] == ["L2R"]
