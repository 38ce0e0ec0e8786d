import http.server
import itertools
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from sensors.camera import CameraSource, open_camera
from sensors.camera_config import CameraConfig
from sensors.errors import FormatError, SourceError
from sensors.readings import Frame, Image, Silence
from tests.sensors.rtsp_server import rtsp_camera
from tests.shared_data import shared


def picture(number: int, width: int = 64, height: int = 48) -> Image:
    """A grey picture whose brightness tells its number (0–20)."""
    return np.full((height, width, 3), 10 + 12 * number, np.uint8)


def number_of(frame: Frame) -> int:
    return round((float(frame.image.mean()) - 10) / 12)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twenty pictures, ten a second."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for index in range(20):
        writer.write(picture(index))
    writer.release()
    return path


def frames(config: CameraConfig) -> list[Frame]:
    with CameraSource(config, clock=lambda: 5000.0) as source:
        found = [reading for reading in source if isinstance(reading, Frame)]
        assert source.dropped == 0
    return found


def test_every_picture_of_a_file_comes_once_with_its_exact_media_time(clip: Path) -> None:
    found = frames(CameraConfig(url=str(clip), start=1000.0))
    assert [number_of(frame) for frame in found] == list(range(20))
    assert [frame.index for frame in found] == list(range(20))
    assert [frame.media_time for frame in found] == pytest.approx([i / 10 for i in range(20)])
    assert [frame.time for frame in found] == pytest.approx([1000 + i / 10 for i in range(20)])
    assert found[0].image.shape == (48, 64, 3)
    assert found[0].image.dtype == np.uint8


def test_a_file_without_a_start_begins_when_it_is_read(clip: Path) -> None:
    assert frames(CameraConfig(url=str(clip)))[0].time == 5000.0


def test_the_declared_length_is_known_after_entering(clip: Path) -> None:
    with open_camera(CameraConfig(url=str(clip))) as source:
        assert source.fps == pytest.approx(10)
        assert source.duration == pytest.approx(2.0)


def test_fewer_pictures_are_looked_at_when_asked_for(clip: Path) -> None:
    assert [frame.index for frame in frames(CameraConfig(url=str(clip), every=3))] == list(range(0, 20, 3))
    assert [frame.index for frame in frames(CameraConfig(url=str(clip), max_fps=5))] == list(range(0, 20, 2))
    assert len(frames(CameraConfig(url=str(clip), max_fps=10))) == 20


def test_a_time_lapse_stretches_the_store_s_clock_and_not_the_media_s(clip: Path) -> None:
    found = frames(CameraConfig(url=str(clip), start=0.0, time_scale=60.0))
    assert found[10].time == pytest.approx(60.0)
    assert found[10].media_time == pytest.approx(1.0)


def test_a_loop_goes_on_in_the_store_s_time_and_begins_anew_in_the_media_s(clip: Path) -> None:
    with CameraSource(CameraConfig(url=str(clip), start=0.0, loop=True)) as source:
        found = [reading for reading in itertools.islice(source, 45) if isinstance(reading, Frame)]
    assert [frame.time for frame in found] == pytest.approx([i / 10 for i in range(45)])
    assert [frame.media_time for frame in found[18:22]] == pytest.approx([1.8, 1.9, 0.0, 0.1])
    assert number_of(found[20]) == 0


def test_a_paced_file_waits_for_each_picture_and_says_when_nothing_came(clip: Path) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    config = CameraConfig(url=str(clip), start=100.0, speed=0.05)
    with CameraSource(config, clock=lambda: now[0], sleep=sleep) as source:
        readings = list(itertools.islice(source, 5))
    assert [type(reading) for reading in readings] == [Frame, Silence, Frame, Silence, Frame]
    assert [reading.time for reading in readings] == pytest.approx([100.0, 100.05, 100.1, 100.15, 100.2])


