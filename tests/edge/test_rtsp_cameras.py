"""Cameras of a real RTSP server, end to end: people counted, a server that dies and comes back, a refused password."""

import socket
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge.processors.footfall import FootfallConfig, FootfallProcessor
from edge.runtime import Backoff, Heartbeat, SensorLoop
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.readings import Image
from sync.events import FootfallMinute, Health, Visit
from tests.edge.test_cameras import Sink, until
from tests.edge.test_picture import BLUE, DOOR, BlueBoxes, shop
from tests.sensors.gst import CODECS, Codec, encode, gst_rtsp, require_gst

FPS = 10


def walk(seconds: float, crossings: list[float]) -> list[Image]:
    """The shop with sensor noise; whoever crosses the door at one of the times walks to the right."""
    rng, pictures = np.random.default_rng(5), []
    room = shop()
    for tick in range(round(seconds * FPS)):
        now = tick / FPS
        image = np.clip(room + rng.normal(0, 2, (240, 320, 1)), 0, 255).astype(np.uint8)
        for moment in crossings:
            x = 0.5 + 0.25 * (now - moment)
            if abs(now - moment) < 1.5:
                image[90:150, int((x - 0.05) * 320) : int((x + 0.05) * 320)] = BLUE
        pictures.append(image)
    return pictures


def loop_of(name: str, config: CameraConfig, sink: Sink) -> SensorLoop:
    processor = FootfallProcessor(name, FootfallConfig(lines=(DOOR,)), BlueBoxes())
    return SensorLoop(name, partial(CameraSource, config), processor, sink, time.time, stale_after=2.0)


def seconds_covered(sink: Sink, sensor: str) -> float:
    """Of all minutes together, by the last revision of each."""
    minutes = [event.data for event in sink.kept if event.sensor == sensor and isinstance(event.data, FootfallMinute)]
    return sum({minute.minute: minute.coverage for minute in minutes}.values())


def seconds_ok(sink: Sink, sensor: str, ended: float) -> float:
    """How long the sensor's health said ok."""
    total, since = 0.0, None
    for event in sink.kept:
        if event.sensor == sensor and isinstance(event.data, Health):
            now, good = event.time.timestamp(), event.data.state == "ok"
            if since is not None and not good:
                total += min(now, ended) - since
            since = (since if since is not None else now) if good else None
    return total + (ended - since if since is not None else 0.0)


@pytest.mark.parametrize("codec", CODECS)
def test_people_in_a_stream_of_a_real_server_are_counted(tmp_path: Path, codec: Codec) -> None:
    require_gst()
    file = encode(tmp_path / "walk.mp4", codec, walk(11, [5.5, 8.5]), FPS)
    sink, stop = Sink(), threading.Event()
    with gst_rtsp({"door": (file, codec)}) as server:
        loop = loop_of("door", CameraConfig(url=f"rtsp://127.0.0.1:{server.port}/door"), sink)
        thread = threading.Thread(target=loop.run, args=(stop,))
        began = time.time()
        thread.start()
        assert until(lambda: loop.status.state == "lost", 30)
        stop.set()
        thread.join(15)
    visits = [event for event in sink.kept if isinstance(event.data, Visit)]
    assert [event.data.direction for event in visits if isinstance(event.data, Visit)] == ["in", "in"]
    moments = [event.time.timestamp() - began for event in visits]
    assert moments[1] - moments[0] == pytest.approx(3.0, abs=0.4)


