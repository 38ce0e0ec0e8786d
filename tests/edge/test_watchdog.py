"""Cameras that hang, crash and come back: what health says, what minutes claim, and what the others notice of it."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from bench.soak_time import SteppedStop, SteppedTime
from edge.processors.footfall import FootfallConfig, FootfallProcessor, LineConfig
from edge.runtime import Backoff, Heartbeat, SensorLoop
from models.detector import Detections
from sensors.errors import SourceError
from sensors.readings import Frame, Image, Silence
from sync.events import Event, FootfallMinute, Health, Visit
from tests.edge.test_picture import BlueBoxes, picture
from tests.fakes import FakeSource

T0 = 1_700_000_040.0
"""A full minute (a multiple of 60)."""
FPS = 2
SIZE = (160, 120)
DOOR = LineConfig(name="door", start=(0.5, 0.1), end=(0.5, 0.95), entering="positive")
CROSSINGS = [20.0, 150.0, 330.0]
Readings = Iterator[Frame | Silence]


class Sink:
    def __init__(self) -> None:
        self.kept: list[Event] = []

    def put(self, events: Sequence[Event]) -> None:
        self.kept += events

    def told(self, sensor: str) -> list[tuple[str, str | None]]:
        """States and reasons of a sensor in order, as often as they were told."""
        health = [event.data for event in list(self.kept) if event.sensor == sensor]
        return [(data.state, data.reason) for data in health if isinstance(data, Health)]

    def coverage(self, sensor: str) -> list[float]:
        """Of each minute, by its last revision."""
        minutes = [event.data for event in self.kept if event.sensor == sensor]
        last = {data.minute: data.coverage for data in minutes if isinstance(data, FootfallMinute)}
        return [last[minute] for minute in sorted(last)]

    def visits(self, sensor: str) -> list[float]:
        """Seconds since the start."""
        crossed = [event for event in self.kept if event.sensor == sensor and isinstance(event.data, Visit)]
        return [round(event.time.timestamp() - T0, 1) for event in crossed]


class Broken:
    """A detector with a bug that shows in every picture."""

    def detect(self, image: Image, time: float, /) -> Detections:
        raise IndexError(image.shape)


class Box:
    """Loops of several cameras and their heartbeat, in simulated time."""

    def __init__(self, cameras: int) -> None:
        self.time = SteppedTime(T0, cameras + 1)
        self.stop = SteppedStop(self.time)
        self.sink = Sink()
        self.loops: list[SensorLoop] = []

    def camera(
        self, name: str, readings: Callable[[], Readings], detector: BlueBoxes | Broken | None = None
    ) -> FakeSource[Frame]:
        source: FakeSource[Frame] = FakeSource(readings)
        processor = FootfallProcessor(name, FootfallConfig(lines=(DOOR,)), detector or BlueBoxes())
        self.loops.append(
            SensorLoop(
                name, lambda: source, processor, self.sink, self.time.now, stale_after=10.0, rng=random.Random(name)
            )
        )
        return source

    def run(self, seconds: float) -> None:
        # A heartbeat every hour: what is told in between is told because it changed.
        heart = Heartbeat([loop.status for loop in self.loops], self.sink, self.time.now, every=3600)

        def beat() -> None:
            while self.time.elapsed < seconds:
                self.time.sleep(1.0)
                self.sink.put(heart.due(self.time.now()))
            self.stop.set()
            self.time.leave()

        def watch(loop: SensorLoop) -> None:
            loop.run(self.stop)
            self.time.leave()

        threads = [
            threading.Thread(target=beat),
            *(threading.Thread(target=watch, args=(loop,)) for loop in self.loops),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in threads)

    def well(self) -> Readings:
        """A camera without a fault from the moment of opening on."""
        opened, index = self.time.elapsed, 0
        while True:
            self.time.sleep(1 / FPS)
            now = self.time.elapsed
            yield Frame(picture(now, CROSSINGS, SIZE), self.time.now(), now - opened, index)
            index += 1


def quiet(box: Box, first: float, last: float, *, says: bool) -> Readings:
    """Hangs from ``first`` to ``last`` without an error: with a silence each second, or without a word."""
    for reading in box.well():
        yield reading
        while first <= box.time.elapsed < last:
            box.time.sleep(1.0 if says else last - box.time.elapsed)
            if says:
                yield Silence(box.time.now())


@pytest.mark.parametrize("says", [True, False])
def test_a_camera_that_hangs_without_an_error_is_degraded_and_its_minutes_claim_nothing(says: bool) -> None:
    box = Box(2)
    box.camera("ill", lambda: quiet(box, 90.0, 270.0, says=says))
    box.camera("well", box.well)
    box.run(400.0)
    assert box.sink.told("ill") == [("ok", None), ("degraded", "silent"), ("ok", None)]
    assert box.sink.coverage("ill")[:6] == [pytest.approx(covered, abs=1.6) for covered in (60, 30, 0, 0, 30, 60)]
    assert box.sink.visits("ill") == pytest.approx([20.0, 330.0], abs=0.7)
    assert box.sink.told("well") == [("ok", None)]
    assert box.sink.coverage("well")[:6] == [pytest.approx(60, abs=0.6)] * 6
    assert box.sink.visits("well") == pytest.approx(CROSSINGS, abs=0.7)


def test_a_camera_whose_every_picture_crashes_its_processor_stops_no_other_and_is_opened_again_and_again() -> None:
    box = Box(2)
    source = box.camera("ill", box.well, Broken())
    box.camera("well", box.well)
    box.run(400.0)
    assert box.sink.told("ill") == [("lost", "crashed")]
    assert sum(box.sink.coverage("ill")) == 0
    # The waits grow, though pictures come.
    assert 10 < source.opened == source.closed < 80
    assert box.sink.told("well") == [("ok", None)]
    assert box.sink.visits("well") == pytest.approx(CROSSINGS, abs=0.7)


def test_health_says_each_reason_once_and_again_when_it_is_over() -> None:
    box = Box(1)
    black = np.zeros((120, 160, 3), np.uint8)

    def ill() -> Readings:
        for reading in box.well():
            if 300 <= box.time.elapsed < 330:
                raise SourceError("the line is cut", "wait")
            assert isinstance(reading, Frame)
            image = black if 60 <= box.time.elapsed < 90 else reading.image
            image = picture(130.0, (), SIZE) if 130 <= box.time.elapsed < 220 else image
            yield Frame(image, reading.time, reading.media_time, reading.index)

    box.camera("ill", ill)
    box.run(400.0)
    assert box.sink.told("ill") == [
        ("ok", None),
        ("degraded", "dark"),
        ("ok", None),
        ("degraded", "frozen"),
        ("ok", None),
        ("lost", "source_lost"),
        ("ok", None),
    ]


def test_cameras_that_are_lost_at_the_same_moment_do_not_come_back_in_step() -> None:
    rng, backoff = random.Random(1), Backoff()
    twenty = [[backoff.wait(attempt, rng) for attempt in range(8)] for _ in range(20)]
    arrivals = sorted(sum(waits) for waits in twenty)
    assert arrivals[-1] - arrivals[0] > 10
    assert len({round(arrival) for arrival in arrivals}) > 10
