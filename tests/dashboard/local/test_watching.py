"""Looking through a live camera: a real RTSP server, the real detector."""

import time
from pathlib import Path

import cv2
import pytest

from dashboard.local.watching import CameraWatch, Looked
from models.config import ModelsConfig
from sensors.config import NamedCamera
from sensors.errors import SourceError
from tests.dashboard.local.test_calibration import CLIP
from tests.sensors.rtsp_server import rtsp_camera


@pytest.fixture(scope="module")
def broadcast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the demonstration's clip, somebody in view, as an MPEG transport stream."""
    path = tmp_path_factory.mktemp("broadcast") / "clip.ts"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MPG2"), 25.0, (640, 360))
    source = cv2.VideoCapture(str(CLIP))
    source.set(cv2.CAP_PROP_POS_FRAMES, 30)
    for _ in range(100):
        writer.write(source.read()[1])
    writer.release()
    source.release()
    return path


def ended(watch: CameraWatch) -> Looked:
    while watch.looked.phase in ("opening", "watching"):
        time.sleep(0.05)
    return watch.looked


def test_a_live_camera_is_watched_for_its_seconds_and_gives_new_pictures_afterwards(broadcast: Path) -> None:
    with rtsp_camera(broadcast, pause=0.004, stall=1.0) as (address, _):
        watch = CameraWatch(NamedCamera(name="door", url=f"rtsp://{address}"), ModelsConfig(), 1.0)
        watch.start()
        looked = ended(watch)
        assert (looked.phase, looked.shape, looked.progress) == ("done", (640, 360), 1.0)
        before = watch.image
        watch.renew()
        assert watch.looked.number == looked.number + 1
        after = watch.image
        assert after is not None
        assert after is not before
        watch.stop()
        assert watch.image is None
        assert watch.looked.seen.walks == ()


def test_a_wrong_password_is_said_with_the_fix_and_without_the_secret(broadcast: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong-one\n")
    with rtsp_camera(broadcast, login="viewer:right") as (address, _):
        camera = NamedCamera(name="door", url=f"rtsp://viewer@{address}", password_file=secret)
        watch = CameraWatch(camera, ModelsConfig(), 1.0)
        watch.start()
        looked = ended(watch)
        assert looked.phase == "failed"
        assert "cannot be opened" in looked.error
        assert "wrong-one" not in looked.error
        assert "password" in looked.fix
        with pytest.raises(SourceError, match="cannot be opened"):
            watch.renew()
        watch.stop()


def test_what_is_watched_can_be_stopped_at_any_moment(broadcast: Path) -> None:
    with rtsp_camera(broadcast, pause=0.004, stall=1.0) as (address, _):
        watch = CameraWatch(NamedCamera(name="door", url=f"rtsp://{address}"), ModelsConfig(), 600.0)
        watch.start()
        while watch.image is None:
            time.sleep(0.01)
        watch.stop()
        assert watch.image is None