@pytest.mark.parametrize("name", ["0", "door:1.avi", "50%d.avi"])
def test_a_file_with_an_odd_name_is_a_file(clip: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clip.rename(clip.parent / name)
    monkeypatch.chdir(clip.parent)
    assert len(frames(CameraConfig(url=f"file:{name}"))) == 20


def test_a_missing_file_and_a_folder_are_source_errors(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "absent.avi", "no such file"), (tmp_path, "not a file")):
        with pytest.raises(SourceError, match=message), CameraSource(CameraConfig(url=str(path))):
            pass


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", bytes(range(256)) * 40, b"RIFF\xff\xff\xff\xffAVI LIST", b"\x00\x00\x00\x18ftypmp42"]
)
def test_a_file_that_is_no_video_is_a_format_error_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.mp4"
    path.write_bytes(content)
    with pytest.raises(FormatError) as caught, CameraSource(CameraConfig(url=str(path))):
        pass
    assert "\n" not in str(caught.value)
    assert caught.value.fix


def test_a_video_whose_pictures_are_all_destroyed_is_a_format_error(clip: Path) -> None:
    content = bytearray(clip.read_bytes())
    start = content.index(b"movi") + 4
    content[start:] = bytes(len(content) - start)
    clip.write_bytes(content)
    with pytest.raises(FormatError), CameraSource(CameraConfig(url=str(clip))):
        pass


def test_of_a_file_with_a_damaged_tail_the_pictures_before_are_used(clip: Path) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: content.index(b"movi") + (len(content) - content.index(b"movi")) // 2])
    with CameraSource(CameraConfig(url=str(clip))) as source:
        found = [reading for reading in source if isinstance(reading, Frame)]
        assert source.duration == pytest.approx(2.0)
    assert 5 <= len(found) <= 15
    assert [number_of(frame) for frame in found] == list(range(len(found)))


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_never_ends_in_anything_but_frames_or_one_clear_error(clip: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = np.frombuffer(clip.read_bytes(), np.uint8).copy()
    where = rng.integers(0, len(content), 40)
    content[where] ^= rng.integers(1, 255, 40, dtype=np.uint8)
    clip.write_bytes(content.tobytes())
    try:
        found = frames(CameraConfig(url=str(clip)))
    except (SourceError, FormatError):
        return
    times = [frame.media_time for frame in found]
    assert times == sorted(set(times))


def test_the_libraries_print_nothing_about_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "odd.avi"
    path.write_bytes(b"hello")
    program = (
        "import sys\nfrom sensors.camera import *\n"
        "try:\n with CameraSource(CameraConfig(url=sys.argv[1])): pass\nexcept FormatError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_the_public_test_video_has_795_pictures() -> None:
    with CameraSource(CameraConfig(url=str(shared("data/video/vtest.avi")))) as source:
        found = [reading.media_time for reading in source if isinstance(reading, Frame)]
    assert len(found) == 795
    assert found[-1] == pytest.approx(79.4)


class Stream(http.server.BaseHTTPRequestHandler):
    """A camera that sends motion JPEG over HTTP, as many real ones do."""

    pictures = 10_000
    pause = 0.02
    stall_after = 10**9

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for index in range(self.pictures):
                encoded = cv2.imencode(".jpg", picture(index % 20))[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(encoded)}\r\n\r\n".encode()
                self.wfile.write(head + encoded + b"\r\n")
                time.sleep(self.pause if index < self.stall_after else 30)
        except OSError:
            pass

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def streaming(pictures: int = 10_000, stall_after: int = 10**9) -> Iterator[str]:
    handler = type("Handler", (Stream,), {"pictures": pictures, "stall_after": stall_after})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/stream.mjpeg"
        server.shutdown()


def test_a_slow_consumer_of_a_live_camera_gets_the_newest_picture_and_the_others_are_counted() -> None:
    with streaming() as url, CameraSource(CameraConfig(url=url)) as source:
        readings = iter(source)
        first = next(readings)
        time.sleep(0.6)
        second = next(readings)
        assert isinstance(first, Frame)
        assert isinstance(second, Frame)
        assert second.index - first.index >= 5
        assert source.dropped >= 4
        assert time.time() - second.time < 0.5


def test_a_live_camera_that_falls_silent_is_said_every_second_and_then_lost() -> None:
    with streaming(stall_after=5) as url, CameraSource(CameraConfig(url=url)) as source:
        readings: list[Frame | Silence] = []
        with pytest.raises(SourceError, match="sends no more pictures"):
            readings.extend(source)
        assert isinstance(readings[0], Frame)
        assert 3 <= sum(isinstance(reading, Silence) for reading in readings) <= 8


def test_a_live_camera_that_ends_is_lost() -> None:
    with streaming(pictures=5) as url, CameraSource(CameraConfig(url=url)) as source:
        with pytest.raises(SourceError) as caught:
            list(source)
        assert "opened again" in caught.value.fix


def test_leaving_a_live_camera_ends_its_thread() -> None:
    with streaming() as url:
        with CameraSource(CameraConfig(url=url)) as source:
            next(iter(source))
        assert not [thread for thread in threading.enumerate() if thread.name == "camera"]


def test_a_camera_that_does_not_answer_is_refused_without_its_password(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("geheim:@/?\n")
    config = CameraConfig(url="rtsp://viewer@127.0.0.1:9/stream?token=hidden", password_file=secret)
    with pytest.raises(SourceError) as caught, CameraSource(config):
        pass
    said = f"{caught.value} {caught.value.fix}"
    assert "127.0.0.1:9/stream" in said
    assert not any(word in said for word in ("geheim", "viewer", "hidden"))


def test_a_usb_camera_that_is_not_there_is_a_source_error() -> None:
    with pytest.raises(SourceError, match="usb:63 cannot be opened"), CameraSource(CameraConfig(url="usb:63")):
        pass


def test_secrets_come_from_a_file_or_the_environment_and_are_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a:b@c/d\n")
    by_file = CameraConfig(url="rtsp://viewer@cam:554/s", password_file=secret)
    assert by_file.secret_url() == "rtsp://viewer:a%3Ab%40c%2Fd@cam:554/s"
    monkeypatch.setenv("DOOR", "x y")
    assert CameraConfig(url="rtsp://v@cam/s", password_env="DOOR").secret_url() == "rtsp://v:x%20y@cam/s"


def test_a_secret_that_cannot_be_read_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="No such file"):
        CameraConfig(url="rtsp://v@cam/s", password_file=tmp_path / "absent").secret_url()
    monkeypatch.delenv("DOOR", raising=False)
    with pytest.raises(SourceError, match="DOOR is not set"):
        CameraConfig(url="rtsp://v@cam/s", password_env="DOOR").secret_url()
    if os.geteuid() != 0:
        closed = tmp_path / "closed"
        closed.write_text("x")
        closed.chmod(stat.S_IWUSR)
        with pytest.raises(SourceError, match="Permission denied"):
            CameraConfig(url="rtsp://v@cam/s", password_file=closed).secret_url()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("rtsp://user:pass@cam/s", "rtsp://***@cam/s"),
        ("rtsp://cam/s?user=a&password=b", "rtsp://cam/s"),
        ("usb:0", "usb:0"),
        ("file:video.mp4", "video.mp4"),
    ],
)
def test_an_address_for_people_has_no_secret(url: str, address: str) -> None:
    assert CameraConfig(url=url).address == address