def test_a_server_that_dies_is_a_gap_for_its_camera_and_nothing_for_its_neighbour_and_comes_back_within_15_s(
    tmp_path: Path,
) -> None:
    require_gst()
    file = encode(tmp_path / "long.mp4", "h264", walk(60, []), FPS)
    sink, stop = Sink(), threading.Event()
    with gst_rtsp({"door": (file, "h264")}) as dying, gst_rtsp({"door": (file, "h264")}) as steady:
        loops = [
            loop_of("ill", CameraConfig(url=f"rtsp://127.0.0.1:{dying.port}/door"), sink),
            loop_of("well", CameraConfig(url=f"rtsp://127.0.0.1:{steady.port}/door"), sink),
        ]
        heart = Heartbeat([loop.status for loop in loops], sink, time.time, every=3600)
        threads = [threading.Thread(target=loop.run, args=(stop,)) for loop in loops]
        threads.append(threading.Thread(target=heart.run, args=(stop, 0.1)))
        for thread in threads:
            thread.start()
        try:
            assert until(lambda: all(loop.status.state == "ok" for loop in loops), 20)
            seen = time.time()
            assert until(lambda: time.time() - seen > 3, 5)
            dying.stop()
            died = time.time()
            assert until(lambda: ("lost", "unreachable") in sink.told("ill"), 15), sink.told("ill")
            assert until(lambda: time.time() - died > 5, 6)
            dying.start()
            back = time.time()
            assert until(lambda: loops[0].status.state == "ok", 15), sink.told("ill")
            assert time.time() - back < 15
            assert until(lambda: time.time() - back > 4, 5)
        finally:
            ended = time.time()
            stop.set()
            for thread in threads:
                thread.join(15)
    assert seconds_covered(sink, "well") == pytest.approx(seconds_ok(sink, "well", ended), abs=1.0)
    assert seconds_covered(sink, "ill") == pytest.approx(seconds_ok(sink, "ill", ended), abs=1.5)
    assert [step for step in sink.told("well") if step[0] not in ("starting", "stopped")] == [("ok", None)]


def test_a_refused_password_is_told_in_health_and_not_tried_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    require_gst()
    file = encode(tmp_path / "clip.mp4", "h264", walk(2, []), FPS)
    sink, stop, opened = Sink(), threading.Event(), 0
    monkeypatch.setenv("DOOR", "geheim")
    with gst_rtsp({"door": (file, "h264")}, login="viewer:right") as server:
        config = CameraConfig(url=f"rtsp://viewer@127.0.0.1:{server.port}/door", password_env="DOOR")

        def open_source() -> CameraSource:
            nonlocal opened
            opened += 1
            return CameraSource(config)

        processor = FootfallProcessor("door", FootfallConfig(lines=(DOOR,)), BlueBoxes())
        loop = SensorLoop("door", open_source, processor, sink, time.time, backoff=Backoff(0.05, 0.1))
        thread = threading.Thread(target=loop.run, args=(stop,))
        thread.start()
        assert until(lambda: loop.status.state == "lost", 10)
        assert loop.status.reason == "login_refused"
        # With a wait of at most a tenth of a second there would be many attempts by now.
        assert not until(lambda: opened > 1, 1.0)
        stop.set()
        thread.join(10)
    assert "refuses user and password (401)" in caplog.text
    assert "geheim" not in caplog.text


def test_a_camera_that_swallows_the_connection_does_not_hold_up_the_opening_of_another(tmp_path: Path) -> None:
    require_gst()
    file = encode(tmp_path / "clip.mp4", "h264", walk(4, []), FPS)
    sink, stop = Sink(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent, gst_rtsp({"door": (file, "h264")}) as server:
        dead = loop_of("dead", CameraConfig(url=f"rtsp://127.0.0.1:{silent.getsockname()[1]}/s"), sink)
        well = loop_of("well", CameraConfig(url=f"rtsp://127.0.0.1:{server.port}/door"), sink)
        threads = [threading.Thread(target=loop.run, args=(stop,)) for loop in (dead, well)]
        threads[0].start()
        with silent.accept()[0]:
            began = time.monotonic()
            threads[1].start()
            assert until(lambda: well.status.readings > 0, 10)
            # The dead one is given up after 5 s, and would be after 5 more in OpenCV.
            assert time.monotonic() - began < 4.5
            assert dead.status.readings == 0
            assert until(lambda: dead.status.reason == "unreachable", 10)
            stop.set()
            for thread in threads:
                thread.join(15)
