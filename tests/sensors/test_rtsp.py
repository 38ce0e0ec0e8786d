"""RTSP cameras, served by GStreamer as a camera would."""

from pathlib import Path

import numpy as np
import pytest

from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.errors import SourceError
from sensors.readings import Frame
from tests.sensors.gst import CODECS, Codec, encode, gst_rtsp, require_gst

FPS = 10
PICTURES = 70


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> Codec:
    chosen: Codec = request.param
    return chosen


def numbered(path: Path, codec: Codec) -> Path:
    """Seven seconds whose brightness tells the number of the picture."""
    require_gst()
    return encode(path, codec, [np.full((120, 160, 3), 20 + 3 * n, np.uint8) for n in range(PICTURES)], FPS)


def number_of(frame: Frame) -> int:
    return round((float(frame.image.mean()) - 20) / 3)


def test_the_pictures_of_a_real_server_come_in_order_in_their_size_and_at_their_pace(
    tmp_path: Path, codec: Codec
) -> None:
    file = numbered(tmp_path / "clip.mp4", codec)
    seen: list[Frame] = []
    with gst_rtsp({"door": (file, codec)}) as server:
        config = CameraConfig(url=f"rtsp://127.0.0.1:{server.port}/door")
        with CameraSource(config) as source, pytest.raises(SourceError, match="sends no more pictures"):
            seen.extend(reading for reading in source if isinstance(reading, Frame))
        assert source.fps == FPS
    numbers = [number_of(frame) for frame in seen]
    assert numbers == sorted(set(numbers))
    # What FFmpeg gathers while it opens the stream (up to 3 s) is old by then, and skipped.
    assert numbers[-1] >= PICTURES - 2
    assert PICTURES - 1 <= len(numbers) + source.dropped <= PICTURES
    assert len(numbers) >= PICTURES // 2
    assert {frame.image.shape for frame in seen} == {(120, 160, 3)}
    # Arrival is the server's pace, whichever picture was the first: no burst, no stretch.
    ahead = [frame.time - number / FPS for frame, number in zip(seen, numbers, strict=True)]
    assert max(ahead) - min(ahead) < 0.6, ahead


def test_a_real_server_gets_the_password_by_digest_and_a_wrong_one_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = numbered(tmp_path / "clip.mp4", "h264")
    with gst_rtsp({"door": (file, "h264")}, login="viewer:a:b c") as server:
        address = f"127.0.0.1:{server.port}/door"
        config = CameraConfig(url=f"rtsp://viewer@{address}", password_env="DOOR")
        monkeypatch.setenv("DOOR", "a:b c")
        with CameraSource(config) as source:
            assert any(isinstance(reading, Frame) for reading in source)
        monkeypatch.setenv("DOOR", "geheim")
        with pytest.raises(SourceError, match="refuses user and password") as caught, CameraSource(config):
            pass
        assert (caught.value.reason, "geheim" in f"{caught.value}{caught.value.fix}") == ("login_refused", False)
        assert "password_env" in caught.value.fix
        with (
            pytest.raises(SourceError, match="asks for a user"),
            CameraSource(CameraConfig(url=f"rtsp://{address}")),
        ):
            pass


def test_a_stream_that_a_real_server_does_not_have_is_named(tmp_path: Path) -> None:
    file = numbered(tmp_path / "clip.mp4", "h264")
    with gst_rtsp({"door": (file, "h264")}) as server:
        config = CameraConfig(url=f"rtsp://127.0.0.1:{server.port}/stream9")
        with pytest.raises(SourceError, match=r"no stream /stream9 \(404\)") as caught, CameraSource(config):
            pass
    assert caught.value.reason == "not_found"
