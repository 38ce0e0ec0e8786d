"""Motion JPEG over HTTP, USB cameras that cannot be opened, and streams that are not what they should be."""

import base64
import http.server
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.camera_mutations import Clip, mutate, outcome
from sensors.camera import CameraSource, upright
from sensors.camera_config import CameraConfig
from sensors.device import open_device
from sensors.errors import SourceError
from sensors.readings import Frame
from tests.sensors.test_camera import frames, number_of, picture


class Handler(http.server.BaseHTTPRequestHandler):
    """Pictures 0 to 19 again and again; ``length`` with Content-Length, ``login`` to whoever knows it."""

    length = True
    login = ""
    status = 200
    kind = "multipart/x-mixed-replace; boundary=frame"
    pause = 0.02

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(self.login.encode()).decode()
        refused = bool(self.login) and self.headers.get("Authorization") != wanted
        self.send_response(401 if refused else self.status)
        if refused:
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
        self.send_header("Content-Type", self.kind)
        self.end_headers()
        if refused or self.status != 200:
            return
        with suppress(OSError):
            self.pictures()

    def pictures(self) -> None:
        if self.kind.startswith("text/"):
            self.wfile.write(b"<html>please log in</html>")
            return
        for index in range(10_000):
            encoded = cv2.imencode(".jpg", picture(index % 20))[1].tobytes()
            length = f"Content-Length: {len(encoded)}\r\n" if self.length else ""
            self.wfile.write(f"--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode() + encoded + b"\r\n")
            time.sleep(self.pause)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def http_camera(**traits: object) -> Iterator[str]:
    """Gives ``host:port/path``."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Camera", (Handler,), traits)) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}/video.mjpg"
        server.shutdown()


def some(config: CameraConfig, count: int = 10) -> list[Frame]:
    found: list[Frame] = []
    with CameraSource(config) as source:
        for reading in source:
            if isinstance(reading, Frame):
                found.append(reading)
            if len(found) == count:
                break
    return found


@pytest.mark.parametrize("length", [True, False])
def test_motion_jpeg_comes_in_order_with_and_without_content_length(length: bool) -> None:
    with http_camera(length=length) as address:
        found = some(CameraConfig(url=f"http://{address}"))
    assert {frame.image.shape for frame in found} == {(48, 64, 3)}
    steps = [(number_of(b) - number_of(a)) % 20 for a, b in pairwise(found)]
    assert steps == [(b.index - a.index) % 20 for a, b in pairwise(found)]


def test_motion_jpeg_gets_its_password_from_the_environment_and_a_wrong_one_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with http_camera(login="viewer:a:b c") as address:
        config = CameraConfig(url=f"http://viewer@{address}", password_env="DOOR")
        monkeypatch.setenv("DOOR", "a:b c")
        assert len(some(config, 2)) == 2
        monkeypatch.setenv("DOOR", "geheim")
        with pytest.raises(SourceError, match=r"refuses user and password \(401\)") as caught, CameraSource(config):
            pass
    assert caught.value.reason == "login_refused"
    assert "geheim" not in f"{caught.value}{caught.value.fix}"


@pytest.mark.parametrize(
    ("traits", "said", "reason"),
    [
        ({"status": 404}, r"no stream /video.mjpg \(404\)", "not_found"),
        ({"status": 500}, "answers 500", "source_lost"),
        ({"kind": "text/html; charset=utf-8"}, "sends a page", "no_video"),
        ({"login": "v:p"}, "asks for a user and a password", "login_refused"),
    ],
)
def test_an_http_camera_that_gives_no_video_is_named(traits: dict[str, object], said: str, reason: str) -> None:
    with (
        http_camera(**traits) as address,
        pytest.raises(SourceError, match=said) as caught,
        CameraSource(CameraConfig(url=f"http://{address}")),
    ):
        pass
    assert caught.value.reason == reason


def test_a_camera_at_one_picture_a_second_is_not_lost() -> None:
    with http_camera(pause=1.0) as address:
        found = some(CameraConfig(url=f"http://{address}"), 4)
    # Only what FFmpeg gathered at the opening is skipped: the first picture that had to be waited for is used.
    assert found[0].media_time < 1.5
    gaps = [b.time - a.time for a, b in pairwise(found)]
    assert gaps == pytest.approx([1.0] * 3, abs=0.3)


def test_a_usb_camera_that_is_missing_forbidden_or_none_at_all_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    with pytest.raises(SourceError, match=r"there is no .*video3") as caught:
        open_device(3, "usb:3", tmp_path)
    assert "cameras here: usb:0" in caught.value.fix
    with pytest.raises(SourceError, match="there is no") as caught:
        open_device(3, "usb:3", tmp_path / "nothing")
    assert "no camera is plugged in" in caught.value.fix
    if os.geteuid() != 0:
        (tmp_path / "video0").chmod(0)
        with pytest.raises(SourceError, match="permission denied") as caught:
            open_device(0, "usb:0", tmp_path)
        assert "group video" in caught.value.fix
    # A node of a number that no driver serves: OpenCV opens /dev/video63, which is not there.
    (tmp_path / "video63").touch()
    with pytest.raises(SourceError, match="in use, or gives no pictures") as caught:
        open_device(63, "usb:63", tmp_path)
    assert caught.value.reason == "no_device"


@pytest.mark.parametrize(("rotate", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_a_camera_that_hangs_turned_is_set_upright(tmp_path: Path, rotate: int, corner: tuple[int, int]) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16, :16] = 255
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(3):
        writer.write(image)
    writer.release()
    found = frames(CameraConfig.model_validate({"url": str(path), "rotate": rotate}))
    assert found[0].image.shape == ((64, 48, 3) if rotate in (90, 270) else (48, 64, 3))
    bright = [(y, x) for y in (0, -1) for x in (0, -1) if found[0].image[y, x].mean() > 128]
    assert bright == [corner]


def test_a_rotation_by_another_angle_is_refused_by_its_field() -> None:
    with pytest.raises(ValueError, match="rotate"):
        CameraConfig.model_validate({"url": "rtsp://cam/s", "rotate": 45})


def test_grey_video_gives_three_equal_channels(tmp_path: Path) -> None:
    path = tmp_path / "grey.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 10.0, (64, 48), isColor=False)
    assert writer.isOpened()
    for index in range(5):
        writer.write(picture(index)[:, :, 0])
    writer.release()
    found = frames(CameraConfig(url=str(path)))
    assert [number_of(frame) for frame in found] == [0, 1, 2, 3, 4]
    assert {frame.image.shape for frame in found} == {(48, 64, 3)}


def test_a_picture_of_one_channel_is_grey_and_one_of_two_or_four_is_none() -> None:
    for shape in ((4, 6), (4, 6, 1)):
        image = upright(np.full(shape, 7, np.uint8), 90)
        assert image is not None
        assert (image.shape, int(image.max())) == ((6, 4, 3), 7)
    assert upright(np.zeros((4, 6, 2), np.uint8), 0) is None
    assert upright(np.zeros((4, 6, 4), np.uint8), 0) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_stream_gives_pictures_or_one_clear_error(tmp_path: Path, seed: int, damaged_clip: Clip) -> None:
    told = outcome(mutate(damaged_clip, seed), damaged_clip, tmp_path)
    assert told in ("pictures", "fewer pictures", "refused"), told


@pytest.fixture(scope="module")
def damaged_clip() -> Clip:
    return Clip.make("mpegts")