def test_a_password_without_a_user_and_two_passwords_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a url with a user"):
        CameraConfig(url="video.mp4", password_env="X")
    with pytest.raises(ValueError, match="not both"):
        CameraConfig(url="rtsp://v@cam/s", password_env="X", password_file=tmp_path)


@pytest.fixture
def broadcast(tmp_path: Path) -> Path:
    """Sixty pictures as an MPEG transport stream."""
    path = tmp_path / "clip.ts"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MPG2"), 25.0, (64, 48))
    assert writer.isOpened()
    for index in range(60):
        writer.write(picture(index % 20))
    writer.release()
    return path


def test_an_rtsp_camera_is_read_until_it_ends_and_is_lost_then(broadcast: Path) -> None:
    readings: list[Frame | Silence] = []
    with rtsp_camera(broadcast, pause=0.005) as (address, _):
        config = CameraConfig(url=f"rtsp://{address}")
        with CameraSource(config) as source, pytest.raises(SourceError, match="sends no more pictures"):
            readings.extend(source)
        seen = sum(isinstance(reading, Frame) for reading in readings)
        assert 50 <= seen + source.dropped <= 60


def test_an_rtsp_camera_gets_the_password_of_the_file(broadcast: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a:b c\n")
    with rtsp_camera(broadcast, login="viewer:a:b c", pause=0.005) as (address, seen):
        config = CameraConfig(url=f"rtsp://viewer@{address}", password_file=secret)
        with CameraSource(config) as source:
            assert isinstance(next(iter(source)), Frame)
        assert any(seen)
        secret.write_text("wrong\n")
        with pytest.raises(SourceError, match="cannot be opened"), CameraSource(config):
            pass
