"""What becomes of footfall when the pictures of a camera cannot be counted on."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from edge.processors.footfall import FootfallConfig, FootfallProcessor, LineConfig
from edge.processors.picture import PictureWatch
from models.detector import Detections
from sensors.readings import Frame, Image
from sync.events import Event, FootfallMinute, Visit

T0 = 1_700_000_040.0
"""A full minute (a multiple of 60)."""
FPS = 5
DOOR = LineConfig(name="door", start=(0.5, 0.1), end=(0.5, 0.95), entering="positive")
BLUE = (255, 0, 0)


class BlueBoxes:
    """A detector that finds the blue boxes of made-up pictures."""

    def detect(self, image: Image, time: float, /) -> Detections:
        mask = (image[:, :, 0] > 200) & (image[:, :, 1] < 60) & (image[:, :, 2] < 60)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        height, width = image.shape[:2]
        boxes = [(x / width, y / height, (x + w) / width, (y + h) / height) for x, y, w, h, _ in stats[1:]]
        return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(count - 1, 0.8, np.float32))


def shop(width: int = 320, height: int = 240) -> Image:
    rng = np.random.default_rng(1)
    tiles = rng.integers(60, 200, (6, 8, 1)).astype(np.uint8)
    return np.repeat(cv2.resize(tiles, (width, height), interpolation=cv2.INTER_NEAREST)[:, :, None], 3, 2)


def picture(seconds: float, crossings: Sequence[float] = (), size: tuple[int, int] = (320, 240)) -> Image:
    """The shop with the noise of a sensor; whoever crosses the door at a given time walks to the right."""
    rng = np.random.default_rng(round(seconds * FPS))
    width, height = size
    image = np.clip(shop(width, height) + rng.normal(0, 2, (height, width, 1)), 0, 255).astype(np.uint8)
    for time in crossings:
        x = 0.5 + 0.1 * (seconds - time)
        if abs(seconds - time) < 3:
            image[int(0.375 * height) : int(0.625 * height), int((x - 0.05) * width) : int((x + 0.05) * width)] = BLUE
    return image


class Camera:
    """Feeds a processor, ``FPS`` pictures a second."""

    def __init__(self, scale: float = 1.0) -> None:
        self.processor = FootfallProcessor("cam", FootfallConfig(lines=(DOOR,)), BlueBoxes())
        self.events: list[Event] = []
        self.ticks = 0
        self.scale = scale

    def show(self, seconds: float, crossings: Sequence[float] = (), frozen: Image | None = None) -> None:
        for _ in range(round(seconds * FPS)):
            now = self.ticks / FPS
            image = picture(now, crossings) if frozen is None else frozen
            time = T0 + now * self.scale
            self.events += self.processor.process(Frame(image, time, now, self.ticks))
            self.events += self.processor.flush(time)
            self.ticks += 1

    def condition(self) -> str | None:
        return self.processor.condition

    @property
    def reports(self) -> dict[int, list[FootfallMinute]]:
        """Of each minute, in the order of their revisions."""
        found: dict[int, list[FootfallMinute]] = {}
        for event in self.events:
            if isinstance(event.data, FootfallMinute):
                found.setdefault(round((event.data.minute.timestamp() - T0) / 60), []).append(event.data)
        return found

    @property
    def visits(self) -> int:
        return sum(isinstance(event.data, Visit) for event in self.events)


def test_a_minute_that_was_reported_before_the_freeze_was_found_is_restated_with_less_coverage() -> None:
    camera = Camera()
    camera.show(45, [20.0])
    camera.show(90, frozen=picture(44.8))
    camera.events += camera.processor.close(T0 + 135)
    first, second = camera.reports[0], camera.reports[1]
    assert max(report.coverage for report in first) == 60
    assert first[-1].coverage == pytest.approx(45, abs=2)
    assert [report.revision for report in first] == sorted({report.revision for report in first})
    assert (first[-1].entered, camera.visits) == (1, 1)
    assert second[-1].coverage == 0
    assert camera.condition() == "frozen"


def test_somebody_who_stands_in_a_frozen_picture_is_not_there_and_counting_goes_on_when_it_moves_again() -> None:
    camera = Camera()
    camera.show(10, [10.0])
    camera.show(70, frozen=picture(10.0, [10.0]))
    assert camera.condition() == "frozen"
    camera.show(40, [90.0])
    camera.events += camera.processor.close(T0 + 120)
    assert camera.condition() is None
    assert camera.visits == 1
    assert camera.reports[1][-1].coverage == pytest.approx(40, abs=2)
    assert camera.reports[1][-1].entered == 1


@pytest.mark.parametrize(("level", "reason"), [(0, "dark"), (128, "uniform")])
def test_seconds_of_black_or_grey_are_not_covered(level: int, reason: str) -> None:
    camera = Camera()
    camera.show(20)
    camera.show(20, frozen=np.full((240, 320, 3), level, np.uint8))
    assert camera.condition() == reason
    camera.show(25)
    assert camera.condition() is None
    assert camera.reports[0][-1].coverage == pytest.approx(40, abs=1)


def test_a_quiet_night_is_covered() -> None:
    camera = Camera()
    camera.show(190)
    assert [camera.reports[number][-1].coverage for number in range(3)] == [60.0] * 3


def test_in_a_time_lapse_a_freeze_is_found_on_the_media_s_clock_and_withdrawn_on_the_store_s() -> None:
    camera = Camera(scale=60.0)
    camera.show(20)
    camera.show(60, frozen=picture(20.0))
    camera.events += camera.processor.close(T0 + 80 * 60)
    coverage = [camera.reports[number][-1].coverage for number in range(79)]
    assert coverage[1:19] == [60.0] * 18
    assert coverage[22:] == [0.0] * 57


def test_a_camera_that_sends_larger_pictures_of_the_same_view_loses_nobody() -> None:
    camera = Camera()
    for tick in range(20 * FPS):
        size = (320, 240) if tick < 10 * FPS else (640, 480)
        image = picture(tick / FPS, [10.0], size)
        camera.events += camera.processor.process(Frame(image, T0 + tick / FPS, tick / FPS, tick))
    assert camera.visits == 1


def test_a_camera_that_turns_from_wide_to_high_begins_anew_and_counts_nobody_for_it() -> None:
    camera = Camera()
    for tick in range(40 * FPS):
        size = (320, 240) if tick < 9.5 * FPS else (240, 320)
        # A person left of the door whose place in the new shape would be behind it.
        image = picture(tick / FPS, [12.4 if tick < 9.5 * FPS else 7.0, 30.0], size)
        camera.events += camera.processor.process(Frame(image, T0 + tick / FPS, tick / FPS, tick))
    assert camera.visits == 1
    assert camera.condition() == "reshaped"
    for tick in range(40 * FPS, 42 * FPS):
        camera.processor.process(Frame(picture(tick / FPS), T0 + tick / FPS, tick / FPS, tick))
    assert camera.condition() is None


def test_pictures_upside_down_and_of_no_size_do_no_harm() -> None:
    camera = Camera()
    for tick, image in enumerate([picture(0.0)[::-1, ::-1], np.zeros((1, 1, 3), np.uint8), picture(1.0)[:20, :20]] * 9):
        camera.events += camera.processor.process(Frame(image, T0 + tick, float(tick), tick))
    assert camera.condition() is None


@pytest.mark.parametrize("period", [1.0, 0.04])
def test_one_picture_a_second_or_twenty_five_observe_alike(period: float) -> None:
    watch, covered = PictureWatch(), 0.0
    for tick in range(round(20 / period) + 1):
        now = tick * period
        seen = watch.picture(Frame(picture(now), T0 + now, now, tick))
        covered += seen.interval[1] - seen.interval[0] if seen.interval else 0.0
    assert covered == pytest.approx(20)


def test_a_variable_frame_rate_observes_all_the_time_between_its_pictures() -> None:
    rng, watch, covered, now = np.random.default_rng(2), PictureWatch(), 0.0, 0.0
    for tick in range(200):
        seen = watch.picture(Frame(picture(now), T0 + now, now, tick))
        covered += seen.interval[1] - seen.interval[0] if seen.interval else 0.0
        now, last = now + float(rng.choice([0.03, 0.2, 1.5])), now
    assert covered == pytest.approx(last)
