"""Whole cameras, end to end: a stream over a socket, its loop, its footfall and its health."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.processors.footfall import FootfallConfig, FootfallProcessor, LineConfig
from edge.runtime import Backoff, Heartbeat, SensorLoop
from models.detector import Detections
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.readings import Frame, Image
from sync.events import Event, Health
from tests.sensors.rtsp_server import PACKETS, rtsp_camera

DOOR = LineConfig(name="door", start=(0.5, 0.1), end=(0.5, 0.95), entering="positive")


class Nobody:
    def detect(self, image: Image, time: float, /) -> Detections:
        return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))


class Sink:
    def __init__(self) -> None:
        self.kept: list[Event] = []

    def put(self, events: Sequence[Event]) -> None:
        self.kept += events

    def told(self, sensor: str) -> list[tuple[str, str | None]]:
        """States and reasons of a sensor in order, each change once."""
        states: list[tuple[str, str | None]] = []
        for event in list(self.kept):
            if event.sensor == sensor and isinstance(event.data, Health):
                state = event.data.state, event.data.reason
                if not states or states[-1] != state:
                    states.append(state)
        return states


def transport_stream(path: Path, seconds: float, size: tuple[int, int] = (64, 48)) -> Path:
    """An MPEG-TS file of 25 pictures a second, each with noise of its own."""
    rng = np.random.default_rng(1)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MPG2"), 25.0, size)
    assert writer.isOpened()
    for _ in range(round(seconds * 25)):
        writer.write(rng.integers(0, 255, (size[1], size[0], 3)).astype(np.uint8))
    writer.release()
    return path


def pace(path: Path, seconds: float) -> float:
    """The pause after each packet that makes a file last so long."""
    return seconds / (path.stat().st_size / (188 * PACKETS))


def camera_loop(name: str, address: str, sink: Sink, stale_after: float) -> SensorLoop:
    config = CameraConfig(url=f"rtsp://{address}")
    processor = FootfallProcessor(name, FootfallConfig(lines=(DOOR,)), Nobody())
    opened = partial(CameraSource, config)
    backoff = Backoff(0.2, 1.0)
    return SensorLoop(
        name, opened, processor, sink, time.time, stale_after=stale_after, backoff=backoff, rng=random.Random(3)
    )


def until(what: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)
    return what()


def test_a_camera_whose_frames_stop_is_silent_then_lost_then_back_and_its_neighbour_never_notices(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    short, long = transport_stream(tmp_path / "short.ts", 3), transport_stream(tmp_path / "long.ts", 60)
    sink, stop = Sink(), threading.Event()
    with (
        rtsp_camera(short, pause=pace(short, 3), stall=60) as (stalling, _),
        rtsp_camera(long, pause=pace(long, 60)) as (steady, _),
    ):
        ill = camera_loop("ill", stalling, sink, stale_after=2.0)
        well = camera_loop("well", steady, sink, stale_after=2.0)
        heart = Heartbeat([ill.status, well.status], sink, time.time, every=3600)
        threads = [threading.Thread(target=part.run, args=(stop,)) for part in (ill, well)]
        threads.append(threading.Thread(target=heart.run, args=(stop, 0.1)))
        for thread in threads:
            thread.start()
        try:
            assert until(lambda: ("degraded", "silent") in sink.told("ill"), 20), sink.told("ill")
            assert until(lambda: "ill: camera rtsp://" in caplog.text, 20)
            before = ill.status.readings
            assert until(lambda: ill.status.readings > before, 20)
            assert until(lambda: sink.told("ill")[-1] == ("ok", None), 5), sink.told("ill")
            seen = well.status.readings
            assert until(lambda: well.status.readings > seen, 5)
        finally:
            stop.set()
            for thread in threads:
                thread.join(15)
    assert "well: " not in caplog.text
    assert [step for step in sink.told("well") if step[0] not in ("starting", "stopped")] == [("ok", None)]
    assert not any(thread.is_alive() for thread in threads)


def test_a_stream_that_changes_its_resolution_goes_on(tmp_path: Path) -> None:
    first = transport_stream(tmp_path / "a.ts", 3)
    second = transport_stream(tmp_path / "b.ts", 3, (128, 128))
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    processor = FootfallProcessor("cam", FootfallConfig(lines=(DOOR,)), Nobody())
    # OpenCV brings every picture to the size of the first one.
    with CameraSource(CameraConfig(url=str(both))) as source:
        pictures = [reading for reading in source if isinstance(reading, Frame)]
    assert len(pictures) > 140
    for picture in pictures:
        processor.process(picture)
    assert {picture.image.shape for picture in pictures} == {(48, 64, 3)}


@pytest.mark.parametrize("fps", [1.0, 30.0])
def test_a_recording_with_nobody_in_it_has_no_visit_and_full_coverage_at_any_rate(tmp_path: Path, fps: float) -> None:
    path, rng = tmp_path / "empty.avi", np.random.default_rng(2)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    for _ in range(round(70 * fps)):
        writer.write(rng.integers(0, 255, (48, 64, 3)).astype(np.uint8))
    writer.release()
    sink = Sink()
    loop = SensorLoop(
        "cam",
        partial(CameraSource, CameraConfig(url=str(path), start=1_700_000_040.0)),
        FootfallProcessor("cam", FootfallConfig(lines=(DOOR,)), Nobody()),
        sink,
        time.time,
    )
    loop.run(threading.Event())
    minutes = [event.data.model_dump() for event in sink.kept]
    assert minutes[0]["coverage"] == 60
    assert {minute["entered"] + minute["left"] for minute in minutes} == {0}
